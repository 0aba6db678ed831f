"""What use cases answered, in the words of a CI job; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.ci.told import Counts, ObjectState, ObjectTold
from pivot.errors import ExitCode
from pivot.frozen import frozen
from pivot.report import parts
from pivot.transfer import Failed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pivot.report import Result
    from pivot.results import Checkout, Problem, Transfer


@frozen
class Outcome:
    """What a transfer or checkout came to: *had* of the wanted objects are there now."""

    counts: Counts
    bytes: int
    objects: tuple[ObjectTold, ...]
    problems: tuple[Problem, ...]
    had: int


def describe(result: Result) -> Outcome:
    """Count and list what *result* says."""
    transfers, checkout, problems = parts(result)
    objects = tuple(row for transfer in transfers for row in _rows(transfer))
    if not transfers and checkout is not None:
        objects = tuple(_files(checkout))
    count = _Count(objects)
    counts = Counts(
        transferred=count(ObjectState.TRANSFERRED),
        skipped=count(ObjectState.PRESENT) if transfers else 0,
        failed=count(ObjectState.FAILED),
        missing=count(ObjectState.MISSING),
        restored=0 if checkout is None else checkout.restored,
        would_transfer=count(ObjectState.PLANNED),
    )
    dry_run = any(transfer.dry_run for transfer in transfers)
    size = sum(t.plan.bytes if dry_run else t.bytes for t in transfers)
    had = counts.transferred + count(ObjectState.PRESENT) + counts.would_transfer
    return Outcome(counts, size, objects, problems, had)


class _Count:
    def __init__(self, objects: tuple[ObjectTold, ...]) -> None:
        self._states = [row.state for row in objects]

    def __call__(self, state: ObjectState) -> int:
        return self._states.count(state)


def _rows(transfer: Transfer) -> Iterator[ObjectTold]:
    """List each wanted object once, in the order of the documents."""
    plan = transfer.plan
    errors = {digest: error.message for digest, error in transfer.damaged.items()}
    arrived: dict[str, bool] = {}
    for outcome in transfer.moves.outcomes if transfer.moves is not None else ():
        if isinstance(outcome, Failed):
            errors[outcome.digest] = outcome.error.message
        else:
            arrived[outcome.digest] = outcome.was_there
    missing = frozenset(plan.missing)
    missed = {p.digest for p in transfer.problems if p.code is ExitCode.MISSING}
    for digest, want in transfer.wanted.items():
        if digest in missing or digest in missed:
            state = ObjectState.MISSING
        elif digest in errors:
            state = ObjectState.FAILED
        elif digest in plan.present or arrived.get(digest):
            state = ObjectState.PRESENT
        elif digest in arrived:
            state = ObjectState.TRANSFERRED
        elif transfer.dry_run:
            state = ObjectState.PLANNED
        else:
            state = ObjectState.FAILED
        size = want.size
        if size is None:
            size = plan.transfer.get(digest, plan.present.get(digest))
        error = errors.get(digest, "") if state is ObjectState.FAILED else ""
        yield ObjectTold(want.owner, want.path, digest, size, state, error)


def _files(checkout: Checkout) -> Iterator[ObjectTold]:
    """List the objects of a checkout alone: what the cache has, and what it has not."""
    missing = set(checkout.missing)
    seen = set()
    for output in checkout.plan:
        for file, _ in output.steps:
            if file.digest not in seen:
                seen.add(file.digest)
                state = ObjectState.MISSING if file.path in missing else ObjectState.PRESENT
                yield ObjectTold(output.owner, file.path, file.digest, file.size, state)
