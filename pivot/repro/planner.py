"""Find out what has to be done about each stage, before anything is done."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pivot.errors import InvalidDocument, PivotError, RemoteError, StageFailed
from pivot.objects import Directory, digest_file, files_of, tree_digest
from pivot.parameters import look_up, nearest
from pivot.project import related
from pivot.repro.decide import Decision, Found, Has, OutputState, Verdict, decide
from pivot.repro.overlay import overlay
from pivot.targets import Reference, References, select
from pivot.values import load_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pivot.cache import Cache
    from pivot.lockfile import StageLock
    from pivot.objects import Digest, Output
    from pivot.observer import Observer
    from pivot.pipeline import Pipeline
    from pivot.repro.supplies import Supplies
    from pivot.stage import Stage
    from pivot.values import Typed


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What is to be done about *stage*: run it, *restore* outputs that are recorded, or nothing.

    With *error* it cannot be decided.
    """

    stage: Stage
    decision: Decision
    found: Found
    restore: tuple[Reference, ...] = ()
    error: PivotError | None = None


_NOTHING = Found({}, {}, {}, ())


@dataclass
class Planner:
    """Decides about stages in their order; knows what those before will have left.

    *provided* is what no chosen stage makes, by path: tracked data, and what other locks record.
    Safe from many threads.
    """

    root: Path
    pipeline: Pipeline
    locks: Mapping[str, StageLock]
    provided: Mapping[str, Reference]
    observer: Observer
    supplies: Supplies
    force: bool = False
    virtual: dict[str, Reference] = field(default_factory=dict)
    """Recorded outputs that are not in place, but count as if they were."""
    pending: dict[str, str] = field(default_factory=dict)
    """Outputs that may still change, with their stages."""
    needed: dict[str, Reference] = field(default_factory=dict)
    """What is provided, is not in place and can be had, for stages that depend on it."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        declared = {o.path for stage in self.pipeline.stages.values() for o in stage.outputs}
        self._made = declared | self.provided.keys()
        self._stale: set[str] = set()

    def plan(self, name: str) -> StagePlan:
        """Decide about a stage, with what is known of those before it."""
        stage = self.pipeline.stages[name]
        lock = self.locks.get(name)
        try:
            found = self._find(stage, lock)
        except RemoteError:
            raise  # the remote as a whole fails, not this stage
        except PivotError as error:
            decision = Decision(Verdict.RUN, (error.message,))
            plan = StagePlan(stage, decision, _NOTHING, error=error)
        else:
            decision = decide(stage, lock, found, force=self.force)
            restore = self._to_restore(stage, lock, found, decision)
            plan = StagePlan(stage, decision, found, restore)
        self._expect(plan, lock)
        return plan

    def look_again(self, stage: Stage) -> Found:
        """Look at a stage that is to run as it is now; raises `PivotError`."""
        self.forget(stage)
        return self._find(stage, self.locks.get(stage.name))

    def forget(self, stage: Stage) -> None:
        """Look at what *stage* reads and makes anew the next time."""
        for path in (*stage.reads, *(output.path for output in stage.outputs)):
            self.observer.forget(path)

    def damaged_by_edit(self, plan: StagePlan, cache: Cache) -> set[Digest]:
        """Find objects that somebody changed through a link in the workspace, as root can.

        They have the right size and name; the file that is the very object is not as recorded.
        """
        return {
            file.digest
            for entry in plan.restore
            if plan.found.outputs[entry.output.path].exists
            for file in files_of(entry.output)
            if _is_same_file(self.root / file.path, cache.path(file.digest))
            and digest_file(cache.path(file.digest)) != file.digest
        }

    def recorded(self, stage: Stage) -> list[Reference]:
        """List what the lock of *stage* says of its outputs."""
        return self._recorded(stage, self.locks.get(stage.name))

    def changed_since(self, stage: Stage, found: Found) -> list[str]:
        """List the dependencies of *stage* that are not any more as they were *found*."""
        for path in stage.reads:
            self.observer.forget(path)
        changed = []
        for path, before in found.dependencies.items():
            now = self.observer.look(path, source=self._is_source(path))
            if now is None or now.digest != before.digest:
                changed.append(path)
        return changed

    def made(self, stage: Stage) -> None:
        """Take note that *stage* has run: its outputs are what the workspace has."""
        with self._lock:
            for output in stage.outputs:
                self.pending.pop(output.path, None)
                self.virtual.pop(output.path, None)

    def placed(self, references: Iterable[Reference]) -> None:
        """Take note that recorded outputs were put in place."""
        with self._lock:
            for entry in references:
                self.virtual.pop(entry.output.path, None)
                self.observer.forget(entry.output.path)

    def inputs_to_place(self, stage: Stage) -> tuple[Reference, ...]:
        """List what *stage* reads that is recorded and not in place, and no more than it reads."""
        with self._lock:
            virtual = dict(self.virtual)
        chosen: dict[str, Reference] = {}
        for path in stage.reads:
            for other in related(path, virtual):
                narrow = path if path.startswith(f"{other}/") else other
                entries = References((virtual[other],), frozenset(), {})
                for entry in select(entries, [narrow]):
                    chosen.setdefault(entry.output.path, entry)
        return tuple(chosen.values())

    def _find(self, stage: Stage, lock: StageLock | None) -> Found:
        """Look at all that the decision depends on; raises `PivotError`."""
        outputs = {entry.output.path: self._state(entry) for entry in self._recorded(stage, lock)}
        if stage.idle:
            outputs = {
                path: OutputState(Has.PLACE, exists=True) if state.exists else state
                for path, state in outputs.items()
            }
            if lock is None and stage.foreign:
                raise StageFailed(
                    f"stage {stage.name} needs the real Pivot, and has no lock file yet",
                    hint=f"run it there: uv run pivot repro {stage.name}",
                )
            return Found({}, {}, outputs, ())
        waits_for = self._waits_for(stage)
        dependencies = {
            path: self._resolve(stage, path) for path in stage.dependencies if path not in waits_for
        }
        parameters = self._parameters(stage, waits_for)
        return Found(parameters, dependencies, outputs, tuple(dict.fromkeys(waits_for.values())))

    def _waits_for(self, stage: Stage) -> dict[str, str]:
        """List what *stage* reads and another may still change, with that other stage."""
        with self._lock:
            found = {path: related(path, self.pending) for path in stage.reads}
            return {path: self.pending[others[0]] for path, others in found.items() if others}

    def _recorded(self, stage: Stage, lock: StageLock | None) -> list[Reference]:
        """List what *lock* says of the outputs that the stage still has."""
        if lock is None:
            return []
        declared = {output.path for output in stage.outputs}
        return [
            Reference(output, lock.stage, lock.document, is_stage=True)
            for output in (*lock.outputs, *lock.undecided, *lock.uncached)
            if output.path in declared or stage.foreign
        ]

    def _state(self, entry: Reference) -> OutputState:
        path = entry.output.path
        try:
            now = self.observer.look(path)
            exists = now is not None
        except PivotError:  # a loop of symlinks, a pipe, not to be read: not what is recorded
            now, exists = None, True
        if now is not None and now.digest == entry.output.digest:
            return OutputState(Has.PLACE, exists=True)
        lock = self.locks[entry.owner]
        if any(output.path == path for output in lock.uncached):
            return OutputState(Has.NOWHERE, exists)
        return OutputState(self.supplies.has(entry.output), exists)

    def _resolve(self, stage: Stage, path: str) -> Output:
        """Say what a dependency holds, or will hold; raises `PivotError` when it is not there."""
        self._provide(path)
        with self._lock:
            virtual = [self.virtual[other].output for other in related(path, self.virtual)]
        seen = self.observer.look(path, source=self._is_source(path))
        self._compare(path)
        found = overlay(path, seen, virtual, self.supplies.size)
        if found is None:
            raise self._missing(stage, path)
        return found

    def _compare(self, path: str) -> None:
        """Take note of tracked data at *path* that somebody has changed."""
        for other in related(path, self.provided):
            entry = self.provided[other]
            if entry.is_stage or other in self._stale or related(other, self.virtual):
                continue
            if is_changed(entry.output, self.observer.look(other)):
                self._stale.add(other)

    def _is_source(self, path: str) -> bool:
        """Tell whether no stage and no tracked data has to do with a path."""
        return not related(path, self._made)

    def _provide(self, path: str) -> None:
        """Count what is provided at *path* as in place, if it is not and can be had.

        Of a directory that is there in part, as after a `pull` of some of it, what is not there
        counts so; what is there is the user's. Raises `StageFailed` when the rest is nowhere.
        """
        for other in related(path, self.provided):
            for entry in self._absent(self.provided[other], path):
                has = self.supplies.has(entry.output)
                if has is Has.NOWHERE:
                    if entry.output.path != other:
                        raise self._missing_part(entry, other)
                    continue
                with self._lock:
                    self.virtual[entry.output.path] = entry
                    if has is not Has.ACCEPTED:
                        self.needed[entry.output.path] = entry

    def stale(self) -> list[Reference]:
        """List tracked data that chosen stages read and that is not any more as it is recorded."""
        return [self.provided[path] for path in sorted(self._stale)]

    def _absent(self, entry: Reference, path: str) -> list[Reference]:
        """List what the workspace has not of *entry*, as far as it is read at *path*."""
        output = entry.output
        if not os.path.lexists(self.root / output.path):
            return [entry]
        if not isinstance(output, Directory) or not (self.root / output.path).is_dir():
            return []
        parts: list[Output] = [*output.files]
        parts += [Directory(p, tree_digest((), (), above=p), ()) for p in output.empty]
        return [
            replace(entry, output=part)
            for part in parts
            if related(path, [part.path]) and not os.path.lexists(self.root / part.path)
        ]

    def _missing_part(self, entry: Reference, whole: str) -> PivotError:
        gone = f"'pivot track --force {whole}' if it is gone on purpose"
        again = f"'pivot repro {entry.owner}' to make it again"
        return StageFailed(
            f"{entry.output.path}, which {entry.document} records, is not there",
            hint=f"'pivot pull {whole}', or {again if entry.is_stage else gone}",
        )

    def _missing(self, stage: Stage, path: str) -> PivotError:
        known = [self.provided[other] for other in related(path, self.provided)]
        text = f"{path}, which stage {stage.name} reads, is not there"
        idle = [
            f"stage {other.name} makes it, and {other.idle}"
            for other in self.pipeline.stages.values()
            if other.idle and related(path, [output.path for output in other.outputs])
        ]
        if idle:
            hint = f"{idle[0]}; 'pivot pull' if its outputs were pushed"
        elif known:
            hint = f"'pivot pull {known[0].output.path}', or 'pivot repro --pull'"
        else:
            hint = f"make it, or correct the deps in {stage.document}, line {stage.line}"
        return StageFailed(text, hint=hint)

    def _parameters(self, stage: Stage, waits_for: Mapping[str, str]) -> Mapping[str, Typed] | None:
        """Read the values that *stage* depends on; `None` while they are still being made.

        Raises `InvalidDocument`, `StageFailed`.
        """
        if any(key.path in waits_for for key in stage.keys):
            return None
        found = dict(stage.values)
        trees: dict[str, Typed] = {}
        problems: list[str] = []
        for key in stage.keys:
            if key.path not in trees:
                trees[key.path] = self._load(stage, key.path)
            tree = trees[key.path]
            try:
                found[key.name] = look_up(tree, key.key) if key.key else tree
            except KeyError:
                near = nearest(tree, key.key)
                cure = f" ({near})" if near else ""
                problems.append(f"{key.path} has no key '{key.key}'{cure}")
        if problems:
            place = f"{stage.document}: line {stage.line}: stage {stage.name}"
            raise InvalidDocument(place, problems)
        return found

    def _load(self, stage: Stage, path: str) -> Typed:
        if not (self.root / path).is_file():
            raise StageFailed(f"{path}, which has parameters of stage {stage.name}, is not there")
        return load_values(self.root / path, path).value

    def _to_restore(
        self, stage: Stage, lock: StageLock | None, found: Found, decision: Decision
    ) -> tuple[Reference, ...]:
        if decision.verdict not in {Verdict.RESTORE, Verdict.DEPENDS}:
            return ()
        wanted = {Has.CACHE, Has.REMOTE}
        return tuple(
            entry
            for entry in self._recorded(stage, lock)
            if found.outputs[entry.output.path].has in wanted
        )

    def _expect(self, plan: StagePlan, lock: StageLock | None) -> None:
        """Take note of what the stages after this one will find."""
        with self._lock:
            for path, state in plan.found.outputs.items():
                self.virtual.pop(path, None)
                if state.has in {Has.CACHE, Has.REMOTE, Has.ACCEPTED}:
                    entry = next(
                        e for e in self._recorded(plan.stage, lock) if e.output.path == path
                    )
                    self.virtual[path] = entry
            for output in plan.stage.outputs:
                if plan.decision.verdict in {Verdict.RUN, Verdict.DEPENDS}:
                    self.pending[output.path] = plan.stage.name
                else:
                    self.pending.pop(output.path, None)


def is_changed(recorded: Output, now: Output | None) -> bool:
    """Tell whether tracked data that is there is not as it is *recorded*.

    Of directories of the oldest releases, which left names out, that is not known.
    """
    if now is None or (isinstance(recorded, Directory) and recorded.skips_ignored):
        return False
    return now.digest != recorded.digest


def _is_same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
