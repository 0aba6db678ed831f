"""Where stages stand after a transfer or checkout, and which needs which."""

from __future__ import annotations

import graphlib
from typing import TYPE_CHECKING

from pivot.errors import ExitCode, PivotError
from pivot.objects import files_of
from pivot.pipeline import load_pipeline
from pivot.project import find_documents
from pivot.references import load_documents
from pivot.report import parts
from pivot.stage_states import StageState, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pivot.lockfile import StageLock
    from pivot.project import Project
    from pivot.report import Result
    from pivot.results import Checkout, Transfer


def transfer_states(
    result: Result, needs: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[StageState, ...]:
    """Say of each stage, and of tracked data, whether its objects are where *result* put them.

    Stages come in the order of *needs*; see `stage_needs`.
    """
    transfers, checkout, _ = parts(result)
    tallies: dict[str, _Tally] = {}
    for transfer in transfers:
        _count_transfer(transfer, tallies)
    if not transfers and checkout is not None:
        _count_checkout(checkout, tallies)
    needs = needs or {}
    order = {name: place for place, name in enumerate(needs)}
    names = sorted(tallies, key=lambda name: order.get(name, len(order)))
    return tuple(tallies[name].state(name, needs.get(name, ())) for name in names)


class _Tally:
    """Counts the objects of one stage."""

    def __init__(self, lock: str) -> None:
        self.lock = lock
        self.objects = 0
        self.bytes = 0
        self.missing = 0
        self.failed = 0
        self.planned = 0

    def add(self, size: int | None, fate: str) -> None:
        self.objects += 1
        self.bytes += size or 0
        self.missing += fate == "missing"
        self.failed += fate == "failed"
        self.planned += fate == "planned"

    def state(self, name: str, needs: tuple[str, ...]) -> StageState:
        if self.failed:
            state, reason = State.UNKNOWN, f"{self.failed} of {self.objects} objects failed"
        elif self.missing == self.objects and self.objects:
            state, reason = State.MISSING, "none of its objects can be had"
        elif self.missing:
            state, reason = State.PARTIAL, f"{self.missing} of {self.objects} objects are missing"
        else:
            reason = f"{self.planned} objects would be copied" if self.planned else ""
            state = State.HIT
        return StageState(
            name, self.lock, state, reason, self.objects, self.bytes, self.missing, needs
        )


def _count_transfer(transfer: Transfer, tallies: dict[str, _Tally]) -> None:
    plan = transfer.plan
    missing = set(plan.missing)
    failed: set[str] = set(transfer.damaged)
    arrived = set(plan.present)
    for outcome in transfer.moves.outcomes if transfer.moves is not None else ():
        arrived.add(outcome.digest)
    for problem in transfer.problems:
        if problem.digest:
            (missing if problem.code is ExitCode.MISSING else failed).add(problem.digest)  # type: ignore[arg-type]
    for digest, want in transfer.wanted.items():
        size = want.size
        if size is None:
            size = plan.transfer.get(digest, plan.present.get(digest))
        if digest in missing:
            fate = "missing"
        elif digest in failed or not (digest in arrived or transfer.dry_run):
            fate = "failed"
        else:
            fate = "there" if digest in arrived else "planned"
        for owner, document in {place.owner: place.document for place in want.places}.items():
            tallies.setdefault(owner, _Tally(document)).add(size, fate)


def _count_checkout(checkout: Checkout, tallies: dict[str, _Tally]) -> None:
    missing = set(checkout.missing)
    failed = {problem.path for problem in checkout.problems if problem.path not in missing}
    for output in checkout.plan:
        tally = tallies.setdefault(output.owner, _Tally(output.document))
        for file, _ in output.steps:
            bad = file.path in failed or output.output.path in failed
            fate = "missing" if file.path in missing else "failed" if bad else "there"
            tally.add(file.size, fate)


def stage_needs(project: Project) -> dict[str, tuple[str, ...]]:
    """Say which stages each stage needs: from `pivot.yaml`, else from what the locks depend on.

    Each stage comes after those that it needs.
    What cannot be read has no edges: a graph is no reason to fail.
    """
    try:
        found = find_documents(project).pipelines
        documents = [path.relative_to(project.root).as_posix() for path in found]

        def read(path: str) -> bytes | None:
            place = project.root / path
            return place.read_bytes() if place.is_file() else None

        if documents:
            pipeline = load_pipeline(documents, read)
            return {name: pipeline.needs.get(name, ()) for name in pipeline.stages}
    except (OSError, PivotError):
        pass
    try:
        return needs_of_locks(load_documents(project, dependencies=True).locks)
    except PivotError:
        return {}


def needs_of_locks(locks: Iterable[StageLock]) -> dict[str, tuple[str, ...]]:
    """Say which stages each of *locks* needs, in their order: those that made what it reads."""
    locks = list(locks)
    makers: dict[str, str] = {}
    for lock in locks:
        for output in (*lock.outputs, *lock.uncached, *lock.undecided):
            makers[output.path] = lock.stage
            makers |= {file.path: lock.stage for file in files_of(output)}
    needs = {
        lock.stage: makers_of((o.path for o in lock.dependencies), makers, lock.stage)
        for lock in locks
    }
    try:
        return {name: needs[name] for name in graphlib.TopologicalSorter(needs).static_order()}
    except graphlib.CycleError:
        return needs


def makers_of(paths: Iterable[str], makers: Mapping[str, str], own: str) -> tuple[str, ...]:
    """Name the stages that make *paths*, or a directory that one of them lies in."""
    found: dict[str, None] = {}
    for path in paths:
        place = path
        while place and place not in makers:
            place = place.rpartition("/")[0]
        if place and makers[place] != own:
            found[makers[place]] = None
    return tuple(found)
