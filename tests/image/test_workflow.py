"""The action in a workflow, under act, with the image; and where it may not start one."""

from __future__ import annotations

import os
from pathlib import Path

from tests.action.act import make_repository
from tests.action.pipeline import WORKFLOW, assert_shared, variables, write_pipeline
from tests.conftest import ROOT, Command
from tests.e2e.ci import push_event
from tests.image.container import Image, mounted
from tests.servers import S3Server


def test_outputs_travel_from_one_job_to_another(
    tmp_path: Path, bucket: str, plain: Image, server: S3Server, pivot: Command
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    repository = make_repository(tmp_path / "a repository", tmp_path / "home")
    write_pipeline(repository, bucket, pivot, "a project")
    repository.write(".github/workflows/pipeline.yml", WORKFLOW)
    repository.commit()
    client = {"PATH": f"{Path(plain.docker).parent}:{os.environ['PATH']}"}
    engine = {name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}
    ours = {"RUNTIME": "docker", "IMAGE": plain.name}

    done = repository.act(
        payload=push_event(), variables=variables(server, results) | client | engine | ours
    )

    assert_shared(done, results, {"runtime": "docker"})
    assert f"Runtime: docker, with {plain.name}" in done.out


def test_a_job_in_a_container_starts_no_other(tmp_path: Path, plain: Image) -> None:
    (tmp_path / "output").touch()
    runner = {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_WORKSPACE": str(tmp_path)}
    job = plain.given(**runner, PIVOT_INPUT_RUNTIME="docker", PIVOT_INPUT_IMAGE="pivot-remote")
    options = ["--entrypoint", "bash", *mounted(ROOT / "action.sh", "/action/action.sh")]

    done = job("/action/action.sh", at=tmp_path, options=options)

    assert done.code == 2, done
    assert "runtime: docker cannot be used: the job runs in a container" in done.out
    assert "exit-code=2\n" in (tmp_path / "output").read_text()
