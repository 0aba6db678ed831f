"""Runs `action.sh` with programs of the test's own first on PATH, and sees what it starts."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT, Done, clean_environment
from tests.e2e.ci import read_outputs

DOCKER = """#!/bin/sh
# Notes how it was called, and answers as its files say.
here=$(dirname "$0")
for word; do printf '%s\\0' "$word"; done >>"$here/../docker.calls"
printf '\\n\\0' >>"$here/../docker.calls"
case $1 in
    info) cat "$here/../docker.info" 2>/dev/null ;;
    image) [ -e "$here/../docker.image" ] ;;
    pull) [ -e "$here/../docker.pull" ] ;;
    run) echo "the image runs"; exit 7 ;;
esac
"""


@dataclass(frozen=True)
class Starter:
    """A runner below *root*: its workspace, its temporary directory, its programs."""

    root: Path
    action: Path = ROOT

    @property
    def workspace(self) -> Path:
        return self.root / "work space"

    def docker(
        self, *, info: str | None = "linux []", image: bool = False, pull: bool = True
    ) -> None:
        """Put a docker on PATH that says *info*, or no engine, and has or can pull the image."""
        path = self.root / "bin" / "docker"
        path.write_text(DOCKER)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        for name, there in (("info", info is not None), ("image", image), ("pull", pull)):
            if there:
                (self.root / f"docker.{name}").write_text(f"{info}\n")

    def __call__(self, *, path: str = "", **variables: str) -> Done:
        """Run it; variables are added to those of a runner."""
        return run(["bash", str(self.action / "action.sh")], self.environment(path) | variables)

    def environment(self, path: str = "") -> dict[str, str]:
        programs = f"{self.root / 'bin'}:{path or os.environ['PATH']}"
        return clean_environment(self.root / "home") | {
            "PATH": programs,
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(self.action),
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_OUTPUT": str(self.root / "temp/output"),
            "GITHUB_STEP_SUMMARY": str(self.root / "temp/summary"),
            "GITHUB_EVENT_PATH": str(self.root / "temp/event.json"),
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_RUN_ID": "42",
            "RUNNER_TEMP": str(self.root / "temp"),
            "RUNNER_TOOL_CACHE": str(self.root / "tools"),
            "PIVOT_INPUT_COMMAND": "pull",
        }

    def calls(self) -> list[list[str]]:
        """List how docker was called."""
        path = self.root / "docker.calls"
        words = path.read_text().split("\0")[:-1] if path.exists() else []
        calls: list[list[str]] = [[]]
        for word in words:
            if word == "\n":
                calls.append([])
            else:
                calls[-1].append(word)
        return calls[:-1]

    def outputs(self) -> dict[str, str]:
        return read_outputs((self.root / "temp/output").read_text())


def make_starter(root: Path, action: Path = ROOT) -> Starter:
    """Make the directories of a runner."""
    starter = Starter(root, action)
    for name in ("bin", "home", "temp", "tools", "work space"):
        (root / name).mkdir(parents=True)
    (root / "temp/output").touch()
    (root / "temp/summary").touch()
    (root / "temp/event.json").write_text("{}")
    return starter


def copy_action(place: Path, *, digest: str = "") -> Path:
    """Copy what the action needs to *place*; with *digest*, as if it were released."""
    for name in ("action.sh", "action.yml", "image.lock"):
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    shutil.copytree(ROOT / "pivot", place / "pivot", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "requirements", place / "requirements")
    if digest:
        lock = f"name ghcr.io/OWNER/pivot-remote\nversion 1.2.3\ndigest {digest}\n"
        (place / "image.lock").write_text(lock)
    return place


def run(command: list[str], environment: Mapping[str, str]) -> Done:
    done = subprocess.run(
        command,
        check=False,
        cwd=environment["GITHUB_WORKSPACE"],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def only_python(directory: Path, *programs: str) -> str:
    """Make a PATH of a few programs and of the Python that runs the tests, as `python3`."""
    directory.mkdir()
    for name in programs:
        found = shutil.which(name)
        assert found, name
        (directory / name).symlink_to(found)
    (directory / "python3").symlink_to(sys.executable)
    return str(directory)
