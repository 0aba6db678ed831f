"""What the workflow `action-selftest` needs around the action: a server, a project, assertions.

`begin` starts SeaweedFS, tells later steps of it, and makes the project `selftest`; `expect`
compares the outputs of a step; `forget` removes outputs and cache; `forks` plays a pull request
from a fork; `end` stops the server.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import ROOT
from tests.e2e.ci import FORK, Runner, pull_request_event
from tests.servers import seaweedfs

PROJECT = ROOT / "selftest"
BUCKET = "selftest"
PIPELINE = """\
stages:
  prepare:
    cmd: mkdir -p data && sort raw.txt > data/sorted.txt
    deps: [raw.txt]
    outs: [data/sorted.txt]
  count:
    cmd: wc -l < data/sorted.txt > data/count.txt
    deps: [data/sorted.txt]
    outs: [data/count.txt]
"""
PATIENCE = 60  # seconds


def begin() -> None:
    """Start the server, and leave a project whose lock files name what nobody has pushed."""
    place = server_place()
    place.mkdir(parents=True)
    with (place / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.selftest", "serve", place],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (place / "pid").write_text(str(server.pid))
    wait_for(place / "environment")
    variables = (place / "environment").read_text()
    if "GITHUB_ENV" in os.environ:
        with Path(os.environ["GITHUB_ENV"]).open("a") as file:
            file.write(variables)
    PROJECT.mkdir()
    (PROJECT / ".pivot").mkdir()
    (PROJECT / ".pivot/config.yaml").write_text(f"remotes:\n  origin: s3://{BUCKET}/cache\n")
    (PROJECT / "raw.txt").write_text("two\none\nthree\n")
    (PROJECT / "pivot.yaml").write_text(PIPELINE)
    command = [sys.executable, "-m", "pivot", "repro", "--quiet"]
    subprocess.run(command, cwd=PROJECT, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    forget()


def server_place() -> Path:
    """Say where the server keeps its files."""
    return Path(os.environ.get("RUNNER_TEMP") or tempfile.gettempdir()) / "selftest-server"


def end() -> None:
    """Stop the server."""
    os.kill(int((server_place() / "pid").read_text()), signal.SIGTERM)


def serve(place: Path) -> None:
    """Run the server until the machine ends, and say where it is."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with seaweedfs(place) as server:
        server.make_bucket(BUCKET)
        lines = "".join(f"{name}={value}\n" for name, value in server.environment().items())
        (place / "environment.new").write_text(lines)
        (place / "environment.new").rename(place / "environment")
        signal.sigwait({signal.SIGTERM})


def wait_for(path: Path) -> None:
    """Wait until *path* is there."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > deadline:
            sys.exit(f"the server did not start: {(path.parent / 'log').read_text()}")
        time.sleep(0.1)


def expect(*wanted: str) -> None:
    """Compare what a step left in OUTPUTS and OUTCOME with `name=value` words."""
    found = json.loads(os.environ["OUTPUTS"]) | {"outcome": os.environ.get("OUTCOME", "")}
    for word in wanted:
        name, _, value = word.partition("=")
        if found.get(name) != value:
            sys.exit(f"{name} is {found.get(name)!r}, not {value!r}; all: {found}")
    print("as expected:", *wanted)


def forget() -> None:
    """Remove what another machine would not have."""
    shutil.rmtree(PROJECT / ".pivot/cache", ignore_errors=True)
    shutil.rmtree(PROJECT / "data", ignore_errors=True)


def forks() -> None:
    """Play a pull request from a fork: without credentials it is skipped, a push is refused."""
    forget()
    place = Path(tempfile.mkdtemp())
    endpoint = {n: os.environ[n] for n in ("AWS_ENDPOINT_URL", "AWS_REGION")}
    keys = {n: os.environ[n] for n in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    event = pull_request_event(FORK)
    for command, variables, status in (
        ("pull", endpoint, "skipped-no-credentials"),
        ("push", endpoint | keys, "refused-untrusted"),
    ):
        runner = Runner(PROJECT, place / command, variables)
        step = runner(command, event="pull_request", payload=event)
        if (step.code, step.outputs["status"]) != (0, status):
            sys.exit(f"{command} from a fork: {step}")
        print(f"{command} from a fork: {status}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["begin"]:
            begin()
        case ["serve", where]:
            serve(Path(where))
        case ["expect", *words]:
            expect(*words)
        case ["forget"]:
            forget()
        case ["end"]:
            end()
        case ["forks"]:
            forks()
        case _:
            sys.exit(__doc__)
