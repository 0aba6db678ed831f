"""A project that is cleaned up, in a repository, and processes that are quick to start."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.conftest import Command, Done
from tests.e2e.test_report import valid
from tests.projects import ProjectBuilder, digest, objects
from tests.servers import S3Server
from tests.torture.forks import Forks

NOW = ("--min-age", "0")
Start: TypeAlias = "tuple[Forks, dict[str, str]]"


@dataclass(frozen=True)
class Place:
    """A project in a repository, with a folder or a bucket as its remote."""

    root: Path
    forks: Forks
    environment: dict[str, str]

    def git(self, *words: str, cwd: Path | None = None, given: str | None = None) -> str:
        return subprocess.run(
            ["git", *words],
            cwd=cwd or self.root,
            env=self.environment,
            input=given,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def pivot(self, *words: str, cwd: Path | None = None) -> Done:
        child = self.forks.start(*words, cwd=cwd or self.root)
        code = child.wait()
        return Done(code, *child.said)

    def gc(self, *words: str, code: int = 0, cwd: Path | None = None) -> Any:
        """Clean up, and read the answer."""
        done = self.pivot("gc", *words, "--json", cwd=cwd)
        assert done.code == code, done
        return valid(done.out, "report" if code in {1, 2, 8} else "gc")

    def make(self, text: str, path: str = "data/a.bin", root: Path | None = None) -> str:
        """Leave what a stage with this content leaves; the answer is its digest."""
        ProjectBuilder(root or self.root).stage(f"make/{Path(path).stem}", {path: text.encode()})
        return digest(text.encode())

    def commit(self, *words: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "made", *words)

    @property
    def cached(self) -> set[str]:
        return set(objects(self.root / ".pivot/cache/files"))


def digests(rows: list[dict[str, Any]]) -> set[str]:
    """Name the objects of an answer."""
    return {row["digest"] for row in rows}


@contextlib.contextmanager
def forking(server: S3Server, factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start commands by forking, with credentials for *server*."""
    pivot = Command(factory.mktemp("home"), server.environment())
    with Forks(pivot.environment, factory.mktemp("forks") / "said") as forks:
        yield forks, pivot.environment


def make_place(directory: Path, start: Start) -> Place:
    """Make a project with a folder as its remote."""
    place = Place(directory / "prøject", *start)
    (directory / "remote").mkdir()
    builder = ProjectBuilder(place.root)
    builder.config(f"folders:\n  origin: {(directory / 'remote').as_uri()}\n")
    (place.root / ".gitignore").write_text("/.pivot/cache/\n/data/\n")
    place.git("init", "--quiet", "--initial-branch=main")
    return place
