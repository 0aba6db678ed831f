"""A project with a cache, for tests of what is placed in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pivot.cache import Cache
from pivot.keys import Link
from pivot.objects import File, Output, files_of, object_name
from pivot.placement import Placed, place
from pivot.plan import Existing, plan_checkout
from pivot.scratch import Scratch
from pivot.workspace import Workspace
from tests.projects import tree
from tests.unit.values import directory_of, file_of, paths_of, put_object, stage_output

ANY = (Link.HARDLINK, Link.SYMLINK, Link.COPY)


@dataclass(frozen=True)
class Place:
    """A project on disk with a cache."""

    root: Path

    @property
    def cache(self) -> Path:
        return self.root / ".pivot" / "cache"

    def hold(self, *contents: bytes, mode: int = 0o444) -> None:
        for content in contents:
            put_object(self.cache, content, mode=mode)

    def object(self, file: File) -> Path:
        return self.cache / object_name(file.digest)

    def check_out(
        self,
        *outputs: Output,
        existing: Existing = Existing.REFUSE,
        links: Sequence[Link] = ANY,
    ) -> list[Placed]:
        entries = [stage_output("s", output) for output in outputs]
        cache = Cache(self.cache)
        workspace = Workspace(self.root, cache, known=paths_of(*outputs))
        found = workspace.observe(entries, existing=existing)
        held = cache.stat({file.digest for output in outputs for file in files_of(output)})
        plan = plan_checkout(entries, cached=held, workspace=found, existing=existing)
        scratch = Scratch(self.root / ".pivot" / "cache" / "tmp")
        try:
            placed = place(plan, self.root, cache=cache, scratch=scratch, links=links)
            if all(one.error is None for one in placed):
                assert list(scratch.directory().iterdir()) == []
            return placed
        finally:
            scratch.remove()
            assert not (self.cache / "tmp").exists()

    def files(self) -> dict[str, bytes | None]:
        nodes = tree(self.root)
        return {name: bytes(n[0]) for name, n in nodes.items() if isinstance(n[0], bytes)}


X = file_of("out/x", b"x")


PARTS = directory_of("out/parts", {"a": b"a", "sub/b": b"b"}, empty=("e/f",))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@contextmanager
def new_place(directory: Path) -> Iterator[Place]:
    """Make a project, for a user whose files all may read."""
    before = os.umask(0o022)
    root = directory / "project"
    (root / ".pivot").mkdir(parents=True)
    yield Place(root)
    os.umask(before)
