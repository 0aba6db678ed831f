"""`list`: every stage with its state and outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pivot.references import load_documents
from pivot.repro.decide import Verdict
from pivot.repro.run import Options
from pivot.repro.start import prepare
from pivot.repro.watcher import Watcher
from pivot.stage import DeclaredOutput, Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pivot.errors import PivotError
    from pivot.pipeline import Pipeline
    from pivot.references import Documents
    from pivot.repro.results import StageResult
    from pivot.session import Session

_STATES = {
    Verdict.SKIP: "unchanged",
    Verdict.RESTORE: "to restore",
    Verdict.RUN: "to run",
    Verdict.DEPENDS: "may run",
}
UNKNOWN = "lock file only"


@dataclass(frozen=True, slots=True)
class Row:
    """A stage, or tracked data: its *state* is what `repro` would do, and *reason* is why."""

    name: str
    state: str
    reason: str
    description: str
    outputs: tuple[DeclaredOutput, ...]
    error: PivotError | None = None


def overview(session: Session, targets: Sequence[str] = ()) -> tuple[Row, ...]:
    """List stages that *targets* mean, all without; then locks without a stage, and tracked data.

    Raises as `repro` does.
    """
    documents = load_documents(session.project, dependencies=True)
    rows: list[Row] = []
    if documents.paths.pipelines:
        with session.cache() as cache:
            run = prepare(
                session, documents, targets, options=Options(), cache=cache, watcher=Watcher()
            )
            rows += [_row(result, run.pipeline) for result in run.preview().stages]
    if not targets:
        rows += _others(documents, {row.name for row in rows})
    return tuple(rows)


def _row(result: StageResult, pipeline: Pipeline) -> Row:
    stage = pipeline.stages[result.stage]
    state = "failed" if result.error is not None else _STATES[result.decision.verdict]
    return Row(
        stage.name,
        state,
        result.decision.reason,
        stage.description,
        stage.outputs,
        result.error,
    )


def _others(documents: Documents, known: set[str]) -> Iterator[Row]:
    for lock in documents.locks:
        if lock.stage not in known:
            cached = (*lock.outputs, *lock.undecided)
            outputs = tuple(DeclaredOutput(output.path) for output in cached)
            outputs += tuple(
                DeclaredOutput(output.path, Role.METRIC, cached=False) for output in lock.uncached
            )
            yield Row(lock.stage, UNKNOWN, "", "", outputs)
    for tracked in documents.tracked:
        output = DeclaredOutput(tracked.output.path)
        yield Row(tracked.document, "tracked", "", "", (output,))
