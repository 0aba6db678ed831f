"""What is left of downloads of large objects that were cut off: a later run goes on with it."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from typing import TYPE_CHECKING

from pivot.errors import LocalError, ObjectError, ObjectUnreachable, local_error
from pivot.objects import Digest, is_digest
from pivot.owner import is_abandoned, own_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

WORTH = 8 * 1024 * 1024
"""Bytes from which on the rest of an object is asked for instead of all of it."""

_OLD = 7 * 24 * 3600.0  # seconds: nobody goes on with it any more
_DIGITS = 16


class Partials:
    """Files `<digest>.<owner>` in the directory *root*; each belongs to one process.

    Another process takes one over only when its owner is dead, by renaming it, which succeeds for
    one alone. Nothing is believed of what a file has: whoever goes on with it hashes all of it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._waiting: dict[Digest, Path] | None = None

    def claim(self, digest: Digest) -> Path | None:
        """Take what is left of *digest*, if anything is."""
        if self._waiting is not None and digest not in self._waiting:  # as nearly always
            return None
        with self._lock:
            left = self._to_go_on_with().pop(digest, None)
        if left is None:
            return None
        ours = self._name(digest)
        with contextlib.suppress(OSError):
            left.rename(ours)  # or somebody else was first
            found = ours.lstat()
            # a second name is that of an object or of an output, which is not to be written to
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                ours.chmod(0o600)  # it is read-only where only its name was lacking
                return ours
            ours.unlink()
        return None

    def new(self, digest: Digest) -> Path:
        """Name a file that is not there yet; raises `LocalError`."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise local_error(error, self._root) from error
        return self._name(digest)

    @contextlib.contextmanager
    def file(self, path: Path, digest: Digest) -> Iterator[int]:
        """Open a file that was claimed or is new, for reading and writing.

        What the caller wrote stays to go on with if it ends by what passes: an interrupt or the
        network. Raises `LocalError`.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise local_error(error, path) from error
        try:
            yield descriptor
        except ObjectUnreachable:
            with self._lock:
                self._to_go_on_with()[digest] = path
            raise
        except (ObjectError, LocalError):
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        finally:
            os.close(descriptor)

    def size(self, digests: Collection[Digest]) -> int:
        """Say how many bytes are left of *digests*, which need no more room."""
        with self._lock:
            waiting = dict(self._to_go_on_with())
        return sum(_size(path) for digest, path in waiting.items() if digest in digests)

    def drop(self, is_over: Callable[[Digest], bool]) -> bool:
        """Remove those of dead owners that nobody will go on with; tell whether there were any.

        Also what is older than a week, whoever it belongs to, and the directory if it is empty.
        """
        dropped = False
        old = time.time() - _OLD
        for name in self._names():
            digest, path = Digest(name[:_DIGITS]), self._root / name
            with contextlib.suppress(OSError):
                if path.lstat().st_mtime < old or (
                    is_abandoned(name[_DIGITS + 1 :]) and is_over(digest)
                ):
                    path.unlink()
                    dropped = True
        with contextlib.suppress(OSError):
            self._root.rmdir()
        return dropped

    def _name(self, digest: Digest) -> Path:
        return self._root / f"{digest}.{own_name()}"

    def _to_go_on_with(self) -> dict[Digest, Path]:
        """List what dead owners have left, once: not again for each of many objects."""
        if self._waiting is None:
            self._waiting = {
                Digest(name[:_DIGITS]): self._root / name
                for name in self._names()
                if is_abandoned(name[_DIGITS + 1 :])
            }
        return self._waiting

    def _names(self) -> list[str]:
        try:
            names = sorted(os.listdir(self._root))
        except OSError:
            return []
        return [n for n in names if is_digest(n[:_DIGITS]) and n[_DIGITS : _DIGITS + 1] == "."]


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
