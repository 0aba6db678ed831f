"""What outputs that are to persist held before a command began, so that it can begin anew."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.documents import load_yaml, write_atomically
from pivot.errors import PivotError
from pivot.frozen import frozen
from pivot.lock_writer import Record, render_lock
from pivot.lockfile import parse_lock
from pivot.objects import digest_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from pivot.objects import Output
    from pivot.stage import Stage


@frozen
class Before:
    """Records below *directory*, in the form of lock files; their contents are in the cache."""

    directory: Path

    def write(self, stage: Stage, outputs: tuple[Output, ...]) -> None:
        """Note what *outputs* of *stage* hold; raises `LocalError`."""
        here = {output.path for output in outputs}
        bare = replace(stage, outputs=tuple(o for o in stage.outputs if o.path in here))
        write_atomically(self._path(stage.name), render_lock(Record(bare, {}, (), outputs)))

    def read(self, stage: str) -> tuple[Output, ...] | None:
        """Say what was noted of *stage*, if anything."""
        path = self._path(stage)
        if not path.exists():
            return None
        try:
            lock = parse_lock(load_yaml(path), path.name)
        except PivotError:
            return None
        return (*lock.outputs, *lock.uncached)

    def end(self, stage: str) -> None:
        """Take the note away."""
        with contextlib.suppress(OSError):
            self._path(stage).unlink()

    def _path(self, stage: str) -> Path:
        return self.directory / f"{digest_bytes(stage.encode())}.before"
