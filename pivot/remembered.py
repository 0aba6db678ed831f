"""What files hashed to when they were last read, so that unchanged ones are not read again.

A hint and no more: it may be deleted at any time, and what it cannot vouch for is read.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from pivot.documents import write_hint
from pivot.objects import Digest, Sha256, is_digest, is_sha256

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection
    from pathlib import Path
    from typing import Literal

_VERSION = 3
_TICK = 20_000_000
_SECOND = 1_000_000_000
"""Nanoseconds: the kernel's clock for time stamps stands still for up to ten milliseconds."""


class Known(NamedTuple):
    """What a file was when it was read, by its inode, and what it hashed to.

    *sha256* is empty where only the digest was asked for.
    """

    inode: int
    size: int
    mtime: int
    ctime: int
    digest: Digest
    sha256: Sha256 | Literal[""]


class Remembered:
    """Digests of files by path, each with the inode, size and times that the file had then.

    The time at which the inode changed is one of them: nobody can set it back, as `cp -p` and `tar`
    do with the other. The rule of git's index (racy-git.txt there) decides which may be believed:
    a file that was changed just before it was read may be changed again without its time telling.
    Safe from many threads.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._loaded: dict[str, Known] | None = None
        self._seen: set[str] = set()
        self._changed = False

    def recall(self, path: str, found: os.stat_result) -> Digest | None:
        """Say what the file at *path* hashes to, if it is the one that was read."""
        known = self.recall_all(path, found)
        return None if known is None else known.digest

    def recall_all(self, path: str, found: os.stat_result) -> Known | None:
        """As `recall`, and with the SHA-256 if that was asked for when it was read."""
        known = self._known.get(path)
        if known is None or known[:4] != _identity(found):
            return None
        self._seen.add(path)
        return known

    def note(
        self,
        path: str,
        found: os.stat_result,
        digest: Digest,
        *,
        read_at: int,
        sha256: Sha256 | None = None,
    ) -> None:
        """Remember a file that was like *found* before and after it was read.

        *read_at* is the time in nanoseconds at which reading began.
        """
        if found.st_ctime_ns + margin(found.st_ctime_ns) < read_at:
            self._known[path] = Known(*_identity(found), digest, sha256 or "")
            self._seen.add(path)
            self._changed = True

    def prune(self, is_there: Callable[[str], bool]) -> None:
        """Forget paths at which there is nothing any more, and write down the others."""
        self._seen = {path for path in self._known if is_there(path)}
        self.save(complete=True)

    def save(self, *, complete: bool) -> None:
        """Write all down; after a *complete* look at the project, without what was not seen."""
        if complete and (unseen := self._known.keys() - self._seen):
            for path in unseen:
                del self._known[path]
            self._changed = True
        if self._changed:
            tree = {"version": _VERSION, "files": self._known}
            text = json.dumps(tree, separators=(",", ":"))
            write_hint(self._file, text.encode())
            self._changed = False

    @property
    def _known(self) -> dict[str, Known]:
        if self._loaded is None:
            with self._lock:
                if self._loaded is None:  # or what was noted meanwhile would be lost
                    self._loaded = _load(self._file)
        return self._loaded


def version_of(found: os.stat_result, *, read_at: int) -> str:
    """Say in a word which file *found* is of, and how it is, before it is read at *read_at*.

    No later change leaves the word as it is; empty where one could, as for `Remembered.note`.
    """
    if found.st_ctime_ns + margin(found.st_ctime_ns) >= read_at:
        return ""
    return "-".join(map(str, _identity(found)))


def margin(time_stamp: int) -> int:
    """Say how long a time stamp of this kind may stand still, in nanoseconds."""
    return _TICK if time_stamp % _SECOND else 2 * _SECOND  # FAT and old NFS count in seconds


def settle(times: Collection[int]) -> None:
    """Wait until files of these times can be told from later ones, if that is soon."""
    ages = [time.time_ns() - stamp for stamp in times if stamp % _SECOND]
    if ages and 0 <= min(ages) <= _TICK:
        time.sleep((_TICK - min(ages)) / _SECOND + 0.001)


def is_same(one: os.stat_result, other: os.stat_result) -> bool:
    """Tell whether a file is still the one that it was."""
    return _identity(one) == _identity(other)


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _load(file: Path) -> dict[str, Known]:
    try:
        tree = json.loads(file.read_bytes())
        found = tree["files"] if tree["version"] == _VERSION else {}
        return {
            path: Known(inode, size, mtime, ctime, Digest(digest), sha256)
            for path, (inode, size, mtime, ctime, digest, sha256) in found.items()
            if is_digest(digest) and (sha256 == "" or is_sha256(sha256))
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
