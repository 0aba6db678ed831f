"""What `repro` and its sisters tell: all that is wrong, what is missing, what a command does."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command
from tests.projects import ProjectBuilder


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Path:
    ProjectBuilder(tmp_path)
    return tmp_path


def write(project: Path, text: str = "", **stages: dict[str, Any]) -> None:
    (project / "pivot.yaml").write_text(text or json.dumps({"stages": stages}))


def test_what_is_wrong_with_one_stage_hides_nothing_of_the_others(
    project: Path, bare_pivot: Command
) -> None:
    write(
        project,
        "stages:\n"
        '  a: {cmd: x, outs: [a, {z: {cache: "no", persist: 1, push: false}}]}\n'
        "  b: {cmd: '${nope}', outs: [b]}\n"
        "  c: {cmd: x, deps: [d], outs: [c]}\n"
        "  d: {cmd: x, deps: [c], outs: [d]}\n"
        "  e: {cmd: x, outs: [x]}\n"
        "  f: {cmd: x, outs: [x]}\n",
    )

    done = bare_pivot("repro", cwd=project)

    assert done.code == 8
    said = [line for line in done.err.splitlines() if line.startswith("Error: ")]
    assert [line.removeprefix("Error: pivot.yaml: ") for line in said] == [
        "line 2: stages.a.outs[1].z: unknown key 'push'",
        "line 2: stages.a.outs[1].z.cache must be true or false, not 'no'",
        "line 2: stages.a.outs[1].z.persist must be true or false, not 1",
        r"line 3: stages.b.cmd: ${nope} is no parameter; write \${nope} or $nope to leave it to the shell",  # noqa: E501
        "line 7: stage f: x is made by e as well",
        "line 4: stage c depends on itself: c → d → c",
    ]


def test_a_template_that_is_not_quoted_is_explained(project: Path, bare_pivot: Command) -> None:
    write(project, "stages:\n  a:\n    cmd: x ${y}\n    outs: [m/${x}.json]\n")

    done = bare_pivot("repro", cwd=project)

    assert done.code == 8
    assert 'inside of [ ] and { } a text with ${...} must be quoted: "${...}"' in done.err


def test_stages_of_the_real_pivot_are_in_the_graph(project: Path, bare_pivot: Command) -> None:
    write(
        project,
        theirs={"python": "a.b", "deps": {"x": "raw"}, "outs": {"m": "o.txt"}},
        ours={"cmd": "cp o.txt q", "deps": ["o.txt"], "outs": ["q"]},
    )

    drawn = bare_pivot("dag", cwd=project)
    ran = bare_pivot("repro", cwd=project)

    assert drawn.out == "theirs\n└── ours\n"
    assert ran.code == 1
    assert "stage theirs needs the real Pivot, and has no lock file yet" in ran.err
    assert "stage ours did not run: stage theirs failed" in ran.err


def test_a_frozen_stage_that_lost_its_output_is_told_of(project: Path, bare_pivot: Command) -> None:
    write(
        project,
        idle={"cmd": "echo > a", "outs": ["a"], "frozen": True},
        use={"cmd": "cp a b", "deps": ["a"], "outs": ["b"]},
    )

    alone = bare_pivot("repro", "idle", cwd=project)
    both = bare_pivot("repro", cwd=project)

    assert alone.code == 0
    assert "Warning: a is missing, and stage idle is frozen: nothing makes it here" in alone.out
    assert both.code == 1
    assert "stage idle makes it, and is frozen" in both.err


def test_a_failed_command_of_several_is_named(project: Path, bare_pivot: Command) -> None:
    write(project, a={"cmd": ["echo one", "exit 4", "echo > a"], "outs": ["a"]})

    done = bare_pivot("repro", cwd=project)

    assert "stage a failed: exit code 4 of `exit 4`" in done.err


def test_verbose_shows_every_command(project: Path, bare_pivot: Command) -> None:
    write(project, a={"cmd": ["echo one\necho two", "echo > a"], "outs": ["a"]})

    done = bare_pivot("repro", "-v", cwd=project)

    assert [line for line in done.out.splitlines() if " | " in line] == [
        "a | $ echo one",
        "a | $ echo two",
        "a | one",
        "a | two",
        "a | $ echo > a",
    ]


@pytest.mark.parametrize(("given", "seen"), [({}, "1"), ({"PYTHONUNBUFFERED": ""}, "")])
def test_python_does_not_hold_back_what_it_prints(
    given: dict[str, str], seen: str, project: Path, bare_pivot: Command
) -> None:
    write(project, a={"cmd": 'echo "<$PYTHONUNBUFFERED>"; echo > a', "outs": ["a"]})

    done = bare_pivot("repro", cwd=project, **given)

    assert f"a | <{seen}>" in done.out


def test_each_value_of_a_whole_file_of_parameters_is_a_reason(
    project: Path, bare_pivot: Command
) -> None:
    write(project, a={"cmd": "echo > a", "params": [{"p.json": None}], "outs": ["a"]})
    (project / "p.json").write_text('{"x": [1, {"y": 3}], "z": true}')
    bare_pivot("repro", cwd=project)
    (project / "p.json").write_text('{"x": [1, {"y": 4}], "z": true, "w": 0.5}')

    done = bare_pivot("repro", "-n", cwd=project)

    assert "Would run a: p.json.x[1].y: 3 → 4; p.json.w: nothing → 0.5" in done.out


def test_tracked_data_that_was_changed_is_told_of(project: Path, bare_pivot: Command) -> None:
    write(project, a={"cmd": "cp raw out", "deps": ["raw"], "outs": ["out"]})
    (project / "raw").write_text("1")
    bare_pivot("track", "raw", cwd=project)
    sound = bare_pivot("repro", cwd=project)
    (project / "raw").write_text("2")

    changed = bare_pivot("repro", cwd=project)
    listed = bare_pivot("list", cwd=project)
    (project / "raw").unlink()
    missing = bare_pivot("list", cwd=project)

    assert "Note" not in sound.out
    assert "raw is not as raw.pvt has it, so nobody else can have it" in changed.out
    assert "raw.pvt  changed: pivot track --force 'raw'" in listed.out
    assert "raw.pvt  missing: pivot pull 'raw'" in missing.out


def test_the_lock_of_a_stage_that_is_gone_is_named(project: Path, bare_pivot: Command) -> None:
    write(project, old={"cmd": "echo > a", "outs": ["a"]})
    bare_pivot("repro", cwd=project)
    write(project, new={"cmd": "echo > b", "outs": ["b"]})

    done = bare_pivot("repro", cwd=project)

    assert "Note: no stage has the lock .pivot/stages/old.lock" in done.out


def test_a_dry_run_says_which_stage_cannot_be_decided(project: Path, bare_pivot: Command) -> None:
    write(
        project,
        a={"cmd": "cp raw a", "deps": ["raw"], "outs": ["a"]},
        b={"cmd": "echo > b", "outs": ["b"]},
    )

    done = bare_pivot("repro", "-n", cwd=project)

    assert done.out.splitlines() == [
        "Cannot decide a: raw, which stage a reads, is not there",
        "Would run b: never ran",
        "Would run 1 stage(s), perhaps 0 more, and restore 0; 0 unchanged, 1 cannot be decided",
    ]


@pytest.mark.parametrize(("jobs", "streamed"), [("1", True), ("2", False)])
def test_ci_shows_a_stage_as_it_runs_if_it_runs_alone(
    jobs: str, streamed: bool, project: Path, bare_pivot: Command
) -> None:
    write(project, a={"cmd": "echo here; read line < fifo; echo > a", "outs": ["a"]})
    subprocess.run(["mkfifo", "fifo"], cwd=project, check=True)

    with bare_pivot.start("repro", "-j", jobs, cwd=project, GITHUB_ACTIONS="true") as process:
        assert process.stdout is not None
        early = [process.stdout.readline(), process.stdout.readline()] if streamed else []
        (project / "fifo").write_text("go on\n")
        rest = process.communicate(timeout=60)[0].splitlines()

    said = [line.rstrip("\n") for line in early] + rest
    assert said[:3] == ["::group::Running a: never ran", "a | here", "::endgroup::"]
    assert said[3].startswith("Finished a in ")


def test_a_misspelt_input_is_answered_with_what_was_meant(
    project: Path, bare_pivot: Command
) -> None:
    (project / "raw.csv").write_text("1\n")
    write(
        project,
        a={"cmd": "cp raw.csv clean.csv", "outs": ["clean.csv"], "deps": ["raw.csv"]},
        b={"cmd": "true", "deps": ["clean.cvs"]},
        c={"cmd": "true", "deps": ["rwa.csv"]},
        d={"cmd": "true", "deps": ["elsewhere"]},
    )

    told = {name: bare_pivot("repro", name, cwd=project).err for name in "bcd"}

    assert "did you mean 'clean.csv'?" in told["b"]
    assert "did you mean 'raw.csv'?" in told["c"]
    assert "did you mean" not in told["d"]


def test_a_file_that_is_linked_to_an_object_is_not_taken_for_one_that_a_stage_wrote(
    project: Path, bare_pivot: Command
) -> None:
    (project / "src").write_text("1\n")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    write(project, a={"cmd": "cat src > old.out", "outs": ["old.out"], "deps": ["src"]})
    bare_pivot("repro", cwd=project)
    write(project, a={"cmd": "cat src > new.out", "outs": ["new.out"], "deps": ["src"]})
    bare_pivot("repro", cwd=project)
    (project / "src").write_text("2\n")

    done = bare_pivot("repro", cwd=project)

    assert done.code == 0, done
    assert "is not among its outputs" not in done.out + done.err


@pytest.mark.parametrize("left", ["nothing", "python"])
def test_what_a_lock_alone_names_stays_out_of_git(
    left: str, project: Path, bare_pivot: Command
) -> None:
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    keeps = {"cmd": "echo 1 > a.out", "outs": ["a.out"]}
    write(project, a=keeps, z={"cmd": "echo 2 > z.out", "outs": ["z.out"]})
    bare_pivot("repro", cwd=project)
    write(project, a=keeps, **({} if left == "nothing" else {"z": {"python": "lib.z"}}))
    bare_pivot("repro", cwd=project)

    ignored = ["git", "check-ignore", "a.out", "z.out"]
    done = subprocess.run(ignored, cwd=project, check=True, capture_output=True, text=True)

    assert done.stdout.split() == ["a.out", "z.out"]


def test_an_old_lock_keeps_nothing_from_git_that_a_stage_leaves_to_it(
    project: Path, bare_pivot: Command
) -> None:
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    write(project, old={"cmd": "echo 1 > m.json", "outs": ["m.json"]})
    bare_pivot("repro", cwd=project)
    write(project, new={"cmd": "echo 2 > m.json", "metrics": ["m.json"]})

    bare_pivot("repro", cwd=project)
    done = subprocess.run(["git", "check-ignore", "m.json"], cwd=project, check=False)

    assert done.returncode == 1
