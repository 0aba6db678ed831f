"""What use cases answered, counted and listed for a CI job."""

from __future__ import annotations

from collections.abc import Mapping

from pivot.ci.outcome import describe
from pivot.ci.told import Counts, ObjectState, ObjectTold
from pivot.config import RemoteSettings
from pivot.errors import ExitCode, ObjectDamaged, ObjectMissing, ObjectUnreachable, RemoteDenied
from pivot.objects import Digest
from pivot.placement import Placed
from pivot.plan import OutputPlan, Place, Step, TransferPlan, Wanted
from pivot.results import Checkout, Pull, Transfer, stopped_transfer
from pivot.transfer import Failed, Moved, Moves
from tests.unit.values import digest, file_of, want_of

HERE, GONE, COMING = digest(1), digest(2), digest(3)


def want(one: Digest, size: int | None = 10) -> Wanted:
    places = (Place(f"out/{int(one, 16)}", "train", "train.lock"), Place("copy", "b", "b.lock"))
    return want_of(one, size, *places)


def fetch(
    moves: Moves | None,
    *,
    coming: Mapping[Digest, int | None] | None = None,
    damaged: Mapping[Digest, ObjectDamaged] | None = None,
) -> Transfer:
    plan = TransferPlan({COMING: 7} if coming is None else coming, {HERE: 5}, (GONE,))
    wanted = {one: want(one, None) for one in (HERE, GONE, *plan.transfer)}
    return Transfer("fetch", "origin", "s3://b/p", wanted, plan, moves, damaged=damaged or {})


def states(result: Transfer) -> dict[str, str]:
    return {row.path: str(row.state) for row in describe(result).objects}


def test_every_object_is_listed_once_with_what_became_of_it() -> None:
    outcome = describe((fetch(Moves((Moved(COMING),))),))

    assert outcome.objects == (
        ObjectTold("train", "out/1", HERE, 5, ObjectState.PRESENT),
        ObjectTold("train", "out/2", GONE, None, ObjectState.MISSING),
        ObjectTold("train", "out/3", COMING, 7, ObjectState.TRANSFERRED),
    )
    assert outcome.counts == Counts(transferred=1, skipped=1, missing=1)
    assert (outcome.bytes, outcome.had) == (7, 2)
    assert {problem.code for problem in outcome.problems} == {ExitCode.MISSING}


def test_a_plan_says_what_would_be_copied() -> None:
    outcome = describe(fetch(None))

    assert outcome.counts == Counts(skipped=1, missing=1, would_transfer=1)
    assert outcome.bytes == 7
    assert outcome.had == 2
    assert outcome.objects[2].state is ObjectState.PLANNED


def test_what_somebody_else_was_first_with_is_present() -> None:
    assert states(fetch(Moves((Moved(COMING, was_there=True),))))["out/3"] == "present"


def test_what_failed_says_why() -> None:
    moves = Moves((Failed(COMING, ObjectUnreachable("no answer")),))
    outcome = describe(fetch(moves))

    assert outcome.objects[2] == ObjectTold(
        "train", "out/3", COMING, 7, ObjectState.FAILED, "no answer"
    )
    assert outcome.counts == Counts(skipped=1, missing=1, failed=1)


def test_what_vanished_while_it_was_copied_is_missing() -> None:
    assert states(fetch(Moves((Failed(COMING, ObjectMissing("gone")),))))["out/3"] == "missing"


def test_what_a_stop_left_undone_failed() -> None:
    moves = Moves((), RemoteDenied("not any more"))
    assert states(fetch(moves))["out/3"] == "failed"


def test_a_damaged_object_is_not_present() -> None:
    outcome = describe(fetch(Moves(), coming={}, damaged={HERE: ObjectDamaged("9 bytes, not 5")}))

    assert outcome.objects[0].state is ObjectState.FAILED
    assert outcome.objects[0].error == "9 bytes, not 5"
    assert outcome.had == 0


def test_a_remote_that_could_not_be_asked_makes_nothing_missing() -> None:
    wanted = {HERE: want(HERE)}
    settings = RemoteSettings("origin", "s3://b/p")
    outcome = describe(stopped_transfer("push", settings, wanted, RemoteDenied("no")))

    assert outcome.counts == Counts(failed=1)
    assert outcome.problems[0].cause is not None


def checkout(steps: dict[int, Step], placed: tuple[Placed, ...] | None = ()) -> Checkout:
    files = tuple((file_of(f"out/{n}", b"%d" % n), step) for n, step in steps.items())
    plan = (OutputPlan(files[0][0], "train", "train.lock", files),)
    return Checkout(plan, placed)


def test_a_checkout_lists_what_the_cache_has_and_has_not() -> None:
    outcome = describe(checkout({1: Step.LEAVE, 2: Step.MISSING}))

    assert [row.state for row in outcome.objects] == [ObjectState.PRESENT, ObjectState.MISSING]
    assert outcome.counts == Counts(missing=1)
    assert outcome.had == 1


def test_a_pull_counts_objects_by_its_fetches_and_files_by_its_checkout() -> None:
    placed = (Placed("out/3", files=1),)
    pull = Pull((fetch(Moves((Moved(COMING),))),), checkout({3: Step.CREATE}, placed))

    outcome = describe(pull)

    assert outcome.counts == Counts(transferred=1, skipped=1, missing=1, restored=1)
    assert len(outcome.objects) == 3
