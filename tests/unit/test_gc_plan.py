"""What goes out of a place, what stays and why."""

from __future__ import annotations

import pytest

from pivot.errors import PivotError
from pivot.gc.place import Found, Trashed
from pivot.gc.plan import Count, Plan, check_clock, plan_emptying, plan_out
from pivot.objects import Digest

NOW, DAY = 1_000_000.0, 86400.0
A, B, C, D = (Digest(letter * 16) for letter in "abcd")
ONE, TWO = "20260302T101500Z-1a2b3c4d", "20260303T101500Z-00000000"


def found(digest: Digest, age: float = 30 * DAY, size: int = 10) -> Found:
    return Found(digest, size, NOW - age)


def trashed(digest: Digest, age: float = 30 * DAY, receipt: str = ONE) -> Trashed:
    return Trashed(receipt, digest, 10, NOW - age)


def test_what_nobody_needs_and_is_old_goes() -> None:
    live = [found(A), found(B), found(C, age=DAY, size=3)]

    plan = plan_out(live, [], {A}, now=NOW, min_age=14 * DAY)

    assert plan == Plan((found(B),), (), Count(1, 10), Count(1, 3))


@pytest.mark.parametrize(("age", "goes"), [(13.9, False), (14, True), (14.1, True), (-1, False)])
def test_the_minimum_age_is_enough(age: float, goes: bool) -> None:
    plan = plan_out([found(A, age * DAY)], [], set(), now=NOW, min_age=14 * DAY)

    assert bool(plan.out) is goes


def test_without_a_minimum_age_what_is_new_goes_too() -> None:
    assert plan_out([found(A, 0)], [], set(), now=NOW, min_age=0).out == (found(A, 0),)


def test_what_is_needed_stays_however_old_it_is() -> None:
    assert plan_out([found(A, 10**6)], [], {A, B}, now=NOW, min_age=0).out == ()


def test_what_is_needed_and_lies_in_the_trash_alone_comes_back_once() -> None:
    trash = [trashed(A), trashed(A, DAY, TWO), trashed(B), trashed(C)]

    plan = plan_out([found(B)], trash, {A, B}, now=NOW, min_age=DAY)

    assert plan.back == (trashed(A, DAY, TWO),)


def test_a_clock_that_is_ahead_makes_nothing_old() -> None:
    check_clock(NOW, NOW - 60, "s3://b/p")
    check_clock(NOW, NOW + DAY, "s3://b/p")  # ours is behind: all only looks younger

    with pytest.raises(PivotError, match="120 minutes ahead of that of s3://b/p"):
        check_clock(NOW, NOW - 7200, "s3://b/p")


def test_the_trash_is_emptied_of_what_has_been_there_for_long() -> None:
    trash = [trashed(A), trashed(B, DAY), trashed(A, 20 * DAY, TWO)]

    plan = plan_emptying(trash, {}, set(), now=NOW, min_age=14 * DAY)

    assert plan.out == (trashed(A), trashed(A, 20 * DAY, TWO))
    assert plan.young == Count(1, 10)


def test_a_copy_of_what_is_in_use_stays_while_another_run_may_take_that_away() -> None:
    trash = [trashed(A, 1800), trashed(B, 1800), trashed(A, 4000, TWO)]

    plan = plan_emptying(trash, {A: found(A)}, set(), now=NOW, min_age=0)

    assert plan.out == (trashed(B, 1800), trashed(A, 4000, TWO))
    assert plan.young == Count(1, 10)


def test_what_is_needed_again_is_not_deleted_but_comes_back() -> None:
    trash = [trashed(A), trashed(A, 20 * DAY, TWO), trashed(B), trashed(C)]

    plan = plan_emptying(trash, {B: found(B)}, {A, B}, now=NOW, min_age=DAY)

    assert plan.out == (trashed(B), trashed(C))  # of B there is one in use
    assert plan.back == (trashed(A, 20 * DAY, TWO),)
    assert plan.referenced == Count(2, 20)
