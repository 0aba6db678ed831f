"""Reach into a directory one name at a time, never through a symlink and never out of it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from typing import TYPE_CHECKING

from pivot.errors import LocalError, UnsafePath, local_error

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Blocked(LocalError):
    """A file stands where a directory is needed."""


class Tree:
    """Directories below *root*, opened by descriptor, so that nothing can be swapped under them.

    Keeps the chain of directories that was opened last: paths that come in order cost one `open`
    for each directory. Use it in a `with` statement; not safe from many threads.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: list[str] = []
        self._descriptors: list[int] = []

    def __enter__(self) -> Self:
        try:
            self._descriptors = [os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
        except OSError as error:
            raise local_error(error, self.root) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._names, self._descriptors = [], []

    def open(self, path: str, *, make: bool = False) -> int | None:
        """Open the directory at *path* (`""` is the root itself); valid until the next call.

        `None` when it is not there, unless *make*. Raises `UnsafePath` where a symlink stands in
        the way, `Blocked` where a file does, `LocalError`.
        """
        names = path.split("/") if path else []
        common = 0
        for ours, wanted in zip(self._names, names, strict=False):
            if ours != wanted:
                break
            common += 1
        while len(self._names) > common:
            self._names.pop()
            os.close(self._descriptors.pop())
        for name in names[common:]:
            descriptor = self._enter(name, make=make)
            if descriptor is None:
                return None
            self._names.append(name)
            self._descriptors.append(descriptor)
        return self._descriptors[-1]

    def parent(self, path: str, *, make: bool = False) -> tuple[int | None, str]:
        """Open the directory that *path* is in; return it with the last name of *path*."""
        above, _, name = path.rpartition("/")
        return self.open(above, make=make), name

    def lstat(self, path: str) -> os.stat_result | None:
        """Look at what stands at *path*; `None` when nothing does. Raises as `open` does."""
        above, name = self.parent(path)
        if above is None:
            return None
        try:
            return os.stat(name, dir_fd=above, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise local_error(error, path) from error

    def remove(self, path: str) -> None:
        """Remove a file, a link or a directory with all that is in it, if it is there.

        Directories may be read-only. Raises as `open` does.
        """
        above, name = self.parent(path)
        if above is None:
            return
        try:
            found = os.stat(name, dir_fd=above, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                _remove_directory(name, above)
            else:
                os.unlink(name, dir_fd=above)
        except FileNotFoundError:
            return
        except OSError as error:
            raise local_error(error, path) from error

    def _enter(self, name: str, *, make: bool) -> int | None:
        above = self._descriptors[-1]
        place = "/".join([*self._names, name])
        try:
            try:
                return os.open(name, _OPEN, dir_fd=above)
            except FileNotFoundError:
                if not make:
                    return None
                with contextlib.suppress(FileExistsError):  # another thread was faster
                    os.mkdir(name, dir_fd=above)
                return os.open(name, _OPEN, dir_fd=above)
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENOTDIR}:
                raise self._in_the_way(name, place) from error
            raise local_error(error, place) from error

    def _in_the_way(self, name: str, place: str) -> LocalError | UnsafePath:
        found = os.stat(name, dir_fd=self._descriptors[-1], follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            return UnsafePath(
                f"{place} is a symlink: outputs are not written through symlinks",
                hint=f"replace {place} by a directory, or keep the cache elsewhere: cache.dir",
            )
        return Blocked(f"{place} is a file where a directory is needed", hint="move it away")


def _remove_directory(name: str, above: int) -> None:
    try:
        shutil.rmtree(name, dir_fd=above)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=above)
        for _, directories, _, place in os.fwalk(name, dir_fd=above):
            for inner in directories:
                if stat.S_ISDIR(os.stat(inner, dir_fd=place, follow_symlinks=False).st_mode):
                    os.chmod(inner, 0o700, dir_fd=place)
        shutil.rmtree(name, dir_fd=above)


def folds_names(root: Path) -> bool:
    """Tell whether the file system of the project at *root* has `.pivot` and `.PIVOT` for one."""
    try:
        return os.path.samefile(root / ".pivot", root / ".PIVOT")
    except OSError:
        return False
