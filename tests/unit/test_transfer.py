"""Many objects at once: how many, what stops them, what does not."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pivot.crew import Jobs, for_each
from pivot.errors import (
    LocalError,
    ObjectDamaged,
    ObjectMissing,
    ObjectUnreachable,
    RemoteUnavailable,
)
from pivot.objects import Digest
from pivot.transfer import Failed, Meter, Moved, Moves, Outcome, move_all
from tests.unit.values import digest


class Counter(Meter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def done(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


class Gauge:
    """Knows how many threads are inside it, and how many there were at most."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self._changed = threading.Condition()

    def meet(self, expected: int, timeout: float = 5) -> None:
        """Come in and stay until *expected* have been in together, or nobody else comes."""
        with self._changed:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.most >= expected, timeout)
            self.inside -= 1


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 50).map(digest), unique=True),
    st.sets(st.integers(0, 50).map(digest)),
    st.sets(st.integers(0, 50).map(digest)),
    st.integers(1, 8),
)
def test_every_object_has_one_outcome(
    digests: list[Digest], there: set[Digest], bad: set[Digest], jobs: int
) -> None:
    meter = Counter()

    def move(one: Digest) -> bool:
        if one in bad:
            raise ObjectDamaged("is damaged")
        return one in there

    moves = move_all(digests, move, jobs=jobs, meter=meter)

    assert moves.stopped is None
    assert sorted(outcome.digest for outcome in moves.outcomes) == sorted(digests)
    for outcome in moves.outcomes:
        assert isinstance(outcome, Failed) == (outcome.digest in bad)
        if isinstance(outcome, Moved):
            assert outcome.was_there == (outcome.digest in there)
    assert sorted(meter.outcomes, key=repr) == sorted(moves.outcomes, key=repr)


@pytest.mark.parametrize("jobs", [1, 3, 8])
def test_as_many_objects_move_at_a_time_as_there_are_jobs_and_no_more(jobs: int) -> None:
    gauge = Gauge()

    def move(_: Digest) -> bool:
        gauge.meet(jobs)
        return False

    move_all([digest(number) for number in range(4 * jobs)], move, jobs=jobs)

    assert gauge.most == jobs


def test_few_objects_need_few_threads() -> None:
    seen: set[int] = set()

    def move(_: Digest) -> bool:
        seen.add(threading.get_ident())
        return False

    before = threading.active_count()
    move_all([digest(1), digest(2)], move, jobs=64)

    assert len(seen) <= 2
    assert threading.active_count() == before


def test_nothing_to_move_is_done() -> None:
    assert move_all([], lambda _: pytest.fail("moved"), jobs=4) == Moves()


def test_an_empty_iterator_is_asked_once_and_nobody_acts() -> None:
    for_each(iter(()), lambda _: pytest.fail("acted"), jobs=4)


def test_an_error_of_the_whole_remote_stops_the_rest_and_is_returned() -> None:
    tried: list[Digest] = []
    error = RemoteUnavailable("s3://b: no connection")

    def move(one: Digest) -> bool:
        tried.append(one)
        if one == digest(3):
            raise error
        return False

    moves = move_all(map(digest, count()), move, jobs=1)

    assert moves.stopped is error
    assert moves.outcomes == tuple(Moved(digest(number)) for number in range(3))
    assert len(tried) == 4


def test_the_others_finish_what_they_have_begun_when_one_stops_the_rest() -> None:
    failed = threading.Event()

    def move(one: Digest) -> bool:
        if one == digest(0):
            failed.set()
            raise LocalError("disk full")
        assert failed.wait(5)
        return False

    moves = move_all(map(digest, count()), move, jobs=4)

    assert isinstance(moves.stopped, LocalError)
    assert len(moves.outcomes) < 100
    assert all(isinstance(outcome, Moved) for outcome in moves.outcomes)


def test_a_failure_of_one_object_stops_nobody() -> None:
    error = ObjectMissing("is not there")

    def move(one: Digest) -> bool:
        if one == digest(1):
            raise error
        return False

    moves = move_all(map(digest, range(3)), move, jobs=1)

    assert moves == Moves((Moved(digest(0)), Failed(digest(1), error), Moved(digest(2))))


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt, StopIteration, SystemExit])
def test_any_other_exception_is_raised_where_the_caller_is(kind: type[BaseException]) -> None:
    def move(_: Digest) -> bool:
        raise kind("bug")

    with pytest.raises(kind, match="bug"):
        move_all(map(digest, range(50)), move, jobs=4)


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_failure_of_the_iterator_is_raised_and_ends_it(jobs: int) -> None:
    done: list[int] = []

    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("cannot list")

    with pytest.raises(OSError, match="cannot list"):
        for_each(items(), done.append, jobs=jobs)

    assert sorted(done) == [1, 2]


