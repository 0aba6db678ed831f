"""A pipeline for the real Pivot, and what its commands say in a form to compare."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from tests.conftest import Done, clean_environment
from tests.interop.conftest import RealPivot

PIPELINE = """\
import os
import pathlib
import tempfile
from typing import Annotated, TypedDict

from pivot import Pipeline, loaders, metric, stage


class Trained(TypedDict):
    model: Annotated[dict, loaders.JSON()]
    scores: Annotated[dict, metric, loaders.JSON()]


@stage
def prep(raw: str) -> str:
    return raw.upper()


@stage
def train(clean: str) -> Trained:
    return {"model": {"length": len(clean)}, "scores": {"accuracy": 0.9}}


@stage
def tree(clean: str) -> Annotated[pathlib.Path, loaders.PathOnly()]:
    made = pathlib.Path(tempfile.mkdtemp()) / "tree"
    (made / "sub" / "deep").mkdir(parents=True)
    (made / "empty" / "inner").mkdir(parents=True)
    (made / "sub" / "deep" / "y.txt").write_text(clean)
    (made / "run.sh").write_text("#!/bin/sh\\n")
    os.chmod(made / "run.sh", 0o755)
    (made / "run-not.sh").write_text("#!/bin/sh\\n")
    odd = ("1e5", "123", "true", "null", "colon: x", "-dash", "caf\\u00e9", "a b", "#x", "%41")
    for name in odd:
        (made / name).write_text(name)
    (made / "zero").write_text("")
    return made


with Pipeline("demo") as pipeline:
    raw = pipeline.input("raw", t=str, path="data/raw.txt")
    clean = prep(raw)
    train(clean)
    tree(clean)
"""


def make_project(real: RealPivot, root: Path, url: str) -> Path:
    """Let the real Pivot make a project, run its pipeline and track its inputs."""
    (root / "data" / "imgs" / "nothing").mkdir(parents=True)
    (root / "data" / "raw.txt").write_text("raw text\n")
    (root / "data" / "imgs" / "one.bin").write_bytes(bytes(range(256)))
    (root / "data" / "imgs" / "tool").write_bytes(b"#!/bin/true\n")
    (root / "data" / "imgs" / "tool").chmod(0o755)
    (root / "pipeline.py").write_text(PIPELINE)
    git(root, "init", "--quiet", "--initial-branch=main")
    for arguments in (
        ("init",),
        ("config", "set", "remotes.origin", url),
        ("track", "data/raw.txt"),
        ("track", "data/imgs"),
        ("repro",),
    ):
        done = real(*arguments, cwd=root)
        assert done.code == 0, done
    (locked,) = (root / ".pivot/stages").iterdir()
    assert {path.name for path in locked.iterdir()} == {"prep.lock", "train.lock", "tree.lock"}
    git(root, "add", "pipeline.py", ".pivot", ".pivotignore", "data/*.pvt", "metrics")
    git(root, "commit", "--quiet", "--message", "one")
    return root


def git_clone(project: Path, target: Path) -> Path:
    """Clone what git holds of a project."""
    git(project, "clone", "--quiet", str(project), str(target))
    return target


def git(root: Path, *arguments: str) -> None:
    """Run git as the tests' own author."""
    environment = clean_environment(root)
    subprocess.run(["git", *arguments], cwd=root, env=environment, check=True, timeout=60)


def repro(real: RealPivot, project: Path) -> tuple[int, int, int]:
    """Let the real Pivot reproduce everything: how many stages ran, were cached and failed."""
    done = real("repro", "--json", cwd=project)
    assert done.code == 0, done
    result = json.loads(done.out.splitlines()[-1])
    assert result["type"] == "execution_result", done
    return result["ran"], result["skipped"], result["failed"]


def states(real: RealPivot, project: Path) -> set[str]:
    """Ask the real Pivot for the states of all stages and of all tracked data."""
    done = real("status", "--json", cwd=project)
    assert done.code == 0, done
    status = json.loads(done.out)
    return {entry["status"] for entry in (*status["stages"], *status["tracked_files"])}


def counts(done: Done) -> tuple[int, int, int]:
    """Read `… transferred, … skipped, … failed` from the last line of either tool that has it."""
    assert done.code == 0, done
    line = next(line for line in reversed(done.out.splitlines()) if " transferred" in line)
    words = line.rpartition(": ")[2].split(", ")
    transferred, skipped, failed = (int(word.split()[0]) for word in words)
    return transferred, skipped, failed


def forget(project: Path) -> None:
    """Delete the database from which the real Pivot believes to know what a remote has."""
    shutil.rmtree(project / ".pivot" / "state.lmdb", ignore_errors=True)
