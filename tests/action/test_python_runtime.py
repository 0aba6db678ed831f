"""The action with the Python of the runner: an environment that is made once and whole."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.action.start import (
    COREUTILS,
    Starter,
    copy_action,
    make_starter,
    only,
    write_script,
)
from tests.conftest import Command
from tests.e2e.test_interrupts import wait_for
from tests.e2e.weather import leftovers, make_project, through, without_cache
from tests.servers import S3Server

PYTHON = os.path.realpath(sys.executable)
"""A Python of its own: neither that of an environment nor a script that looks for one."""


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
            [made / "bin/python", "-I", "-c", "import boto3; print(boto3.__file__)"],
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
    assert "No .pivot directory found" in done.out  # as our own program says
    assert Path(listed.stdout.strip()).is_relative_to(made)
    assert not list(starter.action.rglob("*.pyc"))


def log_which(path: Path, said: Path, *, python: str | Path | None = PYTHON) -> None:
    """Put a Python at *path* that notes that it was asked, and is *python* if it works."""
    ends = f'exec "{python}" "$@"' if python else "exit 1"
    write_script(path, f'echo "$0" >> "{said}"\n{ends}')


def asked(said: Path) -> list[str]:
    """List the Pythons that were asked, each once, by their paths from the directory of *said*."""
    paths = dict.fromkeys(said.read_text().splitlines())
    return [Path(path).relative_to(said.parent).as_posix() for path in paths]


def test_the_first_python_that_is_new_enough_is_taken(starter: Starter, tmp_path: Path) -> None:
    said = tmp_path / "said"
    path = only(tmp_path / "few", *COREUTILS)
    venv.create(tmp_path / "bare", symlinks=True)  # it has no pip of its own
    log_which(tmp_path / "few/python3", said, python=None)  # too old, or it has no venv
    log_which(tmp_path / "few/python3.12", said)
    log_which(tmp_path / "few/python3.14", said, python=tmp_path / "bare/bin/python")

    done = starter(path=path, PIVOT_INPUT_COMMAND="pul")

    assert done.code == 2, done
    assert "command: must be pull, push" in done.out
    assert asked(said) == ["few/python3", "few/python3.14"]


def test_a_python_of_the_tool_cache_is_found(starter: Starter, tmp_path: Path) -> None:
    said = tmp_path / "said"
    path = only(tmp_path / "few", *COREUTILS)
    tools = tmp_path / "tool cache"
    log_which(tools / "Python/3.10.11/x64/bin/python3", said)
    log_which(tools / "Python/3.12.7/x64/bin/python3", said)
    log_which(tools / "Python/3.13.1/x64/bin/python3", said)
    (tools / "pivot-remote").symlink_to(starter.root / "tools/pivot-remote")

    done = starter(path=path, RUNNER_TOOL_CACHE=str(tools), PIVOT_INPUT_COMMAND="pul")

    assert "command: must be pull, push" in done.out
    assert asked(said) == ["tool cache/Python/3.13.1/x64/bin/python3"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_job_sets_its_outputs_and_leaves_nothing_half_done(
    number: signal.Signals,
    starter: Starter,
    tmp_path: Path,
    bucket: str,
    server: S3Server,
    pivot: Command,
) -> None:
    project = make_project(tmp_path / "project", bucket)
    assert pivot("push", cwd=project).code == 0
    clone = without_cache(project, tmp_path / "clone")
    job = make_starter(tmp_path / "runner", starter.action)

    with through(server, pivot) as (proxy, command):
        proxy.delay = 1
        runner = {"GITHUB_WORKSPACE": str(clone), "RUNNER_TOOL_CACHE": str(starter.root / "tools")}
        with job.start(**runner, **command.variables, PIVOT_INPUT_JOBS="1") as process:
            wait_for(lambda: proxy.count("GET", "object") >= 2, process)
            process.send_signal(number)
            out, err = process.communicate(timeout=7)

    assert process.returncode == 130, out + err
    outputs = job.outputs()
    assert (outputs["status"], outputs["exit-code"]) == ("failed", "130")
    assert int(outputs["transferred"]) >= 1
    assert leftovers(clone) == []
    kept = {"output", "summary", "event.json", Path(outputs["report"]).name}
    assert {path.name for path in (job.root / "temp").iterdir()} == kept


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_that_is_cancelled_while_it_installs(number: signal.Signals, tmp_path: Path) -> None:
    starter = make_starter(tmp_path / "runner", copy_action(tmp_path / "action"))
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as index:  # it hears, and never answers
        index.settimeout(120)
        url = f"http://127.0.0.1:{index.getsockname()[1]}/"
        own = {"PIP_CONFIG_FILE": os.devnull, "TMPDIR": str(temporary)}
        with starter.start(PIP_INDEX_URL=url, **own) as process:
            asked, _ = index.accept()
            process.send_signal(number)
            out, _ = process.communicate(timeout=7)
        asked.settimeout(10)
        with asked:
            while asked.recv(4096):  # until whoever asked has gone
                pass

    assert process.returncode == 130
    assert "::error title=pivot::the job was cancelled" in out
    assert environments(starter) == []
    assert list(temporary.iterdir()) == []
    assert starter.outputs()["exit-code"] == "130"
    assert starter.outputs()["runtime"] == "python"


def test_settings_of_pip_and_python_that_are_not_for_it_do_no_harm(tmp_path: Path) -> None:
    starter = make_starter(tmp_path / "runner", copy_action(tmp_path / "action"))
    settings = {
        "PIP_TARGET": str(tmp_path / "elsewhere"),
        "PIP_USER": "1",
        "PIP_REQUIRE_HASHES": "0",
        "PIP_NO_DEPS": "0",
        "PIP_PYTHON": "/nonexistent",
        "PYTHONHOME": "/nonexistent",
        "PYTHONWARNINGS": "error",
        "PYTHONINSPECT": "1",
        "UV_PYTHON": "/nonexistent",
    }

    done = starter(**settings, PIVOT_INPUT_COMMAND="pul")

    assert done.code == 2, done
    assert "command: must be pull, push" in done.out
    assert not (tmp_path / "elsewhere").exists()


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
