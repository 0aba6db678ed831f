"""A disk with room for bytes and none for more files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import Command
from tests.e2e.weather import assert_sentence, leftovers, without_cache
from tests.projects import Content, ProjectBuilder, digest, objects
from tests.servers import S3Server
from tests.torture.namespace import on_a_disk

COUNT = 150
TREE: Content = {f"{number:03}.bin": b"%d" % number for number in range(COUNT)}
SHELVES = len({digest(b"%d" % number)[:2] for number in range(COUNT)})


@pytest.fixture(name="clone", scope="module")
def _clone(
    tmp_path_factory: pytest.TempPathFactory, new_bucket: Callable[[], str], server: S3Server
) -> Path:
    bucket = new_bucket()
    root = tmp_path_factory.mktemp("inodes")
    builder = ProjectBuilder(root / "project").config(f"remotes:\n  origin: s3://{bucket}\n")
    builder.stage("small", {"out/one.bin": b"0"})
    builder.stage("tree", {"out/tree": TREE})
    buckets.fill(server, bucket, builder.root / ".pivot/cache")
    return without_cache(builder.root, root / "clone")


@pytest.mark.usefixtures("can_mount")
@pytest.mark.parametrize(
    ("inodes", "said"),
    [(COUNT, "inodes are free"), (COUNT + 40, "No space left"), (COUNT + SHELVES, "No space left")],
    ids=["too few at once", "too few for shelves", "too few for the workspace"],
)
def test_a_disk_without_room_for_more_files(
    inodes: int, said: str, clone: Path, tmp_path: Path, pivot: Command
) -> None:
    place = shutil.copytree(clone, tmp_path / "clone")

    done, after = on_a_disk(f"size=8m,nr_inodes={inodes}", place, "pull", pivot=pivot)
    kept = objects(after / ".pivot/cache")
    left = leftovers(after)
    again = pivot("pull", cwd=after)

    assert_sentence(done, 7, said)
    assert f"Fetched from 'origin': {len(kept)} transferred" in done.out
    assert all(digest(body) == name for name, body in kept.items())
    assert left == []
    assert again.code == 0, again
    assert {path.name: path.read_bytes() for path in (after / "out/tree").iterdir()} == TREE
