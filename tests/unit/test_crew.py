"""How many threads: as asked for exactly, or more as long as that helps."""

from __future__ import annotations

import threading
import time

import pytest

from pivot.crew import Growth, Jobs, for_each

FEW, MOST = 4, 64


def chosen(rate_of: dict[int, float], *, busy: float = 0.0, looks: int = 200) -> int:
    """Let threads that do so many items a second, by their number, be looked at for a while."""
    growth = Growth(Jobs(FEW, MOST))
    done = now = used = 0.0
    for _ in range(looks):
        growth.look(int(done), used, now)
        if growth.settled:
            break
        done += 0.1 * rate_of[growth.number]
        used += 0.1 * busy
        now += 0.1
    return growth.number


def test_where_the_service_is_far_there_are_as_many_as_there_may_be() -> None:
    assert chosen({n: 20.0 * n for n in (4, 8, 16, 32, 64)}) == MOST


def test_where_the_processor_is_what_limits_few_are_enough() -> None:
    assert chosen({4: 5000.0}, busy=0.95) == FEW


@pytest.mark.parametrize("enough", [4, 8, 16, 32])
def test_they_grow_no_further_when_it_gets_no_faster(enough: int) -> None:
    rates = {n: 20.0 * min(n, enough) for n in (4, 8, 16, 32, 64)}

    assert chosen(rates) == 2 * enough


def test_what_takes_long_gets_some_more_without_evidence() -> None:
    assert chosen(dict.fromkeys((4, 8, 16, 32, 64), 0.01)) == 16


def test_the_bound_is_kept_when_it_is_no_double_of_the_beginning() -> None:
    growth = Growth(Jobs(4, 10))
    for look in range(10):
        growth.look(100 * 2**look, 0, float(look))

    assert growth.number == 10


def test_a_number_is_taken_exactly() -> None:
    assert Jobs.of(7) == Jobs(7, 7)
    assert Jobs.of(Jobs(4, 64)) == Jobs(4, 64)


def test_threads_that_wait_get_company_and_the_answer_is_how_many_there_were() -> None:
    inside: set[int] = set()

    def wait(_: int) -> None:
        inside.add(threading.get_ident())
        time.sleep(0.02)

    number = for_each(range(400), wait, jobs=Jobs(2, 8))

    assert 2 < number <= 8
    assert len(inside) == number


def test_as_many_as_asked_for_stay_as_many() -> None:
    assert for_each(range(40), lambda _: time.sleep(0.02), jobs=3) == 3


def test_no_more_threads_than_items_are_needed() -> None:
    assert for_each(range(2), lambda _: time.sleep(0.3), jobs=Jobs(2, 64)) <= 3


def test_an_exception_ends_a_crew_that_grows() -> None:
    def fail(item: int) -> None:
        time.sleep(0.01)
        if item == 100:
            raise KeyError(item)

    with pytest.raises(KeyError):
        for_each(range(10**9), fail, jobs=Jobs(2, 8))
