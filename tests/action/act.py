"""Runs workflows with act on this machine itself: no engine, no network, a home of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, Done, clean_environment

PARTS = ("action.sh", "action.yml", "image.lock", "pivot", "requirements")
"""What the action is made of."""

_HERE = ("-P", "ubuntu-latest=-self-hosted", "--no-cache-server")


@dataclass(frozen=True)
class Repository:
    """A git repository at *root* that has the action at `./pivot-remote`, and its runner."""

    root: Path
    home: Path

    def _share_tools(self) -> None:
        """Let what runners keep for all jobs be one directory for all tests, as act names it."""
        tools, known = self.home.parent.parent / "runner tools", self.home / "cache/act/tool_cache"
        tools.mkdir(exist_ok=True)
        known.parent.mkdir(parents=True, exist_ok=True)
        if not known.is_symlink():
            known.symlink_to(tools)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self) -> None:
        for words in (("add", "--all", "--force"), ("commit", "--quiet", "--message", "All")):
            git(self.root, *words)

    def act(
        self,
        *options: str,
        event: str = "push",
        payload: Mapping[str, Any] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Done:
        """Run the workflows that listen to *event*."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._share_tools()
        told = self.home / "event.json"
        told.write_text(json.dumps(dict(payload or {})))
        given = [w for n, value in (variables or {}).items() for w in ("--env", f"{n}={value}")]
        program = Path(sys.executable).parent / "act"
        done = subprocess.run(
            [program, event, *_HERE, "--eventpath", told, *given, *options],
            check=False,
            cwd=self.root,
            env=clean_environment(self.home) | {"XDG_CACHE_HOME": str(self.home / "cache")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
        )
        return Done(done.returncode, done.stdout, done.stderr)


def git(root: Path, *arguments: str) -> None:
    environment = clean_environment(root)
    subprocess.run(["git", *arguments], cwd=root, check=True, env=environment, timeout=60)


def make_repository(root: Path, home: Path) -> Repository:
    """Make a repository that has the action, and nothing else yet."""
    (root / "pivot-remote").mkdir(parents=True)
    for name in PARTS:
        source, target = ROOT / name, root / "pivot-remote" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    git(root, "init", "--quiet", "--initial-branch=main")
    return Repository(root, home)


def copy_of_ourselves(root: Path, home: Path) -> Repository:
    """Make a repository of all that git has of this one, as the files are now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, timeout=60
    )
    for name in map(os.fsdecode, listed.stdout.split(b"\0")[:-1]):
        source, target = ROOT / name, root / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    git(root, "init", "--quiet", "--initial-branch=main")
    return Repository(root, home)
