"""Projects that real releases of Pivot wrote: pulled and pushed byte for byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import Command
from tests.projects import SYMLINK_MODE, VERSIONS, Tree, clone, expected_workspace, tree, unpack
from tests.servers import S3Server


def contents(place: Tree) -> dict[str, object]:
    """Leave the modes out: which ones a pull gives is another test's matter."""
    return {name: node[0] for name, node in place.items()}


def executables(place: Tree) -> set[str]:
    return {name for name, (kind, mode) in place.items() if kind != "link" and int(mode) & 0o100}


@pytest.mark.parametrize("version", VERSIONS)
def test_pull_into_an_empty_clone_gives_the_workspace(
    version: str, tmp_path: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    fixture = unpack(version, tmp_path / "fixture")
    buckets.fill(server, bucket, fixture.bucket)
    project = clone(fixture, tmp_path / "clone")
    pivot("config", "set", "remotes.origin", f"s3://{bucket}/pre/fix", cwd=project)

    done = pivot("pull", cwd=project)

    assert done.code == 0, done
    assert contents(tree(project)) == contents(expected_workspace(fixture))


@pytest.mark.parametrize("version", ["0.3.11", "0.5.11"])
@pytest.mark.parametrize("mode", ["hardlink", "symlink", "copy"])
def test_pull_restores_the_recorded_exec_bits(
    version: str, mode: str, tmp_path: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    fixture = unpack(version, tmp_path / "fixture")
    buckets.fill(server, bucket, fixture.bucket)
    project = clone(fixture, tmp_path / "clone")
    pivot("config", "set", "remotes.origin", f"s3://{bucket}/pre/fix", cwd=project)

    done = pivot("pull", "--checkout-mode", mode, cwd=project)

    assert done.code == 0, done
    for name in ("data/demo/tree.dat/run.sh", "data/imgs/run.sh"):
        assert (project / name).stat().st_mode & 0o100, name
    assert not (project / "data/demo/tree.dat/same-not-exec").stat().st_mode & 0o111


@pytest.mark.parametrize("version", VERSIONS)
def test_push_gives_the_bucket(
    version: str, tmp_path: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    fixture = unpack(version, tmp_path / "fixture")
    project = clone(fixture, tmp_path / "clone")
    shutil.copytree(fixture.cache, project / ".pivot" / "cache")
    pivot("config", "set", "remotes.origin", f"s3://{bucket}/pre/fix", cwd=project)

    done = pivot("push", cwd=project)

    assert done.code == 0, done
    assert buckets.contents(server, bucket) == buckets.folder_contents(fixture.bucket)


def test_a_cache_that_prefers_symlinks_is_pushed_without_its_trees(
    tmp_path: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    fixture = unpack(SYMLINK_MODE, tmp_path / "fixture")
    project = clone(fixture, tmp_path / "clone")
    shutil.copytree(fixture.cache, project / ".pivot" / "cache")
    pivot("config", "set", "remotes.origin", f"s3://{bucket}/p", cwd=project)

    done = pivot("push", "-r", "origin", cwd=project)

    assert done.code == 0, done
    names = {
        path.replace("/", "") for path in buckets.folder_contents(project / ".pivot/cache/files")
    }
    pushed = {key.removeprefix("p/files/").replace("/", "") for key in buckets.keys(server, bucket)}
    assert pushed <= names
    assert not any(len(name) != 16 for name in pushed)
