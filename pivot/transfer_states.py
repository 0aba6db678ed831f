"""Where stages stand after a transfer or checkout; pure."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from pivot.errors import ObjectMissing
from pivot.plan import Step
from pivot.report import parts
from pivot.stage_states import StageState, State
from pivot.transfer import Failed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pivot.objects import Digest
    from pivot.report import Result
    from pivot.results import Checkout, Transfer


def transfer_states(
    result: Result, needs: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[StageState, ...]:
    """Say of each stage, and of tracked data, whether its objects are where *result* put them.

    Stages come in the order of *needs*; see `stage_needs.stage_needs`.
    """
    transfers, checkout, _ = parts(result)
    tallies: dict[str, _Tally] = {}
    for transfer in transfers:
        _count_transfer(transfer, tallies)
    if checkout is not None:
        _count_checkout(checkout, tallies, fetched=bool(transfers))
    needs = needs or {}
    order = {name: place for place, name in enumerate(needs)}
    names = sorted(tallies, key=lambda name: order.get(name, len(order)))
    return tuple(tallies[name].state(name, needs.get(name, ())) for name in names)


class _Tally:
    """Counts the objects of one stage, each once."""

    def __init__(self, lock: str) -> None:
        self.lock = lock
        self.objects: dict[Digest, tuple[int, _Fate]] = {}
        self.unplaced = 0

    def add(self, digest: Digest, size: int | None, fate: _Fate) -> None:
        self.objects[digest] = (size or 0, fate)

    def count(self, fate: _Fate) -> int:
        return sum(one is fate for _, one in self.objects.values())

    def state(self, name: str, needs: tuple[str, ...]) -> StageState:
        count, missing = len(self.objects), self.count(_Fate.MISSING)
        if failed := self.count(_Fate.FAILED):
            state, reason = State.UNKNOWN, f"{failed} of {count} objects failed"
        elif missing == count and count:
            state, reason = State.MISSING, "none of its objects can be had"
        elif missing:
            state, reason = State.PARTIAL, f"{missing} of {count} objects are missing"
        elif self.unplaced:
            state, reason = State.UNKNOWN, f"{self.unplaced} files could not be put in place"
        else:
            planned = self.count(_Fate.PLANNED)
            state, reason = State.HIT, f"{planned} objects would be copied" if planned else ""
        size = sum(size for size, _ in self.objects.values())
        return StageState(name, self.lock, state, reason, count, size, missing, needs)


class _Fate(Enum):
    THERE = auto()
    PLANNED = auto()
    MISSING = auto()
    FAILED = auto()


def _count_transfer(transfer: Transfer, tallies: dict[str, _Tally]) -> None:
    plan = transfer.plan
    missing = set(plan.missing)
    failed = set(transfer.damaged)
    arrived = set(plan.present)
    for outcome in transfer.moves.outcomes if transfer.moves is not None else ():
        if not isinstance(outcome, Failed):
            arrived.add(outcome.digest)
        elif isinstance(outcome.error, ObjectMissing):
            missing.add(outcome.digest)
        else:
            failed.add(outcome.digest)
    for digest, want in transfer.wanted.items():
        size = want.size
        if size is None:
            size = plan.transfer.get(digest, plan.present.get(digest))
        if digest in missing:
            fate = _Fate.MISSING
        elif digest in failed or not (digest in arrived or transfer.dry_run):
            fate = _Fate.FAILED
        else:
            fate = _Fate.THERE if digest in arrived else _Fate.PLANNED
        for owner, document in {place.owner: place.document for place in want.places}.items():
            tallies.setdefault(owner, _Tally(document)).add(digest, size, fate)


def _count_checkout(checkout: Checkout, tallies: dict[str, _Tally], *, fetched: bool) -> None:
    """Count what was placed; of what was *fetched* the objects are counted already."""
    done = {placed.path for placed in checkout.placed or () if placed.error is None}
    for output in checkout.plan:
        tally = tallies.setdefault(output.owner, _Tally(output.document))
        if output.problem is not None or output.refused:
            tally.unplaced += len(output.paths(Step.REFUSE, Step.HOLD)) or 1
        elif not (checkout.dry_run or output.output.path in done):
            tally.unplaced += len(output.paths(Step.CREATE, Step.REPLACE))
        for file, step in () if fetched else output.steps:
            fate = _Fate.MISSING if step is Step.MISSING else _Fate.THERE
            tally.add(file.digest, file.size, fate)
