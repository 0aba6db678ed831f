"""`list`: every stage with its state and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.frozen import frozen
from pivot.observer import Observer
from pivot.references import load_documents
from pivot.remembered import Remembered
from pivot.repro.decide import Verdict
from pivot.repro.inputs import is_changed
from pivot.repro.run import Options
from pivot.repro.start import prepare
from pivot.repro.watcher import Watcher
from pivot.stage import DeclaredOutput, Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pivot.errors import PivotError
    from pivot.objects import Output
    from pivot.pipeline import Pipeline
    from pivot.references import Documents
    from pivot.repro.results import StageResult
    from pivot.session import Session
    from pivot.tracked import Tracked

_STATES = {
    Verdict.SKIP: "unchanged",
    Verdict.RESTORE: "to restore",
    Verdict.RUN: "to run",
    Verdict.DEPENDS: "may run",
}
UNKNOWN = "lock file only"


@frozen
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
    project = session.project
    documents = load_documents(project, dependencies=True)
    rows: list[Row] = []
    with session.cache() as cache:
        if documents.paths.pipelines:
            run = prepare(
                session, documents, targets, options=Options(), cache=cache, watcher=Watcher()
            )
            rows += [_row(result, run.pipeline) for result in run.preview().stages]
        if not targets:
            rows += _locks(documents, {row.name for row in rows})
            observer = Observer(project.root, cache, Remembered(project.remembered))
            rows += [
                _data(tracked, observer.look(tracked.output.path)) for tracked in documents.tracked
            ]
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


def _locks(documents: Documents, known: set[str]) -> Iterator[Row]:
    for lock in documents.locks:
        if lock.stage not in known:
            cached = (*lock.outputs, *lock.undecided)
            outputs = tuple(DeclaredOutput(output.path) for output in cached)
            outputs += tuple(
                DeclaredOutput(output.path, Role.METRIC, cached=False) for output in lock.uncached
            )
            yield Row(lock.stage, UNKNOWN, "", "", outputs)


def _data(tracked: Tracked, now: Output | None) -> Row:
    path = tracked.output.path
    state, reason = "tracked", ""
    if now is None:
        state, reason = "missing", f"pivot pull '{path}'"
    elif is_changed(tracked.output, now):
        state, reason = "changed", f"pivot track --force '{path}'"
    return Row(tracked.document, state, reason, "", (DeclaredOutput(path),))
