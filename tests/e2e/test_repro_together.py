"""Ctrl-C and SIGTERM of `repro`, two of them at once, and other commands beside it."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.e2e.ugly import Place, make_place, stage
from tests.projects import digest, objects

MARK = "TEST_OF_TOGETHER"
STUBBORN = "trap '' INT TERM; while :; do sleep 0.1; done"
COMMANDS = {
    "alone": "sleep 3000",
    "with children": "sleep 3000 & (sleep 3000 & sleep 3000) & wait",
    "deaf to SIGINT": "trap '' INT; sleep 3000; sleep 3000",
    "deaf to all": f'sh -c "{STUBBORN}" & {STUBBORN}',
    "with a daemon": "setsid sleep 3000 & sleep 3000",
    "cleans up": "trap 'echo bye > bye; exit 0' INT TERM; sleep 3000 & wait",
}


@pytest.fixture(name="place")
def _place(tmp_path: Path, bare_pivot: Command) -> Place:
    command = Command(bare_pivot.home, {MARK: str(tmp_path)})
    return make_place(tmp_path / "project", command)


def running(place: Place) -> list[str]:
    """List what still runs of all that was started in *place*."""
    mark = f"{MARK}={place.pivot.variables[MARK]}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came so far"
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_an_interrupted_run_leaves_nothing_running_and_the_next_completes(
    command: str, number: signal.Signals, place: Place
) -> None:
    (place.root / ".gitignore").write_text("began\nbye\n")
    place.write(
        before=stage("echo 1 > first", "first"),
        slow=stage(f"cat first > out; touch began; {command}", "out", deps=["first"]),
        other=stage(f"touch other.began; {command}", "other"),
        after=stage("cat out > last", "last", deps=["out"]),
    )
    with place.start("repro", "--jobs=2") as process:
        wait_for(lambda: (place.root / "began").exists() and (place.root / "other.began").exists())
        began = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    took = time.monotonic() - began
    left = running(place)
    locks = [place.lock(name) is not None for name in ("before", "slow", "other", "after")]
    place.write(
        before=stage("echo 1 > first", "first"),
        slow=stage("cat first > out", "out", deps=["first"]),
        other=stage("echo > other", "other"),
        after=stage("cat out > last", "last", deps=["out"]),
    )

    again = place.states()

    assert process.returncode == 130
    assert took < 7
    assert b"Interrupted" in err
    assert b"Traceback" not in err
    assert left == []
    assert locks == [True, False, False, False]
    assert again == {"before": "unchanged", "slow": "ran", "other": "ran", "after": "ran"}
    assert place.text("last") == "1\n"


def test_an_interrupt_at_any_moment(place: Place) -> None:
    """Between stages too: no lock of a stage that did not end, nothing left, no traceback."""
    lines = {f"s{n}": stage(f"sleep 0.02; echo {n} > {n}.out", f"{n}.out") for n in range(12)}
    place.write(**lines)
    for moment in (0.25, 0.3, 0.35, 0.4, 0.5, 0.6):
        with place.start("repro", "--jobs=3") as process:
            try:
                process.wait(moment)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)

        assert process.returncode in {0, 130, -2}, err
        assert b"Traceback" not in err or process.returncode == -2
        assert running(place) == []
        held = objects(place.root / ".pivot/cache")
        assert all(name == digest(body) for name, body in held.items())
        for number in range(12):
            if place.lock(f"s{number}") is not None:
                assert digest(f"{number}\n".encode()) in held

    assert set(place.states().values()) <= {"ran", "unchanged"}
    assert {place.text(f"{n}.out") for n in range(12)} == {f"{n}\n" for n in range(12)}


def test_two_runs_at_once_run_everything_once(place: Place) -> None:
    command = "echo $$ >> log; touch began; while ! [ -e go ]; do sleep 0.01; done; cat src > out"
    (place.root / ".gitignore").write_text("began\ngo\nlog\n")
    (place.root / "src").write_text("1\n")
    place.write(
        a=stage(command, "out", deps=["src"]), b=stage("cat out > end", "end", deps=["out"])
    )
    with place.start("repro") as first, place.start("repro", "--dry-run") as looks:
        wait_for((place.root / "began").exists)
        looks.communicate(timeout=30)
        with place.start("repro") as second:
            said = second.stdout
            assert said is not None
            waiting = said.readline().decode()
            (place.root / "go").touch()
            out, err = second.communicate(timeout=30)
        first.communicate(timeout=30)

    assert [first.returncode, second.returncode, looks.returncode] == [0, 0, 0], err
    assert waiting.startswith("Waiting for another run of stages in this workspace: ")
    assert f"process {first.pid} " in waiting
    assert b"0 ran, 0 restored, 2 unchanged" in out
    assert place.text("log").count("\n") == 1
    assert place.text("end") == "1\n"


def test_a_run_that_waits_goes_on_when_the_other_is_killed(place: Place) -> None:
    place.write(a=stage("touch began; [ -e go ] || sleep 3000; echo > out", "out", "began"))
    with place.start("repro") as first:
        wait_for((place.root / "began").exists)
        with place.start("repro") as second:
            assert second.stdout is not None
            second.stdout.readline()
            (place.root / "go").touch()
            first.kill()
            out, _ = second.communicate(timeout=30)

    assert second.returncode == 0, out
    assert b"Finished a" in out
    assert running(place) == []


def test_pull_and_push_beside_a_run(place: Place, tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    config = f"folders:\n  nas: file://{tmp_path}/remote\n"
    (place.root / ".pivot/config.yaml").write_text(config)
    stages = {
        f"s{n}": stage(f"sleep 0.05; mkdir {n}; for i in 1 2 3; do echo {n} > {n}/$i; done", f"{n}")
        for n in range(8)
    }
    place.write(**stages)
    with place.start("repro", "--jobs=2") as process:
        beside = []
        while process.poll() is None:
            beside += [place("push"), place("pull")]
        process.communicate(timeout=30)
    pushed = place("push")

    assert process.returncode == 0
    assert pushed.code == 0
    assert [done for done in beside if done.code] == []
    assert {place.text(f"{n}/{i}") for n in range(8) for i in (1, 2, 3)} == {
        f"{n}\n" for n in range(8)
    }
    assert set(place.states().values()) == {"unchanged"}
    assert objects(tmp_path / "remote").keys() == objects(place.root / ".pivot/cache").keys()


def test_no_run_inside_of_a_run(place: Place) -> None:
    words = f"{shlex.quote(sys.executable)} -m pivot"
    place.write(a=stage(f"{words} repro a; echo $? > out; {words} repro -n a || :", "out"))

    done = place("repro")

    assert done.code == 0, done
    assert "a | Error: a stage cannot run 'pivot repro'" in done.out
    assert place.text("out") == "2\n"
