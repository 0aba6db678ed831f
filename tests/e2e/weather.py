"""What the tests of bad days share: small projects, a bad line, and what must not be left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Command, Done
from tests.projects import Content, ProjectBuilder
from tests.servers import FaultProxy, S3Server, fault_proxy

OUTPUTS: dict[str, Content] = {
    "data/a.bin": b"first" * 2000,
    "data/b.bin": b"second" * 2000,
    "data/tree": {"x.txt": b"x" * 500, "sub/y.txt": b"y" * 700, "run.sh": (b"#!/bin/sh\n", True)},
}
OBJECTS = 5


def make_project(root: Path, bucket: str, outputs: dict[str, Content] | None = None) -> Path:
    """Make a project with one stage for each output; all of it is in the cache alone."""
    builder = ProjectBuilder(root)
    for path, content in (outputs or OUTPUTS).items():
        builder.stage(f"make/{Path(path).stem}", {path: content})
    builder.config(
        f"remotes:\n  origin: s3://{bucket}/p\nremote:\n  retries: 3\n  connect_timeout: 5\n"
    )
    return root


def without_cache(project: Path, clone: Path) -> Path:
    """Make another clone of the project: what git holds, and no object."""
    for path in project.rglob("*"):
        relative = path.relative_to(project)
        if path.is_file() and (path.suffix == ".pvt" or relative.parts[0] == ".pivot"):
            if relative.parts[:2] == (".pivot", "cache"):
                continue
            (clone / relative).parent.mkdir(parents=True, exist_ok=True)
            (clone / relative).write_bytes(path.read_bytes())
    return clone


@contextmanager
def through(server: S3Server, pivot: Command) -> Iterator[tuple[FaultProxy, Command]]:
    """Lead the command through a proxy that makes the server misbehave on order."""
    with fault_proxy(server) as proxy:
        yield proxy, Command(pivot.home, proxy.server.environment())


def leftovers(project: Path) -> list[str]:
    """List temporary files of our own that a finished command must not leave."""
    return [
        path.relative_to(project).as_posix()
        for path in project.rglob("*")
        if path.parent.name in {"tmp", "partial"} or path.name.startswith(".pivot-")
    ]


def assert_sentence(done: Done, code: int, *words: str) -> None:
    """Assert that the command failed in one clear sentence that has these words."""
    assert done.code == code, done
    assert "Traceback" not in done.err + done.out, done.err
    errors = [line for line in done.err.splitlines() if line.startswith("Error: ")]
    assert errors, done
    for word in words:
        assert word in done.err, (word, done.err)
