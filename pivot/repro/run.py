"""One run of `repro`: decide, put recorded outputs in place, run stages, tell what became of it."""

from __future__ import annotations

import secrets
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING

from pivot.checkout import look_closely
from pivot.crew import for_each
from pivot.errors import PivotError
from pivot.frozen import frozen
from pivot.observer import Observer
from pivot.paths import related
from pivot.pipeline.targets import Reach
from pivot.plan import list_wanted
from pivot.remembered import Remembered
from pivot.remote_choice import read_chain
from pivot.repro.before import Before
from pivot.repro.decide import Decision, Verdict
from pivot.repro.housekeeping import finish, recover
from pivot.repro.inputs import Inputs
from pivot.repro.keeping import Keeper
from pivot.repro.planner import Planner, StagePlan
from pivot.repro.processes import Processes
from pivot.repro.results import Repro, StageResult, State
from pivot.repro.runner import Runner
from pivot.repro.saving import REPLACED, Saver
from pivot.repro.schedule import Schedule
from pivot.repro.supplies import Supplies
from pivot.scratch import Scratch
from pivot.sums import update_ledgers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pivot.cache import Cache
    from pivot.pipeline import Pipeline
    from pivot.references import Documents
    from pivot.repro.exclusive import Unfinished
    from pivot.repro.watcher import Watcher
    from pivot.results import Transfer
    from pivot.session import Session
    from pivot.targets import Reference


@frozen
class Options:
    """How `repro` goes about it; *jobs* is the most stages at a time."""

    jobs: int = 1
    reach: Reach = Reach.UPSTREAM
    force: bool = False
    keep_going: bool = False
    pull: bool = False
    allow_missing: bool = False
    remote: str | None = None


