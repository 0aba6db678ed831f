"""What the real Pivot pushes, we pull; and where it has pushed, we have nothing to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import Command
from tests.interop.conftest import RealPivot
from tests.interop.projects import counts, git_clone, make_project, repro, states
from tests.projects import Tree, tree
from tests.servers import S3Server

STAGES = 3


@pytest.fixture(name="shared_bucket", scope="module")
def _shared_bucket(new_bucket: Callable[[], str]) -> str:
    return new_bucket()


@pytest.fixture(name="made", scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory, real: RealPivot, shared_bucket: str) -> Path:
    """A project that the real Pivot made and pushed; no test changes it."""
    root = tmp_path_factory.mktemp("real") / "made"
    project = make_project(real, root, f"s3://{shared_bucket}/p")
    done = real("push", cwd=project)
    assert done.code == 0, done
    return project


def contents(place: Tree) -> dict[str, object]:
    """Drop modes, and follow links: how a file is placed is a matter of the checkout mode."""
    return {
        name: Path(str(node[1])).read_bytes() if node[0] == "link" else node[0]
        for name, node in place.items()
        if "__pycache__" not in name
    }


@pytest.mark.parametrize("mode", ["hardlink", "symlink", "copy"])
def test_what_the_real_one_pushes_we_pull(
    mode: str, made: Path, tmp_path: Path, pivot: Command, real: RealPivot
) -> None:
    project = git_clone(made, tmp_path / "clone")

    pulled = pivot("pull", "--checkout-mode", mode, cwd=project)

    assert pulled.code == 0, pulled
    assert contents(tree(project)) == contents(tree(made))
    for name in ("data/demo/tree.dat/run.sh", "data/imgs/tool"):
        assert (project / name).stat().st_mode & 0o100, name
    assert not (project / "data/demo/tree.dat/run-not.sh").stat().st_mode & 0o111
    assert (project / "data/demo/tree.dat/empty/inner").is_dir()
    assert (project / "data/imgs/nothing").is_dir()
    assert repro(real, project) == (0, STAGES, 0)
    assert states(real, project) == {"cached", "clean"}


def test_where_the_real_one_pushed_we_have_nothing_to_push(
    made: Path, pivot: Command, shared_bucket: str, server: S3Server
) -> None:
    before = buckets.contents(server, shared_bucket)

    transferred, skipped, failed = counts(pivot("push", cwd=made))

    assert (transferred, skipped, failed) == (0, len(before), 0)
    assert buckets.contents(server, shared_bucket) == before


def test_we_push_from_the_cache_of_the_real_one_what_it_would_push(
    made: Path, pivot: Command, shared_bucket: str, bucket: str, server: S3Server
) -> None:
    by_the_real_one = buckets.contents(server, shared_bucket)
    pivot("config", "set", "--global", "remotes.other", f"s3://{bucket}/p", cwd=made)

    done = pivot("push", "-r", "other", cwd=made)

    assert done.code == 0, done
    assert buckets.contents(server, bucket) == by_the_real_one


def test_after_our_pull_a_changed_input_makes_the_real_one_run_again(
    made: Path, tmp_path: Path, pivot: Command, real: RealPivot
) -> None:
    project = git_clone(made, tmp_path / "clone")
    pulled = pivot("pull", cwd=project)
    source = project / "data" / "raw.txt"
    source.unlink()
    source.write_text("other text\n")
    shutil.rmtree(project / "data" / "demo" / "tree.dat")

    ran, _, failed = repro(real, project)

    assert pulled.code == 0, pulled
    assert (ran, failed) == (STAGES, 0)
