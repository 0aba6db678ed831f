"""Credentials that are refused, roles that may not do everything, buckets that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Command
from tests.e2e.weather import assert_sentence, make_project, through, without_cache
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
    done = pivot(
        "push", cwd=project, AWS_ACCESS_KEY_ID="reader", AWS_SECRET_ACCESS_KEY="readersecret"
    )

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


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_a_bucket_in_another_region(
    direction: str, project: Path, clone: Path, pivot: Command, server: S3Server
) -> None:
    with through(server, pivot) as (proxy, command):
        proxy.deny_all("AuthorizationHeaderMalformed", 400)
        done = command(direction, cwd=project if direction == "push" else clone)

    assert_sentence(done, 1, "another region", "AWS_REGION", "remote_options")
