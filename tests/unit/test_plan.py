"""Plans: what is transferred, what is placed, and what must not be touched."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.errors import IntegrityError, PivotError
from pivot.objects import Digest, File, Promise, Sha256, files_of
from pivot.plan import (
    Existing,
    Found,
    Is,
    OutputPlan,
    Place,
    Step,
    TransferPlan,
    list_wanted,
    plan_checkout,
    plan_transfer,
    sound,
)
from pivot.targets import Reference
from tests.unit.values import digest, directory_of, file_of, stage_output, tracked_output

NAMES = st.integers(0, 12).map(digest)
HOLDINGS = st.dictionaries(NAMES, st.none() | st.integers(0, 9))


@given(st.sets(NAMES), HOLDINGS, HOLDINGS)
def test_every_wanted_object_is_in_one_part_of_the_plan(
    wanted: set[Digest],
    source: dict[Digest, int | None],
    destination: dict[Digest, int | None],
) -> None:
    plan = plan_transfer(sorted(wanted), source=source, destination=destination)

    parts = [*plan.transfer, *plan.present, *plan.missing]
    assert sorted(parts) == sorted(wanted)
    assert plan.present == {d: destination[d] for d in wanted if destination.get(d) is not None}
    assert plan.transfer == {d: source[d] for d in wanted - plan.present.keys() if d in source}


def test_what_a_place_would_not_say_is_copied_to_it_again() -> None:
    one = digest(1)

    plan = plan_transfer([one], source={one: 3}, destination={one: None})

    assert plan.transfer == {one: 3}


def test_unknown_sizes_count_nothing() -> None:
    plan = plan_transfer(
        [digest(1), digest(2)], source={digest(1): None, digest(2): 5}, destination={}
    )

    assert plan.bytes == 5


def test_an_object_is_wanted_once_by_all_that_name_it() -> None:
    first = stage_output("s", file_of("a", b"x"))
    second = tracked_output(file_of("b", b"x"))

    wanted = list_wanted([first, second])

    (want,) = wanted.values()
    assert want.places == (Place("a", "s", ".pivot/stages/s.lock"), Place("b", "b", "b.pvt"))
    assert want.path == "a"


def test_a_file_that_stands_twice_in_one_directory_needs_its_object_twice() -> None:
    output = directory_of("d", {"a": b"x", "b": b"x"})

    (want,) = list_wanted([stage_output("s", output)]).values()

    assert [place.path for place in want.places] == ["d/a", "d/b"]


def test_an_object_of_another_size_than_the_recorded_one_cannot_be_right() -> None:
    sized, bare = File("a", digest(1), 3), File("b", digest(2))
    wanted = list_wanted([stage_output("s", sized), stage_output("t", bare)])

    assert sound({digest(1): 3, digest(2): 9}, wanted) == {digest(1): 3, digest(2): 9}
    assert sound({digest(1): 2, digest(2): 9}, wanted) == {digest(2): 9}


def test_the_first_size_that_is_known_counts() -> None:
    sized = file_of("b", b"x")
    bare = File("a", sized.digest)

    assert list_wanted([stage_output("s", bare), stage_output("t", sized)])[sized.digest].size == 1
    assert list_wanted([stage_output("t", sized), stage_output("s", bare)])[sized.digest].size == 1


def test_two_sizes_of_one_object_contradict_each_other() -> None:
    one = File("a", digest(1), 3)
    other = File("b", digest(1), 4)

    with pytest.raises(IntegrityError, match=r"says 3 bytes and .*t\.lock \(b\) says 4"):
        list_wanted([stage_output("s", one), stage_output("t", other)])


@given(st.lists(st.sampled_from([True, False, None]), min_size=1))
def test_an_object_is_executable_when_all_that_refer_to_it_are(bits: list[bool | None]) -> None:
    entries = [
        stage_output("s", File(f"f{number}", digest(1), 1, executable=bit))
        for number, bit in enumerate(bits)
    ]

    assert list_wanted(entries)[digest(1)].executable == all(bits)


C, R, L, X, M = Step.CREATE, Step.REPLACE, Step.LEAVE, Step.REFUSE, Step.MISSING
TABLE: dict[Is, dict[Existing, tuple[Step, Step]]] = {
    # what stands there: by mode, the step if the right object is cached, and if it is not
    Is.ABSENT: dict.fromkeys(Existing, (C, M)),
    Is.SAME: dict.fromkeys(Existing, (L, L)),
    Is.SAME_BUT_MODE: {
        Existing.REFUSE: (R, M),
        Existing.UPDATE: (R, M),
        Existing.KEEP: (L, L),
        Existing.OVERWRITE: (R, M),
    },
    Is.CACHED: {
        Existing.REFUSE: (X, X),
        Existing.UPDATE: (R, M),
        Existing.KEEP: (L, L),
        Existing.OVERWRITE: (R, M),
    },
    Is.DIFFERENT: {
        Existing.REFUSE: (X, X),
        Existing.UPDATE: (X, X),
        Existing.KEEP: (L, L),
        Existing.OVERWRITE: (R, M),
    },
}
CASES = [(found, existing, *steps) for found in TABLE for existing, steps in TABLE[found].items()]


def planned(found: Found, existing: Existing, *, cached: set[Digest] | None = None) -> OutputPlan:
    (plan,) = plan_checkout(
        [ENTRY],
        cached=ALL if cached is None else cached,
        workspace={"d": found},
        existing=existing,
    )
    return plan


ENTRY = stage_output("s", directory_of("d", {"a": b"a", "b": b"b"}, empty=("e",)))
ALL = {file.digest for file in files_of(ENTRY.output)}
NEITHER = {"d/a": Is.ABSENT, "d/b": Is.ABSENT}


@pytest.mark.parametrize(("found", "existing", "step", "without_object"), CASES)
def test_what_becomes_of_a_file(
    found: Is, existing: Existing, step: Step, without_object: Step
) -> None:
    entry = stage_output("s", file_of("x", b"x"))
    workspace = {"x": Found({"x": found})}

    (plan,) = plan_checkout(
        [entry], cached=[entry.output.digest], workspace=workspace, existing=existing
    )
    (poor,) = plan_checkout([entry], cached=[], workspace=workspace, existing=existing)

    assert [step for _, step in plan.steps] == [step]
    assert [step for _, step in poor.steps] == [without_object]
    assert plan.refused == (("x",) if step is Step.REFUSE else ())
    assert not plan.build


def test_a_directory_that_is_not_there_is_built_whole() -> None:
    plan = planned(Found(NEITHER, whole=Is.ABSENT), Existing.REFUSE)

    assert plan.build
    assert plan.paths(Step.CREATE) == ["d/a", "d/b"]


@pytest.mark.parametrize("existing", Existing)
def test_a_directory_with_a_missing_file_is_held_back(existing: Existing) -> None:
    plan = planned(Found(NEITHER, whole=Is.ABSENT), existing, cached={file_of("", b"a").digest})

    assert [step for _, step in plan.steps] == [Step.HOLD, Step.MISSING]


def test_a_directory_with_a_changed_file_is_held_back() -> None:
    plan = planned(Found({"d/a": Is.ABSENT, "d/b": Is.DIFFERENT}), Existing.UPDATE)

    assert [step for _, step in plan.steps] == [Step.HOLD, Step.REFUSE]
    assert plan.refused == ("d/b",)


@pytest.mark.parametrize(
    ("existing", "extra", "removed", "refused"),
    [
        (Existing.REFUSE, Is.CACHED, (), ("d/x",)),
        (Existing.REFUSE, Is.DIFFERENT, (), ("d/x",)),
        (Existing.UPDATE, Is.CACHED, ("d/x",), ()),
        (Existing.UPDATE, Is.DIFFERENT, (), ("d/x",)),
        (Existing.KEEP, Is.DIFFERENT, (), ()),
        (Existing.OVERWRITE, Is.DIFFERENT, ("d/x",), ()),
    ],
)
def test_a_file_that_the_lock_does_not_list_goes_only_if_nothing_is_lost(
    existing: Existing, extra: Is, removed: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    plan = planned(Found(NEITHER, {"d/x": extra}), existing)

    assert (plan.remove, plan.refused) == (removed, refused)
    assert plan.paths(Step.HOLD) == (["d/a", "d/b"] if refused else [])


def test_nothing_is_removed_from_a_directory_that_is_held_back() -> None:
    plan = planned(Found(NEITHER, {"d/x": Is.DIFFERENT}), Existing.OVERWRITE, cached=set())

    assert plan.remove == ()
    assert plan.paths(Step.MISSING) == ["d/a", "d/b"]


@pytest.mark.parametrize(
    ("whole", "existing", "step"),
    [
        (Is.CACHED, Existing.UPDATE, Step.CREATE),
        (Is.CACHED, Existing.OVERWRITE, Step.CREATE),
        (Is.CACHED, Existing.REFUSE, Step.REFUSE),
        (Is.DIFFERENT, Existing.UPDATE, Step.REFUSE),
        (Is.DIFFERENT, Existing.OVERWRITE, Step.CREATE),
        (Is.DIFFERENT, Existing.KEEP, Step.LEAVE),
    ],
)
def test_what_stands_where_a_directory_belongs_is_swapped_or_left(
    whole: Is, existing: Existing, step: Step
) -> None:
    plan = planned(Found({}, whole=whole), existing)

    assert plan.paths(step) == ["d/a", "d/b"]
    assert plan.remove == (("d",) if step is Step.CREATE else ())
    assert plan.refused == (("d",) if step is Step.REFUSE else ())
    assert plan.build == (step is Step.CREATE)


def test_what_stands_there_is_not_swapped_for_a_directory_that_is_not_complete() -> None:
    plan = planned(Found({}, whole=Is.DIFFERENT), Existing.OVERWRITE, cached=set())

    assert plan.remove == ()
    assert plan.paths(Step.MISSING) == ["d/a", "d/b"]


def test_a_place_that_cannot_be_used_is_left_with_its_reason() -> None:
    problem = PivotError("d is a symlink")

    plan = planned(Found({}, problem=problem), Existing.OVERWRITE)

    assert plan.problem is problem
    assert plan.paths(Step.HOLD) == ["d/a", "d/b"]


@given(
    st.fixed_dictionaries({"d/a": st.sampled_from(Is), "d/b": st.sampled_from(Is)}),
    st.dictionaries(st.just("d/x"), st.sampled_from([Is.CACHED, Is.DIFFERENT])),
    st.sets(st.sampled_from(sorted(ALL))),
    st.sampled_from(Existing),
)
def test_without_force_nothing_that_exists_nowhere_else_is_touched(
    files: dict[str, Is], extra: dict[str, Is], cached: set[Digest], existing: Existing
) -> None:
    plan = planned(Found(files, extra), existing, cached=cached)

    touched = {*plan.paths(Step.REPLACE), *plan.remove}
    lost = {path for path, found in {**files, **extra}.items() if found is Is.DIFFERENT}
    assert existing is Existing.OVERWRITE or not touched & lost
    assert not (touched or plan.paths(Step.CREATE)) or not (
        plan.refused or plan.paths(Step.MISSING)
    )


def test_a_plan_can_leave_objects_out() -> None:
    plan = TransferPlan({digest(1): 1, digest(2): 2}, {digest(3): 3}, (digest(4),))

    assert plan.without([]) is plan
    assert plan.without([digest(1), digest(9)]) == TransferPlan(
        {digest(2): 2}, {digest(3): 3}, (digest(4),)
    )


REFUSED = PivotError("is not what it should be", hint="ask for another")


def test_an_output_that_needs_a_refused_object_is_held_and_says_why() -> None:
    content = {file.path: file.digest for file in files_of(ENTRY.output)}
    (plan,) = plan_checkout(
        [ENTRY],
        cached=ALL,
        workspace={"d": Found({"d/a": Is.ABSENT, "d/b": Is.SAME})},
        existing=Existing.UPDATE,
        refused={content["d/a"]: REFUSED},
    )

    assert [step for _, step in plan.steps] == [Step.HOLD, Step.LEAVE]
    assert plan.problem is not None
    assert f"d/a: object {content['d/a']}" in plan.problem.message
    assert plan.problem.code == REFUSED.code
    assert plan.problem.hint == "ask for another"


def test_a_refused_object_that_is_in_place_already_hinders_nobody() -> None:
    content = {file.path: file.digest for file in files_of(ENTRY.output)}
    (plan,) = plan_checkout(
        [ENTRY],
        cached=ALL,
        workspace={"d": Found({"d/a": Is.SAME, "d/b": Is.ABSENT})},
        existing=Existing.UPDATE,
        refused={content["d/a"]: REFUSED},
    )

    assert plan.problem is None
    assert [step for _, step in plan.steps] == [Step.LEAVE, Step.CREATE]


def test_the_first_problem_of_an_output_stands() -> None:
    content = {file.path: file.digest for file in files_of(ENTRY.output)}
    blocked = PivotError("a symlink stands there")
    (plan,) = plan_checkout(
        [ENTRY],
        cached=ALL,
        workspace={"d": Found({}, problem=blocked)},
        existing=Existing.UPDATE,
        refused={content["d/a"]: REFUSED},
    )

    assert plan.problem is blocked


A, B = (file_of(f"d/{name}", b"same") for name in "ab")
SUM, OTHER = Sha256("0" * 64), Sha256("1" * 64)


def vouched(file: File, sha256: Sha256, ledger: str) -> Reference:
    return replace(stage_output(file.path, file), sums={file.path: sha256}, ledger=ledger)


def test_what_a_ledger_says_of_one_path_counts_for_the_object() -> None:
    (want,) = list_wanted([stage_output("s", A), vouched(B, SUM, "l")]).values()

    assert want.promise == Promise(A.digest, 4, SUM, "l")
    assert [place.path for place in want.places] == ["d/a", "d/b"]


def test_without_a_ledger_digest_and_size_have_to_do() -> None:
    (want,) = list_wanted([stage_output("s", A)]).values()

    assert want.promise == Promise(A.digest, 4)


def test_ledgers_may_say_the_same_and_not_two_things_of_one_object() -> None:
    assert list_wanted([vouched(A, SUM, "l"), vouched(B, SUM, "m")])[A.digest].sha256 == SUM

    with pytest.raises(IntegrityError) as caught:
        list_wanted([vouched(A, SUM, "l"), vouched(B, OTHER, "m")])
    assert f"l says {SUM} (d/a) and m says {OTHER} (d/b)" in caught.value.message


def test_a_forged_object_is_told_before_two_sizes_of_another() -> None:
    sizes = [stage_output("s", File("x", digest(1), size)) for size in (3, 4)]

    with pytest.raises(IntegrityError, match="one of them was forged"):
        list_wanted([*sizes, vouched(A, SUM, "l"), vouched(B, OTHER, "m")])
