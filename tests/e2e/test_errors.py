"""Bad days before and during a transfer: one exit code, one sentence, nothing lost."""

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
    through,
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


# --- before anything is sent ---------------------------------------------------------------------


def test_outside_of_a_project(tmp_path: Path, pivot: Command) -> None:
    done = pivot("pull", cwd=tmp_path)

    assert_sentence(done, 2, "No .pivot directory", "pivot init")


def test_an_unknown_remote(project: Path, pivot: Command) -> None:
    done = pivot("push", "-r", "nowhere", cwd=project)

    assert_sentence(done, 2, "'nowhere' not found", "pivot remote list")


def test_several_remotes_and_no_default(project: Path, pivot: Command, bucket: str) -> None:
    pivot("config", "set", "remotes.other", f"s3://{bucket}/q", cwd=project)

    done = pivot("push", cwd=project)

    assert_sentence(done, 2, "No default remote", "-r <name>", "default_remote")


def test_no_remote_at_all(project: Path, pivot: Command) -> None:
    pivot("config", "unset", "remotes.origin", cwd=project)

    done = pivot("pull", cwd=project)

    assert_sentence(done, 2, "No remotes configured", "pivot config set remotes.<name> <url>")


@pytest.mark.parametrize("url", ["https://example.org/b", "gs://bucket/p", "s3://", "bucket/p"])
def test_a_url_that_is_not_s3(url: str, project: Path, pivot: Command) -> None:
    done = pivot("config", "set", "remotes.other", url, cwd=project)

    assert_sentence(done, 2, "s3://bucket/prefix", url)


@pytest.mark.parametrize(
    "file", [".pivot/config.yaml", ".pivot/stages/make/a.lock", "data/raw.pvt"]
)
def test_broken_yaml_names_file_and_line(file: str, project: Path, pivot: Command) -> None:
    (project / file).parent.mkdir(exist_ok=True)
    (project / file).write_text("outs:\n- path: [\n")

    done = pivot("pull", cwd=project)

    assert_sentence(done, 8, file, "line 3")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("just text\n", "mapping"),
        ("outs: []\n", "code_manifest"),
        ("code_manifest: {}\nparams: {}\ndeps: []\nouts: {}\n", "outs"),
        ("code_manifest: {}\nparams: {}\ndeps: []\nouts: [3]\n", "outs[0]"),
        ("code_manifest: {}\nparams: {}\ndeps: []\nouts:\n- {path: a, hash: 12}\n", "outs[0].hash"),
        (
            "code_manifest: {}\nparams: {}\ndeps: []\nouts:\n- {path: a, hash: ef46db3751d8e999, "
            "manifest: [{relpath: b, hash: ef46db3751d8e999, size: many, isexec: false}]}\n",
            "outs[0].manifest[0].size",
        ),
    ],
)
def test_wrong_types_in_a_lock_file_name_file_and_place(
    text: str, place: str, project: Path, pivot: Command
) -> None:
    (project / ".pivot/stages/make/a.lock").write_text(text)

    done = pivot("push", cwd=project)

    assert_sentence(done, 8, ".pivot/stages/make/a.lock", place)


def test_an_unknown_key_in_a_pvt_file_names_file_and_key(project: Path, pivot: Command) -> None:
    text = "path: raw\nhash: ef46db3751d8e999\nsize: 0\ncolour: red\n"
    (project / "raw.pvt").write_text(text)

    done = pivot("push", cwd=project)

    assert_sentence(done, 8, "raw.pvt", "'colour'")


# --- credentials and permissions -----------------------------------------------------------------


def test_no_credentials(project: Path, bare_pivot: Command, server: S3Server) -> None:
    done = bare_pivot("push", cwd=project, AWS_ENDPOINT_URL=server.url, AWS_REGION="us-east-1")

    assert_sentence(done, 4, "origin", "no AWS credentials", "AWS_ACCESS_KEY_ID")


def test_expired_credentials(project: Path, pivot: Command, server: S3Server) -> None:
    with through(server, pivot) as (proxy, command):
        proxy.deny_all("ExpiredToken")
        done = command("push", cwd=project)
        proxy.heal()
        again = command("push", cwd=project)

    assert_sentence(done, 4, "expired", "aws sso login")
    assert again.code == 0, again


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_an_unknown_key_id(direction: str, clone: Path, project: Path, pivot: Command) -> None:
    place = project if direction == "push" else clone

    done = pivot(direction, cwd=place, AWS_ACCESS_KEY_ID="nobody")

    assert_sentence(done, 4, "key id is not known", "AWS_ACCESS_KEY_ID")


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_a_wrong_secret(direction: str, clone: Path, project: Path, pivot: Command) -> None:
    place = project if direction == "push" else clone

    done = pivot(direction, cwd=place, AWS_SECRET_ACCESS_KEY="wrong")

    assert_sentence(done, 4, "secret key is wrong", "AWS_SECRET_ACCESS_KEY")


def test_a_role_that_may_only_read(project: Path, pivot: Command) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "readersecret"}

    done = pivot("push", cwd=project, **keys)

    assert_sentence(done, 4, "access denied for writing", "s3:PutObject")


def test_a_role_that_may_not_list_pushes_and_pulls(
    tmp_path: Path, bucket: str, pivot: Command, server: S3Server
) -> None:
    many = {f"data/{number:02}.bin": b"%d" % number for number in range(20)}
    project = make_project(tmp_path / "project", bucket, dict(many))
    clone = without_cache(project, tmp_path / "clone")

    with through(server, pivot) as (proxy, command):
        proxy.deny_list = proxy.deny_head_of_missing = True
        pushed = command("push", cwd=project)
        again = command("push", cwd=project)
        pulled = command("pull", cwd=clone)

    assert (pushed.code, again.code, pulled.code) == (0, 0, 0), (pushed, again, pulled)
    assert "20 transferred, 0 skipped" in pushed.out
    assert "0 transferred, 20 skipped" in again.out
    assert {path: (clone / path).read_bytes() for path in many} == many


def test_a_bucket_that_does_not_exist(project: Path, pivot: Command) -> None:
    pivot("config", "set", "remotes.origin", "s3://no-such-bucket-at-all/p", cwd=project)

    push, pull = pivot("push", cwd=project), pivot("pull", cwd=project)

    assert_sentence(push, 1, "no-such-bucket-at-all", "no such bucket")
    assert pull.code == 0, pull  # everything is in the cache, so nothing is asked


def test_pull_from_a_bucket_that_does_not_exist(clone: Path, pivot: Command) -> None:
    pivot("config", "set", "remotes.origin", "s3://no-such-bucket-at-all/p", cwd=clone)

    done = pivot("pull", cwd=clone)

    assert_sentence(done, 1, "no-such-bucket-at-all", "no such bucket")


# --- objects that are missing or wrong -----------------------------------------------------------


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
