"""The memory that threads hold together stays within its bound."""

from __future__ import annotations

import threading

import pytest

from pivot.budget import Budget
from pivot.crew import for_each


@pytest.mark.parametrize("amounts", [[3, 4, 5, 6, 10] * 8, [10] * 12, [1] * 60, [25, 3, 25, 7] * 6])
def test_threads_never_hold_more_than_the_total(amounts: list[int]) -> None:
    budget = Budget(10)
    lock = threading.Lock()
    held = 0
    most = 0

    def use(amount: int) -> None:
        nonlocal held, most
        with budget.hold(amount):
            with lock:
                held += min(amount, 10)
                most = max(most, held)
            with lock:
                held -= min(amount, 10)

    for_each(amounts, use, jobs=6)

    assert held == 0
    assert most <= 10


def test_who_asks_for_more_than_the_total_passes_alone() -> None:
    budget = Budget(10)
    events: list[str] = []
    entered = threading.Event()

    def small() -> None:
        entered.set()
        with budget.hold(1):
            events.append("small")

    with budget.hold(1000):
        other = threading.Thread(target=small)
        other.start()
        assert entered.wait(5)
        other.join(0.1)
        events.append("large")
    other.join(5)

    assert events == ["large", "small"]


def test_what_was_held_is_free_after_a_failure() -> None:
    budget = Budget(10)
    with pytest.raises(RuntimeError), budget.hold(10):
        raise RuntimeError

    done = threading.Event()

    def again() -> None:
        with budget.hold(10):
            done.set()

    threading.Thread(target=again, daemon=True).start()

    assert done.wait(5)


def test_as_much_as_fits_is_held_at_the_same_time() -> None:
    budget = Budget(10)

    with budget.hold(4), budget.hold(6):
        pass
