"""Find out what has to be done about each stage, before anything is done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pivot.errors import PivotError, RemoteError, StageFailed
from pivot.frozen import frozen
from pivot.objects import digest_file, files_of
from pivot.repro.decide import Decision, Found, Has, OutputState, Verdict, decide
from pivot.repro.parameter_values import read_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pivot.cache import Cache
    from pivot.lockfile import StageLock
    from pivot.objects import Digest, Output
    from pivot.observer import Observer
    from pivot.pipeline import Pipeline
    from pivot.repro.inputs import Inputs
    from pivot.repro.supplies import Supplies
    from pivot.stage import Stage
    from pivot.targets import Reference


@frozen
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
    """Decides about stages, in their order; safe from many threads."""

    root: Path
    pipeline: Pipeline
    locks: Mapping[str, StageLock]
    refer: Callable[[Output, StageLock], Reference]
    inputs: Inputs
    observer: Observer
    supplies: Supplies
    force: bool = False
    fetches: bool = True
    """What a stage reads is fetched where it is left on the remote."""

    def plan(self, name: str) -> StagePlan:
        """Decide about a stage, with what is known of those before it."""
        stage = self.pipeline.stages[name]
        try:
            found = self._find(stage)
            decision = decide(stage, self.locks.get(name), found, force=self.force)
            decision = self._with_obstacles(stage, found, decision)
        except RemoteError:
            raise  # the remote as a whole fails, not this stage
        except PivotError as error:
            decision = Decision(Verdict.RUN, (error.message,))
            plan = StagePlan(stage, decision, _NOTHING, error=error)
        else:
            restore = self._to_restore(stage, found, decision)
            plan = StagePlan(stage, decision, found, restore)
        self._expect(plan)
        return plan

    def _with_obstacles(self, stage: Stage, found: Found, decision: Decision) -> Decision:
        """Say of a stage that has to run what it reads, nobody makes anew, and it will not find."""
        if self.fetches or decision.verdict is not Verdict.RUN:
            return decision
        left = tuple(
            f"{entry.output.path}, which it reads, is {Has.ACCEPTED}: add --pull"
            for entry in self.inputs.to_place(stage)
            if entry.owner not in found.waits_for
            and self.supplies.has(entry.output) is Has.ACCEPTED
        )
        return replace(decision, reasons=(*decision.reasons, *left))

    def look_again(self, stage: Stage) -> Found:
        """Look at a stage that is to run as it is now; raises `PivotError`."""
        self.inputs.forget(stage)
        return self._find(stage)

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
        """List what the lock of *stage* says of the outputs that it still has."""
        lock = self.locks.get(stage.name)
        if lock is None:
            return []
        declared = {output.path for output in stage.outputs}
        return [
            self.refer(output, lock)
            for output in (*lock.outputs, *lock.undecided, *lock.uncached)
            if output.path in declared or stage.foreign
        ]

    def _find(self, stage: Stage) -> Found:
        """Look at all that the decision depends on; raises `PivotError`."""
        outputs = {entry.output.path: self._state(entry) for entry in self.recorded(stage)}
        if stage.idle:
            outputs = {
                path: OutputState(Has.PLACE, exists=True) if state.exists else state
                for path, state in outputs.items()
            }
            if stage.foreign and stage.name not in self.locks:
                raise StageFailed(
                    f"stage {stage.name} needs the real Pivot, and has no lock file yet",
                    hint=f"run it there: uv run pivot repro {stage.name}",
                )
            return Found({}, {}, outputs, ())
        waits_for = self.inputs.waits_for(stage)
        dependencies = self.inputs.resolve(stage, waits_for)
        waits = any(key.path in waits_for for key in stage.keys)
        parameters = None if waits else read_parameters(self.root, stage)
        return Found(parameters, dependencies, outputs, tuple(dict.fromkeys(waits_for.values())))

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

    def _to_restore(self, stage: Stage, found: Found, decision: Decision) -> tuple[Reference, ...]:
        if decision.verdict not in {Verdict.RESTORE, Verdict.DEPENDS}:
            return ()
        wanted = {Has.CACHE, Has.REMOTE}
        return tuple(
            entry
            for entry in self.recorded(stage)
            if found.outputs[entry.output.path].has in wanted
        )

    def _expect(self, plan: StagePlan) -> None:
        """Take note of what the stages after this one will find."""
        states = plan.found.outputs
        coming = {Has.CACHE, Has.REMOTE, Has.ACCEPTED}
        recorded = [e for e in self.recorded(plan.stage) if e.output.path in states]
        self.inputs.expect(
            plan.stage,
            [entry for entry in recorded if states[entry.output.path].has in coming],
            is_open=plan.decision.verdict in {Verdict.RUN, Verdict.DEPENDS},
        )


def _is_same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
