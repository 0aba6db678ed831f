"""The number of requests at a time: halved by complaints, grown by successes, never more."""

from __future__ import annotations

import threading

from pivot.pace import Pace, pause


def test_a_complaint_halves_it_once_a_second() -> None:
    pace = Pace(20)

    for now in (10.0, 10.5, 10.9):
        pace.slow_down(now)
    once = pace.limit
    pace.slow_down(11.0)

    assert (once, pace.limit) == (10, 5)


def test_it_never_falls_below_one_nor_grows_above_all() -> None:
    pace = Pace(4)

    for second in range(10):
        pace.slow_down(float(second))
    least = pace.limit
    for _ in range(100):
        pace.go_on()

    assert (least, pace.limit) == (1, 4)


def test_it_grows_by_one_in_the_time_in_which_all_places_were_used_once() -> None:
    pace = Pace(20)
    pace.slow_down(0.0)

    for _ in range(11):
        pace.go_on()

    assert pace.limit == 11


def test_who_finds_no_place_waits_for_one() -> None:
    pace = Pace(2)
    pace.acquire()
    pace.acquire()
    assert not pace.acquire(blocking=False)
    entered = threading.Event()

    def enter() -> None:
        with pace:
            entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    assert not entered.wait(0.05)
    pace.release()
    assert entered.wait(10)
    thread.join()
    pace.release()
    assert pace.acquire(blocking=False)


def test_places_that_are_given_up_come_back_only_when_it_grows() -> None:
    pace = Pace(2)
    pace.acquire()
    pace.acquire()
    pace.slow_down(0.0)
    pace.release()

    assert not pace.acquire(blocking=False)
    pace.go_on()
    assert pace.acquire(blocking=False)


def test_a_pause_doubles_up_to_twenty_seconds() -> None:
    for tries in range(1, 40):
        longest = min(20.0, 0.1 * 2**tries)
        assert longest / 2 <= pause(tries) <= longest
