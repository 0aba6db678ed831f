"""`--timeout` and `--max-size`: a command that would take too long, or move too much."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import Command
from tests.e2e.test_report import valid
from tests.e2e.weather import assert_sentence, leftovers, make_project, through, without_cache
from tests.projects import objects
from tests.servers import S3Server

BIG = b"b" * 300_000


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str) -> Path:
    return make_project(tmp_path / "project", bucket, {"data/big.bin": BIG, "data/small": b"s"})


@pytest.fixture(name="clone")
def _clone(project: Path, tmp_path: Path, pivot: Command) -> Path:
    done = pivot("push", cwd=project)
    assert done.code == 0, done
    return without_cache(project, tmp_path / "clone")


@pytest.mark.parametrize("word", ["push", "pull", "fetch"])
def test_what_takes_too_long_ends_with_124_and_the_next_completes(
    word: str, project: Path, clone: Path, pivot: Command, server: S3Server
) -> None:
    place = project if word == "push" else clone
    with through(server, pivot) as (proxy, command):
        proxy.stall = True
        began = time.monotonic()
        done = command(word, "--timeout", "2s", cwd=place)
        took = time.monotonic() - began
    again = pivot(word, "--timeout", "10m", cwd=place)

    assert done.code == 124, done
    assert done.err.splitlines()[-1] == "Timed out after 2 s. The same command again completes."
    assert "Traceback" not in done.err
    assert 2 <= took < 10
    assert leftovers(place) == []
    assert again.code == 0, again


def test_what_takes_too_long_says_so_in_json_as_well(
    clone: Path, pivot: Command, server: S3Server
) -> None:
    with through(server, pivot) as (proxy, command):
        proxy.stall = True
        done = command("pull", "--timeout", "1s", "--json", cwd=clone)

    told = valid(done.out, "report")
    assert done.code == told["exit_code"] == 124
    assert [(each["message"], each["code"]) for each in told["problems"]] == [
        ("Timed out after 1 s", 124)
    ]


def test_who_was_to_read_the_json_may_be_gone(
    clone: Path, pivot: Command, server: S3Server
) -> None:
    with through(server, pivot) as (proxy, command):
        proxy.stall = True
        process = subprocess.Popen(
            [sys.executable, "-m", "pivot", "pull", "--timeout", "1s", "--json"],
            cwd=clone,
            env=command.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.close()
        _, said = process.communicate()

    assert process.returncode == 124
    assert said.splitlines()[-1] == b"Timed out after 1 s. The same command again completes."


def test_what_is_done_in_time_is_not_disturbed(clone: Path, pivot: Command) -> None:
    for word in ("fetch", "checkout", "pull"):
        done = pivot(word, "--timeout", "5m", cwd=clone)
        assert done.code == 0, done


@pytest.mark.parametrize("word", ["pull", "fetch"])
def test_more_than_may_be_moved_is_refused_before_the_first_byte(
    word: str, clone: Path, pivot: Command, server: S3Server
) -> None:
    with through(server, pivot) as (proxy, command):
        done = command(word, "--max-size", "300kB", cwd=clone)
        gets = proxy.count("GET", "object")

    assert_sentence(done, 7, "300001 bytes are to be moved, and no more than 300000 may be")
    assert "Tip: raise the limit, or name the stages that are needed" in done.err
    assert gets == 0
    assert objects(clone / ".pivot/cache") == {}


def test_push_has_the_limit_too(
    project: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    done = pivot("push", "--max-size=1k", cwd=project)

    assert_sentence(done, 7, "no more than 1000 may be")
    assert buckets.contents(server, bucket) == {}


def test_what_is_there_does_not_count(clone: Path, pivot: Command) -> None:
    assert pivot("fetch", "data/big.bin", cwd=clone).code == 0
    assert pivot("pull", "--max-size", "1B", cwd=clone).code == 0


def test_a_plan_is_shown_whatever_its_size(clone: Path, pivot: Command) -> None:
    done = pivot("pull", "--dry-run", "--max-size", "1B", cwd=clone)
    assert done.code == 0, done


@pytest.mark.parametrize(
    ("option", "text"), [("--timeout", "soon"), ("--timeout", "0"), ("--max-size", "much")]
)
def test_what_is_no_time_or_size_is_refused(
    option: str, text: str, clone: Path, pivot: Command
) -> None:
    done = pivot("pull", option, text, cwd=clone)

    assert done.code == 2
    assert f"Invalid value for '{option}': '{text}' must be a" in done.err
