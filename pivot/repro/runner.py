"""Carry out what was decided about one stage."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pivot.checkout import look_closely, place_selection
from pivot.documents import check_document_path
from pivot.errors import ObjectMissing, PivotError, StageFailed
from pivot.lock_writer import Record, lock_path, write_lock
from pivot.plan import Existing, list_wanted
from pivot.repro.decide import Has, Verdict
from pivot.repro.results import StageResult, State
from pivot.repro.strays import find_strays
from pivot.targets import Reference, Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pivot.repro.exclusive import Unfinished
    from pivot.repro.keeping import Keeper
    from pivot.repro.planner import Planner, StagePlan
    from pivot.repro.processes import Ended, Processes
    from pivot.repro.saving import Saver
    from pivot.repro.supplies import Supplies
    from pivot.repro.watcher import Watcher
    from pivot.results import Transfer
    from pivot.session import Session
    from pivot.stage import Stage
    from pivot.targets import References

_TAIL_LINES = 15
_TAIL_WIDTH = 400
_SHOWN = 5


@dataclass
class Runner:
    """Runs stages, and puts recorded outputs in place; safe from many threads."""

    session: Session
    planner: Planner
    supplies: Supplies
    keeper: Keeper
    saver: Saver
    references: References
    processes: Processes
    unfinished: Unfinished
    watcher: Watcher
    can_fetch: bool
    fetches: list[Transfer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._known = self.references.paths()
        self._strays: set[str] = set()
        stages = self.planner.pipeline.stages.values()
        self._declared = {path for stage in stages for path in stage.reads}
        self._declared |= {output.path for stage in stages for output in stage.outputs}
        self._declared |= self._known | {".gitignore"}

    def settle(self, plan: StagePlan) -> StageResult:
        """Do what a stage needs that does not run: nothing, or restore its outputs."""
        name = plan.stage.name
        if plan.decision.verdict is Verdict.SKIP:
            self.saver.end(name)
            return StageResult(
                name, plan.decision, State.UNCHANGED, warnings=tuple(self._lost(plan))
            )
        warnings: list[str] = []
        try:
            paths = [entry.output.path for entry in plan.restore]
            warnings += self.saver.save_outputs(plan.stage, plan.found, paths)
            self.restore(plan.restore)
        except PivotError as error:
            return _failed(plan, error, warnings=warnings)
        self.saver.end(name)
        return StageResult(name, plan.decision, State.RESTORED, warnings=tuple(warnings))

    def restore(self, entries: Iterable[Reference]) -> None:
        """Put recorded outputs in place, fetched if need be; raises `PivotError`."""
        entries = tuple(entries)
        if not entries:
            return
        self.fetches += self.supplies.fetch(entries)
        self.supplies.check(entries)
        wanted = list_wanted(entries)
        state = look_closely(self.session, self.keeper.cache, wanted, dry_run=False)
        done = place_selection(
            self.session,
            self.keeper.cache,
            Selection(entries, lambda: self._known),
            Existing.OVERWRITE,
            None,
            dry_run=False,
            wanted=wanted,
            state=state,
        )
        for problem in done.problems:
            raise problem.as_error()
        self.planner.inputs.placed(entries)

    def run(self, plan: StagePlan) -> StageResult:
        """Run a stage whose turn has come, if it has to; what fails is in the answer."""
        if plan.decision.verdict is Verdict.DEPENDS:
            self.planner.inputs.forget(plan.stage)
            plan = self.planner.plan(plan.stage.name)
            if plan.error is not None:
                return _failed(plan, plan.error)
            if plan.decision.verdict is not Verdict.RUN:
                return self.settle(plan)
        began = time.monotonic()
        warnings: list[str] = []
        try:
            seconds = self._run(plan, warnings)
        except PivotError as error:
            return _failed(plan, error, time.monotonic() - began, warnings)
        around = time.monotonic() - began - seconds
        name = plan.stage.name
        return StageResult(name, plan.decision, State.RAN, seconds, tuple(warnings), around=around)

    def _run(self, plan: StagePlan, warnings: list[str]) -> float:
        """Run the commands of a stage; write its lock last. Adds to *warnings*.

        The answer is how many seconds the commands took.
        """
        stage = plan.stage
        if stage.foreign:
            raise StageFailed(f"stage {stage.name} needs the real Pivot")
        check_document_path(self.session.project.root, lock_path(stage.name))
        self._place_inputs(stage, warnings)
        self._begin_persist(stage, warnings)
        found = self.planner.look_again(stage)
        replaced = [output.path for output in stage.outputs if not output.persist]
        warnings += self.saver.save_outputs(stage, found, replaced)
        since = self.unfinished.begin(stage.name, self.processes.token)
        try:
            self.keeper.make_way(stage)
            self.watcher.begin(stage.name, plan.decision)
            began = time.monotonic()
            self._run_commands(stage, warnings)
            seconds = time.monotonic() - began
            made = self.keeper.keep(stage)
        except PivotError:
            self.saver.note_failure(stage)
            raise
        changed = self.planner.inputs.changed_since(stage, found)
        warnings += [
            f"{path} changed while {stage.name} ran; its lock has it as it was before"
            for path in changed
        ]
        warnings += self._find_strays(stage, since)
        root = self.session.project.root
        dependencies = tuple(found.dependencies.values())
        self.keeper.write_ledger(stage, made)
        write_lock(root, Record(stage, found.parameters or {}, dependencies, made))
        self.saver.end(stage.name)
        self.planner.inputs.made(stage)
        return seconds

    def _place_inputs(self, stage: Stage, warnings: list[str]) -> None:
        """Put in place what a stage reads and is only recorded so far; add to *warnings*."""
        entries = self.planner.inputs.to_place(stage)
        for entry in entries:
            has = self.supplies.has(entry.output)
            if has is not Has.CACHE and not self.can_fetch:
                raise ObjectMissing(
                    f"{entry.output.path}, which stage {stage.name} reads, is {has}",
                    hint="'pivot repro --pull' fetches what is needed",
                )
        for entry in entries:
            warnings += self.saver.save(entry.output.path)
        self.restore(entries)

    def _begin_persist(self, stage: Stage, warnings: list[str]) -> None:
        """Have what is to persist in place, as it was when the stage last ended."""
        told, entries = self.saver.begin_persist(stage)
        warnings += told
        self.restore(entries)
        self._place_persist(stage, force=self.planner.force)
        self.saver.note_persist(stage)

    def _place_persist(self, stage: Stage, *, force: bool) -> None:
        """Put in place what is to persist, is recorded and is not there."""
        root = self.session.project.root
        persist = {o.path for o in stage.outputs if o.persist and not (root / o.path).exists()}
        for entry in self.planner.recorded(stage):
            path = entry.output.path
            if path not in persist:
                continue
            has = self.supplies.has(entry.output)
            if has is Has.CACHE or (has is not Has.NOWHERE and self.can_fetch):
                self.restore((entry,))
            elif not force:
                raise ObjectMissing(
                    f"{path}, to which stage {stage.name} adds, is not there",
                    hint=f"'pivot pull {path}', 'pivot repro --pull', or --force to begin anew",
                )

    def _run_commands(self, stage: Stage, warnings: list[str]) -> None:
        tail = _Tail()
        directory = self.session.project.root / stage.directory
        if not directory.is_dir():
            raise StageFailed(f"{stage.directory}, where stage {stage.name} runs, is no directory")

        def tell(piece: bytes) -> None:
            tail.add(piece)
            self.watcher.output(stage.name, piece)

        for command in stage.commands:
            self.watcher.command(stage.name, command)
            ended = self.processes.run(
                command, directory=directory, variables=stage.environment, tell=tell
            )
            if ended.left:
                warnings.append(f"{stage.name} left processes running; they were stopped")
            if ended.code:
                of = f" of `{_short(command)}`" if len(stage.commands) > 1 else ""
                error = StageFailed(f"stage {stage.name} failed: {_how(ended)}{of}")
                error.tail = tail.lines()
                raise error

    def _lost(self, plan: StagePlan) -> Iterator[str]:
        """Say what a stage that is never run here should have made, and is nowhere."""
        stage, root = plan.stage, self.session.project.root
        if not stage.idle:
            return
        recorded = plan.found.outputs
        lost = [path for path, state in recorded.items() if state.has is Has.NOWHERE]
        lost += [
            output.path
            for output in stage.outputs
            if output.path not in recorded and not (root / output.path).exists()
        ]
        for path in lost:
            yield f"{path} is missing, and stage {stage.name} {stage.idle}: nothing makes it here"

    def _find_strays(self, stage: Stage, since: int) -> list[str]:
        root = self.session.project.root
        found = set(find_strays(root, since, self._declared)) - self._strays
        self._strays |= found
        if not found:
            return []
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        names = ", ".join(sorted(found)[:_SHOWN]) + more
        return [f"{stage.name} wrote what is not among its outputs: {names}"]


class _Tail:
    """The last lines of what a command prints; memory does not grow with it."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=_TAIL_LINES)
        self._open = b""

    def add(self, piece: bytes) -> None:
        *whole, last = (self._open + piece).split(b"\n")
        self._lines.extend(line[-_TAIL_WIDTH:] for line in whole)
        self._open = last[-_TAIL_WIDTH:]

    def lines(self) -> tuple[str, ...]:
        found = [*self._lines, *([self._open] if self._open else [])]
        return tuple(line.decode("utf-8", "backslashreplace").rstrip("\r") for line in found)


def _short(command: str) -> str:
    line, _, more = command.strip().partition("\n")
    return f"{line[:60]}…" if more or len(line) > 60 else line  # noqa: PLR2004


def _how(ended: Ended) -> str:
    if ended.code >= 0:
        return f"exit code {ended.code}"
    return f"killed by signal {-ended.code}"


def _failed(
    plan: StagePlan, error: PivotError, seconds: float = 0.0, warnings: Iterable[str] = ()
) -> StageResult:
    tail = error.tail if isinstance(error, StageFailed) else ()
    name = plan.stage.name
    return StageResult(
        name, plan.decision, State.FAILED, seconds, tuple(warnings), error=error, tail=tail
    )
