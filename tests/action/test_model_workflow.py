"""The workflow of the README with its roles, from its first line to its last."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import buckets
from tests.action.act import Repository, git, make_repository
from tests.conftest import Command, Done
from tests.documentation import install_commands
from tests.e2e.ci import FORK, pull_request_event, push_event
from tests.e2e.roles import BUCKET, PREFIX, roles
from tests.servers import S3Server, seaweedfs
from tests.servers.identity import Issuer, issuing
from tests.snippets import OURS, model_workflow

PIPELINE = """\
stages:
  sort:
    cmd: sort raw.txt > sorted.txt; env | grep -c ^AWS_SECRET || true
    deps: [raw.txt]
    outs: [sorted.txt]
  count:
    cmd: wc -l < sorted.txt > count.txt
    deps: [sorted.txt]
    outs: [count.txt]
"""


class Team:
    """A repository that has the workflow, and a pipeline that ran once on a laptop."""

    def __init__(self, root: Path, issuer: Issuer, cloud: S3Server, pivot: Command) -> None:
        self._issuer = issuer
        self._cloud = cloud
        self._action = make_repository(root / "action", root / "nobody").root / "pivot-remote"
        self.repository = Repository(root / "pipeline", root / "home")
        place = self.repository.root
        self.repository.write(".github/workflows/pipeline.yml", model_workflow())
        self.repository.write("raw.txt", "two\none\nthree\n")
        self.repository.write("pivot.yaml", PIPELINE)
        git(place, "init", "--quiet", "--initial-branch=main")
        assert pivot("init", cwd=place).code == 0
        self.repository.write(".pivot/config.yaml", f"remotes:\n  origin: s3://{BUCKET}/{PREFIX}\n")
        assert pivot("repro", cwd=place).code == 0
        git(place, "add", "--all")  # without what .gitignore names
        git(place, "commit", "--quiet", "--message", "All")
        git(place, "clean", "-qfdX")
        self._path = install_commands(root / "bin", [sys.executable, "-m", "pivot"])
        (root / "bin/pipx").write_text('#!/bin/sh\necho "pipx $*"\n')
        (root / "bin/pipx").chmod(0o755)
        self._variables = {"PYTHONPATH": pivot.environment["PYTHONPATH"]}

    def run(self, event: str, payload: Mapping[str, Any], *, subject: str) -> Done:
        """Run the workflow; without a *subject* GitHub gives no tokens."""
        self._issuer.subject = subject
        ends = {f"AWS_ENDPOINT_URL_{name}": self._cloud.url for name in ("S3", "STS")}
        tokens = self._issuer.environment() if subject else {}
        return self.repository.act(
            *("--local-repository", f"{OURS}@v1={self._action}"),
            event=event,
            payload=payload,
            variables=self._variables | {"PATH": self._path} | ends | tokens,
        )

    def push(self) -> Done:
        return self.run("push", push_event(), subject="repo:lab/pipeline:ref:refs/heads/main")

    def request(self) -> Done:
        payload = pull_request_event()
        return self.run("pull_request", payload, subject="repo:lab/pipeline:pull_request")

    def request_from_fork(self) -> Done:
        return self.run("pull_request", pull_request_event(FORK), subject="")

    def forget(self) -> None:
        """Empty the bucket."""
        for key in buckets.keys(self._cloud, BUCKET):
            buckets.delete(self._cloud, BUCKET, key)

    def stored(self) -> int:
        return len(buckets.keys(self._cloud, BUCKET))


@pytest.fixture(name="one_team", scope="module")
def _one_team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A team for all tests: its runner installs the program once."""
    root = tmp_path_factory.mktemp("team")
    with issuing() as issuer, seaweedfs(root / "cloud", roles(issuer)) as cloud:
        cloud.make_bucket(BUCKET)
        yield Team(root, issuer, cloud, Command(root / "laptop", {}))


@pytest.fixture(name="team")
def _team(one_team: Team) -> Team:
    one_team.forget()
    return one_team


def verdicts(done: Done) -> list[str]:
    """List the first line of each summary."""
    return sorted(set(re.findall(r"### \S+ (pivot \w+[^\n]*)", done.out)))


def test_main_makes_what_nobody_pushed_and_a_pull_request_gets_it(team: Team) -> None:
    first = team.push()

    assert first.code == 0, first.out + first.err
    assert verdicts(first) == ["pivot pull · origin: miss", "pivot push · origin: complete"]
    assert "Stages: 2 ran" in first.out
    assert "sort | 0" in first.out  # secrets that its stages see
    assert team.stored() == 2

    request = team.request()

    assert request.code == 0, request.out + request.err
    assert verdicts(request) == ["pivot pull · origin: complete", "pivot verify · origin: complete"]
    assert "Stages: 0 ran, 0 restored, 2 unchanged" in request.out


def test_a_pull_request_whose_outputs_nobody_pushed_fails_verify(team: Team) -> None:
    done = team.request()

    assert done.code != 0
    assert verdicts(done) == ["pivot pull · origin: miss", "pivot verify · origin: miss"]
    assert "Stages: 2 ran" in done.out
    assert team.stored() == 0


def test_a_pull_request_from_a_fork_is_green_and_stores_nothing(team: Team) -> None:
    done = team.request_from_fork()

    assert done.code == 0, done.out + done.err
    assert verdicts(done) == [
        "pivot pull: skipped-no-credentials",
        "pivot verify: skipped-no-credentials",
    ]
    assert "Stages: 2 ran" in done.out
    assert team.stored() == 0
