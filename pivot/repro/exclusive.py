"""Let one `repro` at a time work in a workspace, and know what one that was killed left."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from typing import TYPE_CHECKING

from pivot.errors import local_error
from pivot.frozen import frozen
from pivot.objects import digest_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_PAUSE = 0.1


@contextlib.contextmanager
def exclusive(file: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock at *file*; *waiting* is told once who holds it, if somebody else does.

    The system lets go of the lock when its process ends, however it ends. Where the file system
    has no locks there are none: what is published by renaming stays whole all the same. Raises
    `LocalError`.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise local_error(error, file) from error
    try:
        _take(descriptor, waiting)
        _say_who(descriptor)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _take(descriptor: int, waiting: Callable[[str], None]) -> None:
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                waiting(_who(descriptor))
                told = True
            time.sleep(_PAUSE)
        except OSError:
            return
        else:
            return


def _say_who(descriptor: int) -> None:
    who = {
        "process": os.getpid(),
        "host": os.uname().nodename,
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(who).encode(), 0)


def _who(descriptor: int) -> str:
    """Say who holds the lock, as far as is known: it is being written just now, perhaps."""
    try:
        who = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {who['process']} on {who['host']}, since {who['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


@frozen
class Unfinished:
    """Marks of stages whose command has begun and whose lock is not written, below *directory*.

    Their outputs in the workspace are half made. Of a command that failed it is known what it
    left; of one that was killed it is not.
    """

    directory: Path

    def begin(self, stage: str, token: str) -> int:
        """Mark *stage*; the answer is the time of the file system, in nanoseconds.

        Raises `LocalError`.
        """
        return self._write(stage, {"stage": stage, "token": token})

    def fail(self, stage: str, left: Mapping[str, str]) -> None:
        """Add what a failed command *left*: for each path what sums it up.

        Raises `LocalError`.
        """
        if (mark := self._read(self._path(stage))) is not None:
            self._write(stage, {**mark, "left": dict(left)})

    def left_by(self, stage: str) -> Mapping[str, str]:
        """Say what a failed command of *stage* left, if that is known."""
        left = (self._read(self._path(stage)) or {}).get("left")
        return left if isinstance(left, dict) else {}

    def end(self, stage: str) -> None:
        """Take the mark away."""
        with contextlib.suppress(OSError):
            self._path(stage).unlink()

    def left(self) -> dict[str, str]:
        """List the stages that are marked, with the token of the run that they belong to."""
        found: dict[str, str] = {}
        try:
            marks = sorted(self.directory.iterdir())
        except OSError:
            return found
        for path in marks:
            if path.suffix == ".json" and (mark := self._read(path)) is not None:
                found[str(mark["stage"])] = str(mark["token"])
        return found

    def _read(self, path: Path) -> dict[str, object] | None:
        try:
            tree: dict[str, object] = json.loads(path.read_bytes())
            return tree if tree["stage"] and tree["token"] else None
        except (OSError, ValueError, KeyError, TypeError):
            return None  # killed while it was written, so before the command began

    def _write(self, stage: str, mark: Mapping[str, object]) -> int:
        path = self._path(stage)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(mark), encoding="utf-8")
            return path.stat().st_mtime_ns
        except OSError as error:
            raise local_error(error, path) from error

    def _path(self, stage: str) -> Path:
        return self.directory / f"{digest_bytes(stage.encode())}.json"
