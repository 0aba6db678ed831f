"""The action with the Python of the runner: an environment that is made once and whole."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.action.start import Starter, copy_action, make_starter


@pytest.fixture(name="starter", scope="module")
def _starter(tmp_path_factory: pytest.TempPathFactory) -> Starter:
    """A runner with an environment for the action; it is made once for all tests here."""
    root = tmp_path_factory.mktemp("py thon")
    return make_starter(root / "runner", copy_action(root / "action"))


def environments(starter: Starter) -> list[Path]:
    return sorted((starter.root / "tools/pivot-remote").iterdir())


def test_a_wrong_input_is_told_by_the_program(starter: Starter) -> None:
    done = starter(PIVOT_INPUT_COMMAND="pul")

    assert done.code == 2, done
    assert done.out.splitlines()[0] == "Runtime: python: this version has no released image"
    assert "command: must be pull, push" in done.out
    assert starter.outputs()["runtime"] == "python"


def test_a_second_call_installs_nothing(starter: Starter) -> None:
    starter()
    (made,) = environments(starter)
    before = made.stat().st_mtime_ns
    done = starter(PIP_NO_INDEX="1", PIP_INDEX_URL="http://127.0.0.1:9/")

    assert environments(starter) == [made]
    assert made.stat().st_mtime_ns == before
    assert "No .pivot directory found" in done.out
    assert done.code == 2


def test_it_holds_what_the_lock_says_and_no_project_code_is_on_its_path(starter: Starter) -> None:
    starter()
    (made,) = environments(starter)
    (starter.workspace / "boto3.py").write_text("raise SystemExit('project code was run')\n")
    (starter.workspace / "pivot").mkdir()
    (starter.workspace / "pivot/__init__.py").write_text("raise SystemExit('project code')\n")
    try:
        done = starter(PYTHONPATH=str(starter.workspace), PYTHONSTARTUP="x")
        listed = subprocess.run(
            [made / "bin/python", "-I", "-c", "import pivot, boto3; print(pivot.__file__)"],
            check=True,
            cwd=starter.workspace,
            capture_output=True,
            text=True,
        )
    finally:
        (starter.workspace / "boto3.py").unlink()
        (starter.workspace / "pivot/__init__.py").unlink()
        (starter.workspace / "pivot").rmdir()

    assert "project code" not in done.out + done.err
    assert Path(listed.stdout.strip()) == starter.action / "pivot/__init__.py"


def test_two_jobs_at_once_make_it_once(tmp_path: Path) -> None:
    starter = make_starter(tmp_path / "runner", copy_action(tmp_path / "action"))

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(starter, PIVOT_INPUT_COMMAND="pul") for _ in range(2)]

    assert [job.result().code for job in jobs] == [2, 2], [job.result() for job in jobs]
    assert len(environments(starter)) == 1


def test_what_cannot_be_installed_leaves_nothing(tmp_path: Path) -> None:
    starter = make_starter(tmp_path / "runner", copy_action(tmp_path / "action"))

    done = starter(PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)

    assert done.code == 6, done
    assert "what the program needs cannot be installed" in done.out
    assert environments(starter) == []
    assert starter.outputs()["exit-code"] == "6"
    assert starter.outputs()["runtime"] == "python"
