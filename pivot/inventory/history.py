"""Read from git what the lock files of the last commits refer to; the workspace is not touched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pivot.documents import parse_yaml
from pivot.errors import InvalidDocument, UnsafePath
from pivot.git import recent_commits
from pivot.inventory.tally import grow
from pivot.lockfile import parse_lock
from pivot.objects import files_of
from pivot.snapshot import Snapshot
from pivot.tracked import parse_tracked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pivot.inventory.values import Point
    from pivot.objects import Digest, Output

    Sizes = Mapping[Digest, int | None]

_PATTERNS = ("**/.pivot/stages/**", "**/*.pvt")
_DOCUMENT = re.compile(r"(?:.*/)?\.pivot/stages/.+\.lock|(?:.*/)?[^/]+\.pvt", re.DOTALL)


def read_growth(
    root: Path, count: int, size_of: Callable[[Digest], int | None]
) -> tuple[Point, ...]:
    """Say how the last *count* commits that changed lock or `.pvt` files made the project grow.

    Each version of a document is read once. Sizes that it does not record are asked of *size_of*.
    Raises `PivotError` when git cannot tell.
    """
    commits = recent_commits(root, _PATTERNS, count)
    return grow(commits, _referred(root, [commit for commit, _, _ in commits], size_of))


def _referred(
    root: Path, commits: list[str], size_of: Callable[[Digest], int | None]
) -> Iterator[tuple[Sizes, int]]:
    read: dict[tuple[str, str], Sizes | None] = {}
    for commit in commits:
        sizes: dict[Digest, int | None] = {}
        unread = 0
        with Snapshot(root, commit) as snapshot:
            versions = {(p, name) for p, name in snapshot.files.items() if _DOCUMENT.fullmatch(p)}
            for version in versions:
                if version not in read:
                    read[version] = _read(snapshot, version[0], size_of)
                found = read[version]
                unread += found is None
                sizes |= found or {}
        read = {version: found for version, found in read.items() if version in versions}
        yield sizes, unread


def _read(snapshot: Snapshot, path: str, size_of: Callable[[Digest], int | None]) -> Sizes | None:
    """Read the sizes of the objects that one document refers to; `None` if it is not right."""
    try:
        content = parse_yaml(snapshot.read(path) or b"", path)
        outputs: tuple[Output, ...]
        if path.endswith(".pvt"):
            outputs = (parse_tracked(content, path).output,)
        else:
            lock = parse_lock(content, path)
            kept = (output for output in lock.undecided if output.path not in snapshot.files)
            outputs = (*lock.outputs, *kept)
    except (InvalidDocument, UnsafePath):
        return None
    files = (file for output in outputs for file in files_of(output))
    return {f.digest: size_of(f.digest) if f.size is None else f.size for f in files}
