"""Which objects of a cache were checked by SHA-256 here, so that each is read for it once.

A hint and no more: it may be deleted at any time, and what it does not vouch for is read.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, TypeAlias

from pivot.documents import write_hint
from pivot.objects import Digest, Sha256, is_sha256

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from pathlib import Path

Known: TypeAlias = tuple[int, int, int, Sha256]


class Proofs:
    """The SHA-256 of objects, each with the inode, size and time that the object had.

    Links to an object change the time of its inode, so only that of its content counts; objects
    are read-only, and an edit through a hard link changes it. Read from *file* when first needed.
    Safe from many threads.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._known: dict[str, Known] | None = None
        self._new: dict[str, Known] = {}

    def recall(self, digest: Digest, found: os.stat_result) -> Sha256 | None:
        """Give the SHA-256 of an object, if it is the one that was read."""
        known = self._new.get(digest) or self._load().get(digest)
        if known is None or known[:-1] != _identity(found):
            return None
        return known[-1]

    def note(self, digest: Digest, found: os.stat_result, sha256: Sha256) -> None:
        """Remember what an object was found to be."""
        self._new[digest] = (*_identity(found), sha256)  # atomic under the interpreter's lock

    def save(self) -> None:
        """Write down what is new; what another run wrote meanwhile stays."""
        if not self._new:
            return
        self._write(_load(self._file) | self._new)
        self._known, self._new = None, {}

    def prune(self, is_there: Callable[[str], bool]) -> None:
        """Forget what is noted of objects that are gone; what could be read anew is no loss."""
        known = _load(self._file)
        kept = {digest: proof for digest, proof in known.items() if is_there(digest)}
        if len(kept) < len(known):
            self._write(kept)

    def _write(self, known: Mapping[str, Known]) -> None:
        tree = {"version": 1, "objects": known}
        write_hint(self._file, json.dumps(tree, separators=(",", ":")).encode())

    def _load(self) -> Mapping[str, Known]:
        with self._lock:
            if self._known is None:
                self._known = _load(self._file)
            return self._known


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns


def _load(file: Path) -> dict[str, Known]:
    try:
        tree = json.loads(file.read_bytes())
        found = tree["objects"] if tree["version"] == 1 else {}
        return {
            digest: (inode, size, time, Sha256(sha256))
            for digest, (inode, size, time, sha256) in found.items()
            if is_sha256(sha256)
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
