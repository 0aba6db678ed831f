"""What files hashed to when they were last read, so that unchanged ones are not read again.

A hint and no more: it may be deleted at any time, and what it cannot vouch for is read.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING

from pivot.documents import write_atomically
from pivot.errors import LocalError
from pivot.objects import Digest, is_digest

if TYPE_CHECKING:
    import os
    from collections.abc import Collection
    from pathlib import Path

_TICK = 20_000_000
_SECOND = 1_000_000_000
"""Nanoseconds: the kernel's clock for time stamps stands still for up to ten milliseconds."""


class Remembered:
    """Digests of files by path, each with the inode, size and times that the file had then.

    The time at which the inode changed is one of them: nobody can set it back, as `cp -p` and `tar`
    do with the other. The rule of git's index (racy-git.txt there) decides which may be believed:
    a file that was changed just before it was read may be changed again without its time telling.
    Safe from many threads.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = _load(file)
        self._seen: set[str] = set()
        self._changed = False

    def recall(self, path: str, found: os.stat_result) -> Digest | None:
        """Say what the file at *path* hashes to, if it is the one that was read."""
        known = self._known.get(path)
        if known is None or known[:-1] != _identity(found):
            return None
        self._seen.add(path)
        return known[-1]

    def note(self, path: str, found: os.stat_result, digest: Digest, *, read_at: int) -> None:
        """Remember a file that was like *found* before and after it was read.

        *read_at* is the time in nanoseconds at which reading began.
        """
        if found.st_ctime_ns + margin(found.st_ctime_ns) < read_at:
            self._known[path] = (*_identity(found), digest)
            self._seen.add(path)
            self._changed = True

    def save(self, *, complete: bool) -> None:
        """Write all down; after a *complete* look at the project, without what was not seen."""
        if complete and (unseen := self._known.keys() - self._seen):
            for path in unseen:
                del self._known[path]
            self._changed = True
        if self._changed:
            text = json.dumps({"version": 2, "files": self._known}, separators=(",", ":"))
            with contextlib.suppress(LocalError):  # next time they are read again
                write_atomically(self._file, text.encode())
            self._changed = False


def margin(time_stamp: int) -> int:
    """Say how long a time stamp of this kind may stand still, in nanoseconds."""
    return _TICK if time_stamp % _SECOND else 2 * _SECOND  # FAT and old NFS count in seconds


def settle(times: Collection[int]) -> None:
    """Wait until files of these times can be told from later ones, if that is soon."""
    ages = [time.time_ns() - stamp for stamp in times if stamp % _SECOND]
    if ages and 0 <= min(ages) <= _TICK:
        time.sleep((_TICK - min(ages)) / _SECOND + 0.001)


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _load(file: Path) -> dict[str, tuple[int, int, int, int, Digest]]:
    try:
        tree = json.loads(file.read_bytes())
        found = tree["files"] if tree["version"] == 2 else {}  # noqa: PLR2004
        return {
            path: (inode, size, mtime, ctime, Digest(digest))
            for path, (inode, size, mtime, ctime, digest) in found.items()
            if is_digest(digest)
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
