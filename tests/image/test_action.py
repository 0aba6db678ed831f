"""The action starts the image with a real engine, locked down as it does it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, Done
from tests.e2e.ci import Runner, Step, push_event
from tests.e2e.weather import leftovers
from tests.image.conftest import FILES, Team
from tests.image.container import Image, give, owners
from tests.projects import tree
from tests.servers import S3Server, fault_proxy


def start(runner: Runner, image: Image, command: str, **given: str) -> subprocess.Popen[str]:
    """Start what the action's step runs, in its shell and environment."""
    runner.temporary.mkdir(exist_ok=True)
    for name in ("output", "summary"):
        (runner.temporary / name).write_text("")
    (runner.temporary / "event.json").write_text(json.dumps(push_event()))
    inputs = {"runtime": "docker", "image": image.name, **given}
    client = {"PATH": f"{Path(image.docker).parent}:{os.environ['PATH']}"}
    host = {name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}
    return subprocess.Popen(
        ["bash", str(ROOT / "action.sh")],
        cwd=runner.workspace,
        env=runner.environment(command, "push", inputs) | client | host,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(runner: Runner, image: Image, command: str, **given: str) -> Step:
    with start(runner, image, command, **given) as process:
        out, err = process.communicate(timeout=120)
    return runner.left(Done(process.returncode, out, err))


@pytest.fixture(name="project")
def _project(team: Team) -> Path:
    return give(team.root, os.getuid())


def test_one_job_pushes_and_another_pulls(
    project: Path, team: Team, plain: Image, server: S3Server, tmp_path: Path
) -> None:
    clone = give(team.clone("clone"), os.getuid())

    pushed = run(Runner(project, tmp_path / "one", server.environment()), plain, "push")
    pulled = run(Runner(clone, tmp_path / "two", server.environment()), plain, "pull")

    for step in (pushed, pulled):
        assert step.code == 0, step
        assert step.outputs["status"] == "complete"
        assert step.outputs["runtime"] == "docker"
        assert step.summary
    assert {name: node[0] for name, node in tree(clone).items()} == FILES
    assert owners(clone) == owners(tmp_path / "two") == {os.getuid()}


def test_a_cancelled_job_ends_soon_and_says_so(
    pushed: Team, plain: Image, server: S3Server, tmp_path: Path
) -> None:
    clone = give(pushed.clone("clone"), os.getuid())
    with fault_proxy(server) as proxy:
        proxy.stall = True
        runner = Runner(clone, tmp_path / "runner", proxy.server.environment())
        with start(runner, plain, "pull") as process:
            deadline = time.monotonic() + 60
            while not proxy.requests and time.monotonic() < deadline:
                time.sleep(0.05)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            took = time.monotonic() - began
    step = runner.left(Done(process.returncode, out, err))

    assert step.code == 130, step
    assert took < 7
    assert step.outputs["status"] == "failed"
    assert step.outputs["exit-code"] == "130"
    assert leftovers(clone) == []
