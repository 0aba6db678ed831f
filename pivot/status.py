"""`status`: what is there, what would run, and what can run now; changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pivot.errors import ExitCode, PivotError
from pivot.lock_states import LockStates
from pivot.objects import files_of
from pivot.observer import Observer
from pivot.plan import list_wanted
from pivot.references import load_documents
from pivot.remembered import Remembered
from pivot.repro.decide import Verdict
from pivot.repro.run import Options, Run
from pivot.repro.start import prepare
from pivot.repro.supplies import Supplies
from pivot.repro.watcher import Watcher
from pivot.results import Problem
from pivot.stage_states import StageState, State
from pivot.targets import Reference, select

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pivot.cache import Cache
    from pivot.config import RemoteSettings
    from pivot.lockfile import StageLock
    from pivot.objects import Digest, Output
    from pivot.references import Documents
    from pivot.repro.results import StageResult
    from pivot.session import Session


@dataclass(frozen=True, slots=True)
class Status:
    """Every chosen stage, each after those that it needs, then tracked data.

    *remote* is the name of the remote that was asked; empty if none was. *lost* are the objects
    that can be had nowhere, each once.
    """

    stages: tuple[StageState, ...]
    problems: tuple[Problem, ...] = ()
    remote: str = ""
    url: str = ""
    lost: frozenset[Digest] = frozenset()

    @property
    def hit(self) -> tuple[str, ...]:
        """Name what is as recorded, and can be had."""
        return tuple(stage.name for stage in self.stages if stage.state is State.HIT)

    @property
    def to_run(self) -> tuple[str, ...]:
        """Name the stages that have to run, or may have to, in their order."""
        return tuple(
            stage.name
            for stage in self.stages
            if stage.state is not State.HIT and not stage.lock.endswith(".pvt")
        )

    @property
    def ready(self) -> tuple[str, ...]:
        """Name those of them that can run now, side by side: none needs what another makes."""
        waiting = set(self.to_run)
        blocked = {
            problem.owner for problem in self.problems if problem.code is not ExitCode.MISSING
        }
        lost = {
            stage.name
            for stage in self.stages
            if stage.lock.endswith(".pvt") and stage.state in {State.MISSING, State.PARTIAL}
        }
        return tuple(
            stage.name
            for stage in self.stages
            if stage.name in waiting
            and stage.name not in blocked
            and waiting.isdisjoint(stage.needs)
            and lost.isdisjoint(stage.needs)
        )


def status(
    session: Session,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    online: bool = True,
) -> Status:
    """Say where each stage stands that *targets* mean, all without; as `repro --dry-run` decides.

    What the workspace and the cache lack may be on the remote, which is asked if *online*. Raises
    what stands in the way of any answer.
    """
    settings = session.config.remote(remote) if online else None
    documents = load_documents(session.project, dependencies=True)
    with session.cache() as cache:
        try:
            return _look(session, documents, cache, targets, settings)
        except PivotError as error:
            if settings is None or error.code not in {ExitCode.DENIED, ExitCode.UNAVAILABLE}:
                raise
            here = _look(session, documents, cache, targets, None)
            return _doubted(here, settings, error)


def _doubted(here: Status, settings: RemoteSettings, error: PivotError) -> Status:
    """Say what is known without the remote: what is lacking here may be there."""
    reason = f"remote '{settings.name}' could not be asked"
    stages = tuple(
        replace(stage, state=State.UNKNOWN, reason=reason, missing=0)
        if stage.state in {State.MISSING, State.PARTIAL, State.WAITING}
        else stage
        for stage in here.stages
    )
    problems = (*here.problems, Problem.ending(error))
    return Status(stages, problems, settings.name, settings.url)


def _look(
    session: Session,
    documents: Documents,
    cache: Cache,
    targets: Sequence[str],
    settings: RemoteSettings | None,
) -> Status:
    stages: dict[str, StageState] = {}
    problems: list[Problem] = []
    lost: set[Digest] = set()
    runnable = False
    if documents.paths.pipelines:
        options = Options(
            allow_missing=settings is not None, remote=None if settings is None else settings.name
        )
        run = prepare(session, documents, targets, options=options, cache=cache, watcher=Watcher())
        locks = {lock.stage: lock for lock in documents.locks}
        for result in run.preview().stages:
            if not (run.pipeline.stages[result.stage].foreign and result.error is None):
                lock = locks.get(result.stage)
                gone = _gone(run, result, lock)
                lost |= gone
                stages[result.stage] = _of_stage(run, result, lock, cache, len(gone))
                problems += _problems(result)
        runnable = True
    chosen = _chosen(session, documents, targets, stages, runnable=runnable)
    supplies = Supplies(session, cache, chosen, remote=settings, accept=True)
    observer = Observer(session.project.root, cache, Remembered(session.project.remembered))
    others = LockStates(documents, observer, supplies, stages)
    found = [*stages.values(), *others.of(chosen)]
    if settings is None:  # what is not here may well be on a remote
        return Status(tuple(found), tuple(problems))
    problems += _missing(found)
    nowhere = frozenset(lost | others.lost)
    return Status(tuple(found), tuple(problems), settings.name, settings.url, nowhere)


def _chosen(
    session: Session,
    documents: Documents,
    targets: Sequence[str],
    known: Iterable[str],
    *,
    runnable: bool,
) -> list[Reference]:
    """List what is known by lock and `.pvt` files alone, and meant by *targets*."""
    known = set(known)
    entries: Sequence[Reference] = documents.references.entries
    if targets:
        if runnable:  # targets are stages of the pipeline then
            return []
        root = str(session.project.root)
        entries = select(documents.references, targets, here=session.here, root=root)
    return [entry for entry in entries if not (entry.is_stage and entry.owner in known)]


def _recorded(lock: StageLock | None) -> list[Output]:
    return [] if lock is None else [*lock.outputs, *lock.undecided]


def _gone(run: Run, result: StageResult, lock: StageLock | None) -> set[Digest]:
    """List the objects for the lack of which alone a stage has to run."""
    lost = set(result.decision.lost)
    outputs = (output for output in _recorded(lock) if output.path in lost)
    return {digest for output in outputs for digest in run.supplies.lacks(output)}


def _of_stage(
    run: Run, result: StageResult, lock: StageLock | None, cache: Cache, missing: int
) -> StageState:
    """Say where a stage of the pipeline stands, from what `repro` decided about it."""
    name, decision = result.stage, result.decision
    recorded = _recorded(lock)
    references = [Reference(o, name, "", is_stage=True) for o in recorded]
    wanted = list_wanted(references)
    held = cache.stat(wanted)
    total = len({file.digest for output in recorded for file in files_of(output)})
    if result.error is not None:
        state = State.UNKNOWN
    elif decision.verdict in {Verdict.SKIP, Verdict.RESTORE}:
        state = State.HIT
    elif decision.verdict is Verdict.DEPENDS:
        state = State.WAITING
    elif missing:
        state = State.MISSING if missing == total else State.PARTIAL
    else:
        state = State.CHANGED
    return StageState(
        name,
        "" if lock is None else lock.document,
        state,
        decision.reason,
        total,
        sum(want.size or held.get(digest, 0) for digest, want in wanted.items()),
        missing,
        run.pipeline.needs.get(name, ()),
    )


def _problems(result: StageResult) -> list[Problem]:
    error = result.error
    if error is None:
        return []
    return [Problem(error.code, error.message, error.hint, owner=result.stage)]


def _missing(states: Iterable[StageState]) -> list[Problem]:
    """Say which stages are as they were, and cannot be had."""
    return [
        Problem(
            ExitCode.MISSING,
            f"{state.name}: {state.missing} of {state.objects} object(s) can be had nowhere",
            "ask who made them to run 'pivot push', or run 'pivot repro'",
            owner=state.name,
        )
        for state in states
        if state.state in {State.MISSING, State.PARTIAL}
    ]
