"""A directory of a run's own for unfinished files; what a killed run left is removed."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import threading
from typing import TYPE_CHECKING

from pivot.errors import PivotError, local_error
from pivot.owner import is_abandoned, own_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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

    def create(self, mode: int = 0o600) -> tuple[str, int]:
        """Make a file, open for reading and writing; raises `LocalError`.

        *mode* is for those who open it later, and the umask takes from it.
        """
        path = f"{self.directory()}/{next(self._names)}"
        try:
            return path, os.open(path, _NEW, mode)
        except OSError as error:
            raise local_error(error, path) from error

    @contextlib.contextmanager
    def file(self) -> Iterator[tuple[str, int]]:
        """Make a file, open for reading and writing; it is removed if the caller fails."""
        path, descriptor = self.create()
        try:
            yield path, descriptor
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """Remove what is left, also by runs that were killed, and the directory if it is empty."""
        with self._lock:
            self._over = True
            if self._path is not None:
                shutil.rmtree(self._path, ignore_errors=True)
                self._path = None
            with contextlib.suppress(OSError):
                self._remove_abandoned("")
                self._root.rmdir()

    def _remove_abandoned(self, own: str) -> None:
        """Remove the directories of runs that are dead, as far as this machine can tell."""
        for name in os.listdir(self._root):
            if name != own and is_abandoned(name):
                shutil.rmtree(self._root / name, ignore_errors=True)


def _make(path: Path) -> None:
    """Make a directory whose parent another run may be removing at the same time."""
    for last in (False,) * 20 + (True,):
        try:
            path.mkdir(parents=True)
        except (FileNotFoundError, FileExistsError) as error:  # gone before or after pathlib looked
            if last:
                raise local_error(error, path) from error
        except OSError as error:
            raise local_error(error, path) from error
        else:
            return
