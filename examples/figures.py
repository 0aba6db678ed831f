"""Measure the examples, and print the table that the README shows.

Run it with `.venv/bin/python -m examples.figures`. Each pipeline is run twice and pushed to an S3
server on this machine (SeaweedFS); then a fresh clone pulls and runs it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from examples.demo import git_settings
from tests.documentation import install_commands
from tests.projects import objects
from tests.servers import seaweedfs

EXAMPLES = Path(__file__).parent
PIPELINES = ("demo", "get-started-dvc", "snakemake-tutorial")
HEAD = (
    "| pipeline | stages | objects | size | first `repro` | again | clone: `pull`, `repro` |\n"
    "|---|---:|---:|---:|---:|---:|---:|"
)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="pivot-figures-") as name:
        place = Path(name)
        with seaweedfs(place / "server") as server:
            server.make_bucket("my-bucket")
            path = install_commands(place / "bin", [sys.executable, "-m", "pivot"])
            first, _, rest = path.partition(os.pathsep)
            environment = dict(os.environ) | server.environment() | git_settings()
            python = str(Path(sys.executable).parent)
            environment |= {"HOME": name, "PATH": os.pathsep.join((first, python, rest))}
            rows = [measure(each, place, environment) for each in PIPELINES]
    print(HEAD)
    for row in rows:
        print(f"| {' | '.join(row)} |")


def measure(name: str, place: Path, environment: dict[str, str]) -> list[str]:
    """Run one pipeline as its developer and as somebody who clones it; answers with a row."""

    def run(directory: Path, command: str) -> str:
        return subprocess.run(
            ["sh", "-ec", command],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    def measured(directory: Path, command: str, said: str) -> str:
        began = time.monotonic()
        printed = run(directory, command)
        seconds = time.monotonic() - began
        if said not in printed:
            raise SystemExit(f"{name}: {command} did not say '{said}':\n{printed}")
        return f"{seconds:.1f} s"

    project, clone = place / name, place / f"{name}-clone"
    shutil.copytree(EXAMPLES / name, project, ignore=shutil.ignore_patterns("__pycache__"))
    run(project, "git init --quiet")
    if (project / "dvc.yaml").exists():
        (project / "pivot.yaml").unlink()
        run(project, "python3 make_data.py && pivot import-dvc")
    else:
        run(project, f"pivot init && pivot config set remotes.origin s3://my-bucket/{name}")
    first = measured(project, "pivot repro", " 0 restored, 0 unchanged")
    again = measured(project, "pivot repro", ": 0 ran, 0 restored")
    run(project, "pivot push --quiet && git add --all && git commit --quiet -m Run")
    run(place, f"git clone --quiet '{project}' '{clone}'")
    pulled = measured(clone, "pivot pull --quiet && pivot repro", ": 0 ran, 0 restored")
    stages = len(list((project / ".pivot/stages").rglob("*.lock")))
    kept = objects(project / ".pivot/cache")
    total = sum(map(len, kept.values()))
    size = f"{total / 1e6:.1f} MB" if total >= 1e6 else f"{total / 1e3:.0f} kB"
    link = f"[{name}](examples/{name})"
    return [link, str(stages), str(len(kept)), size, first, again, pulled]


if __name__ == "__main__":
    main()
