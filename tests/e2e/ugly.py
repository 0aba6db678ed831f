"""A project for stages that misbehave, run as a user whom file modes bind, root or not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import Command, Done
from tests.projects import Document, dump

Stages = dict[str, Document]
WITHOUT_POWERS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


@dataclass
class Place:
    """A git repository with a pipeline; commands in it are those of an ordinary user."""

    root: Path
    pivot: Command
    prefix: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)

    def write(self, **stages: Document) -> None:
        """Make `pivot.yaml` say *stages*."""
        (self.root / "pivot.yaml").write_text(dump({"stages": stages}))

    def start(self, *words: str, **variables: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self.prefix, sys.executable, "-m", "pivot", *words],
            cwd=self.root,
            env=self.pivot.environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __call__(self, *words: str, **variables: str) -> Done:
        with self.start(*words, **variables) as process:
            out, err = process.communicate(timeout=60)
        return Done(process.returncode, out.decode(), err.decode())

    def states(self, *words: str) -> dict[str, str]:
        """Run the pipeline, whatever comes of it: the state of each stage."""
        done = self("repro", "--json", *words)
        return {each["name"]: each["state"] for each in json.loads(done.out)["stages"]}

    def text(self, path: str) -> str:
        return (self.root / path).read_text()

    def lock(self, stage: str) -> bytes | None:
        path = self.root / f".pivot/stages/{stage}.lock"
        return path.read_bytes() if path.exists() else None


def make_place(root: Path, pivot: Command) -> Place:
    (root / ".pivot").mkdir(parents=True)
    (root / ".pivot/.gitignore").write_text("cache\n")
    subprocess.run(["git", "init", "-q"], cwd=root, env=pivot.environment, check=True)
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root needs setpriv(1) to lose its power over file modes")
        prefix = WITHOUT_POWERS
    return Place(root, pivot, prefix)


def stage(command: str | list[str], *outs: object, **more: object) -> Document:
    return {"cmd": command, "outs": list(outs), **more}
