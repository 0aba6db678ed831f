"""Ctrl-C, SIGTERM and kill -9 in the middle, and two commands at once."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from tests import buckets
from tests.conftest import Command
from tests.e2e.weather import leftovers, through, without_cache
from tests.projects import ProjectBuilder, digest, objects, tree
from tests.servers import FaultProxy, S3Server

FILES = {f"{number // 10}/{number:02}.bin": b"%03d" % number * 700 for number in range(40)}
BIG = random.Random(7).randbytes(20 << 20)


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str) -> Path:
    builder = ProjectBuilder(tmp_path / "project")
    builder.stage("make", {"data/tree": FILES, "data/big.bin": BIG})
    builder.config(f"remotes:\n  origin: s3://{bucket}/p\nremote:\n  jobs: 4\n  retries: 3\n")
    return builder.root


@pytest.fixture(name="clone")
def _clone(project: Path, tmp_path: Path, pivot: Command) -> Path:
    done = pivot("push", cwd=project)
    assert done.code == 0, done
    return without_cache(project, tmp_path / "clone")


def wait_for(condition: Callable[[], bool], process: Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it never came so far"
        time.sleep(0.01)


def assert_whole_or_absent(clone: Path) -> None:
    """Nothing under a final name is partial; a directory output is complete or not there."""
    for name, body in objects(clone / ".pivot/cache").items():
        assert digest(body) == name
    big, whole = clone / "data/big.bin", clone / "data/tree"
    assert not big.exists() or big.read_bytes() == BIG
    assert not whole.exists() or {k: v[0] for k, v in tree(whole).items()} == FILES


def assert_complete(clone: Path) -> None:
    assert {name: node[0] for name, node in tree(clone / "data").items()} == {
        "big.bin": BIG,
        **{f"tree/{name}": body for name, body in FILES.items()},
    }
    assert leftovers(clone) == []
    assert len(objects(clone / ".pivot/cache")) == len(FILES) + 1


def assert_bucket_complete(server: S3Server, bucket: str) -> None:
    bodies = buckets.contents(server, bucket)
    assert len(bodies) == len(FILES) + 1
    assert all(digest(body) == key[8:].replace("/", "") for key, body in bodies.items())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_pull_ends_soon_and_the_next_completes(
    number: signal.Signals, clone: Path, pivot: Command, server: S3Server
) -> None:
    with through(server, pivot) as (proxy, command):
        proxy.delay = 0.5
        process = command.start("pull", cwd=clone)
        with process:
            wait_for(lambda: proxy.count("GET", "object") >= 5, process)
            began = time.monotonic()
            process.send_signal(number)
            _, err = process.communicate(timeout=30)
        took = time.monotonic() - began
    assert_whole_or_absent(clone)
    again = pivot("pull", cwd=clone)

    assert process.returncode == 130
    assert "Interrupted" in err
    assert "Traceback" not in err
    assert took < 5
    assert again.code == 0, again
    assert_complete(clone)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_push_ends_soon_and_the_next_completes(
    number: signal.Signals, project: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    with through(server, pivot) as (proxy, command):
        proxy.delay = 0.5
        process = command.start("push", cwd=project)
        with process:
            wait_for(lambda: proxy.count("PUT") >= 5, process)
            began = time.monotonic()
            process.send_signal(number)
            _, err = process.communicate(timeout=30)
        took = time.monotonic() - began
    again = pivot("push", cwd=project)

    assert process.returncode == 130
    assert "Interrupted" in err
    assert "Traceback" not in err
    assert took < 5
    assert again.code == 0, again
    assert_bucket_complete(server, bucket)


def test_an_interrupt_while_waiting_for_a_server_that_never_answers(
    clone: Path, pivot: Command, server: S3Server
) -> None:
    with through(server, pivot) as (proxy, command):
        proxy.stall = True
        process = command.start("pull", cwd=clone)
        with process:
            wait_for(lambda: proxy.count() >= 1, process)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        took = time.monotonic() - began

    assert process.returncode == 130
    assert took < 5


def kill_when(
    so_far: Callable[[FaultProxy], bool], word: str, place: Path, pivot: Command, server: S3Server
) -> None:
    """Kill a command without warning once it has come so far, or let it end."""
    with through(server, pivot) as (proxy, command):
        proxy.delay = 0.02
        process = command.start(word, cwd=place)
        with process:
            deadline = time.monotonic() + 30
            while process.poll() is None and not so_far(proxy) and time.monotonic() < deadline:
                time.sleep(0.001)
            process.kill()


def sizes(cache: Path) -> Iterator[int]:
    """Measure files that are under way; each may be gone at any moment."""
    for path in [*cache.glob("tmp/*/*"), *cache.glob("partial/*")]:
        with contextlib.suppress(FileNotFoundError):
            yield path.stat().st_size


@pytest.mark.parametrize("moment", ["asking", "first", "half", "all asked", "big", "placing"])
def test_a_killed_pull_is_completed_by_the_next(
    moment: str, clone: Path, pivot: Command, server: S3Server
) -> None:
    moments: dict[str, Callable[[FaultProxy], bool]] = {
        "asking": lambda proxy: proxy.count() >= 1,
        "first": lambda proxy: proxy.count("GET", "object") >= 1,
        "half": lambda proxy: proxy.count("GET", "object") >= 20,
        "all asked": lambda proxy: proxy.count("GET", "object") >= 41,
        "big": lambda proxy: any(size > 1 << 20 for size in sizes(clone / ".pivot/cache")),
        "placing": lambda proxy: (clone / "data").exists(),
    }

    kill_when(moments[moment], "pull", clone, pivot, server)
    assert_whole_or_absent(clone)
    again = pivot("pull", cwd=clone)

    assert again.code == 0, again
    assert_complete(clone)


@pytest.mark.parametrize("moment", ["first", "half", "parts"])
def test_a_killed_push_is_completed_by_the_next(
    moment: str, project: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    moments: dict[str, Callable[[FaultProxy], bool]] = {
        "first": lambda proxy: proxy.count("PUT") >= 1,
        "half": lambda proxy: proxy.count("PUT") >= 20,
        "parts": lambda proxy: any("uploadId=" in target for _, target in list(proxy.requests)),
    }

    kill_when(moments[moment], "push", project, pivot, server)
    for key, body in buckets.contents(server, bucket).items():
        assert digest(body) == key[8:].replace("/", "")
    again = pivot("push", cwd=project)

    assert again.code == 0, again
    assert_bucket_complete(server, bucket)


def test_two_pulls_at_once_in_one_workspace(clone: Path, pivot: Command) -> None:
    processes = [pivot.start("pull", cwd=clone) for _ in range(2)]

    said = []
    for process in processes:
        with process:
            said.append((*process.communicate(timeout=60), process.returncode))

    assert [code for _, _, code in said] == [0, 0], said
    assert_complete(clone)


def test_two_pushes_at_once(project: Path, pivot: Command, bucket: str, server: S3Server) -> None:
    processes = [pivot.start("push", cwd=project) for _ in range(2)]

    said = []
    for process in processes:
        with process:
            said.append((*process.communicate(timeout=60), process.returncode))

    assert [code for _, _, code in said] == [0, 0], said
    assert_bucket_complete(server, bucket)
