"""Connections are lent to large objects as far as no reader needs them, and given back."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pivot.s3_download import Lanes

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def readers(lanes: Lanes, count: int) -> Iterator[None]:
    """Let so many other threads read as long as the context lasts."""
    inside, end = threading.Barrier(count + 1), threading.Event()

    def read() -> None:
        lanes.enter()
        inside.wait(10)
        end.wait(10)
        lanes.leave()

    threads = [threading.Thread(target=read) for _ in range(count)]
    for thread in threads:
        thread.start()
    inside.wait(10)
    yield
    end.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("most", "reading", "free"),
    [(1, 1, 0), (2, 1, 1), (3, 1, 2), (3, 2, 1), (3, 3, 0), (3, 4, 0), (5, 1, 4), (16, 1, 4)],
)
def test_what_no_reader_needs_is_lent_up_to_a_bound(most: int, reading: int, free: int) -> None:
    lanes = Lanes(most)
    with readers(lanes, reading):
        assert lanes.borrow() == free
        assert lanes.borrow() == 0


def test_what_was_given_back_is_lent_again() -> None:
    lanes = Lanes(6)
    lanes.enter()
    assert lanes.borrow() == 4
    lanes.give_back(3)

    assert lanes.borrow() == 3


def test_who_ends_to_read_leaves_room() -> None:
    lanes = Lanes(2)
    with readers(lanes, 2):
        assert lanes.borrow() == 0

    assert lanes.borrow() == 2


def test_one_thread_reads_by_one_connection() -> None:
    lanes = Lanes(2)
    lanes.enter()
    lanes.enter()  # it never ended the first

    assert lanes.borrow() == 1


@pytest.mark.parametrize("how", ["give back", "leave"])
def test_a_reader_waits_for_what_was_lent(how: str) -> None:
    lanes = Lanes(3)
    lanes.enter()
    lent = lanes.borrow()
    entered = threading.Event()

    def read() -> None:
        lanes.enter()
        entered.set()

    other = threading.Thread(target=read, daemon=True)
    other.start()
    assert not entered.wait(0.1)
    if how == "give back":
        lanes.give_back(lent)
    else:
        lanes.leave()

    assert entered.wait(10)


def test_a_reader_with_room_beside_what_was_lent_does_not_wait() -> None:
    lanes = Lanes(6)
    lanes.enter()
    assert lanes.borrow() == 4
    with readers(lanes, 1):
        pass
