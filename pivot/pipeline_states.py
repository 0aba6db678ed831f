"""Where stages of the pipeline stand, from what `repro` decides about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.errors import PivotError
from pivot.objects import files_of
from pivot.repro.decide import Has, Verdict
from pivot.stage_states import StageState, State

if TYPE_CHECKING:
    from pivot.lockfile import StageLock
    from pivot.objects import Digest, Output
    from pivot.repro.results import StageResult
    from pivot.repro.run import Run


def pipeline_state(
    run: Run, result: StageResult, lock: StageLock | None, needs: tuple[str, ...]
) -> tuple[StageState, set[Digest]]:
    """Say where a stage stands, and which objects can be had nowhere, for lack of which alone."""
    recorded = [] if lock is None else [*lock.outputs, *lock.undecided]
    gone = {
        digest for output in _lost(run, result, recorded) for digest in run.supplies.lacks(output)
    }
    sizes = {
        file.digest: file.size or run.supplies.size(file.digest) or 0
        for output in recorded
        for file in files_of(output)
    }
    state, reason = _judge(run, result, lock)
    if gone:
        state = State.MISSING if len(gone) == len(sizes) else State.PARTIAL
    document = "" if lock is None else lock.document
    size = sum(sizes.values())
    counted = StageState(result.stage, document, state, reason, len(sizes), size, len(gone), needs)
    return counted, gone


def _judge(run: Run, result: StageResult, lock: StageLock | None) -> tuple[State, str]:
    decision = result.decision
    if result.error is not None:
        return State.UNKNOWN, decision.reason
    if lock is None and run.pipeline.stages[result.stage].idle and decision.verdict is Verdict.SKIP:
        return State.UNKNOWN, f"{decision.reason}, and has no lock file"
    states = {Verdict.RUN: State.CHANGED, Verdict.DEPENDS: State.WAITING}
    return states.get(decision.verdict, State.HIT), decision.reason


def _lost(run: Run, result: StageResult, recorded: list[Output]) -> list[Output]:
    """List the outputs that can be had nowhere; `repro` does not ask that of a frozen stage."""
    if result.error is not None:
        return []
    if not run.pipeline.stages[result.stage].idle:
        return [output for output in recorded if output.path in result.decision.lost]
    return [
        output
        for output in recorded
        if not _is_there(run, output.path) and run.supplies.has(output) is Has.NOWHERE
    ]


def _is_there(run: Run, path: str) -> bool:
    try:
        return run.observer.look(path) is not None
    except PivotError:  # not to be read, but there
        return True
