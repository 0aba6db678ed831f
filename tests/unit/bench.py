"""A project and a folder as its remote, to ask where its stages stand."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pivot import api
from pivot.config import load_config
from pivot.project import find_project
from pivot.repro.run import Options
from pivot.repro.start import repro
from pivot.session import Session
from pivot.stage_states import State
from pivot.status import Status
from pivot.transfer import Meter
from tests.projects import Content, ProjectBuilder, digest, dump, tree_digest


def session_at(place: Path) -> Session:
    project = find_project(place, {"HOME": "/nonexistent"})
    config = load_config(project, project.user_config)
    return Session(project, config, dict(os.environ), 2, Meter())


@dataclass
class Bench:
    """A project, and a folder as its remote."""

    root: Path
    builder: ProjectBuilder = field(init=False)

    def __post_init__(self) -> None:
        self.nas = self.root.parent / "nas"
        self.nas.mkdir()
        self.builder = ProjectBuilder(self.root)
        self.builder.config(f"folders:\n  nas: file://{self.nas}\n")

    def session(self, here: str = "") -> Session:
        return session_at(self.root / here)

    def status(self, *targets: str, online: bool = True, here: str = "") -> Status:
        return api.status(self.session(here), targets, online=online)

    def states(self, *targets: str, online: bool = True) -> dict[str, State]:
        return {stage.name: stage.state for stage in self.status(*targets, online=online).stages}

    def pipeline(self, **stages: Mapping[str, Any]) -> None:
        (self.root / "pivot.yaml").write_text(dump({"stages": stages}))

    def run(self) -> None:
        done = repro(self.session(), options=Options())
        assert not done.problems, done.problems

    def reads(self, stage: str, **content: Content) -> None:
        """Let the lock of *stage* depend on files and directories, by path, as release 0.1 did."""
        lock = self.root / f".pivot/stages/{stage}.lock"
        tree = yaml.safe_load(lock.read_text())
        tree["deps"] = [_recorded(path, data) for path, data in content.items()]
        lock.write_text(dump(tree))

    def lose(self, content: bytes, *, also_on_remote: bool = True) -> None:
        name = digest(content)
        for store in (self.root / ".pivot/cache", *([self.nas] if also_on_remote else [])):
            (store / "files" / name[:2] / name[2:]).unlink(missing_ok=True)

    def share(self) -> None:
        """Put all objects of the cache on the remote."""
        shutil.copytree(self.root / ".pivot/cache/files", self.nas / "files", dirs_exist_ok=True)


def _recorded(path: str, content: Content) -> dict[str, Any]:
    if isinstance(content, bytes):
        return {"path": path, "hash": digest(content)}
    files = [
        {"relpath": name, "hash": digest(data), "size": len(data), "isexec": False}
        for name, data in sorted(content.items())
        if isinstance(data, bytes)
    ]
    return {"path": path, "hash": tree_digest(files), "manifest": files}
