"""What we pushed, the real Pivot finds through our locks: in other projects, at a revision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.interop.conftest import RealPivot
from tests.interop.locks import write_locks
from tests.interop.projects import git, git_clone

CAFE = "caf\u00e9\n".encode()

PIPELINE = """\
from pivot import Pipeline, stage


@stage
def train(raw: str) -> str:
    return raw


with Pipeline("sub") as pipeline:
    train(pipeline.input("raw", t=str, path="data/raw.csv"))
"""
"""A pipeline of the real Pivot that has one stage of ours, `sub/train`."""


@pytest.fixture(name="source")
def _source(tmp_path: Path, pivot: Command, bucket: str) -> Path:
    """A git repository with our locks, whose outputs are on the remote and nowhere else."""
    write_locks(root := tmp_path / "made")
    git(root, "init", "--quiet", "--initial-branch=main")
    for arguments in (("config", "set", "remotes.origin", f"s3://{bucket}/p"), ("push",)):
        done = pivot(*arguments, cwd=root)
        assert done.code == 0, done
    git(root, "add", ".pivot/config.yaml", ".pivot/stages", "metrics.json")
    git(root, "commit", "--quiet", "--message", "one")
    source = git_clone(root, tmp_path / "source")
    git(source, "remote", "remove", "origin")  # whose `main` would be asked for, too
    # The real one asks `git archive` for a commit by its hash; a server must allow that.
    git(source, "config", "uploadArchive.allowUnreachable", "true")
    return source


@pytest.fixture(name="old")
def _old(real_release: Callable[[str], RealPivot]) -> RealPivot:
    return real_release("0.1.0")


@pytest.fixture(name="other")
def _other(tmp_path: Path) -> Path:
    """Another project, which has nothing yet."""
    root = tmp_path / "other"
    (root / ".pivot").mkdir(parents=True)
    git(root, "init", "--quiet")
    return root


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train:out/clean.txt", b"x"),
        ("train:out/parts/run.sh", b"#!/bin/sh\n"),
        ("train@a_b:out/a_b.1", b"n258"),
        ("train@a_b:out/a_b.2", b"n55477"),
        ("sub/train", CAFE),
    ],
)
def test_the_newest_imports_an_output_by_stage_and_key(
    source: Path, other: Path, real: RealPivot, name: str, content: bytes
) -> None:
    done = real("import", source, name, "--out", "got", cwd=other)

    assert done.code == 0, done
    assert (other / "got").read_bytes() == content


@pytest.mark.parametrize(
    ("path", "content"),
    [("out/clean.txt", b"x"), ("out/parts/run.sh", b"#!/bin/sh\n"), ("out/a_b.2", b"n55477")],
)
def test_0_1_0_imports_an_output_by_its_path(
    source: Path, other: Path, old: RealPivot, path: str, content: bytes
) -> None:
    # 0.1.0 reads `train.lock` again for `sub/train`, and then finds each output twice.
    git(source, "rm", "-r", "--quiet", ".pivot/stages/sub")
    git(source, "commit", "--quiet", "--message", "two")

    done = old("import", source, path, "--out", "got", cwd=other)

    assert done.code == 0, done
    assert (other / "got").read_bytes() == content


def test_0_1_0_gets_what_we_fetched_by_its_stage_at_a_revision(
    source: Path, old: RealPivot, pivot: Command
) -> None:
    fetched = pivot("fetch", cwd=source)

    done = old("get", "--rev", "HEAD", "train@a_b", cwd=source)

    assert (fetched.code, done.code) == (0, 0), (fetched, done)
    made = {path.name: path.read_bytes() for path in (source / "out").iterdir()}
    assert made == {"a_b.1": b"n258", "a_b.2": b"n55477", "a_b.3": b"n733"}


def test_the_newest_gets_what_we_fetched_if_its_pipeline_has_the_stage(
    source: Path, real: RealPivot, pivot: Command
) -> None:
    fetched = pivot("fetch", cwd=source)
    (source / "pipeline.py").write_text(PIPELINE)

    done = real("get", "--rev", "HEAD", "sub/train", cwd=source)

    assert (fetched.code, done.code) == (0, 0), (fetched, done)
    assert (source / "out/caf\u00e9 noir.txt").read_bytes() == CAFE


@pytest.mark.parametrize("option", ["--remote", "--json"])
def test_status_takes_our_locks_as_they_are(source: Path, real: RealPivot, option: str) -> None:
    without = real("status", option, cwd=source)
    (source / "pipeline.py").write_text(PIPELINE)

    with_pipeline = real("status", option, cwd=source)

    assert without.code == 0, without
    assert with_pipeline.code == 0, with_pipeline


def test_status_counts_those_of_our_locks_that_its_pipeline_has_not(
    source: Path, real: RealPivot
) -> None:
    (source / "pipeline.py").write_text(PIPELINE)

    done = real("status", cwd=source)

    assert done.code == 0, done
    assert "3 orphaned lock files" in done.out
