"""The action in a workflow, under a real runner: act, in host mode."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.action.act import Repository, copy_of_ourselves, make_repository
from tests.conftest import ROOT, Command
from tests.e2e.ci import FORK, pull_request_event, push_event
from tests.projects import ProjectBuilder
from tests.servers import S3Server

PIPELINE = """\
stages:
  clean:
    cmd: mkdir -p data && sort raw.txt > data/clean.txt
    deps: [raw.txt]
    outs: [data/clean.txt]
  count:
    cmd: wc -l < data/clean.txt > data/count.txt
    deps: [data/clean.txt]
    outs: [data/count.txt]
"""

WORKFLOW = """\
on: push
jobs:
  first:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - id: strict
        continue-on-error: true
        uses: ./pivot-remote
        with: {command: pull, working-directory: a project, on-miss: fail}
      - id: pull
        uses: ./pivot-remote
        with: {command: pull, working-directory: a project, on-miss: warn}
      - name: A later step reads outputs
        run: |
          echo "$STRICT" > "$RESULTS/strict.json"
          echo "$PULL" > "$RESULTS/pull.json"
          echo "$OUTCOME" > "$RESULTS/outcome"
        env:
          STRICT: ${{ toJSON(steps.strict.outputs) }}
          PULL: ${{ toJSON(steps.pull.outputs) }}
          OUTCOME: ${{ steps.strict.outcome }}
      - name: Run what has to run, without credentials
        run: env -u AWS_SECRET_ACCESS_KEY "$PYTHON" -m pivot -C 'a project' repro
      - id: push
        uses: ./pivot-remote
        with: {command: push, working-directory: a project}
      - run: echo "$PUSH" > "$RESULTS/push.json"
        env: {PUSH: "${{ toJSON(steps.push.outputs) }}"}
  second:
    needs: first
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - id: pull
        uses: ./pivot-remote
        with: {command: pull, working-directory: a project, on-miss: fail}
      - if: steps.pull.outputs.cache-hit == 'true'
        run: cat "a project/data/clean.txt" > "$RESULTS/clean.txt"
      - id: status
        uses: ./pivot-remote
        with: {command: status, working-directory: a project}
      - run: |
          echo "$PULL" > "$RESULTS/second.json"
          echo "$STATUS" > "$RESULTS/status.json"
        env:
          PULL: ${{ toJSON(steps.pull.outputs) }}
          STATUS: ${{ toJSON(steps.status.outputs) }}
"""


@pytest.fixture(name="results")
def _results(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


def variables(server: S3Server, results: Path) -> dict[str, str]:
    own = {"RESULTS": str(results), "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    return {**server.environment(), **own}


def outputs(results: Path, name: str) -> dict[str, str]:
    read: dict[str, str] = json.loads((results / f"{name}.json").read_text())
    return read


def write_pipeline(repository: Repository, bucket: str, pivot: Command, place: str = ".") -> None:
    """Leave what git has of a project that ran once on another machine."""
    root = repository.root / place
    repository.write(f"{place}/raw.txt", "two\none\nthree\n")
    repository.write(f"{place}/pivot.yaml", PIPELINE)
    pivot("init", cwd=root)
    repository.write(f"{place}/.pivot/config.yaml", f"remotes:\n  origin: s3://{bucket}/cache\n")
    done = pivot("repro", cwd=root)
    assert done.code == 0, done.out + done.err
    for path in sorted((root / ".pivot/cache").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for name in ("clean", "count"):
        (root / f"data/{name}.txt").unlink()


def test_outputs_travel_from_one_job_to_another(
    tmp_path: Path, results: Path, bucket: str, server: S3Server, pivot: Command
) -> None:
    repository = make_repository(tmp_path / "a repository", tmp_path / "home")
    write_pipeline(repository, bucket, pivot, "a project")
    repository.write(".github/workflows/pipeline.yml", WORKFLOW)
    repository.commit()

    done = repository.act(payload=push_event(), variables=variables(server, results))

    assert done.code == 0, done.out + done.err
    strict, pull, push, second = (
        outputs(results, name) for name in ("strict", "pull", "push", "second")
    )
    assert (results / "outcome").read_text() == "failure\n"
    assert (strict["status"], strict["exit-code"]) == ("miss", "3")
    assert (pull["status"], pull["exit-code"], pull["missing"]) == ("miss", "3", "2")
    assert (push["status"], push["transferred"]) == ("complete", "2")
    assert (second["status"], second["cache-hit"], second["restored"]) == ("complete", "true", "2")
    assert (results / "clean.txt").read_text() == "one\nthree\ntwo\n"
    assert json.loads(second["stages-hit"]) == ["clean", "count"]
    status = outputs(results, "status")
    assert (status["status"], status["stages-to-run"]) == ("complete", "[]")
    assert "Runtime: python: this version has no released image" in done.out
    assert "Stages: 0 ran" not in done.out  # the first job ran both


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
    for number, name in enumerate(HOSTILE):
        builder.stage(f"s{number}", {f"out/{name}": name.encode()})
    builder.config(f"remotes:\n  origin: s3://{bucket}/cache\n")
    assert pivot("push", cwd=repository.root).code == 0
    for path in sorted((repository.root / ".pivot/cache").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    names = "\n".join(f"            out/{name}" for name in HOSTILE if "\n" not in name)
    repository.write(
        ".github/workflows/w.yml",
        "on: push\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - uses: actions/checkout@v4\n"
        "      - id: named\n        uses: ./pivot-remote\n        with:\n"
        f"          command: pull\n          stages: |\n{names}\n"
        "      - id: all\n        uses: ./pivot-remote\n        with: {command: pull}\n"
        '      - run: echo "[$NAMED, $ALL]" > "$RESULTS/all.json"; ls -a > "$RESULTS/files"\n'
        "        env:\n          NAMED: ${{ toJSON(steps.named.outputs) }}\n"
        "          ALL: ${{ toJSON(steps.all.outputs) }}\n",
    )
    repository.commit()

    done = repository.act(payload=push_event(), variables=variables(server, results))

    assert done.code == 0, done.out + done.err
    named, everything = json.loads((results / "all.json").read_text())
    assert named["transferred"] == str(len(HOSTILE) - 1)
    assert everything["status"] == "complete"
    assert "x" not in (results / "files").read_text().split("\n")
    assert "❗" not in done.out  # how act shows an error annotation


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
