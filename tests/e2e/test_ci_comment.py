"""The comment that a job keeps up to date, from input to GitHub's API."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.ci import Runner, pull_request_event
from tests.e2e.weather import make_project, without_cache
from tests.servers import S3Server
from tests.servers.listener import Answer, Asked, listening

TOKEN = "canary-github-token-0001"


def test_a_job_writes_one_comment_and_keeps_it(
    tmp_path: Path, bucket: str, server: S3Server
) -> None:
    clone = without_cache(make_project(tmp_path / "project", bucket), tmp_path / "clone")
    runner = Runner(clone, tmp_path / "runner", server.environment())
    written: list[dict[str, object]] = []
    changes: list[str] = []

    def answer(asked: Asked) -> Answer:
        assert asked.headers["authorization"] == f"Bearer {TOKEN}"
        if asked.path == "/graphql":
            return Answer(200, json.dumps({"data": {"viewer": {"login": "bot"}}}).encode())
        if asked.method == "GET":
            return Answer(200, json.dumps(written).encode())
        changes.append(asked.method)
        body = json.loads(asked.body)["body"]
        written[:] = [{"id": 1, "user": {"login": "bot"}, "body": body}]
        return Answer(201, b"{}")

    with listening(answer) as url:
        steps = [
            runner(
                "pull",
                event="pull_request",
                payload=pull_request_event(),
                variables={"GITHUB_API_URL": url},
                comment="on-change",
                github_token=TOKEN,
            )
            for _ in range(2)
        ]

    assert [step.code for step in steps] == [0, 0], steps
    assert changes == ["POST"]  # the second found nothing to change
    (comment,) = written
    assert "pivot pull" in str(comment["body"])
    assert "miss" in str(comment["body"])
    assert TOKEN not in str(comment["body"])
    for step in steps:
        masked = f"::add-mask::{TOKEN}\n"
        assert TOKEN not in step.everything.replace(masked, "")


def test_a_comment_that_is_refused_changes_nothing(
    tmp_path: Path, bucket: str, server: S3Server
) -> None:
    clone = without_cache(make_project(tmp_path / "project", bucket), tmp_path / "clone")
    runner = Runner(clone, tmp_path / "runner", server.environment())

    with listening(lambda _: Answer(403, b"{}")) as url:
        step = runner(
            "pull",
            event="pull_request",
            payload=pull_request_event(),
            variables={"GITHUB_API_URL": url},
            comment="always",
            github_token=TOKEN,
        )

    assert step.code == 0, step.done
    assert any("there is no comment" in text for text in step.commands("notice"))
