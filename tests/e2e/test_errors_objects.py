"""Objects that are missing or wrong: named by path and stage, and all others arrive."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import Command
from tests.e2e.weather import (
    OBJECTS,
    OUTPUTS,
    assert_sentence,
    leftovers,
    make_project,
    without_cache,
)
from tests.projects import digest, objects
from tests.servers import S3Server


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str) -> Path:
    return make_project(tmp_path / "project", bucket)


@pytest.fixture(name="clone")
def _clone(project: Path, tmp_path: Path, pivot: Command) -> Path:
    """Push the project; here is another clone of it, which has nothing yet."""
    done = pivot("push", cwd=project)
    assert done.code == 0, done
    return without_cache(project, tmp_path / "clone")


def key(content: bytes) -> str:
    name = digest(content)
    return f"p/files/{name[:2]}/{name[2:]}"


def cache_of(project: Path) -> dict[str, bytes]:
    return objects(project / ".pivot/cache")


def test_an_object_that_is_missing_on_the_remote(
    clone: Path, project: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    lost = OUTPUTS["data/a.bin"]
    assert isinstance(lost, bytes)
    buckets.delete(server, bucket, key(lost))

    done = pivot("pull", cwd=clone)
    pivot("push", cwd=project)
    again = pivot("pull", cwd=clone)

    assert_sentence(done, 3, "data/a.bin", "make/a", "pivot push")
    assert (clone / "data/b.bin").read_bytes() == OUTPUTS["data/b.bin"]
    assert (clone / "data/tree/sub/y.txt").exists()
    assert again.code == 0, again
    assert (clone / "data/a.bin").read_bytes() == lost
    assert leftovers(clone) == []


def test_a_directory_with_a_missing_file_does_not_appear(
    clone: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    buckets.delete(server, bucket, key(b"y" * 700))

    done = pivot("pull", cwd=clone)

    assert_sentence(done, 3, "data/tree/sub/y.txt", "make/tree")
    assert not (clone / "data/tree").exists()
    assert digest(b"x" * 500) in cache_of(clone)


@pytest.mark.parametrize(
    "wrong", [b"fir5t" * 2000, b"first" * 1999, b"first" * 2001, b"", b"other"]
)
def test_wrong_bytes_in_the_bucket_are_not_let_in(
    wrong: bytes, clone: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    right = OUTPUTS["data/a.bin"]
    assert isinstance(right, bytes)
    buckets.put(server, bucket, key(right), wrong)

    done = pivot("pull", cwd=clone)
    buckets.put(server, bucket, key(right), right)
    again = pivot("pull", cwd=clone)

    assert_sentence(done, 5, "data/a.bin", digest(right))
    assert (clone / "data/b.bin").read_bytes() == OUTPUTS["data/b.bin"]
    assert again.code == 0, again
    assert (clone / "data/a.bin").read_bytes() == right


def test_wrong_bytes_reach_neither_cache_nor_workspace(
    clone: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    buckets.put(server, bucket, key(b"x" * 500), b"z" * 500)

    done = pivot("pull", cwd=clone)

    assert_sentence(done, 5, "data/tree/x.txt")
    assert not (clone / "data/tree").exists()
    assert all(name == digest(body) for name, body in cache_of(clone).items())
    assert len(cache_of(clone)) == OBJECTS - 1
    assert leftovers(clone) == []


def test_a_damaged_object_of_the_local_cache_is_not_pushed(
    project: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    good = OUTPUTS["data/a.bin"]
    assert isinstance(good, bytes)
    name = digest(good)
    path = project / ".pivot/cache/files" / name[:2] / name[2:]
    path.chmod(0o644)
    path.write_bytes(good[:-1] + b"!")

    done = pivot("push", cwd=project)
    path.write_bytes(good)
    again = pivot("push", cwd=project)

    assert_sentence(done, 5, "data/a.bin", "damaged", str(path))
    assert "4 transferred" in done.out
    assert again.code == 0, again
    assert buckets.contents(server, bucket)[key(good)] == good


def test_an_object_that_is_nowhere_fails_the_push_by_path(
    project: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    name = digest(b"x" * 500)
    (project / ".pivot/cache/files" / name[:2] / name[2:]).unlink()

    done = pivot("push", cwd=project)

    assert_sentence(done, 3, "data/tree/x.txt", "make/tree", name)
    assert len(buckets.keys(server, bucket)) == OBJECTS - 1


def test_a_bucket_that_was_emptied_is_filled_again(
    project: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    pivot("push", cwd=project)
    before = buckets.contents(server, bucket)
    for name in before:
        buckets.delete(server, bucket, name)

    done = pivot("push", cwd=project)

    assert done.code == 0, done
    assert buckets.contents(server, bucket) == before


def test_a_remote_object_of_the_wrong_size_is_not_taken_for_pushed(
    project: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    buckets.put(server, bucket, key(b"x" * 500), b"short")

    done = pivot("push", cwd=project)
    buckets.delete(server, bucket, key(b"x" * 500))
    again = pivot("push", cwd=project)

    assert_sentence(done, 5, "data/tree/x.txt", "5 bytes instead of 500")
    assert again.code == 0, again
