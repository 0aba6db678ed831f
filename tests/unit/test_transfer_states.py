"""Where stages stand after a transfer or a checkout: each object counted once for each stage."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from pivot.errors import (
    LocalError,
    ObjectDamaged,
    ObjectMissing,
    ObjectUnreachable,
    PivotError,
    RemoteUnavailable,
)
from pivot.placement import Placed
from pivot.plan import OutputPlan, Place, Step, TransferPlan, Wanted
from pivot.results import Checkout, Pull, Transfer
from pivot.stage_states import StageState, State
from pivot.transfer import Failed, Moved, Moves
from pivot.transfer_states import transfer_states
from tests.unit.values import digest, directory_of, file_of, want_of


def want(number: int, *owners: str, size: int | None = 10) -> Wanted:
    places = tuple(Place(f"{owner}/{number}", owner, f"{owner}.lock") for owner in owners)
    return want_of(digest(number), size, *places)


def transfer(
    wanted: Mapping[int, Wanted],
    *,
    moving: Mapping[int, int | None] | None = None,
    present: Mapping[int, int | None] | None = None,
    missing: tuple[int, ...] = (),
    moves: Moves | None = None,
    stopped: PivotError | None = None,
    damaged: Mapping[int, PivotError] | None = None,
) -> Transfer:
    """Make the answer of a fetch; all objects are numbers."""
    plan = TransferPlan(
        {digest(number): size for number, size in (moving or {}).items()},
        {digest(number): size for number, size in (present or {}).items()},
        tuple(map(digest, missing)),
    )
    return Transfer(
        "fetch",
        "origin",
        "s3://b/p",
        {digest(number): one for number, one in wanted.items()},
        plan,
        moves,
        stopped,
        {digest(number): error for number, error in (damaged or {}).items()},
    )


def told(*stages: StageState) -> dict[str, tuple[State, int, int, int]]:
    return {s.name: (s.state, s.objects, s.bytes, s.missing) for s in stages}


def test_all_that_arrived_or_was_there_is_a_hit() -> None:
    moves = Moves((Moved(digest(1)), Moved(digest(2), was_there=True)))
    wanted = {1: want(1, "a"), 2: want(2, "a"), 3: want(3, "b", size=None)}
    seen = transfer_states(
        transfer(wanted, moving={1: 10, 2: 10}, present={3: 7}, moves=moves), {"b": (), "a": ("b",)}
    )

    assert seen == (
        StageState("b", "b.lock", State.HIT, "", 1, 7),
        StageState("a", "a.lock", State.HIT, "", 2, 20, needs=("b",)),
    )


def test_what_is_missing_counts_for_each_stage_that_needs_it() -> None:
    wanted = {1: want(1, "a", "b"), 2: want(2, "b"), 3: want(3, "c")}
    seen = transfer_states(transfer(wanted, present={2: 10, 3: 10}, missing=(1,), moves=Moves()))

    assert told(*seen) == {
        "a": (State.MISSING, 1, 10, 1),
        "b": (State.PARTIAL, 2, 20, 1),
        "c": (State.HIT, 1, 10, 0),
    }
    assert seen[1].reason == "1 of 2 objects are missing"


def test_what_vanished_while_it_was_moved_is_missing() -> None:
    gone = Moves((Failed(digest(1), ObjectMissing("not there")),))
    seen = transfer_states(transfer({1: want(1, "a")}, moving={1: 10}, moves=gone))

    assert told(*seen) == {"a": (State.MISSING, 1, 10, 1)}


def test_what_failed_is_unknown_whatever_is_missing() -> None:
    moves = Moves((Failed(digest(1), ObjectUnreachable("no line")),))
    wanted = {1: want(1, "a"), 2: want(2, "a"), 3: want(3, "b")}
    broken = {3: ObjectDamaged("wrong")}
    seen = transfer_states(
        transfer(wanted, moving={1: 10}, present={3: 4}, missing=(2,), moves=moves, damaged=broken)
    )

    assert told(*seen) == {"a": (State.UNKNOWN, 2, 20, 1), "b": (State.UNKNOWN, 1, 10, 0)}
    assert seen[0].reason == "1 of 2 objects failed"


def test_what_was_not_tried_any_more_is_unknown() -> None:
    wanted = {1: want(1, "a"), 2: want(2, "b")}
    halted = Moves((Moved(digest(1)),), RemoteUnavailable("no line"))
    never = transfer(wanted, stopped=RemoteUnavailable("no line"))

    assert told(*transfer_states(transfer(wanted, moving={1: 10, 2: 10}, moves=halted))) == {
        "a": (State.HIT, 1, 10, 0),
        "b": (State.UNKNOWN, 1, 10, 0),
    }
    assert {stage.state for stage in transfer_states(never)} == {State.UNKNOWN}


def test_a_dry_run_says_what_would_be_copied() -> None:
    wanted = {1: want(1, "a"), 2: want(2, "a"), 3: want(3, "a")}
    (seen,) = transfer_states(transfer(wanted, moving={1: 10, 2: None}, present={3: 10}))

    assert (seen.state, seen.reason) == (State.HIT, "2 objects would be copied")


def test_remotes_of_imports_count_as_well() -> None:
    own = transfer({1: want(1, "a")}, present={1: 10}, moves=Moves())
    other = transfer({2: want(2, "data")}, missing=(2,), moves=Moves())

    assert told(*transfer_states((own, other))) == {
        "a": (State.HIT, 1, 10, 0),
        "data": (State.MISSING, 1, 10, 1),
    }


MODEL = file_of("model.bin", b"model")
TREE = directory_of("tree", {"x": b"x", "y": b"y", "z": b"x"})


def plan(
    *steps: Step, refused: tuple[str, ...] = (), problem: PivotError | None = None
) -> Checkout:
    """Make a plan for the three files of a directory, two of which are the same object."""
    files = tuple(zip(TREE.files, steps, strict=True))
    output = OutputPlan(TREE, "split", "split.lock", files, refused=refused, problem=problem)
    return Checkout((output,))


def carried_out(checkout: Checkout, error: PivotError | None = None) -> Checkout:
    return Checkout(checkout.plan, (Placed("tree", 3, error=error),))


def test_a_checkout_counts_each_object_once() -> None:
    done = carried_out(plan(Step.CREATE, Step.LEAVE, Step.CREATE))

    assert told(*transfer_states(done)) == {"split": (State.HIT, 2, 2, 0)}


def test_a_checkout_says_what_the_cache_lacks() -> None:
    lacks = plan(Step.MISSING, Step.HOLD, Step.MISSING)
    whole = plan(Step.MISSING, Step.MISSING, Step.MISSING)

    assert told(*transfer_states(carried_out(lacks))) == {"split": (State.PARTIAL, 2, 2, 1)}
    assert told(*transfer_states(carried_out(whole))) == {"split": (State.MISSING, 2, 2, 2)}


def test_what_could_not_be_placed_is_no_hit() -> None:
    place, leave = Step.CREATE, Step.LEAVE
    full = LocalError("the disk is full")
    failures = {
        "it failed": carried_out(plan(place, place, place), full),
        "all was stopped": Checkout(plan(place, place, place).plan, stopped=full),
        "its turn did not come": Checkout(plan(place, place, place).plan, ()),
        "a file is refused": carried_out(plan(Step.REFUSE, leave, leave, refused=("tree/x",))),
        "an extra file is refused": Checkout(
            plan(leave, leave, leave, refused=("tree/n",)).plan, ()
        ),
        "its place is wrong": Checkout(plan(*[Step.HOLD] * 3, problem=full).plan, ()),
    }

    for why, result in failures.items():
        (seen,) = transfer_states(result)
        assert seen.state is State.UNKNOWN, why
        assert "could not be put in place" in seen.reason, why


def test_a_dry_run_of_a_checkout_is_no_failure() -> None:
    assert told(*transfer_states(plan(*[Step.CREATE] * 3))) == {"split": (State.HIT, 2, 2, 0)}


def test_what_was_pulled_and_could_not_be_placed_is_no_hit() -> None:
    wanted = {
        file.digest: want_of(file.digest, 1, Place(file.path, "split", "l")) for file in TREE.files
    }
    arrived = Moves(tuple(Moved(digest) for digest in wanted))
    fetched = Transfer(
        "fetch", "o", "u", wanted, TransferPlan(dict.fromkeys(wanted, 1), {}, ()), arrived
    )
    refused = plan(*[Step.REFUSE] * 3, refused=("tree",))
    placed = carried_out(plan(*[Step.CREATE] * 3))

    assert told(*transfer_states(Pull((fetched,), placed))) == {"split": (State.HIT, 2, 2, 0)}
    assert told(*transfer_states(Pull((fetched,), Checkout(refused.plan, ())))) == {
        "split": (State.UNKNOWN, 2, 2, 0)
    }


def test_a_single_file_is_named_by_its_stage() -> None:
    output = OutputPlan(MODEL, "train", "train.lock", ((MODEL, Step.LEAVE),))
    seen = transfer_states(Checkout((output,), (Placed("model.bin", 0),)), {"train": ("prep",)})

    assert seen == (StageState("train", "train.lock", State.HIT, "", 1, 5, needs=("prep",)),)


def test_a_hundred_thousand_objects_of_a_thousand_stages() -> None:
    wanted = {number: want(number, f"s{number % 1000}", "all") for number in range(100_000)}
    missing = tuple(range(0, 100_000, 2000))
    present = {number: 10 for number in range(100_000) if number % 2000}
    seen = {
        stage.name: stage
        for stage in transfer_states(transfer(wanted, present=present, missing=missing))
    }

    assert len(seen) == 1001
    assert (seen["all"].objects, seen["all"].missing) == (100_000, 50)
    assert (seen["s0"].objects, seen["s0"].missing) == (100, 50)
    assert seen["s1"].state is State.HIT


fates = st.sampled_from(["present", "missing", "moved", "was there", "failed", "not tried"])


@given(
    st.dictionaries(
        st.integers(0, 40), st.tuples(fates, st.sets(st.sampled_from("abc"), min_size=1))
    )
)
def test_every_object_counts_once_for_each_stage_that_needs_it(
    objects: dict[int, tuple[str, set[str]]],
) -> None:
    by_fate: dict[str, list[int]] = {}
    for number, (fate, _) in objects.items():
        by_fate.setdefault(fate, []).append(number)
    moved = [n for fate in ("moved", "was there") for n in by_fate.get(fate, ())]
    outcomes: list[Moved | Failed] = [Moved(digest(number)) for number in moved]
    outcomes += [Failed(digest(n), ObjectDamaged("x")) for n in by_fate.get("failed", ())]
    seen = transfer_states(
        transfer(
            {number: want(number, *sorted(owners)) for number, (_, owners) in objects.items()},
            moving={
                number: 10
                for number, (fate, _) in objects.items()
                if fate not in {"present", "missing"}
            },
            present=dict.fromkeys(by_fate.get("present", ()), 10),
            missing=tuple(by_fate.get("missing", ())),
            moves=Moves(tuple(outcomes)),
        )
    )

    for stage in seen:
        own = [fate for fate, owners in objects.values() if stage.name in owners]
        bad = {"failed", "not tried"} & set(own)
        gone = own.count("missing")
        assert (stage.objects, stage.missing, stage.bytes) == (len(own), gone, 10 * len(own))
        lacking = State.HIT if not gone else State.MISSING if gone == len(own) else State.PARTIAL
        assert stage.state is (State.UNKNOWN if bad else lacking)
    assert {stage.name for stage in seen} == {o for _, owners in objects.values() for o in owners}
