"""Bring ledgers up to date: the SHA-256 of what `push` uploads and `repro` makes."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from pivot.crew import for_each
from pivot.errors import LocalError, PivotError, UnsafePath
from pivot.git import last_change
from pivot.ledger import Section, ledger_path, load_ledger, write_ledger
from pivot.objects import Digest, Directory, File, Hasher, Output, Sha256, files_of, hash_file
from pivot.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
    from pathlib import Path

    from pivot.cache import Cache
    from pivot.ledger import Ledger
    from pivot.targets import Reference


def update_ledgers(
    root: Path,
    cache: Cache,
    chosen: Iterable[Reference],
    every: Collection[Reference],
    *,
    known: Mapping[Digest, Sha256],
) -> tuple[str, ...]:
    """Write the sums of *chosen* outputs that no ledger has yet; list the ledgers that changed.

    *every* are all references that there are, whole; *known* are sums of contents that were just
    read. Others are read, from the cache or the workspace, where they are; what is not here stays
    without. Raises `UnsafePath`, `LocalError`.
    """
    lacking = [entry for entry in chosen if _lacks(entry)]
    documents = {ledger_path(entry.document) for entry in lacking}
    files = [file for entry in lacking for file in files_of(entry.output)]
    read = _read_sums(root, cache, files, known)
    if not any(file.digest in known or file.digest in read for file in files):
        return ()
    whole = {e.output.path for e in lacking if isinstance(e.output, Directory) and e.output.digest}
    parts = {f.path for e in lacking if e.output.path not in whole for f in files_of(e.output)}

    def fresh(output: Output) -> dict[str, Sha256]:
        return {
            file.path: sha256
            for file in files_of(output)
            if output.path in whole or file.path in parts or _is_below(file.path, whole)
            if (sha256 := known.get(file.digest) or read.get(file.digest)) is not None
        }

    listed: dict[str, list[Reference]] = {}
    for entry in every:
        if (path := ledger_path(entry.document)) in documents:
            listed.setdefault(path, []).append(entry)
    return tuple(
        path
        for path, entries in sorted(listed.items())
        if write_ledger(root, path, _renewed(load_ledger(root, path), entries, fresh))
    )


def _is_below(path: str, places: Collection[str]) -> bool:
    while path := path.rpartition("/")[0]:
        if path in places:
            return True
    return False


def stale_warnings(
    root: Path, references: Iterable[Reference], digests: Container[Digest]
) -> tuple[str, ...]:
    """Say which ledgers tell of other contents than their locks, where *digests* are moved."""
    told = []
    for entry in references:
        if entry.stale and any(file.digest in digests for file in files_of(entry.output)):
            changed = [f"{path}{_change(root, path)}" for path in (entry.document, entry.ledger)]
            told.append(
                f"{entry.output.path}: {changed[1]} is of another content than {changed[0]}, so it "
                f"is checked by xxh64 alone; the next 'pivot push' or 'pivot repro' mends that"
            )
    return tuple(told)


def _change(root: Path, path: str) -> str:
    try:
        change = last_change(root, path)
    except PivotError:
        change = ""
    return f" (last changed by {change})" if change else ""


def _lacks(entry: Reference) -> bool:
    return any(file.path not in entry.sums for file in files_of(entry.output))


def _renewed(
    ledger: Ledger, entries: Sequence[Reference], fresh: Callable[[Output], dict[str, Sha256]]
) -> dict[str, Section]:
    """Add *fresh* sums to a ledger; what its documents do not list any more goes."""
    renewed: dict[str, Section] = {}
    for entry in entries:
        output = entry.output
        before = ledger.get(output.path)
        sums = fresh(output)
        if before is not None and (not sums or before.digest == output.digest):
            renewed[output.path] = Section(before.digest, {**before.sums, **sums})
        elif sums:
            renewed[output.path] = Section(output.digest, sums)
    return renewed


def _read_sums(
    root: Path, cache: Cache, files: Collection[File], known: Mapping[Digest, Sha256]
) -> dict[Digest, Sha256]:
    """Find the sums of those *files* whose sums are not *known*, each content once."""
    found: dict[Digest, Sha256] = {}
    paths: dict[Digest, list[str]] = {}
    for file in files:
        if file.digest not in known:
            paths.setdefault(file.digest, []).append(file.path)

    def read(digest: Digest) -> None:
        sha256 = cache.sha256(digest) or _sum_in_workspace(root, paths[digest], digest)
        if sha256 is not None:
            found[digest] = sha256

    for_each(paths, read, jobs=os.cpu_count() or 1)
    return found


def _sum_in_workspace(root: Path, paths: Iterable[str], digest: Digest) -> Sha256 | None:
    """Read the first regular file at one of *paths* that has the content *digest*."""
    with Tree(root) as tree:
        for path in paths:
            try:
                found = tree.lstat(path)
                if found is None or not stat.S_ISREG(found.st_mode):
                    continue
                above, name = tree.parent(path)
                hasher = hash_file(name, Hasher(strong=True), dir_fd=above)
            except (OSError, LocalError, UnsafePath):
                continue  # what cannot be read here stays without
            if hasher.digest() == digest:
                return hasher.sha256()
    return None
