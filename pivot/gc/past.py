"""Read what the documents of many commits refer to: each distinct one once, without a checkout."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from pivot.documents import MAX_BYTES, parse_yaml
from pivot.errors import InvalidDocument, PivotError
from pivot.git import ask
from pivot.lockfile import parse_lock
from pivot.project import NEVER_ENTERED
from pivot.refs import path_inside
from pivot.tracked import parse_tracked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from pivot.objects import Output

_PATTERNS = (":(top)*.lock", ":(top)*.pvt")
_STAGES = ".pivot/stages/"
_AT_ONCE = 8 * 1024 * 1024
"""Bytes of documents in memory at a time, or one document."""

_FSCK = "'git fsck' tells what the repository lacks"


class Document(NamedTuple):
    """A lock or `.pvt` file that git has, by its path from the project, and where it is from.

    Those that are not the project's *own* have their paths from the top of the repository.
    """

    path: str
    blob: str
    commit: str
    own: bool = True


def is_document(path: str) -> bool:
    """Tell whether a file at *path* is a lock or `.pvt` file."""
    if path.endswith(".pvt"):
        return posixpath.basename(path) != ".pvt" and NEVER_ENTERED.isdisjoint(path.split("/"))
    return path.endswith(".lock") and f"/{_STAGES}" in f"/{path}"


def list_documents(
    root: Path, commits: Collection[str], trees: Iterable[str] = ()
) -> list[Document]:
    """List the distinct documents of all *commits* and *trees*; raises `PivotError`.

    Those outside of *root* count as well: the project may have been elsewhere once. Of a commit
    whose parents are among them it is enough to see what it changed; git leaves out directories
    that it did not.
    """
    found: dict[tuple[str, str], str] = {}
    chosen = set(commits)
    whole = list(trees)
    changes: list[str] = []
    for line in _parents(root, commits):
        commit, *parents = line.split()
        (changes if chosen.issuperset(parents) else whole).append(commit)
    given = "".join(f"{commit}\n" for commit in changes).encode()
    words = ("diff-tree", "--stdin", "-r", "-m", "--root", "--raw", "-z", "--no-renames")
    scope = ("--no-abbrev", "--", *_PATTERNS)
    for commit, mode, blob, path in _raw(
        ask(root, "cannot read its history", *words, *scope, given=given, hint=_FSCK).text
    ):
        if mode.startswith("100") and is_document(path):
            found.setdefault((path, blob), commit)
    for commit in whole:
        what = f"cannot list {commit[:12]}"
        listed = ask(root, what, "ls-tree", "-rz", "--full-tree", commit, hint=_FSCK).text
        for entry in filter(None, listed.split("\0")):
            about, _, path = entry.partition("\t")
            mode, _, blob = about.split(" ")
            if mode.startswith("100") and is_document(path):
                found.setdefault((path, blob), commit)
    inside = path_inside(root)
    return [document_at(inside, path, blob, commit) for (path, blob), commit in found.items()]


def document_at(inside: str, path: str, blob: str, commit: str = "") -> Document:
    """Make the document at *path* of a repository, which has the project *inside* of it."""
    above = f"{inside}/" if inside else ""
    return Document(path.removeprefix(above), blob, commit, own=path.startswith(above))


def _parents(root: Path, commits: Collection[str]) -> list[str]:
    """Give each commit with its parents, in a line."""
    given = "".join(f"{commit}\n" for commit in commits).encode()
    words = ("rev-list", "--no-walk=unsorted", "--parents", "--stdin")
    return ask(root, "cannot read its history", *words, given=given, hint=_FSCK).text.splitlines()


def _raw(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Read git's raw form: commit, mode, blob and path of each file that one made or changed."""
    words = iter(text.split("\0"))
    commit = ""
    for word in words:
        for part in word.split("\n"):
            if part.startswith(":"):
                _, mode, _, blob, status = part.split(" ")
                path = next(words)
                if status != "D":
                    yield commit, mode, blob, path
            elif re.fullmatch(r"[0-9a-f]{40,64}", part):
                commit = part


def read_outputs(
    root: Path, documents: Sequence[Document], unreadable: list[str], *, strict: bool = False
) -> Iterator[Output]:
    """Read what *documents* refer to; those that cannot be read are told to *unreadable*.

    If it is to be *strict*, the project's own raise `InvalidDocument` instead; `PivotError` when
    git cannot give them.
    """
    blobs = list(dict.fromkeys(document.blob for document in documents))
    contents = _contents(root, blobs)
    waiting: dict[str, list[Document]] = {}
    for document in documents:
        waiting.setdefault(document.blob, []).append(document)
    for blob, data in contents:
        for document in waiting[blob]:
            try:
                yield from parse_outputs(document.path, data)
            except PivotError as error:
                where = _where(root, document)
                if strict and document.own:
                    raise InvalidDocument(
                        f"{where}: {document.path}",
                        [error.message.removeprefix(f"{document.path}: ")],
                        hint="what it refers to is not known: --commits N leaves out what is "
                        "older, --skip-unreadable takes it for empty",
                    ) from error
                unreadable.append(f"{where}: {error.message}")


def parse_outputs(path: str, data: bytes) -> Iterator[Output]:
    """Read what a document with the text *data* refers to; raises `InvalidDocument` and others."""
    content = parse_yaml(data, path)
    if path.endswith(".pvt"):
        yield parse_tracked(content, path).output
        return
    lock = parse_lock(content, path)
    yield from (*lock.outputs, *lock.undecided)


def _contents(root: Path, blobs: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Give the bytes of *blobs*, a bearable part of them at a time."""
    given = "".join(f"{blob}\n" for blob in blobs).encode()
    what = "cannot give documents of the past"
    told = ask(root, what, "cat-file", "--batch-check", given=given, hint=_FSCK).text.splitlines()
    part: list[str] = []
    size = 0
    for line in told:
        blob, _, rest = line.partition(" ")
        if not rest.startswith("blob "):
            raise PivotError(f"git cannot give {blob[:12]}: it is {rest}", hint=_FSCK)
        length = int(rest.split(" ")[1])
        if length > MAX_BYTES:
            yield blob, b"\0"  # which is no document
            continue
        if part and size + length > _AT_ONCE:
            yield from _batch(root, part, what)
            part, size = [], 0
        part.append(blob)
        size += length
    yield from _batch(root, part, what) if part else ()


def _batch(root: Path, blobs: Sequence[str], what: str) -> Iterator[tuple[str, bytes]]:
    given = "".join(f"{blob}\n" for blob in blobs).encode()
    data = memoryview(ask(root, what, "cat-file", "--batch", given=given, hint=_FSCK).data)
    place = 0
    for blob in blobs:
        line = bytes(data[place : place + 200]).partition(b"\n")[0]
        place += len(line) + 1
        size = int(line.rsplit(b" ", 1)[1])
        yield blob, bytes(data[place : place + size])
        place += size + 1


def _where(root: Path, document: Document) -> str:
    """Say which commit a document is of, and what has that, as far as git can tell at once."""
    if not document.commit:
        return "staged"
    words = ("for-each-ref", "--count=1", "--format=%(refname)", "--contains", document.commit)
    try:
        ref = ask(root, "cannot tell", *words).text.strip()
    except PivotError:
        ref = ""
    return f"commit {document.commit[:12]}{f' of {ref}' if ref else ''}"
