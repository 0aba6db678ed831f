"""Stages that misbehave: what they leave running, print, and do to files."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.ugly import Place, stage
from tests.projects import digest, objects

EXAMPLE = r"""printf '::error::a\n  ::set-output name=x::y\n##[error]b\n\r::warning::c\n'; """
SECTION = r"""printf '\033[0Ksection_start:1:mine\r\033[0Ktitle\n'; """


@pytest.mark.parametrize("start", ["", "setsid "], ids=["in the background", "as a daemon"])
def test_a_stage_that_leaves_something_running(start: str, place: Place) -> None:
    chatter = "sh -c 'while :; do echo more; echo more >> out; sleep 0.01; done'"
    place.write(a=stage(f"{start}{chatter} & echo $! > pid; sleep 0.1; : first", "out", "pid"))
    began = time.monotonic()

    done = place("repro")

    took = time.monotonic() - began
    running = Path(f"/proc/{place.text('pid').strip()}")
    assert done.code == 0, done
    assert took < 10
    if not start:
        assert "Warning: a left processes running; they were stopped" in done.out
        assert not is_alive(running)
    elif is_alive(running):  # it was not to be stopped, and what it writes is its own affair
        os.kill(int(running.name), 9)
    held = objects(place.root / ".pivot/cache")
    assert {name for name, body in held.items() if digest(body) != name} == set()
    assert place.states() == {"a": "unchanged"}


def is_alive(process: Path) -> bool:
    """Tell a process from none, and from one that nobody has asked for since it died."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("variable", ["NOWHERE", "GITHUB_ACTIONS", "GITLAB_CI"])
def test_a_stage_that_prints_without_end_needs_no_memory(variable: str, place: Place) -> None:
    def peak() -> int:
        command = [*place.prefix, sys.executable, "-m", "pivot", "repro", "-f"]
        process = subprocess.Popen(
            command,
            cwd=place.root,
            env=place.pivot.environment | {variable: "true"},
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_maxrss

    place.write(a=stage("echo 1 > out", "out"))
    quiet = peak()
    place.write(a=stage("head -c 30M /dev/zero; yes | head -c 2M; echo 1 > out", "out"))

    assert peak() < quiet + 24 * 1024


def test_every_line_is_its_stages_own(place: Place) -> None:
    odd = r"printf 'bar 1%%\rbar 2%%\n\000nul caf\351 \033[31mred\033[0m \033]0;title\007'; echo"
    place.write(a=stage([odd, "printf 'no end'; echo > out"], "out"))

    lines = place("repro").out.splitlines()

    assert [line for line in lines if line.startswith("a | ")] == [
        "a | bar 2%",
        r"a | \x00nul caf\xe9 red \x1b]0;title\x07",
        "a | no end",
    ]


@pytest.mark.parametrize("end", ["echo > out", "exit 3"])
@pytest.mark.parametrize("options", [(), ("-j2",), ("--json",), ("-q",)])
def test_no_stage_commands_the_runner_of_github(
    end: str, options: tuple[str, ...], place: Place
) -> None:
    place.write(a=stage(EXAMPLE + end, "out"))

    done = place("repro", *options, GITHUB_ACTIONS="true")

    lines = [line.lstrip() for line in (done.out + done.err).splitlines()]
    own = {"::group::Running a: never ran", "::endgroup::"}
    assert [line for line in lines if line.startswith("::") and line not in own] == []


def test_no_stage_commands_the_runner_of_gitlab(place: Place) -> None:
    place.write(a=stage(SECTION + "echo > out", "out"))

    done = place("repro", GITLAB_CI="true")

    assert "a | section_start:1:mine" not in done.out.replace("\r", "")
    assert done.out.count("\x1b[0Ksection_start:") == 1
    assert done.out.count("\x1b[0Ksection_end:") == 1


def test_inputs_that_a_stage_deletes_or_changes(place: Place) -> None:
    place.write(
        make=stage("echo 1 > made", "made"),
        use=stage("cat made src > out; rm made; echo 2 >> src", "out", deps=["made", "src"]),
    )
    (place.root / "src").write_text("1\n")

    first = place("repro")
    restored = place.states("make")
    second = place.states()

    assert first.code == 0
    for path in ("made", "src"):
        said = f"Warning: {path} changed while use ran; its lock has it as it was before"
        assert said in first.out
    assert restored == {"make": "restored"}
    assert second == {"make": "unchanged", "use": "ran"}
    assert place.text("out") == "1\n1\n2\n"


def test_what_a_stage_writes_besides_its_outputs_is_named(place: Place) -> None:
    (place.root / ".gitignore").write_text("*.tmp\n")
    (place.root / "other").mkdir()
    command = "echo > out; echo > x.tmp; echo > other/stray; printf x > \"$(printf 'n\\351')\""
    place.write(a=stage(command, "out"))

    done = place("repro")
    again = place("repro", "--force", "--json")

    text = "Warning: a wrote what is not among its outputs: "
    (line,) = [line for line in done.out.splitlines() if line.startswith(text)]
    assert set(line.removeprefix(text).split(", ")) == {"other/stray", r"n\udce9"}
    assert again.code == 0, again


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("true", 1, "stage a did not make out"),
        ("ln -s pivot.yaml out", 1, "stage a made out a symlink"),
        ("mkfifo out", 7, "out is neither a file nor a directory"),
        ("seq 40; exit 3", 1, "stage a failed: exit code 3; it said last:\n  | 26\n"),
        ("printf last; exit 3", 1, "stage a failed: exit code 3; it said last:\n  | last\n"),
        ("kill -TERM $$", 1, "stage a failed: killed by signal 15"),
        ("no-such-program", 1, "stage a failed: exit code 127; it said last:\n  | "),
        ("mkdir out; : > out/$(printf 'n\\351')", 1, r"the name n\udce9 is not UTF-8"),
        ("echo 1 > out; chmod 0 out", 7, "out: Permission denied"),
        ("mkdir -p out/in; chmod 0 out/in", 7, "out/in: Permission denied"),
    ],
)
def test_a_stage_that_fails_keeps_its_old_lock(
    command: str, code: int, words: str, place: Place
) -> None:
    place.write(a=stage(command, "out"))
    first, absent = place("repro"), place.lock("a")
    for path in (place.root / "out", place.root / "out/in"):
        if path.exists() and not path.stat().st_mode & 0o700:
            path.chmod(0o700)  # which the next command needs to look around at all
    place.write(a=stage("echo good > out", "out"))
    good, before = place("repro"), place.lock("a")
    place.write(a=stage(command, "out"))
    second, after = place("repro"), place.lock("a")

    assert (first.code, good.code, second.code) == (code, 0, code), (first, good, second)
    assert words in first.err
    assert words in second.err
    assert absent is None
    assert before is not None
    assert after == before


