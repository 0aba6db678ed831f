"""What comes next is done before it is asked for, in bounds, and told in order."""

from __future__ import annotations

import threading
import time

import pytest

from pivot.ahead import ahead


def test_answers_come_in_order_whoever_is_first() -> None:
    def act(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number * number

    assert list(ahead(range(50), act, threads=4)) == [number * number for number in range(50)]


def test_nothing_is_asked_for_nothing() -> None:
    assert list(ahead([], str, threads=3)) == []


def test_no_more_answers_wait_than_there_are_threads() -> None:
    begun: list[int] = []
    answers = ahead(range(100), begun.append, threads=3)
    for number in range(20):
        next(answers)
        time.sleep(0.005)
        assert len(begun) <= number + 1 + 3
    answers.close()


def test_an_error_comes_where_its_answer_would_have_been() -> None:
    def act(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        time.sleep(0.01)
        return number

    answers = ahead(range(100), act, threads=4)

    assert [next(answers), next(answers), next(answers)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(answers)


def test_who_ends_early_leaves_no_thread() -> None:
    before = threading.active_count()
    answers = ahead(range(1000), str, threads=4)
    assert next(answers) == "0"
    answers.close()

    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before