@dataclass
class Run:
    """One run of `repro`; what its *eyes* saw before it is not looked at again."""

    session: Session
    options: Options
    cache: Cache
    watcher: Watcher
    documents: Documents
    pipeline: Pipeline
    order: list[str]
    eyes: InitVar[Observer | None] = None
    results: dict[str, StageResult] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    fetches: list[Transfer] = field(default_factory=list)

    def __post_init__(self, eyes: Observer | None) -> None:
        project = self.session.project
        self.root: Path = project.root
        self.references = self.documents.references
        self.observer = eyes or Observer(self.root, self.cache, Remembered(project.remembered))
        self.remembered = self.observer.remembered
        asked = self.options.pull or self.options.allow_missing
        self.supplies = Supplies(
            self.session,
            self.cache,
            self._wanted_references(),
            remote=read_chain(self.session.config, self.options.remote) if asked else None,
            accept=self.options.allow_missing,
        )
        self.planner = self._new_planner()

    def _wanted_references(self) -> list[Reference]:
        """List what chosen stages make or read: nobody is asked for anything else."""
        chosen = set(self.order)
        reads = {path for name in self.order for path in self.pipeline.stages[name].reads}
        return [
            entry
            for entry in self.references.entries
            if (entry.is_stage and entry.owner in chosen) or related(entry.output.path, reads)
        ]

    def preview(self) -> Repro:
        """Decide, and do nothing."""
        plans = self._plan(look_only=True)
        stages = tuple(
            StageResult(
                name,
                plan.decision,
                State.PLANNED if plan.error is None else State.FAILED,
                error=plan.error,
            )
            for name, plan in plans.items()
        )
        return Repro(stages, self.pipeline, notes=tuple(self.notes), dry_run=True)

    def carry_out(self) -> Repro:
        """Decide, then do: what is recorded is placed first, then stages run."""
        unfinished, stopped = recover(self.session.project)
        if stopped:
            self._note("Stopped commands of a run that was killed")
        plans = self._plan(look_only=False)
        try:
            if self._may_begin(plans):
                self._execute(plans, unfinished)
        finally:
            self.remembered.save(complete=len(self.order) == len(self.pipeline.stages))
        self._finish()
        self._complete_ledgers()
        return Repro(
            tuple(self._all_results(plans)),
            self.pipeline,
            tuple(self.fetches),
            tuple(self.notes),
        )

    def _new_planner(self) -> Planner:
        runnable = {name for name in self.order if not self.pipeline.stages[name].foreign}
        stages = self.pipeline.stages
        declared = {output.path for name in runnable for output in stages[name].outputs}
        provided = {
            entry.output.path: entry
            for entry in self.references.entries
            if entry.output.path not in declared
            and not (entry.is_stage and entry.owner in runnable)
        }
        locks = {lock.stage: lock for lock in self.documents.locks}
        return Planner(
            self.root,
            self.pipeline,
            locks,
            self.documents.refer,
            Inputs(self.root, self.pipeline, provided, self.observer, self.supplies),
            self.observer,
            self.supplies,
            self.options.force,
            fetches=self.options.pull or not self.options.allow_missing,
        )

    def _plan(self, *, look_only: bool) -> dict[str, StagePlan]:
        """Decide about all stages; once more if objects that were counted on are damaged."""
        plans = {name: self.planner.plan(name) for name in self.order}
        wanted = list_wanted(self._to_place(plans.values()))
        damaged = set(look_closely(self.session, self.cache, wanted, dry_run=look_only).damaged)
        for plan in plans.values():
            damaged |= self.planner.damaged_by_edit(plan, self.cache)
        if damaged:
            self._note(f"{len(damaged)} object(s) in the cache are damaged")
            self.supplies.lose(damaged)
            if not look_only:
                self.cache.discard(damaged)
            self.planner = self._new_planner()
            plans = {name: self.planner.plan(name) for name in self.order}
        self._warn()
        return plans

    def _to_place(self, plans: Iterable[StagePlan]) -> list[Reference]:
        own = [
            entry
            for plan in plans
            if plan.decision.verdict is Verdict.RESTORE
            for entry in plan.restore
        ]
        return [*self.planner.inputs.needed.values(), *own]

    def _may_begin(self, plans: Mapping[str, StagePlan]) -> bool:
        """Tell whether to begin at all: what is wrong from the start is said before any work."""
        for name, plan in plans.items():
            if plan.error is not None:
                self._end(StageResult(name, plan.decision, State.FAILED, error=plan.error))
        return self.options.keep_going or not self.results

    def _execute(self, plans: Mapping[str, StagePlan], unfinished: Unfinished) -> None:
        project = self.session.project
        scratch = Scratch(project.scratch)
        processes = Processes(secrets.token_hex(16), self.session.environment)
        keeper = Keeper(
            self.root,
            self.cache,
            self.observer,
            self.remembered,
            scratch,
            self.session.config.links,
        )
        saver = Saver(
            self.root,
            project.pivot / "cache" / REPLACED,
            keeper,
            unfinished,
            Before(unfinished.directory),
            self.pipeline.stages.values(),
            self.options.force,
        )
        runner = Runner(
            self.session,
            self.planner,
            self.supplies,
            keeper,
            saver,
            self.references,
            processes,
            unfinished,
            self.watcher,
            can_fetch=self.options.pull,
        )
        try:
            self._place(plans, runner)
            self._run_stages(plans, runner)
        except BaseException:
            processes.stop()
            raise
        finally:
            self.fetches += runner.fetches
            scratch.remove()

    def _place(self, plans: Mapping[str, StagePlan], runner: Runner) -> None:
        """Put all in place that is known to be right, in one go."""
        self.fetches += self.supplies.fetch(self._to_place(plans.values()))
        self._place_needed(runner)
        for plan in plans.values():
            if plan.error is not None or plan.decision.verdict not in _SETTLED:
                continue
            self._end(runner.settle(plan))

    def _place_needed(self, runner: Runner) -> None:
        """Put in place what no chosen stage makes; a stage that has to read it fails without it."""
        needed = list(self.planner.inputs.needed.values())
        try:
            runner.restore(needed)
        except PivotError:
            for entry in needed:
                try:
                    runner.restore([entry])
                except PivotError as error:
                    self._note(f"{entry.output.path} could not be put in place: {error.message}")

    def _run_stages(self, plans: Mapping[str, StagePlan], runner: Runner) -> None:
        failed = {n for n, r in self.results.items() if r.state is State.FAILED}
        if failed and not self.options.keep_going:
            return
        names = [name for name in self.order if name not in self.results]
        keep_going = self.options.keep_going
        schedule = Schedule(names, self.pipeline.needs, keep_going=keep_going)

        def act(name: str) -> None:
            success = False
            try:
                result = runner.run(plans[name])
                self._end(result)
                success = result.error is None
            finally:
                schedule.finish(name, success=success)

        try:
            for_each(self._startable(schedule, failed), act, jobs=self.options.jobs)
        finally:
            schedule.stop()

    def _startable(self, schedule: Schedule, failed: set[str]) -> Iterator[str]:
        for name in schedule:
            if self._is_behind(name, failed):
                schedule.finish(name, success=False)
            else:
                yield name

    def _is_behind(self, name: str, failed: set[str]) -> bool:
        return bool(failed) and not failed.isdisjoint(self.pipeline.upstream([name]))

    def _end(self, result: StageResult) -> None:
        self.results[result.stage] = result
        self.watcher.end(result)

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self.watcher.note(text)

    def _warn(self) -> None:
        """Tell what asking and fetching warned of, each once."""
        for text in self.supplies.warnings:
            if text not in self.notes:
                self._note(text)

    def _finish(self) -> None:
        """Put things in order, and say what else a user should know."""
        self._warn()
        ran = [name for name, result in self.results.items() if result.state is State.RAN]
        stale = self.planner.inputs.stale()
        project = self.session.project
        for text in finish(project, self.pipeline, self.documents, stale=stale, ran=ran):
            self._note(text)

    def _complete_ledgers(self) -> None:
        """Write the sums of what did not have to run, where a ledger has not or is stale."""
        settled = {
            name
            for name, result in self.results.items()
            if result.error is None and result.state is not State.RAN
        }
        chosen = [e for e in self.references.entries if e.is_stage and e.owner in settled]
        try:
            update_ledgers(self.root, self.cache, chosen, self.references.entries, known={})
        except PivotError as error:
            self._note(f"the ledgers were not written: {error.message}")

    def _all_results(self, plans: Mapping[str, StagePlan]) -> Iterator[StageResult]:
        """List what became of each stage, also of those whose turn did not come."""
        failed = {n for n, r in self.results.items() if r.error is not None}
        for name, plan in plans.items():
            if name in self.results:
                yield self.results[name]
                continue
            cause = sorted(failed & self.pipeline.upstream([name]))
            if cause:
                decision = Decision(plan.decision.verdict, (f"stage {cause[0]} failed",))
                yield StageResult(name, decision, State.BLOCKED)
            else:
                yield StageResult(name, plan.decision, State.NOT_RUN)


_SETTLED = frozenset({Verdict.SKIP, Verdict.RESTORE})
