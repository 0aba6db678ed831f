"""A directory of a run's own for unfinished files; what a killed run left is removed."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import stat
import threading
from typing import TYPE_CHECKING

from pivot.errors import PivotError, local_error
from pivot.owner import is_abandoned, own_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


_TRIES = 500  # of a few dozen microseconds: in step with who removes it, one in three succeeds
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Scratch:
    """A directory of this run's own below *root*, made when needed and removed at the end.

    The name says whose it is, so that the next run can remove what a killed one left.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._names = itertools.count()  # enough, since the directory is ours alone
        self._over = False

    def directory(self) -> Path:
        """Make the directory, once; raises `LocalError`."""
        path = self._path
        if path is not None:  # as nearly always: no lock for that
            return path
        with self._lock:
            if self._over:
                raise PivotError("the run is over")  # to a thread that an interrupt left behind
            if self._path is None:
                path = self._root / own_name()
                _make(path)
                self._path = path
                self._remove_abandoned(path.name)
            return self._path

    def write(self, chunks: Iterable[bytes], mode: int) -> tuple[str, os.stat_result]:
        """Make a file of *chunks* that has this *mode*: its path, and what it is like.

        As with `file`, at half of the cost. Raises `LocalError`.
        """
        path, descriptor = self._create(mode)
        try:
            for chunk in chunks:
                write_all(descriptor, chunk, path)
            found = os.fstat(descriptor)
            if stat.S_IMODE(found.st_mode) != mode:  # the umask had a say
                os.fchmod(descriptor, mode)
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.unlink(path)
            if isinstance(error, OSError):
                raise local_error(error, path) from error
            raise
        finally:
            os.close(descriptor)
        return path, found

    @contextlib.contextmanager
    def file(self) -> Iterator[tuple[str, int]]:
        """Make a file, open for reading and writing; it is removed if the caller fails."""
        path, descriptor = self._create(0o600)
        try:
            yield path, descriptor
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise
        finally:
            os.close(descriptor)

    def _create(self, mode: int) -> tuple[str, int]:
        """Make a file for others to open with *mode*, less the umask; we may read and write."""
        path = f"{self.directory()}/{next(self._names)}"
        try:
            return path, os.open(path, _NEW, mode)
        except OSError as error:
            raise local_error(error, path) from error

    def remove(self) -> None:
        """Remove what is left, also by runs that were killed, and the directory if it is empty."""
        with self._lock:
            self._over = True
            path, self._path = self._path, None
            for _ in range(2):  # a thread that an interrupt left behind may add a file meanwhile
                if path is not None:
                    shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(OSError):
                self._remove_abandoned("")
                self._root.rmdir()

    def _remove_abandoned(self, own: str) -> None:
        """Remove the directories of runs that are dead, as far as this machine can tell."""
        for name in os.listdir(self._root):
            if name != own and is_abandoned(name):
                shutil.rmtree(self._root / name, ignore_errors=True)


def write_all(descriptor: int, chunk: bytes, path: str) -> None:
    """Write *chunk* to an open file, whatever it takes; raises `LocalError`."""
    try:
        written = os.write(descriptor, chunk)
        while written < len(chunk):
            written += os.write(descriptor, memoryview(chunk)[written:])
    except OSError as error:
        raise local_error(error, path) from error


def _make(path: Path) -> None:
    """Make a directory whose parent another run may be removing at the same time."""
    for tries_left in range(_TRIES, -1, -1):
        try:
            path.mkdir(parents=True)
        except (FileNotFoundError, FileExistsError) as error:  # gone before or after pathlib looked
            if not tries_left:
                raise local_error(error, path) from error
        except OSError as error:
            raise local_error(error, path) from error
        else:
            return
