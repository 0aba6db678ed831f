"""A pipeline that two jobs of a workflow share by the action, in whatever it runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.action.act import Repository
from tests.conftest import ROOT, Command, Done
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
        with:
          command: pull
          working-directory: a project
          on-miss: fail
          runtime: ${{ env.RUNTIME }}
          image: ${{ env.IMAGE }}
      - id: pull
        uses: ./pivot-remote
        with:
          command: pull
          working-directory: a project
          on-miss: warn
          runtime: ${{ env.RUNTIME }}
          image: ${{ env.IMAGE }}
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
        with:
          command: push
          working-directory: a project
          runtime: ${{ env.RUNTIME }}
          image: ${{ env.IMAGE }}
      - run: echo "$PUSH" > "$RESULTS/push.json"
        env: {PUSH: "${{ toJSON(steps.push.outputs) }}"}
  second:
    needs: first
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - id: pull
        uses: ./pivot-remote
        with:
          command: pull
          working-directory: a project
          on-miss: fail
          runtime: ${{ env.RUNTIME }}
          image: ${{ env.IMAGE }}
      - if: steps.pull.outputs.cache-hit == 'true'
        run: cat "a project/data/clean.txt" > "$RESULTS/clean.txt"
      - id: status
        uses: ./pivot-remote
        with:
          command: status
          working-directory: a project
          runtime: ${{ env.RUNTIME }}
          image: ${{ env.IMAGE }}
      - run: |
          echo "$PULL" > "$RESULTS/second.json"
          echo "$STATUS" > "$RESULTS/status.json"
        env:
          PULL: ${{ toJSON(steps.pull.outputs) }}
          STATUS: ${{ toJSON(steps.status.outputs) }}
"""


def variables(server: S3Server, results: Path) -> dict[str, str]:
    """Say what steps get to see: the server, and where to leave what they read."""
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
    empty_cache(root)
    for name in ("clean", "count"):
        (root / f"data/{name}.txt").unlink()


def empty_cache(root: Path) -> None:
    for path in sorted((root / ".pivot/cache").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def assert_shared(done: Done, results: Path, expected: Mapping[str, str]) -> None:
    """The first job missed, ran and pushed; the second, with an empty cache, pulled all of it."""
    assert done.code == 0, done.out + done.err
    strict, pull, push, second, status = (
        outputs(results, name) for name in ("strict", "pull", "push", "second", "status")
    )
    assert (results / "outcome").read_text() == "failure\n"
    assert (strict["status"], strict["exit-code"]) == ("miss", "3")
    assert (pull["status"], pull["exit-code"], pull["missing"]) == ("miss", "3", "2")
    assert (push["status"], push["transferred"]) == ("complete", "2")
    assert (second["status"], second["cache-hit"]) == ("complete", "true")
    assert (second["transferred"], second["restored"]) == ("2", "2")
    assert (results / "clean.txt").read_text() == "one\nthree\ntwo\n"
    assert json.loads(second["stages-hit"]) == ["clean", "count"]
    assert (status["status"], status["stages-to-run"]) == ("complete", "[]")
    assert "Stages: 2 ran" in done.out
    for name, value in expected.items():
        for step in (strict, pull, push, second, status):
            assert step[name] == value