def test_items_are_made_when_they_are_needed() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    def act(number: int) -> None:
        assert len(made) <= number + 1
        if number == 5:
            raise LocalError("enough")

    with pytest.raises(LocalError):
        for_each(items(), act, jobs=1)

    assert len(made) == 6


def test_an_interrupt_of_the_caller_is_heard_while_calls_block() -> None:
    begun, over = threading.Event(), threading.Event()
    done: list[int] = []

    def act(number: int) -> None:
        if number == 0:
            begun.set()
            assert over.wait(30)
        done.append(number)

    def interrupt() -> None:
        assert begun.wait(5)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        for_each(range(1000), act, jobs=1)

    assert done == []
    over.set()


def test_an_interrupt_while_threads_are_started_stops_those_that_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def start_one(thread: threading.Thread) -> None:
        if started:
            raise KeyboardInterrupt
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_one)
    with pytest.raises(KeyboardInterrupt):
        for_each(count(), lambda _: time.sleep(0.001), jobs=4)

    started[0].join(30)
    assert not started[0].is_alive()


def test_the_plain_meter_takes_whatever_it_is_told() -> None:
    meter = Meter()
    meter.start(1, 5)
    meter.bytes(5)

    assert move_all([digest(1)], lambda _: False, jobs=1, meter=meter).stopped is None


def test_what_could_not_be_reached_is_tried_again_with_half_as_many() -> None:
    tries: dict[Digest, int] = {}

    def move(each: Digest) -> bool:
        tries[each] = tries.get(each, 0) + 1
        if tries[each] <= int(each[-1], 16) % 3:
            raise ObjectUnreachable("not now")
        return False

    meter = Counter()
    digests = [digest(n) for n in range(8)]
    moves = move_all(digests, move, jobs=4, meter=meter)

    assert moves.stopped is None
    assert max(tries.values()) > 1
    assert sorted(o.digest for o in moves.outcomes if isinstance(o, Moved)) == sorted(digests)
    assert len(meter.outcomes) == 8


def test_rounds_end_when_they_do_not_help() -> None:
    tries: list[Digest] = []

    def move(each: Digest) -> bool:
        tries.append(each)
        raise ObjectUnreachable("never")

    meter = Counter()
    moves = move_all([digest(1), digest(2)], move, jobs=2, meter=meter)

    assert sorted(tries) == sorted([digest(1), digest(2)] * 2)
    assert {type(outcome) for outcome in moves.outcomes} == {Failed}
    assert len(meter.outcomes) == len(moves.outcomes) == 2


def test_each_round_has_half_as_many_at_a_time() -> None:
    guard, at_once, most = threading.Lock(), 0, [0] * 9
    tries: dict[Digest, int] = {}

    def move(each: Digest) -> bool:
        nonlocal at_once
        with guard:
            number = tries[each] = tries.get(each, -1) + 1
            at_once += 1
            most[number] = max(most[number], at_once)
        time.sleep(0.05)
        with guard:
            at_once -= 1
        if number == 0 or (number == 1 and int(each[-1], 16) % 2):
            raise ObjectUnreachable("not now")
        return False

    moves = move_all([digest(n) for n in range(8)], move, jobs=4)

    assert moves.stopped is None
    assert most[:4] == [4, 2, 1, 0]


def test_few_objects_are_tried_again_together() -> None:
    tries: dict[Digest, int] = {}
    gauge = Gauge()

    def move(each: Digest) -> bool:
        tries[each] = tries.get(each, 0) + 1
        if tries[each] == 1:
            raise ObjectUnreachable("not now")
        gauge.meet(2)
        return False

    moves = move_all([digest(1), digest(2)], move, jobs=Jobs(4, 64))

    assert moves.stopped is None
    assert gauge.most == 2


def test_a_rest_comes_before_each_round_and_is_longer_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rests: list[float] = []
    monkeypatch.setattr("pivot.transfer.time.sleep", rests.append)
    tries: dict[Digest, int] = {}

    def move(each: Digest) -> bool:
        tries[each] = tries.get(each, 0) + 1
        if tries[each] <= int(each[-1], 16):
            raise ObjectUnreachable("not now")
        return False

    moves = move_all([digest(n) for n in range(3)], move, jobs=1)

    assert {type(outcome) for outcome in moves.outcomes} == {Moved}
    assert len(rests) == 2
    assert 0 < rests[0] < rests[1]
