"""Find files that a stage wrote and does not declare."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pivot.errors import PivotError
from pivot.git import ignored_paths

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_LEFT_OUT = frozenset(
    {".git", ".hg", ".svn", ".pivot", "node_modules", "__pycache__", ".venv", "venv"}
    | {".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
)


def find_strays(root: Path, since: int, known: Collection[str]) -> list[str]:
    """List files below *root* that were changed since a time of the file system, in nanoseconds.

    Left out are the paths that are *known* and all below them, what git ignores, and directories
    that tools keep for themselves. A directory that cannot be read has nothing to say.
    """
    changed: list[str] = []
    waiting = [""]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(root / place) as entries:
                for entry in entries:
                    path = f"{place}/{entry.name}" if place else entry.name
                    if entry.name in _LEFT_OUT or path in known:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(path)
                    elif _is_newer(entry, since):
                        changed.append(path)
        except OSError:
            continue
    if not changed:
        return []
    try:
        ignored = ignored_paths(root, changed)
    except PivotError:
        ignored = set()
    return sorted(path for path in changed if path not in ignored)


def _is_newer(entry: os.DirEntry[str], since: int) -> bool:
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return False  # gone since the directory was read
    # an object of the cache: its time changes also when another link to it comes or goes
    shared = found.st_nlink > 1 and not found.st_mode & 0o222 and found.st_mtime_ns < since
    return found.st_ctime_ns >= since and not shared
