"""A project with a file and a directory as outputs, which its cache and its remote have."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.projects import ProjectBuilder

NEW, OLD, LOCAL = b"new content", b"old content", b"local edit"
FILE, DIRECTORY = "data/model.bin", "data/tree"
FILES = {"a.txt": b"a, new", "sub/b.txt": b"b, new"}


def make_built(directory: Path) -> ProjectBuilder:
    """Make a project whose lock files name what its cache and its remote have."""
    built = ProjectBuilder(directory / "project")
    built.stage("train", {FILE: NEW})
    built.stage("split", {DIRECTORY: FILES})
    built.store(OLD)
    shutil.copytree(built.root / ".pivot/cache", directory / "remote")
    return built.config(f"folders:\n  nas: file://{directory}/remote\n")
