"""`gc`: put what nobody needs into the trash; bring it back; empty the trash."""

from __future__ import annotations

import contextlib
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.errors import ExitCode, PivotError, UsageError
from pivot.gc.claims import check_claim, make_claim
from pivot.gc.documents import Entry, Receipt, new_receipt, parse_receipt, render_receipt
from pivot.gc.local import prune, quiet
from pivot.gc.place import LIVE, clock_name, is_receipt, receipt_name
from pivot.gc.places import is_shared, open_place
from pivot.gc.plan import Count, check_clock, plan_back, plan_emptying, plan_out
from pivot.gc.protected import Needs, Rules, check_rules
from pivot.gc.results import Action, Cleanup, problems_of
from pivot.repro.processes import TOKEN
from pivot.results import Problem
from pivot.transfer import Moved, Moves, move_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pivot.config import RemoteSettings
    from pivot.gc.place import Found, Place, Trashed
    from pivot.gc.plan import Plan
    from pivot.objects import Digest
    from pivot.session import Session


def collect(
    session: Session,
    remote: RemoteSettings | None,
    rules: Rules,
    *,
    yes: bool,
    waiting: Callable[[str], None] = lambda _: None,
) -> Cleanup:
    """Put what nothing refers to into the trash of *remote*, or of the cache without one.

    Without *yes* only the plan is made. *waiting* is told who holds the cache. Raises what stands
    in the way before anything is moved; what goes wrong after that is in the answer.
    """
    with _opened(session, remote, rules, yes=yes, waiting=waiting) as (place, needs):
        owner = check_claim(session, remote, place)
        found, trashed = _look(session, place)
        needed = _read(session, needs, remote)
        now = time.time()
        plan = plan_out(found, trashed, needed, now=now, min_age=rules.min_age)
        going = {each.digest for each in plan.out}
        paths = needs.name(going)
        if remote is None and (linked := needs.linked(going, paths)):
            needed |= linked
            plan = plan_out(found, trashed, needed, now=now, min_age=rules.min_age)
        done = _cleanup(session, Action.OUT, remote, place, rules, needs, plan, dry_run=not yes)
        done = replace(done, paths=paths, trash=Count.of(trashed))
        if not yes:
            return done
        if remote is None:
            prune(session, needed, {each.digest for each in plan.out})
        if not (plan.out or plan.back):
            return done
        back, problems = _bring_back(session, place, plan.back, paths)
        gone: tuple[Found | Trashed, ...] = ()
        receipt = new_receipt(now, owner, [_entry(each, paths) for each in plan.out])
        if plan.out:
            gone, more = _throw_away(session, place, plan, receipt, now, paths)
            problems += more
        again, more = _look_again(session, remote, place, needs, gone)
        return replace(
            done,
            gone=tuple(each for each in gone if each.digest not in {b.digest for b in again}),
            back=(*back, *again),
            receipt=receipt.name if gone else "",
            problems=(*problems, *more),
            trash=Count.of(place.trash()),
        )


def empty_trash(
    session: Session,
    remote: RemoteSettings | None,
    rules: Rules,
    *,
    yes: bool,
    waiting: Callable[[str], None] = lambda _: None,
) -> Cleanup:
    """Delete for good what has been in the trash for long, and bring back what is needed again.

    As `collect`; what this deletes nothing can bring back.
    """
    with _opened(session, remote, rules, yes=yes, waiting=waiting) as (place, needs):
        check_claim(session, remote, place)
        found, trashed = _look(session, place)
        live = {each.digest: each for each in found}
        needed = _read(session, needs, remote)
        now = time.time()
        plan = plan_emptying(trashed, live, needed, now=now, min_age=rules.min_age)
        paths = needs.name({each.digest for each in plan.out})
        done = _cleanup(session, Action.EMPTY, remote, place, rules, needs, plan, dry_run=not yes)
        done = replace(done, paths=paths, trash=Count.of(trashed))
        if not yes:
            return done
        if plan.out:
            clock = clock_name()
            there = place.write_note(clock, b"")
            place.delete_note(clock)
            check_clock(now, there, place.url)
        back, problems = _bring_back(session, place, plan.back, paths)
        gone: list[Found | Trashed] = []
        for receipt, some in _by_receipt(plan.out).items():
            place.delete(receipt, [each.digest for each in some])
            gone += some
        left = list(place.trash())
        used = {each.receipt for each in left}
        for receipt, written in place.receipts().items():
            if receipt not in used and written <= now - rules.min_age:
                place.delete_note(receipt_name(receipt))
        return replace(done, gone=tuple(gone), back=back, problems=problems, trash=Count.of(left))


