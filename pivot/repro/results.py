"""What `repro` answers: what was decided about each stage, and what became of it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pivot.errors import ExitCode, PivotError
from pivot.frozen import frozen
from pivot.results import Problem, Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pivot.pipeline import Pipeline
    from pivot.repro.decide import Decision, Verdict


class State(StrEnum):
    """What became of a stage."""

    RAN = "ran"
    RESTORED = "restored"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    BLOCKED = "blocked"
    """A stage that it depends on failed."""
    NOT_RUN = "not run"
    """Another stage failed before its turn came."""
    PLANNED = "planned"
    """A dry run."""


@frozen
class StageResult:
    """One stage: the *decision* about it and its *state*; *seconds* that its commands took.

    It took so many seconds *around* that to put inputs in place and to keep outputs.
    """

    stage: str
    decision: Decision
    state: State
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    error: PivotError | None = None
    tail: tuple[str, ...] = ()
    """The last lines that a failed command printed."""
    around: float = 0.0


@frozen
class Repro:
    """A run of the pipeline: every chosen stage in its order, and what was *fetched* for it."""

    stages: tuple[StageResult, ...]
    pipeline: Pipeline
    fetches: tuple[Transfer, ...] = ()
    notes: tuple[str, ...] = ()
    dry_run: bool = False
    seconds: float = 0.0

    def count(self, *states: State) -> int:
        """Count the stages of which one of *states* became true."""
        return sum(result.state in states for result in self.stages)

    def verdicts(self, *verdicts: Verdict) -> int:
        """Count the stages about which one of *verdicts* was found, without a failure."""
        return sum(
            result.decision.verdict in verdicts and result.error is None for result in self.stages
        )

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that went wrong, in the order of the stages."""
        return tuple(self._problems())

    def _problems(self) -> Iterator[Problem]:
        for fetch in self.fetches:
            yield from fetch.problems
        for result in self.stages:
            if result.error is not None:
                error = result.error
                yield Problem(error.code, error.message, error.hint, owner=result.stage)
            elif result.state is State.BLOCKED:
                text = f"stage {result.stage} did not run: {result.decision.reason}"
                yield Problem(ExitCode.FAILED, text, owner=result.stage)
