"""What a run of stages tells while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pivot.repro.decide import Decision
    from pivot.repro.results import StageResult


class Watcher:
    """Told of all that happens; this one ignores it. Called from many threads."""

    def start(self) -> None:
        """Begin to look at files, which may take a while."""

    def waiting(self, who: str) -> None:
        """Another run works in this workspace: *who* it is."""

    def begin(self, stage: str, decision: Decision) -> None:
        """Hear that a stage's command starts."""

    def command(self, stage: str, command: str) -> None:
        """Hear which of its commands a stage runs now."""

    def output(self, stage: str, piece: bytes) -> None:
        """Hear what a stage printed; pieces are of any length."""

    def end(self, result: StageResult) -> None:
        """Hear that a stage is done."""

    def note(self, text: str) -> None:
        """Say something that a user should know."""

    def close(self) -> None:
        """End, also when not all is done."""
