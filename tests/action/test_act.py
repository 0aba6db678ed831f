"""The action in a workflow, under a real runner: act, in host mode."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.action.act import copy_of_ourselves, make_repository
from tests.action.pipeline import (
    WORKFLOW,
    assert_shared,
    empty_cache,
    variables,
    write_pipeline,
)
from tests.conftest import ROOT, Command
from tests.e2e.ci import FORK, pull_request_event, push_event
from tests.projects import ProjectBuilder
from tests.servers import S3Server


@pytest.fixture(name="results")
def _results(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


def test_outputs_travel_from_one_job_to_another(
    tmp_path: Path, results: Path, bucket: str, server: S3Server, pivot: Command
) -> None:
    repository = make_repository(tmp_path / "a repository", tmp_path / "home")
    write_pipeline(repository, bucket, pivot, "a project")
    repository.write(".github/workflows/pipeline.yml", WORKFLOW)
    repository.commit()

    done = repository.act(payload=push_event(), variables=variables(server, results))

    assert_shared(done, results, {"runtime": "python"})
    assert "Runtime: python: this version has no released image" in done.out


def test_the_summary_says_what_happened(
    tmp_path: Path, results: Path, bucket: str, server: S3Server, pivot: Command
) -> None:
    repository = make_repository(tmp_path / "repository", tmp_path / "home")
    write_pipeline(repository, bucket, pivot)
    repository.write(
        ".github/workflows/w.yml",
        "on: push\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - uses: actions/checkout@v4\n"
        "      - {uses: ./pivot-remote, with: {command: pull}}\n",
    )
    repository.commit()

    done = repository.act(payload=push_event(), variables=variables(server, results))

    assert done.code == 0, done.out + done.err
    told = done.out.partition("Summary - ")[2].partition("\n[")[0]
    assert re.sub(r"in [0-9.]+ s", "in 0.0 s", told).splitlines()[:8] == [
        "### ⚠️ pivot pull · origin: miss",
        "",
        "0 objects copied (0 B), 0 were there, **2 objects missing**, in 0.0 s.",
        "",
        "| Stage | State | Objects | Size | Reason |",
        "| --- | --- | --- | --- | --- |",
        "| clean | missing | 0/1 | 14 B | none of its objects can be had |",
        "| count | missing | 0/1 | 2 B | none of its objects can be had |",
    ]
    assert "flowchart LR" in told


HOSTILE = ("$(touch x)", "a;touch x", "-rf", "`touch x`", "a%0Ab", "::error::x", "a\nb", "' \" \\")


def test_hostile_names_stay_names(
    tmp_path: Path, results: Path, bucket: str, server: S3Server, pivot: Command
) -> None:
    repository = make_repository(tmp_path / "it's a $(touch x)", tmp_path / "home")
    builder = ProjectBuilder(repository.root)
    for name in HOSTILE:
        builder.stage(name, {f"out/{name}": name.encode()})
    builder.config(f"remotes:\n  origin: s3://{bucket}/p\n  empty: s3://{bucket}/none\n")
    assert pivot("push", "--remote", "origin", cwd=repository.root).code == 0
    empty_cache(repository.root)
    repository.write(".github/workflows/w.yml", HOSTILE_WORKFLOW.replace("NAMES", lines(HOSTILE)))
    repository.commit()

    done = repository.act(payload=push_event(), variables=variables(server, results))

    assert done.code == 0, done.out + done.err
    missed, unknown, named, everything = json.loads((results / "all.json").read_text())
    assert (missed["status"], missed["missing"]) == ("miss", str(len(HOSTILE)))
    assert (unknown["status"], unknown["exit-code"]) == ("failed", "2")
    assert named["transferred"] == str(len(HOSTILE) - 1)
    assert everything["status"] == "complete"
    assert "x" not in (results / "files").read_text().split("\n")
    told = [line for line in done.out.splitlines() if "❗" in line]  # act's sign for an error
    assert len(told) == 1, told
    assert "::error title=pivot pull::" in told[0]


def lines(names: Iterable[str]) -> str:
    """Write those of *names* that fit in a line each, as a block of YAML."""
    return "\n".join(f"            {name}" for name in names if "\n" not in name).lstrip()


HOSTILE_WORKFLOW = """\
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - id: missed
        uses: ./pivot-remote
        with: {command: pull, remote: empty}
      - id: unknown
        continue-on-error: true
        uses: ./pivot-remote
        with:
          command: pull
          remote: origin
          stages: "::error::y\\n$(touch x)\\n-y\\n%0A::error::z"
      - id: named
        uses: ./pivot-remote
        with:
          command: pull
          remote: origin
          stages: |
            NAMES
      - id: all
        uses: ./pivot-remote
        with: {command: pull, remote: origin}
      - run: |
          echo "[$MISSED, $UNKNOWN, $NAMED, $ALL]" > "$RESULTS/all.json"
          ls -a > "$RESULTS/files"
        env:
          MISSED: ${{ toJSON(steps.missed.outputs) }}
          UNKNOWN: ${{ toJSON(steps.unknown.outputs) }}
          NAMED: ${{ toJSON(steps.named.outputs) }}
          ALL: ${{ toJSON(steps.all.outputs) }}
"""


def test_a_fork_is_skipped_without_credentials_and_may_not_push(
    tmp_path: Path, results: Path, bucket: str, server: S3Server, pivot: Command
) -> None:
    repository = make_repository(tmp_path / "repository", tmp_path / "home")
    write_pipeline(repository, bucket, pivot)
    repository.write(
        ".github/workflows/w.yml",
        "on: pull_request\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - uses: actions/checkout@v4\n"
        "      - id: pull\n        uses: ./pivot-remote\n        with: {command: pull}\n"
        "        env: {AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: ''}\n"
        "      - id: push\n        uses: ./pivot-remote\n        with: {command: push}\n"
        '      - run: echo "$PULL $PUSH" > "$RESULTS/statuses"\n'
        "        env:\n          PULL: ${{ steps.pull.outputs.status }}\n"
        "          PUSH: ${{ steps.push.outputs.status }}\n",
    )
    repository.commit()

    done = repository.act(
        event="pull_request",
        payload=pull_request_event(FORK),
        variables=variables(server, results),
    )

    assert done.code == 0, done.out + done.err
    assert (results / "statuses").read_text() == "skipped-no-credentials refused-untrusted\n"


SETUP_PYTHON = """\
name: setup-python
runs:
  using: composite
  steps:
    - {shell: bash, run: "python3 --version"}
"""


def test_the_projects_own_test_of_the_action(tmp_path: Path) -> None:
    """The workflow that GitHub runs, but for the installation of a Python."""
    repository = copy_of_ourselves(tmp_path / "repository", tmp_path / "home")
    repository.commit()
    (tmp_path / "setup-python").mkdir()
    (tmp_path / "setup-python/action.yml").write_text(SETUP_PYTHON)
    workflow = ".github/workflows/action-selftest.yml"
    used = next(
        line.split()[2]
        for line in (ROOT / workflow).read_text().splitlines()
        if "uses: actions/setup-python@" in line
    )

    done = repository.act(
        *("--workflows", workflow, "--job", "python", "--matrix", "os:ubuntu-24.04"),
        *("-P", "ubuntu-24.04=-self-hosted"),
        *("--local-repository", f"{used}={tmp_path / 'setup-python'}"),
        payload=push_event(),
    )

    assert done.code == 0, done.out + done.err
    assert "as expected: status=complete cache-hit=true restored=2" in done.out
    assert "push from a fork: refused-untrusted" in done.out