def undo(session: Session, remote: RemoteSettings | None, receipt: str) -> Cleanup:
    """Put everything that *receipt* names back, as far as it is in any trash.

    Raises `UsageError` for a receipt that there is not.
    """
    with closing(open_place(session, remote)) as place:
        entries = _entries(place, receipt)
        paths = {entry.digest: entry.paths for entry in entries}
        found, trashed = _look(session, place)
        live = {each.digest for each in found}
        plan = plan_back(trashed, paths.keys(), live)
        back, problems = _bring_back(session, place, plan, paths)
        whole = {each.digest: each.size for each in place.objects()}
        ours = [each for each in trashed if each.receipt == receipt]
        place.delete(receipt, [e.digest for e in ours if whole.get(e.digest) == e.size])
        if not any(True for _ in place.trash(receipt)):
            place.delete_note(receipt_name(receipt))
        failed = {problem.digest for problem in problems}
        lost = [e for e in entries if e.digest not in whole and e.digest not in failed]
        problems += tuple(_lost(entry, remote) for entry in lost)
        return Cleanup(
            Action.UNDO,
            remote.name if remote else "",
            place.url,
            dry_run=False,
            paths=paths,
            back=back,
            receipt=receipt,
            trash=Count.of(place.trash()),
            problems=problems,
        )


def claim(session: Session, remote: RemoteSettings | None) -> Cleanup:
    """Say in the place itself that this project may clean up there."""
    with closing(open_place(session, remote)) as place:
        projects = make_claim(session.project, place)
        name = remote.name if remote else ""
        return Cleanup(Action.CLAIM, name, place.url, dry_run=False, projects=projects)


@contextlib.contextmanager
def _opened(
    session: Session,
    remote: RemoteSettings | None,
    rules: Rules,
    *,
    yes: bool,
    waiting: Callable[[str], None],
) -> Iterator[tuple[Place, Needs]]:
    """Open the place, and what tells what is needed; no stage runs meanwhile in the cache."""
    if TOKEN in session.environment:
        raise UsageError("a stage cannot run 'pivot gc'", hint="run it when 'pivot repro' is over")
    check_rules(session.project, rules, shared=is_shared(session, remote))
    with ExitStack() as stack:
        place = stack.enter_context(closing(open_place(session, remote)))
        if remote is None and yes:
            stack.enter_context(quiet(session, waiting))
        yield place, Needs(session.project, rules)


def _look(session: Session, place: Place) -> tuple[list[Found], list[Trashed]]:
    """List objects before it is read who needs them: what is pushed later is not even seen."""
    with session.meter.asking(place.url):
        return list(place.objects()), list(place.trash())


def _read(session: Session, needs: Needs, remote: RemoteSettings | None) -> frozenset[Digest]:
    """Read who needs what, which takes its time where history is long."""
    with session.meter.asking("the history in git"):
        return needs.read(asking=is_shared(session, remote))


def _cleanup(
    session: Session,
    action: Action,
    remote: RemoteSettings | None,
    place: Place,
    rules: Rules,
    needs: Needs,
    plan: Plan,
    *,
    dry_run: bool,
) -> Cleanup:
    return Cleanup(
        action,
        remote.name if remote else "",
        place.url,
        dry_run=dry_run,
        shared=is_shared(session, remote),
        plan=plan,
        min_age=rules.min_age,
        looked_at=needs.told,
        options=rules.options(),
        warnings=tuple(needs.warnings),
    )


