"""What is asked most needs next to nothing to be loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command
from tests.e2e.ci import START, Runner
from tests.e2e.weather import make_project
from tests.servers import S3Server

HEAVY = {"boto3", "botocore", "jsonschema", "requests", "rich", "ruamel"}


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str) -> Path:
    return make_project(tmp_path / "project", bucket)


def modules(pivot: Command, *words: str, cwd: Path) -> set[str]:
    """List the modules and packages that a command imports."""
    return imported("-m", "pivot", *words, cwd=cwd, environment=pivot.environment)


def imported(*words: str, cwd: Path, environment: Mapping[str, str]) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *words],
        check=True,
        cwd=cwd,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    names = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines()]
    return set(names) | {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("word", ["--version", "--help", "-h"])
def test_version_and_help_load_no_command_line(word: str, pivot: Command, tmp_path: Path) -> None:
    loaded = modules(pivot, word, cwd=tmp_path)

    assert "pivot.start" in loaded
    assert not loaded & {"click", "re", "typing", "dataclasses", "yaml", "pivot.cli"}


@pytest.mark.parametrize("columns", ["80", "100", "", "x"])
def test_the_stored_help_is_what_the_command_line_says(
    columns: str, pivot: Command, tmp_path: Path
) -> None:
    stored = pivot("--help", cwd=tmp_path, COLUMNS=columns)
    made = pivot("--quiet", "--help", cwd=tmp_path, COLUMNS="80")

    assert stored == made
    assert stored.out.startswith("Usage: pivot [OPTIONS] COMMAND")


def test_on_a_narrow_terminal_the_help_is_narrow(pivot: Command, tmp_path: Path) -> None:
    done = pivot("--help", cwd=tmp_path, COLUMNS="50")

    assert done.code == 0
    assert "  through S3 or a shared folder.\n" in done.out


def test_a_reader_that_goes_away_is_no_crash(pivot: Command, tmp_path: Path) -> None:
    with pivot.start("--help", cwd=tmp_path) as process:
        assert process.stdout
        process.stdout.close()
        process.wait(30)
        assert process.stderr
        assert process.stderr.read() == ""


def test_a_push_to_a_bucket_loads_nothing_that_it_does_not_need(
    pivot: Command, project: Path
) -> None:
    assert pivot("push", cwd=project).code == 0

    loaded = modules(pivot, "push", cwd=project)

    assert "obstore" in loaded
    assert not loaded & HEAVY
    assert not loaded & {"pivot.repro", "pivot.pipeline", "pivot.status", "pivot.ci", "asyncio"}


@pytest.mark.parametrize("command", ["fetch", "pull", "checkout"])
def test_neither_does_what_comes_back(command: str, pivot: Command, project: Path) -> None:
    assert pivot("push", cwd=project).code == 0

    loaded = modules(pivot, command, cwd=project)

    assert not loaded & (HEAVY | {"obstore"})
    assert not loaded & {"pivot.repro", "pivot.pipeline", "pivot.status", "pivot.ci", "asyncio"}


@pytest.mark.parametrize("command", ["push", "pull"])
def test_a_job_with_plain_credentials_loads_nothing_heavy_either(
    command: str, pivot: Command, project: Path, tmp_path: Path, server: S3Server
) -> None:
    assert pivot("push", cwd=project).code == 0
    runner = Runner(project, tmp_path / "runner", server.environment())
    runner(command)  # lets all files that it needs be there
    environment = runner.environment(command, "push", {})

    loaded = imported("-Iu", "-c", START, str(ROOT), cwd=project, environment=environment)

    assert not loaded & HEAVY
    assert not loaded & {"asyncio", "click"}


COUNT = """
import json, os, pathlib
from pivot.cli import main

try:
    main()
except SystemExit:
    names = [p.read_text() for p in pathlib.Path("/proc/self/task").glob("*/comm")]
    count = sum(name.startswith("tokio") for name in names)
    print(json.dumps([count, os.environ.get("TOKIO_WORKER_THREADS")]))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are not listed here")
@pytest.mark.parametrize("wanted", [None, "3"])
def test_the_library_for_requests_has_few_threads(
    wanted: str | None, project: Path, pivot: Command
) -> None:
    variables = {} if wanted is None else {"TOKIO_WORKER_THREADS": wanted}
    done = subprocess.run(
        [sys.executable, "-c", COUNT, "push", "--quiet"],
        check=True,
        cwd=project,
        env=pivot.environment | variables,
        capture_output=True,
        text=True,
    )

    cores = os.cpu_count() or 1
    assert json.loads(done.stdout) == [int(wanted or max(1, cores // 4)), wanted]
