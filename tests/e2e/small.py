"""A small project that tests of output share: three objects, and a folder as remote."""

from __future__ import annotations

from pathlib import Path

from tests.projects import ProjectBuilder, digest

TRANSFERS = ("push", "fetch", "checkout", "pull")
MODEL, TREE = "data/model.bin", "data/tree"


def build(directory: Path) -> ProjectBuilder:
    """Three objects in the cache, and a folder as remote that has nothing yet."""
    (directory / "remote").mkdir()
    built = ProjectBuilder(directory / "project")
    built.config(f"folders:\n  nas: file://{directory}/remote\n")
    built.stage("train", {MODEL: b"model"})
    built.stage("split", {TREE: {"a.txt": b"a", "b.txt": b"bb"}})
    return built


def lose(built: ProjectBuilder, content: bytes) -> None:
    """Take an object out of the cache."""
    name = digest(content)
    (built.root / ".pivot/cache/files" / name[:2] / name[2:]).unlink()
