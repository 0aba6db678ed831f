"""One run at a time in a workspace, and what a run that was killed leaves known."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pivot.errors import LocalError
from pivot.repro.exclusive import Unfinished, exclusive
from tests.conftest import ROOT

HOLDER = """
import sys
from pathlib import Path
from pivot.repro.exclusive import exclusive
with exclusive(Path(sys.argv[1]), print):
    print("held", flush=True)
    sys.stdin.read()
"""


class Interrupted(Exception):
    """What a user does who does not want to wait."""


@pytest.fixture(name="lock")
def _lock(tmp_path: Path) -> Path:
    return tmp_path / ".pivot" / "cache" / "repro.lock"


@pytest.fixture(name="holder")
def _holder(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lock_that_nobody_has_is_had_at_once(lock: Path) -> None:
    told: list[str] = []
    with exclusive(lock, told.append):
        held = json.loads(lock.read_text())

    assert held["process"] == os.getpid()
    assert held["host"] == os.uname().nodename
    assert told == []
    assert lock.read_text() == ""


def test_a_lock_can_be_had_again(lock: Path) -> None:
    told: list[str] = []
    for _ in range(2):
        with exclusive(lock, told.append):
            pass

    assert told == []


def test_one_who_waits_is_told_once_who_has_it(lock: Path, holder: subprocess.Popen[str]) -> None:
    told: list[str] = []
    had = threading.Event()

    def wait() -> None:
        with exclusive(lock, told.append):
            had.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not told:
        time.sleep(0.01)
    time.sleep(0.3)  # several more tries
    before = had.is_set()
    assert holder.stdin is not None
    holder.stdin.close()
    waiting.join(timeout=60)

    assert not before
    assert had.is_set()
    assert len(told) == 1
    assert told[0].startswith(f"process {holder.pid} on {os.uname().nodename}, since 20")


def test_a_lock_of_a_process_that_was_killed_is_free(
    lock: Path, holder: subprocess.Popen[str]
) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    told: list[str] = []
    with exclusive(lock, told.append):
        pass

    assert told == []


def test_one_who_stops_waiting_leaves_the_lock_as_it_is(
    lock: Path, holder: subprocess.Popen[str]
) -> None:
    def stop(_: str) -> None:
        raise Interrupted

    with pytest.raises(Interrupted), exclusive(lock, stop):
        pass

    assert json.loads(lock.read_text())["process"] == holder.pid


@pytest.mark.parametrize("content", ["", "[]", "{", "null", '{"process": 5}', "\x00"])
def test_a_holder_that_does_not_say_who_it_is_is_another_process(
    lock: Path, holder: subprocess.Popen[str], content: str
) -> None:
    lock.write_text(content)
    told: list[str] = []

    def stop(who: str) -> None:
        told.append(who)
        raise Interrupted

    with pytest.raises(Interrupted), exclusive(lock, stop):
        pass

    assert told == ["another process"]


def test_a_lock_is_let_go_of_when_the_work_fails(lock: Path) -> None:
    with pytest.raises(Interrupted), exclusive(lock, print):
        raise Interrupted
    told: list[str] = []
    with exclusive(lock, told.append):
        pass

    assert told == []


def test_a_lock_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(LocalError, match="file/lock"), exclusive(tmp_path / "file/lock", print):
        pass


def test_a_stage_that_has_begun_is_known_until_it_ends(tmp_path: Path) -> None:
    unfinished = Unfinished(tmp_path / "marks")
    unfinished.begin("nlp/train@a_1", "token")
    unfinished.begin("clean", "other")
    during = Unfinished(tmp_path / "marks").left()
    unfinished.end("clean")

    assert during == {"nlp/train@a_1": "token", "clean": "other"}
    assert unfinished.left() == {"nlp/train@a_1": "token"}


def test_the_begin_of_a_stage_is_told_in_the_time_of_the_file_system(tmp_path: Path) -> None:
    unfinished = Unfinished(tmp_path / "marks")
    (tmp_path / "before").touch()

    began = unfinished.begin("t", "token")

    (tmp_path / "after").touch()
    assert (tmp_path / "before").stat().st_ctime_ns <= began
    assert began <= (tmp_path / "after").stat().st_ctime_ns


def test_a_stage_that_begins_again_has_the_newer_token(tmp_path: Path) -> None:
    unfinished = Unfinished(tmp_path)
    for token in ("old", "new"):
        unfinished.begin("t", token)

    assert unfinished.left() == {"t": "new"}


@pytest.mark.parametrize("names", [("a/b", "a%b"), ("x" * 200, f"{'d' * 120}/{'x' * 200}")])
def test_any_names_have_marks_of_their_own(tmp_path: Path, names: tuple[str, ...]) -> None:
    unfinished = Unfinished(tmp_path)
    for name in names:
        unfinished.begin(name, name)

    assert unfinished.left() == {name: name for name in names}


def test_marks_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    for number, content in enumerate([b"", b"{", b"[]", b"null", b'{"stage": 1}', b"\xff"]):
        (tmp_path / f"{number}.json").write_bytes(content)
    (tmp_path / "directory.json").mkdir()

    assert Unfinished(tmp_path).left() == {}
    assert Unfinished(tmp_path / "absent").left() == {}


def test_the_end_of_what_never_began_is_nothing(tmp_path: Path) -> None:
    Unfinished(tmp_path / "absent").end("t")

    assert not (tmp_path / "absent").exists()


def test_a_mark_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(LocalError):
        Unfinished(tmp_path / "file").begin("t", "token")
