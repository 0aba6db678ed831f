"""The configuration that we write, the real Pivot reads, changes and keeps."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests import buckets
from tests.conftest import Command
from tests.interop.conftest import RealPivot
from tests.projects import clone, unpack
from tests.servers import S3Server

BEFORE = """\
# What everybody in the project uses.
cache:
  checkout_mode: [hardlink, copy]  # no symlinks here
future_section:
  unknown: 1
"""


@pytest.fixture(name="project")
def _project(tmp_path: Path, pivot: Command, bucket: str, server: S3Server) -> Path:
    """Set everything that can be set, in a file that somebody has written by hand."""
    fixture = unpack("0.5.11", tmp_path / "fixture")
    buckets.fill(server, bucket, fixture.bucket)
    project = clone(fixture, tmp_path / "clone")
    shared = tmp_path / "shared"
    shared.mkdir()
    (project / ".pivot/config.yaml").write_text(BEFORE)
    for key, value in (
        ("remotes.origin", f"s3://{bucket}/pre/fix"),
        ("remotes.backup", f"s3://{bucket}/backup"),
        ("remotes.nas", shared.as_uri()),
        ("default_remote", "origin"),
        ("remote_options.backup.endpoint", "https://storage.example.com"),
        ("remote_options.backup.region", "eu-central-1"),
        ("remote.jobs", "7"),
        ("remote.retries", "3"),
        ("remote.connect_timeout", "9"),
        ("remote.read_timeout", "45"),
        ("cache.dir", ".pivot/cache"),
        ("core.max_workers", "1"),
        ("display.precision", "3"),
        ("diff.max_rows", "100"),
        ("watch.debounce", "200"),
    ):
        done = pivot("config", "set", key, value, cwd=project)
        assert done.code == 0, done
    return project


def test_the_real_one_lists_what_we_set(project: Path, real: RealPivot) -> None:
    listed = real("config", "list", cwd=project)

    assert listed.code == 0, listed
    for words in ("remote.jobs", "7", "default_remote", "origin", "diff.max_rows", "100"):
        assert words in listed.out, words
    assert "rror" not in listed.err


def test_the_real_one_lists_our_remotes_in_s3(project: Path, real: RealPivot, bucket: str) -> None:
    listed = real("remote", "list", cwd=project)

    assert listed.code == 0, listed
    assert f"s3://{bucket}/pre/fix" in listed.out
    assert f"s3://{bucket}/backup" in listed.out
    assert "file:" not in listed.out


def test_the_real_one_pulls_with_our_configuration(project: Path, real: RealPivot) -> None:
    pulled = real("pull", cwd=project)

    assert pulled.code == 0, pulled
    assert (project / "data/imgs/run.sh").exists()


def test_the_real_one_keeps_our_keys_and_comments_when_it_writes(
    project: Path, real: RealPivot, pivot: Command
) -> None:
    path = project / ".pivot/config.yaml"
    before = yaml.safe_load(path.read_text())

    done = real("config", "set", "remote.jobs", "5", cwd=project)

    assert done.code == 0, done
    before["remote"]["jobs"] = 5
    assert yaml.safe_load(path.read_text()) == before
    assert pivot("remote", "list", cwd=project).out.count("\n") == 3


def test_we_keep_what_the_real_one_wrote(project: Path, real: RealPivot, pivot: Command) -> None:
    path = project / ".pivot/config.yaml"
    real("config", "set", "core.run_history_retention", "11", cwd=project)
    before = yaml.safe_load(path.read_text())

    set_ = pivot("config", "set", "remote.jobs", "6", cwd=project)

    assert set_.code == 0, set_
    before["remote"]["jobs"] = 6
    assert yaml.safe_load(path.read_text()) == before
    assert "# no symlinks here" in path.read_text()


def test_a_clone_without_configuration_works_for_both(
    project: Path, real: RealPivot, pivot: Command
) -> None:
    shutil.copytree(project, other := project.with_name("other"), symlinks=True)
    (other / ".pivot/config.yaml").unlink()

    theirs, ours = real("config", "list", cwd=other), pivot("config", "list", cwd=other)

    assert (theirs.code, ours.code) == (0, 0), (theirs, ours)