def _throw_away(
    session: Session,
    place: Place,
    plan: Plan,
    receipt: Receipt,
    now: float,
    paths: Mapping[Digest, tuple[str, ...]],
) -> tuple[tuple[Found | Trashed, ...], tuple[Problem, ...]]:
    """Write the receipt, let all be in the trash too, and then take away what is seen there."""
    name = receipt_name(receipt.name)
    there = place.write_note(name, render_receipt(receipt))
    try:
        check_clock(now, there, place.url)
    except PivotError:
        place.delete_note(name)
        raise
    moves = _copy_all(session, place, plan.out, lambda _: (LIVE, receipt.name))
    problems = tuple(problems_of(moves, paths))
    if moves.stopped is not None:
        return (), problems
    kept = {each.digest: each.size for each in place.trash(receipt.name)}
    sure = [each for each in plan.out if kept.get(each.digest) == each.size]
    try:
        gone = place.delete(LIVE, [each.digest for each in sure])
    except PivotError as error:  # some may have gone: the receipt is to be told
        problems += (Problem.ending(error),)
        live = {each.digest for each in place.objects()}
        gone = {each.digest for each in sure} - live
    return tuple(each for each in sure if each.digest in gone), problems


def _look_again(
    session: Session,
    remote: RemoteSettings | None,
    place: Place,
    needs: Needs,
    gone: Sequence[Found | Trashed],
) -> tuple[tuple[Trashed, ...], tuple[Problem, ...]]:
    """Bring back what somebody has begun to need while it went."""
    try:
        needed = _read(session, needs, remote)
    except PivotError as error:
        return (), (Problem.ending(error),)
    again = {each.digest for each in gone if each.digest in needed}
    if not again:
        return (), ()
    return _bring_back(session, place, plan_back(place.trash(), again, ()), {})


def _bring_back(
    session: Session,
    place: Place,
    wanted: Sequence[Trashed],
    paths: Mapping[Digest, tuple[str, ...]],
) -> tuple[tuple[Trashed, ...], tuple[Problem, ...]]:
    """Put objects of the trash back into use; their copies stay until the trash is emptied."""
    if not wanted:
        return (), ()
    moves = _copy_all(session, place, wanted, lambda each: (getattr(each, "receipt", ""), LIVE))
    came = {outcome.digest for outcome in moves.outcomes if isinstance(outcome, Moved)}
    return tuple(each for each in wanted if each.digest in came), tuple(problems_of(moves, paths))


def _entries(place: Place, receipt: str) -> tuple[Entry, ...]:
    """List what a receipt names, or, if it is lost, what lies beside it; raises `UsageError`."""
    if not is_receipt(receipt):
        raise UsageError(
            f"'{receipt}' is no receipt", hint="a run of 'pivot gc --yes' prints the name of one"
        )
    name = receipt_name(receipt)
    data = place.read_note(name)
    if data is not None:
        return parse_receipt(data, f"{place.url}/{name}").entries
    left = tuple(Entry(each.digest, each.size) for each in place.trash(receipt))
    if not left:
        others = ", ".join(sorted(place.receipts())[-3:])
        raise UsageError(
            f"{place.url}: the trash has no receipt '{receipt}'",
            hint=f"the last ones are {others}" if others else "its trash is empty",
        )
    return left


def _entry(each: Found | Trashed, paths: Mapping[Digest, tuple[str, ...]]) -> Entry:
    return Entry(each.digest, each.size, paths.get(each.digest, ()))


def _by_receipt(found: Sequence[Found | Trashed]) -> dict[str, list[Found | Trashed]]:
    shelves: dict[str, list[Found | Trashed]] = {}
    for each in found:
        shelves.setdefault(getattr(each, "receipt", ""), []).append(each)
    return shelves


def _lost(entry: Entry, remote: RemoteSettings | None) -> Problem:
    where = "push it from where it was made" if remote else "'pivot pull' where it is needed"
    return Problem(
        ExitCode.MISSING,
        f"object {entry.digest} is not in the trash any more",
        f"it was deleted for good: {where}",
        next(iter(entry.paths), ""),
        digest=entry.digest,
    )


def _copy_all(
    session: Session,
    place: Place,
    objects: Sequence[Found | Trashed],
    shelves: Callable[[Found | Trashed], tuple[str, str]],
) -> Moves:
    """Copy objects between *shelves*, the first to the second."""
    sizes = {each.digest: each for each in objects}

    def copy(digest: Digest) -> bool:
        each = sizes[digest]
        source, target = shelves(each)
        place.copy(digest, each.size, source=source, target=target)
        session.meter.bytes(each.size)
        return False

    session.meter.start(len(sizes), sum(each.size for each in sizes.values()))
    try:
        return move_all(sizes, copy, jobs=session.jobs, meter=session.meter)
    finally:
        session.meter.finish()
