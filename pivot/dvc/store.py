"""Contents in DVC's cache and in the workspace: where they are, and what they hash to."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from typing import TYPE_CHECKING

from pivot.documents import read_document
from pivot.dvc.recorded import Hashed
from pivot.errors import InvalidDocument, LocalError, PivotError, UnsafePath, local_error
from pivot.frozen import frozen
from pivot.objects import Digest, Hasher
from pivot.paths import data_path
from pivot.values import parse_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pivot.tree import Tree
    from pivot.values import Typed

_BLOCK = 1024 * 1024
"""DVC 2 converts line ends block by block, so blocks must be as long as its own."""

_TEXT = bytes(range(32, 127)) + b"\n\r\t\f\b"


@frozen
class Hashes:
    """What a file hashes to, for DVC and for us; *unix* is the md5 with LF for each CRLF."""

    md5: str
    unix: str
    digest: Digest
    size: int

    def are(self, wanted: Hashed) -> bool:
        """Tell whether the file is the content that DVC means."""
        return wanted.md5 == self.md5 or (wanted.legacy and wanted.md5 == self.unix)


@frozen
class Part:
    """A file at *path* from the root whose bytes lie at *source*.

    *hashes* are known where *source* was read already, which DVC's cache is not.
    """

    path: str
    content: Hashed
    source: Path
    size: int
    executable: bool | None = None
    hashes: Hashes | None = None


@frozen
class Whole:
    """A file or directory at *path* of which everything was found."""

    path: str
    parts: tuple[Part, ...]
    directory: bool = False
    empty: tuple[str, ...] = ()


@frozen
class Lost:
    """A content that is not there, and *why*; *damaged* says that wrong bytes stand for it."""

    path: str
    why: str
    damaged: bool = False


def hash_file(path: str | os.PathLike[str], *, dir_fd: int | None = None) -> Hashes:
    """Read a regular file once and hash it; raises `LocalError`."""
    md5, hasher = hashlib.md5(usedforsecurity=False), Hasher()
    unix = None
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, dir_fd=dir_fd)
        with open(descriptor, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise LocalError(f"{os.fspath(path)} is not a regular file")
            while block := _read(file.fileno()):
                has_crlf = b"\r\n" in block and _is_text(block)
                if unix is None and has_crlf:
                    unix = md5.copy()
                if unix is not None:
                    unix.update(block.replace(b"\r\n", b"\n") if has_crlf else block)
                md5.update(block)
                hasher.update(block)
    except OSError as error:
        raise local_error(error, path) from error
    name = md5.hexdigest()
    return Hashes(name, unix.hexdigest() if unix else name, hasher.digest(), hasher.size)


def _read(descriptor: int) -> bytes:
    """Read a whole block, however many bytes come at a time."""
    pieces: list[bytes] = []
    left = _BLOCK
    while left and (piece := os.read(descriptor, left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _is_text(block: bytes) -> bool:
    """Guess as DVC 2 does whether it would convert line ends."""
    head = block[:512]
    return b"\0" not in head and len(head.translate(None, _TEXT)) <= 0.3 * len(head)


@frozen
class Store:
    """DVC's cache at *cache*, in the layouts of versions 2 and 3."""

    cache: Path

    def find(self, content: Hashed) -> tuple[Path, int] | None:
        """Say where an object is and how large; `None` when it is not there."""
        name = f"{content.name[:2]}/{content.name[2:]}"
        places = [self.cache / "files" / "md5" / name, self.cache / name]
        for place in reversed(places) if content.legacy else places:
            try:
                found = place.lstat()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise local_error(error, place) from error
            if stat.S_ISREG(found.st_mode):
                return place, found.st_size
        return None

    def listing(self, content: Hashed, path: str) -> tuple[tuple[str, Hashed], ...] | Lost | None:
        """Read what the directory at *path* holds: relative paths and contents.

        `None` when the listing is not there.
        """
        found = self.find(content)
        if found is None:
            return None
        try:
            data = read_document(found[0])
            if hashlib.md5(data, usedforsecurity=False).hexdigest() != content.md5:
                raise InvalidDocument(found[0], ["its name is not the md5 of its bytes"])
            tree = parse_values(data, f"{content.name}.json").value
            return tuple(_entries(tree, content, path))
        except PivotError as error:
            return Lost(path, error.message, damaged=True)


def _entries(tree: Typed, content: Hashed, path: str) -> Iterator[tuple[str, Hashed]]:
    for entry in tree if isinstance(tree, list) else ():
        name = entry.get("relpath") if isinstance(entry, dict) else None
        md5 = entry.get("md5") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not isinstance(md5, str):
            raise InvalidDocument(content.name, ["has an entry without relpath or md5"])
        inside = data_path(f"{path}/{name}", content.name)
        yield inside[len(path) + 1 :], Hashed(md5, legacy=content.legacy)


def listing_md5(entries: Iterable[tuple[str, str]]) -> str:
    """Name a directory as DVC does: by the md5 of its relative paths and md5s."""
    listed = [{"md5": md5, "relpath": name} for name, md5 in sorted(entries)]
    return hashlib.md5(json.dumps(listed).encode(), usedforsecurity=False).hexdigest()


def look(tree: Tree, path: str) -> os.stat_result | None:
    """Look at a file of the workspace; one behind a symlink counts as not there."""
    try:
        return tree.lstat(path)
    except (UnsafePath, LocalError):
        return None
