"""Runs `action.sh` with programs of the test's own first on PATH, and sees what it starts."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT, Done, clean_environment
from tests.e2e.ci import read_outputs

COREUTILS = ("bash", "cat", "dirname", "grep", "id", "mkdir", "uname")
"""What `action.sh` needs, beside a Python or docker."""

DOCKER = """# Notes how it was called, and answers as its files say.
here=$(dirname "$0")
for word; do printf '%s\\0' "$word"; done >>"$here/../docker.calls"
printf '\\n\\0' >>"$here/../docker.calls"
case $1 in
    info) cat "$here/../docker.info" 2>/dev/null ;;
    image) [ -e "$here/../docker.image" ] ;;
    pull)
        if [ -e "$here/../docker.stall" ]; then
            echo $$ >"$here/../docker.stalled"
            exec sleep 60
        fi
        [ -e "$here/../docker.pull" ]
        ;;
    run) echo "the image runs"; exit 7 ;;
esac"""


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
        write_script(self.root / "bin" / "docker", DOCKER)
        for name, there in (("info", info is not None), ("image", image), ("pull", pull)):
            if there:
                (self.root / f"docker.{name}").write_text(f"{info}\n")

    def __call__(self, *, path: str = "", **variables: str) -> Done:
        """Run it; variables are added to those of a runner."""
        with self.start(path=path, **variables) as process:
            try:
                out, err = process.communicate(timeout=280)
            except BaseException:
                process.kill()
                raise
        return Done(process.returncode, out, err)

    def start(self, *, path: str = "", **variables: str) -> subprocess.Popen[str]:
        """Start it and leave it running."""
        return subprocess.Popen(
            ["bash", str(self.action / "action.sh")],
            cwd=self.workspace,
            env=self.environment(path) | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

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


def only(directory: Path, *programs: str) -> str:
    """Make a PATH of a few programs."""
    directory.mkdir()
    for name in programs:
        found = shutil.which(name)
        assert found, name
        (directory / name).symlink_to(found)
    return str(directory)


def write_script(path: Path, text: str) -> Path:
    """Write a shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path
