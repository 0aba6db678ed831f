"""Progress for logs: a line at the start, one now and then, and none after the end."""

from __future__ import annotations

import io
import re
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from pivot import progress
from pivot.errors import ObjectDamaged
from pivot.progress import BarMeter, LineMeter, VerboseMeter
from pivot.transfer import Failed, Meter, Moved
from tests.unit.values import digest


class Log(io.StringIO):
    """Lets a test wait for lines."""

    def lines(self) -> list[str]:
        return self.getvalue().splitlines()

    def wait_for(self, pattern: str, timeout: float = 10) -> str:
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            for line in self.lines():
                if re.search(pattern, line):
                    return line
            time.sleep(0.005)
        pytest.fail(f"no line with {pattern!r} in {self.lines()}")


@pytest.fixture(name="log")
def _log() -> Log:
    return Log()


@pytest.fixture(name="_fast", autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the heart beat faster than every half minute; afterwards no heart beats."""
    monkeypatch.setattr(progress, "_HEARTBEAT", 0.02)
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()


def test_it_says_what_it_begins(log: Log) -> None:
    meter = LineMeter(log)
    meter.start(3, 1_500_000)
    meter.finish()

    assert log.lines()[0] == "Transferring 3 object(s), 1.5 MB"


def test_nothing_to_do_is_not_said(log: Log) -> None:
    meter = LineMeter(log)
    meter.start(0, 0)
    meter.finish()

    assert log.lines() == []


def test_while_it_goes_on_it_says_how_far_it_is(log: Log) -> None:
    meter = LineMeter(log)
    meter.start(2, 2_000_000)
    meter.bytes(500_000)
    meter.done(Moved(digest(1)))

    line = log.wait_for("1 of 2 objects")
    meter.finish()

    assert re.fullmatch(
        r"1 of 2 objects, 500.0 kB of 2.0 MB, [0-9.]+ [kMGT]?B/s, [0-9]+ s left", line
    )


def test_after_the_end_it_is_silent(log: Log) -> None:
    meter = LineMeter(log)
    meter.start(1, 5)
    log.wait_for("0 of 1 objects")
    meter.finish()
    time.sleep(0.05)
    before = log.lines()
    time.sleep(0.1)

    assert log.lines() == before


def test_a_second_transfer_has_a_heartbeat_too(log: Log) -> None:
    meter = LineMeter(log)
    meter.start(1, 5)
    meter.done(Moved(digest(1)))
    meter.finish()
    meter.start(7, 70)

    log.wait_for("0 of 7 objects")
    meter.finish()


def test_more_bytes_than_were_announced_are_said_without_a_forecast(log: Log) -> None:
    meter = LineMeter(log)
    meter.start(1, 10)
    meter.bytes(25)

    line = log.wait_for("25 B")
    meter.finish()

    assert "left" not in line
    assert "of 10 B" not in line


def test_verbose_says_a_line_for_every_object(log: Log) -> None:
    meter = VerboseMeter(log)
    meter.start(2, 2)
    meter.done(Moved(digest(1)))
    meter.done(Failed(digest(2), ObjectDamaged("is\x1b[31m red")))
    meter.finish()

    assert "0000000000000001 done" in log.lines()
    assert r"0000000000000002 failed: is\x1b[31m red" in log.lines()


def test_many_threads_are_counted_without_loss(log: Log) -> None:
    meter = LineMeter(log)
    meter.start(8000, 8000)

    def work() -> None:
        for _ in range(1000):
            meter.bytes(1)
            meter.done(Moved(digest(1)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    meter.finish()

    assert (meter.passed, meter.finished) == (8000, 8000)


def test_a_bar_comes_and_goes(capsys: pytest.CaptureFixture[str]) -> None:
    meter = BarMeter(sys.stderr)
    meter.start(2, 10)
    meter.bytes(10)
    meter.bytes(10)
    meter.done(Moved(digest(1)))
    meter.finish()
    meter.start(0, 0)
    meter.finish()

    assert capsys.readouterr().out == ""
    assert meter.passed == 0


def test_who_waits_is_told_for_whom(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_PATIENCE", 0.01)
    for meter in (LineMeter(sys.stderr), BarMeter(sys.stderr)):
        with meter.asking("s3://bucket/p"):
            time.sleep(0.2)
        with Meter().asking("s3://bucket/q"):
            time.sleep(0.05)

    assert set(capsys.readouterr().err.splitlines()) == {"Waiting for s3://bucket/p (0 s)"}


def test_a_quick_answer_needs_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    with LineMeter(sys.stderr).asking("s3://bucket/p"):
        pass

    assert capsys.readouterr().err == ""


class Slow(io.StringIO):
    """A stream in which other threads get their turn after each write."""

    def write(self, text: str) -> int:
        count = super().write(text)
        time.sleep(0.0005)
        return count


def test_lines_of_many_threads_stay_whole() -> None:
    stream = Slow()
    meter = VerboseMeter(stream)

    def tell() -> None:
        for number in range(20):
            meter.done(Moved(digest(number)))

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    lines = stream.getvalue().splitlines()
    assert len(lines) == 80
    assert all(re.fullmatch("[0-9a-f]{16} done", line) for line in lines)
