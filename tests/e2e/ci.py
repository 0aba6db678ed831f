"""A step of a GitHub Actions job without GitHub: its environment, its files, its event."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, Done, clean_environment

REPOSITORY = {"id": 11, "full_name": "team/rentals", "fork": False}
FORK = {"id": 99, "full_name": "stranger/rentals", "fork": True}
PERSON = {"login": "ana", "type": "User", "id": 1}


def push_event() -> dict[str, Any]:
    """Say what GitHub says of a push to the main branch."""
    return {"ref": "refs/heads/main", "repository": REPOSITORY, "sender": PERSON, "commits": []}


def pull_request_event(head: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Say what GitHub says of a pull request, by default from a branch of the repository."""
    return {
        "action": "opened",
        "number": 7,
        "repository": REPOSITORY,
        "sender": PERSON,
        "pull_request": {
            "number": 7,
            "user": PERSON,
            "head": {"ref": "topic", "repo": dict(head) if head is not None else REPOSITORY},
            "base": {"ref": "main", "repo": REPOSITORY},
        },
    }


@dataclass(frozen=True)
class Step:
    """What a step left: how it ended, what it printed, and the files that it wrote."""

    done: Done
    outputs: dict[str, str]
    summary: str
    report: dict[str, Any] | None

    @property
    def code(self) -> int:
        return self.done.code

    @property
    def log(self) -> str:
        return self.done.out

    @property
    def everything(self) -> str:
        """All that anybody can read of it."""
        texts = [self.done.out, self.done.err, self.summary, json.dumps(self.report)]
        return "\n".join([*texts, *self.outputs.values()])

    def commands(self, name: str) -> list[str]:
        """List the texts of workflow commands, such as `error`, as the runner hears them."""
        heard, stopped = [], ""
        for line in self.log.splitlines():
            if stopped:
                stopped = "" if line == f"::{stopped}::" else stopped
            elif found := re.fullmatch(r"::stop-commands::(.+)", line):
                stopped = found[1]
            elif found := re.fullmatch(rf"::{name}(?: .*?)?::(.*)", line):
                heard.append(found[1])
        return heard


@dataclass(frozen=True)
class Runner:
    """Runs `python -m pivot.ci` in *workspace*, as a runner of GitHub would."""

    workspace: Path
    temporary: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def __call__(
        self,
        command: str,
        *,
        event: str = "push",
        payload: Mapping[str, Any] | None = None,
        variables: Mapping[str, str] | None = None,
        **inputs: str,
    ) -> Step:
        """Run one step and wait for it."""
        process = self.start(command, event=event, payload=payload, variables=variables, **inputs)
        with process:
            try:
                out, err = process.communicate(timeout=120)
            except BaseException:
                process.kill()
                raise
        return self.left(Done(process.returncode, out, err))

    def start(
        self,
        command: str,
        *,
        event: str = "push",
        payload: Mapping[str, Any] | None = None,
        variables: Mapping[str, str] | None = None,
        **inputs: str,
    ) -> subprocess.Popen[str]:
        """Start one step and leave it running."""
        self.temporary.mkdir(exist_ok=True)
        for name in ("output", "summary"):
            (self.temporary / name).write_text("")
        told = push_event() if payload is None else payload
        (self.temporary / "event.json").write_text(json.dumps(told))
        return subprocess.Popen(
            [sys.executable, "-IBu", "-c", START, str(ROOT)],
            cwd=self.workspace,
            env=self.environment(command, event, inputs) | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def environment(self, command: str, event: str, inputs: Mapping[str, str]) -> dict[str, str]:
        home = self.temporary / "home"
        home.mkdir(parents=True, exist_ok=True)
        given = {"command": command, **inputs}
        return (
            clean_environment(home)
            | {f"PIVOT_INPUT_{name.upper()}": text for name, text in given.items()}
            | {
                "GITHUB_ACTIONS": "true",
                "GITHUB_EVENT_NAME": event,
                "GITHUB_EVENT_PATH": str(self.temporary / "event.json"),
                "GITHUB_OUTPUT": str(self.temporary / "output"),
                "GITHUB_STEP_SUMMARY": str(self.temporary / "summary"),
                "GITHUB_WORKSPACE": str(self.workspace),
                "GITHUB_REPOSITORY": "team/rentals",
                "GITHUB_REPOSITORY_ID": "11",
                "GITHUB_ACTOR": "ana",
                "GITHUB_TRIGGERING_ACTOR": "ana",
                "GITHUB_WORKFLOW": "pipeline",
                "GITHUB_JOB": "build",
                "GITHUB_RUN_ID": "42",
                "GITHUB_RUN_ATTEMPT": "1",
                "RUNNER_TEMP": str(self.temporary),
                "PIVOT_RUNTIME": "python",
            }
            | dict(self.variables)
        )

    def left(self, done: Done) -> Step:
        """Read what a step left behind."""
        outputs = read_outputs((self.temporary / "output").read_text())
        path = Path(outputs.get("report", ""))
        report = json.loads(path.read_text()) if path.is_file() else None
        return Step(done, outputs, (self.temporary / "summary").read_text(), report)


START = """
import sys, runpy
sys.path.insert(0, sys.argv.pop())
runpy.run_module("pivot.ci", run_name="__main__", alter_sys=True)
"""


def read_outputs(text: str) -> dict[str, str]:
    """Read a file of outputs as the runner does: `name=value`, or `name<<mark`."""
    values: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        if found := re.fullmatch(r"([^=<]+)<<(.+)", line):
            name, mark = found[1], found[2]
            kept = []
            for inner in lines:
                if inner == mark:
                    break
                kept.append(inner)
            else:
                raise AssertionError(f"{name} does not end")
            values[name] = "\n".join(kept)
        elif line:
            name, _, value = line.partition("=")
            values[name] = value
    return values
