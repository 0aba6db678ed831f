"""What a deep verification has read so far, so that one that was cut off goes on.

It is of that one run: once all is read it is removed, and the next run reads everything again.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from typing import TYPE_CHECKING

from pivot.objects import Digest, Sha256, digest_bytes, is_digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pivot.objects import Promise

_VERSION = 1
_OLD = 24 * 3600.0  # seconds: after that, bytes may have rotted on their disk


class Journal:
    """A file in *directory* with a line for each object that was read and is right.

    *about* says what is verified: only a run about the same goes on. Each line has the version
    of the copy that was read, see `Content.version`, and its SHA-256 if it was asked for. What
    cannot be written or read is not remembered. Safe from many threads.
    """

    def __init__(
        self, directory: Path, about: str, *, seed: int | None, now: Callable[[], float]
    ) -> None:
        self._file = directory / f"{digest_bytes(about.encode())}.jsonl"
        self._known: dict[Digest, tuple[str, Sha256 | str]] = {}
        head = {"version": _VERSION, "about": about}
        began, found = self._load(head)
        if began is None or not 0 <= now() - began < _OLD or seed not in {None, found}:
            self._known = {}
            began, found = now(), secrets.randbits(32) if seed is None else seed
            self._remove()
        self.began = began
        """When the run began that is gone on with, in seconds of the system's clock."""
        self.seed = found
        """What the run chooses its sample by."""
        self._descriptor = self._open()
        if self._descriptor >= 0 and os.fstat(self._descriptor).st_size == 0:
            self._append(head | {"began": began, "seed": found})

    def known(self, promise: Promise) -> str:
        """Say which version of an object was read and kept this promise; empty for none."""
        version, sha256 = self._known.get(promise.digest, ("", ""))
        return version if promise.sha256 in {None, sha256} else ""

    def note(self, digest: Digest, version: str, sha256: Sha256 | None) -> None:
        """Remember that this version of an object was read, and is right."""
        if version:
            self._append([digest, version, sha256 or ""])

    def close(self, *, over: bool) -> None:
        """End; with *over* nothing is left to be gone on with."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if over:
            self._remove()

    def _load(self, head: dict[str, object]) -> tuple[float | None, int]:
        try:
            lines = self._file.read_bytes().split(b"\n")
            first = json.loads(lines[0])
            began, seed = float(first.pop("began")), int(first.pop("seed"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None, 0
        if first != head:
            return None, 0
        for line in lines[1:]:
            with contextlib.suppress(ValueError, TypeError, RecursionError):  # cut off by a kill
                digest, version, sha256 = json.loads(line)
                if is_digest(digest) and isinstance(version, str) and isinstance(sha256, str):
                    self._known[digest] = version, sha256
        return began, seed

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self._file, flags, 0o666)
        except OSError:
            return -1

    def _append(self, entry: object) -> None:
        """Write a line at once: whole, or the reader drops it; after a kill the rest is there."""
        if self._descriptor >= 0:
            line = json.dumps(entry, separators=(",", ":"))
            with contextlib.suppress(OSError):
                os.write(self._descriptor, f"{line}\n".encode())

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)
            self._file.parent.rmdir()
