"""The region of a bucket is found when it is not given, and when what is given is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import Command
from tests.projects import ProjectBuilder
from tests.servers import S3Server, juicefs

REGION = "eu-test-1"


@pytest.fixture(name="elsewhere", scope="module")
def _elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Serve a region of its own, and refuse what is signed for another."""
    with juicefs(tmp_path_factory.mktemp("juicefs"), region=REGION) as server:
        server.make_bucket("there")
        yield server


@pytest.mark.parametrize("region", [None, "us-west-2", REGION])
@pytest.mark.parametrize("files", [1, 20], ids=["asked by HEAD", "asked by LIST"])
def test_push_and_pull_find_the_region(
    region: str | None, files: int, elsewhere: S3Server, tmp_path: Path, bare_pivot: Command
) -> None:
    project = tmp_path / "project"
    outputs = {f"out/{number}": f"{region} {number}".encode() for number in range(files)}
    ProjectBuilder(project).stage("make", outputs)
    variables = elsewhere.environment() | {"AWS_REGION": region or ""}
    bare_pivot("config", "set", "remotes.origin", f"s3://there/{region}-{files}", cwd=project)

    pushed = bare_pivot("push", cwd=project, **variables)
    (project / ".pivot/cache").rename(tmp_path / "gone")
    pulled = bare_pivot("pull", cwd=project, **variables)

    assert pushed.out == f"Pushed to 'origin': {files} transferred, 0 skipped, 0 failed\n", pushed
    assert pulled.code == 0, pulled
    assert buckets.folder_contents(project / "out") == {
        name.removeprefix("out/"): content for name, content in outputs.items()
    }