NAMES = ["-n", "a b", "it's", '"q"', "new\nline", "tab\t", "café", "$HOME", "*", "\\", "a%b", " "]


@pytest.mark.parametrize("links", ["hardlink", "symlink", "copy"])
def test_outputs_of_all_sorts_are_restored(links: str, place: Place) -> None:
    (place.root / ".pivot/config.yaml").write_text(f"cache:\n  checkout_mode: [{links}]\n")
    files = [
        f"{name}~" for name in NAMES if name not in {"new\nline", "\\"}
    ]  # refused in pivot.yaml
    make = f"""
import os
os.makedirs("d/empty/deep"); os.makedirs("bare")
for number, name in enumerate({NAMES!r}):
    open("d/" + name, "w").write(str(number))
for path in {[*files, "run", "d/run"]!r}:
    open(path, "w").write(path)
open("zero", "w"); os.chmod("run", 0o755); os.chmod("d/run", 0o755)
"""
    (place.root / "make.py").write_text(make)
    outs = ["d", "bare", "zero", "run", *files]
    place.write(a=stage(f"{shlex.quote(sys.executable)} make.py", *outs))
    first = place.states()
    ignored = ["git", "status", "--porcelain", "-uall"]
    status = subprocess.run(ignored, cwd=place.root, capture_output=True, text=True, check=True)
    subprocess.run(["rm", "-rf", "--", *outs], cwd=place.root, check=True)
    second = place.states()

    held = {path.name: path for path in (place.root / "d").iterdir()}
    assert (first, second) == ({"a": "ran"}, {"a": "restored"})
    assert {held[name].read_text() for name in NAMES} == {str(n) for n in range(len(NAMES))}
    assert (place.root / "d/empty/deep").is_dir()
    assert os.listdir(place.root / "bare") == []
    assert [place.text(path) for path in ("zero", *files)] == ["", *files]
    assert os.access(place.root / "run", os.X_OK)
    assert os.access(held["run"], os.X_OK)
    assert not any(
        line.endswith(('~"', "~", " d/run", " zero")) for line in status.stdout.split("\n")
    )
    assert place.states() == {"a": "unchanged"}


def test_read_only_directories_can_be_made_again(place: Place) -> None:
    for text in ("1", "2", "3"):
        place.write(a=stage(f"mkdir -p d/e; echo {text} > d/e/f; chmod -R a-w d", "d"))
        done = place("repro")

        assert done.code == 0, done
        assert place.text("d/e/f") == f"{text}\n"
