"""Small objects: what is done for some of them in a row before each of them is moved."""

from __future__ import annotations

import threading
import time

import pytest

from pivot.crew import for_groups
from pivot.errors import LocalError, ObjectDamaged, ObjectUnreachable, RemoteUnavailable
from pivot.objects import Digest
from pivot.transfer import Ahead, Failed, Moved, move_all
from tests.unit.values import digest

ALL = [digest(number) for number in range(200)]


class Log:
    """What was done with which object, in order."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, Digest]] = []
        self._ready: set[Digest] = set()
        self._lock = threading.Lock()

    def prepare(self, each: Digest) -> None:
        with self._lock:
            self.steps.append(("prepare", each))
            self._ready.add(each)

    def move(self, each: Digest) -> bool:
        with self._lock:
            assert each in self._ready
            self.steps.append(("move", each))
        return False

    @property
    def rows(self) -> list[int]:
        """How many were prepared in a row, each time."""
        marks = "".join("p" if step == "prepare" else " " for step, _ in self.steps)
        return [len(row) for row in marks.split()]


@pytest.mark.parametrize("jobs", [1, 4])
def test_each_is_prepared_once_and_then_moved(jobs: int) -> None:
    log = Log()

    moves = move_all(ALL, log.move, jobs=jobs, ahead=Ahead(log.prepare, lambda _: True))

    assert {one.digest for one in moves.outcomes if isinstance(one, Moved)} == set(ALL)
    for step in ("prepare", "move"):
        assert sorted(each for what, each in log.steps if what == step) == ALL


def test_small_ones_are_prepared_in_a_row_of_16_at_most() -> None:
    log = Log()

    move_all(ALL, log.move, jobs=1, ahead=Ahead(log.prepare, lambda _: True))

    assert log.rows[0] == 1  # nobody knows yet how long one takes
    assert max(log.rows) == 16


def test_nothing_is_prepared_behind_a_large_one_before_that_is_moved() -> None:
    log = Log()
    large = set(ALL[20::10])

    move_all(ALL, log.move, jobs=1, ahead=Ahead(log.prepare, lambda each: each not in large))

    after = dict(zip(log.steps, log.steps[1:], strict=False))
    for each in large:  # the small ones before it are moved first, and then it is
        assert after["prepare", each][0] == "move"


def test_what_takes_long_is_done_one_by_one() -> None:
    log = Log()

    def slow(each: Digest) -> bool:
        time.sleep(0.06)
        return log.move(each)

    move_all(ALL[:6], slow, jobs=1, ahead=Ahead(log.prepare, lambda _: True))

    assert log.rows == [1] * 6


def test_one_that_cannot_be_prepared_fails_and_the_others_go_on() -> None:
    log = Log()

    def prepare(each: Digest) -> None:
        if each == ALL[7]:
            raise ObjectDamaged("is damaged")
        log.prepare(each)

    moves = move_all(ALL, log.move, jobs=1, ahead=Ahead(prepare, lambda _: True))

    (failed,) = (one for one in moves.outcomes if isinstance(one, Failed))
    assert (failed.digest, failed.error.message) == (ALL[7], "is damaged")
    assert len(moves.outcomes) == len(ALL)


def test_one_that_could_not_be_reached_is_prepared_again() -> None:
    log = Log()
    tries: list[Digest] = []

    def prepare(each: Digest) -> None:
        tries.append(each)
        if tries.count(ALL[3]) == 1 and each == ALL[3]:
            raise ObjectUnreachable("not now")
        log.prepare(each)

    moves = move_all(ALL[:8], log.move, jobs=1, ahead=Ahead(prepare, lambda _: True))

    assert all(isinstance(one, Moved) for one in moves.outcomes)
    assert tries.count(ALL[3]) == 2


def test_what_was_prepared_before_all_ends_is_moved() -> None:
    log = Log()

    def prepare(each: Digest) -> None:
        if each == ALL[100]:
            raise RemoteUnavailable("no connection")
        log.prepare(each)

    moves = move_all(ALL, log.move, jobs=1, ahead=Ahead(prepare, lambda _: True))

    assert moves.stopped is not None
    assert moves.stopped.message == "no connection"
    assert [one.digest for one in moves.outcomes] == ALL[:100]


def test_a_group_that_is_under_way_ends_when_another_one_failed() -> None:
    log = Log()
    in_a_row = threading.Event()
    row: list[Digest] = []

    def prepare(each: Digest) -> None:
        log.prepare(each)
        if threading.current_thread().name == "transfer-1":
            row.append(each)
            if len(row) == 2:
                in_a_row.set()
                while any(one.name == "transfer-0" for one in threading.enumerate()):
                    time.sleep(0.001)

    def move(each: Digest) -> bool:
        if threading.current_thread().name == "transfer-0":
            assert in_a_row.wait(10)
            raise RemoteUnavailable("no connection")
        row.clear()
        return log.move(each)

    moves = move_all(ALL, move, jobs=2, ahead=Ahead(prepare, lambda _: True))

    assert moves.stopped is not None
    assert len(row) == 2
    assert not {("move", each) for each in row} & {*log.steps}
    assert not set(row) & {one.digest for one in moves.outcomes}


def test_a_failure_of_a_group_stops_the_rest() -> None:
    groups: list[list[int]] = []

    def act(group: list[int], stop: threading.Event) -> None:
        assert not stop.is_set()
        groups.append(group)
        if 50 in group:
            raise LocalError("the disk is full")

    with pytest.raises(LocalError, match="the disk is full"):
        for_groups(range(1000), act, jobs=1, together=lambda _: True)

    assert [number for group in groups for number in group] == list(range(groups[-1][-1] + 1))
    assert groups[-1][-1] < 66
