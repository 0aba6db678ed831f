"""See what a path of the workspace holds, as a value: a file or a directory with its digests."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

from pivot.errors import LocalError, PivotError, local_error
from pivot.objects import (
    Digest,
    Directory,
    File,
    Output,
    digest_descriptor,
    is_digest,
    tree_digest,
)
from pivot.paths import is_reserved
from pivot.remembered import is_same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TypeAlias

    from pivot.cache import Cache
    from pivot.remembered import Remembered

    Reading: TypeAlias = Callable[[str, os.stat_result], tuple[Digest, int]]
    """Reads the file at a path from the root: its digest and size."""

_TRIES = 3
_BESIDE_SOURCES = frozenset({"__pycache__", ".git", ".pivot"})


class Observer:
    """Looks at the files below *root*; each is read once a run, or not at all if *remembered*.

    Directories list regular files, and links into the *cache* as the files that they stand for;
    the user's own symlinks inside of a directory do not count. Safe from many threads.
    """

    def __init__(self, root: Path, cache: Cache, remembered: Remembered) -> None:
        self._root = str(root)
        self._files = os.path.realpath(cache.root / "files")
        self.remembered = remembered
        self._seen: dict[tuple[str, bool], Output | None] = {}

    def look(
        self, path: str, *, source: bool = False, read: Reading | None = None
    ) -> Output | None:
        """Say what stands at *path*; `None` for nothing.

        With *source* compiled Python files and repositories in a directory are left out: they
        appear when a stage runs, and no stage makes them on purpose. *read* is called for each
        file instead of `digest`. Raises `LocalError`, `PivotError`.
        """
        key = (path, source)
        if key not in self._seen:
            self._seen[key] = self._look(path, read or self.digest, source=source)
        return self._seen[key]

    def forget(self, path: str) -> None:
        """Look at *path*, and at what is around and inside it, anew the next time."""
        for seen, source in list(self._seen):
            if seen == path or seen.startswith(f"{path}/") or path.startswith(f"{seen}/"):
                self._seen.pop((seen, source), None)

    def is_own_link(self, path: str) -> bool:
        """Tell whether *path* is a symlink to an object of the cache, as a checkout makes them."""
        return self._linked(f"{self._root}/{path}") is not None

    def _look(self, path: str, read: Reading, *, source: bool) -> Output | None:
        place = f"{self._root}/{path}"
        try:
            found = os.stat(place)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise local_error(error, path) from error
        if stat.S_ISREG(found.st_mode):
            digest, size = read(path, found)
            return File(path, digest, size, bool(found.st_mode & stat.S_IXUSR) or None)
        if not stat.S_ISDIR(found.st_mode):
            raise LocalError(f"{path} is neither a file nor a directory")
        files: list[File] = []
        empty: list[str] = []
        self._list(path, files, empty, read, source=source)
        files.sort(key=lambda file: file.path)
        empty.sort()
        digest = tree_digest(files, empty, above=path)
        return Directory(path, digest, tuple(files), tuple(empty))

    def _list(
        self, top: str, files: list[File], empty: list[str], read: Reading, *, source: bool
    ) -> None:
        waiting = [top]
        while waiting:
            place = waiting.pop()
            count = 0
            for name, entry in self._entries(place):
                path = f"{place}/{name}"
                if source and (name in _BESIDE_SOURCES or name.endswith(".pyc")):
                    continue
                if is_reserved(name):
                    raise PivotError(
                        f"{path}: .git and .pivot are not data, so {top} cannot be kept with it",
                        hint=f"move or remove {path}",
                    )
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                    count += 1
                elif (file := self._file(path, entry, read)) is not None:
                    files.append(file)
                    count += 1
            if not count and place != top:
                empty.append(place)

    def _entries(self, place: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        try:
            with os.scandir(f"{self._root}/{place}") as entries:
                for entry in entries:
                    name = entry.name
                    if not name.isascii():
                        _check_name(name, place)
                    yield name, entry
        except OSError as error:
            raise local_error(error, place) from error

    def _file(self, path: str, entry: os.DirEntry[str], read: Reading) -> File | None:
        try:
            if entry.is_symlink() and self._linked(entry.path) is None:
                return None
            found = entry.stat()
        except FileNotFoundError:
            return None  # a link to nothing, or gone since the directory was read
        except OSError as error:
            raise local_error(error, path) from error
        if not stat.S_ISREG(found.st_mode):
            return None
        digest, size = read(path, found)
        return File(path, digest, size, bool(found.st_mode & stat.S_IXUSR))

    def digest(self, path: str, found: os.stat_result) -> tuple[Digest, int]:
        """Hash a file that is like *found*, unless it is remembered; raises `LocalError`."""
        known = self.remembered.recall(path, found)
        if known is not None:
            return known, found.st_size
        try:
            for _ in range(_TRIES):
                read_at = time.time_ns()
                descriptor = os.open(f"{self._root}/{path}", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    before = os.fstat(descriptor)
                    digest, size = digest_descriptor(descriptor)
                    after = os.fstat(descriptor)
                finally:
                    os.close(descriptor)
                if is_same(before, after) and size == after.st_size:
                    self.remembered.note(path, after, digest, read_at=read_at)
                    return digest, size
        except OSError as error:
            raise local_error(error, path) from error
        raise PivotError(f"{path} changes while it is read", hint="let what writes it end first")

    def _linked(self, place: str) -> Digest | None:
        """Read which object of the cache a symlink points to."""
        try:
            target = os.readlink(place)
        except OSError:
            return None
        shelf, last = os.path.split(os.path.normpath(os.path.join(os.path.dirname(place), target)))
        files, head = os.path.split(shelf)
        digest = head + last
        inside = os.path.realpath(files) == self._files
        return Digest(digest) if inside and is_digest(digest) else None


def _check_name(name: str, place: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = name.encode("utf-8", "backslashreplace").decode()
        raise PivotError(
            f"{place}: the name {shown} is not UTF-8, so a lock file cannot hold it"
        ) from error
