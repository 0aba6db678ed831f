"""Look where stages and tracked data stand: those of the pipeline, and those of locks alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from pivot.errors import PivotError, UsageError
from pivot.frozen import frozen
from pivot.lock_states import LockStates
from pivot.pipeline import Pipeline
from pivot.pipeline.targets import Reach, choose_stages
from pivot.pipeline.workspace import load_workspace_pipeline
from pivot.pipeline_states import pipeline_state
from pivot.repro.run import Options, Run
from pivot.repro.supplies import Supplies
from pivot.repro.watcher import Watcher
from pivot.results import Problem
from pivot.stage_needs import join_stages
from pivot.stage_states import RUNS
from pivot.targets import Reference, select
from pivot.whereabouts import Whereabouts, locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pivot.cache import Cache
    from pivot.config import RemoteSettings
    from pivot.lockfile import StageLock
    from pivot.objects import Digest, Output
    from pivot.observer import Observer
    from pivot.references import Documents
    from pivot.repro.results import StageResult
    from pivot.session import Session
    from pivot.stage_states import StageState


@frozen
class Choice:
    """What is to be looked at: *stages* with those that each needs, in their order, and *data*.

    *needs* is all of the graph, of *pipeline* and of what locks add to it. *named* are those of
    the stages that were asked for.
    """

    pipeline: Pipeline
    needs: Mapping[str, tuple[str, ...]]
    stages: tuple[str, ...]
    data: tuple[Reference, ...]
    named: frozenset[str] = frozenset()


@frozen
class Standing:
    """Where all of a choice stands; see `status.Status`."""

    stages: tuple[StageState, ...]
    problems: tuple[Problem, ...]
    lost: frozenset[Digest]
    stuck: frozenset[str]
    past: frozenset[str]
    warnings: tuple[str, ...] = ()


def choose(session: Session, documents: Documents, targets: Sequence[str]) -> Choice:
    """Find what *targets* mean, all without; stages come with what they need.

    A target is what `repro` takes for one, or what `pull` does. Raises as `repro` does, and
    `UsageError` that names every unknown target.
    """
    pipeline = Pipeline({}, {})
    if documents.paths.pipelines:
        pipeline = load_workspace_pipeline(session.project, documents)
    graph = Pipeline(pipeline.stages, join_stages(pipeline, documents.locks))
    entries = documents.references.entries
    if not targets:
        data = tuple(entry for entry in entries if not entry.is_stage)
        return Choice(pipeline, graph.needs, tuple(graph.needs), data, frozenset(graph.needs))
    names: set[str] = set()
    found: list[Reference] = []
    unknown: list[str] = []
    here, root = session.here, str(session.project.root)
    for target in targets:
        try:
            names |= choose_stages(pipeline, [target], here=here, root=root, reach=Reach.SINGLE)
        except UsageError:
            try:
                found += select(documents.references, [target], here=here, root=root)
            except UsageError:
                unknown.append(target)
    if unknown and pipeline.stages:
        choose_stages(pipeline, unknown, here=here, root=root)
    if unknown:
        select(documents.references, unknown, here=here, root=root)
    names |= {entry.owner for entry in found if entry.is_stage}
    chosen = graph.upstream(names)
    owners = {entry.owner for entry in found if not entry.is_stage}
    data = tuple(entry for entry in entries if not entry.is_stage and entry.owner in owners)
    order = tuple(name for name in graph.needs if name in chosen)
    return Choice(pipeline, graph.needs, order, data, frozenset(names))


def entries_of(documents: Documents, choice: Choice) -> tuple[Reference, ...]:
    """List the outputs of *choice* that are cached, and its data."""
    chosen = frozenset(choice.stages)
    entries = documents.references.entries
    return (*(e for e in entries if e.is_stage and e.owner in chosen), *choice.data)


def look(
    session: Session,
    documents: Documents,
    cache: Cache,
    choice: Choice,
    settings: RemoteSettings | None,
    seek: Seek | None = None,
    *,
    eyes: Observer | None = None,
) -> Standing:
    """Say where all of *choice* stands, with the remote of *settings* if there are any.

    With *seek* also where each output is; files that were read for that need not be read again.
    What *eyes* saw before is not looked at again.
    """
    scan = _Scan(session, documents, cache, choice, settings, eyes)
    for name in choice.stages:
        scan.look(name)
    data = tuple(scan.locks.data(entry) for entry in choice.data)
    states = (*scan.states.values(), *data)
    if seek is not None:
        states = tuple(scan.locate(scan.states.values(), choice.data, data, seek))
        scan.remember()
    return Standing(
        states,
        (*scan.problems, *scan.locks.problems),
        frozenset(scan.lost | scan.locks.lost),
        frozenset(scan.stuck | scan.locks.stuck),
        frozenset(scan.past),
        scan.warnings,
    )


Seek: TypeAlias = "Callable[[Reference], Callable[[Digest], bool | None] | None]"
"""Says how to ask whether the objects of an output are on a remote; see `whereabouts.locate`."""


class _Scan:
    """Looks at one stage after the other."""

    def __init__(
        self,
        session: Session,
        documents: Documents,
        cache: Cache,
        choice: Choice,
        settings: RemoteSettings | None,
        eyes: Observer | None,
    ) -> None:
        self._choice = choice
        self._locks = {lock.stage: lock for lock in documents.locks}
        self._in_git = documents.in_git
        self._outputs: dict[str, list[Reference]] = {}
        for entry in documents.references.entries:
            if entry.is_stage:
                self._outputs.setdefault(entry.owner, []).append(entry)
        order = [name for name in choice.stages if name in choice.pipeline.stages]
        options = Options(
            allow_missing=settings is not None, remote=None if settings is None else settings.name
        )
        pipeline = choice.pipeline
        self._run = Run(session, options, cache, Watcher(), documents, pipeline, order, eyes)
        results = self._run.preview().stages if order else ()
        self._results = {result.stage: result for result in results if self._is_told(result)}
        supplies = Supplies(session, cache, self._others(documents), remote=settings, accept=True)
        self._supplies = (self._run.supplies, supplies)
        self.locks = LockStates(self._run.root, documents, self._run.observer, supplies)
        self.states: dict[str, StageState] = {}
        self.problems: list[Problem] = []
        self.lost: set[Digest] = set()
        self.stuck: set[str] = set()
        self.past: set[str] = set()

    def look(self, name: str) -> None:
        """Take note where a stage stands, of which all that it needs is known."""
        lock, needs = self._locks.get(name), self._choice.needs[name]
        if name in self._results:
            self._look_at_plan(self._results[name], lock, needs)
        elif lock is not None:
            entries = self._outputs.get(name, [])
            if self._is_past(lock):
                self.past.add(name)
                self.states[name] = self.locks.past(lock, entries)
            else:
                runs = [need for need in needs if self._runs(need)]
                self.states[name] = self.locks.stage(lock, entries, needs, runs)

    def locate(
        self,
        stages: Iterable[StageState],
        entries: Sequence[Reference],
        data: Iterable[StageState],
        seek: Seek,
    ) -> Iterator[StageState]:
        """Add where each output is; nothing is looked at or read twice."""
        for state in stages:
            found = [self._locate(e.output, seek(e)) for e in self._outputs.get(state.name, ())]
            lock = self._locks.get(state.name)
            if lock is not None:
                undecided = (output for output in lock.undecided if output.path in self._in_git)
                kept = (*lock.uncached, *undecided)
                found += [self._locate(output, None, in_git=True) for output in kept]
            yield replace(state, outputs=tuple(found))
        for entry, state in zip(entries, data, strict=True):
            yield replace(state, outputs=(self._locate(entry.output, seek(entry)),))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Tell what asking the remote warned of, such as remotes that were passed over."""
        told = (text for supplies in self._supplies for text in supplies.warnings)
        return tuple(dict.fromkeys(told))

    def remember(self) -> None:
        """Let the next run know what was read."""
        self._run.remembered.save(complete=False)

    def _locate(
        self,
        output: Output,
        on_remote: Callable[[Digest], bool | None] | None,
        *,
        in_git: bool = False,
    ) -> Whereabouts:
        try:
            now = self._run.observer.look(output.path)
        except PivotError:  # a loop of symlinks, a pipe, not to be read
            return locate(output, None, self._size, on_remote, in_git=in_git)
        return locate(output, lambda: now, self._size, on_remote, in_git=in_git)

    def _size(self, digest: Digest) -> int | None:
        sizes = (supplies.size(digest) for supplies in self._supplies)
        return next((size for size in sizes if size is not None), None)

    def _look_at_plan(
        self, result: StageResult, lock: StageLock | None, needs: tuple[str, ...]
    ) -> None:
        name, error = result.stage, result.error
        self.states[name], gone = pipeline_state(self._run, result, lock, needs)
        self.lost |= gone
        if error is not None:
            self.problems.append(Problem(error.code, error.message, error.hint, owner=name))
        if error is not None or self._choice.pipeline.stages[name].frozen:
            self.stuck.add(name)

    def _runs(self, name: str) -> bool:
        known = self.states.get(name)
        return known is not None and known.state in RUNS and name not in self.past

    def _is_told(self, result: StageResult) -> bool:
        """Tell whether `repro` can say more than that the real Pivot makes it."""
        stage = self._choice.pipeline.stages[result.stage]
        return result.error is not None or not stage.foreign or stage.name not in self._locks

    def _is_past(self, lock: StageLock) -> bool:
        """Tell whether a lock is of a stage of `pivot.yaml` files, which have it no more."""
        stages = self._choice.pipeline.stages
        return bool(stages) and lock.stage not in stages and "cmd" in lock.manifest

    def _others(self, documents: Documents) -> list[Reference]:
        """List what may be looked up that `repro` does not decide about."""
        entries = documents.references.entries
        if any(name not in self._results for name in self._choice.stages):
            return list(entries)
        return [entry for entry in entries if not entry.is_stage]
