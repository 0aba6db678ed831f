"""What we push, fetch and place is what the real Pivot expects."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import Command
from tests.interop.conftest import RealPivot
from tests.interop.projects import counts, forget, repro, states
from tests.projects import Fixture, clone, expected_workspace, tree, unpack
from tests.servers import S3Server

STAGES = 8


@pytest.fixture(name="fixture")
def _fixture(tmp_path: Path) -> Fixture:
    return unpack("0.5.11", tmp_path / "fixture")


def with_remote(fixture: Fixture, directory: Path, url: str, pivot: Command) -> Path:
    project = clone(fixture, directory)
    done = pivot("config", "set", "remotes.origin", url, cwd=project)
    assert done.code == 0, done
    return project


def texts(place: Path) -> dict[str, object]:
    return {name: node[0] for name, node in tree(place).items() if not name.startswith("__")}


def test_what_we_push_the_real_one_pulls_and_need_not_run(
    fixture: Fixture, tmp_path: Path, pivot: Command, real: RealPivot, bucket: str
) -> None:
    ours = with_remote(fixture, tmp_path / "ours", f"s3://{bucket}/p", pivot)
    shutil.copytree(fixture.cache, ours / ".pivot" / "cache")
    pushed = pivot("push", cwd=ours)
    theirs = with_remote(fixture, tmp_path / "theirs", f"s3://{bucket}/p", pivot)

    pulled = real("pull", cwd=theirs)

    assert pushed.code == 0, pushed
    assert pulled.code == 0, pulled
    assert repro(real, theirs) == (0, STAGES, 0)
    assert states(real, theirs) == {"cached", "clean"}


@pytest.mark.parametrize("mode", ["hardlink", "symlink", "copy"])
def test_after_our_pull_the_real_one_need_not_run(
    mode: str,
    fixture: Fixture,
    tmp_path: Path,
    pivot: Command,
    real: RealPivot,
    bucket: str,
    server: S3Server,
) -> None:
    buckets.fill(server, bucket, fixture.bucket)
    project = with_remote(fixture, tmp_path / "clone", f"s3://{bucket}/pre/fix", pivot)

    pulled = pivot("pull", "--checkout-mode", mode, cwd=project)

    assert pulled.code == 0, pulled
    assert repro(real, project) == (0, STAGES, 0)
    assert states(real, project) == {"cached", "clean"}


def test_the_real_one_checks_out_of_the_cache_that_we_fetched(
    fixture: Fixture,
    tmp_path: Path,
    pivot: Command,
    real: RealPivot,
    bucket: str,
    server: S3Server,
) -> None:
    buckets.fill(server, bucket, fixture.bucket)
    project = with_remote(fixture, tmp_path / "clone", f"s3://{bucket}/pre/fix", pivot)
    fetched = pivot("fetch", cwd=project)

    placed = real("checkout", cwd=project)

    assert fetched.code == 0, fetched
    assert placed.code == 0, placed
    wanted = {name: node[0] for name, node in expected_workspace(fixture).items()}
    assert texts(project) == wanted


def test_the_real_one_finds_all_that_we_pushed(
    fixture: Fixture, tmp_path: Path, pivot: Command, real: RealPivot, bucket: str
) -> None:
    project = with_remote(fixture, tmp_path / "ours", f"s3://{bucket}/p", pivot)
    shutil.copytree(fixture.cache, project / ".pivot" / "cache")
    pushed = counts(pivot("push", cwd=project))
    forget(project)

    again = counts(real("push", cwd=project))

    assert pushed[0] > 20
    assert again == (0, pushed[0], 0)
