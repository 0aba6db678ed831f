"""What git knows of the project; the only place that starts git."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from pivot.errors import PivotError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_ELSEWHERE = frozenset(
    {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"}
)
_AT_ONCE = 500  # paths on one command line: far below every system's limit


def tracked_paths(root: Path, paths: Iterable[str]) -> set[str]:
    """Say which of *paths* (from *root*) git tracks; a tracked directory is one with tracked files.

    Outside a repository the answer is none. Raises `PivotError` when git cannot tell.
    """
    wanted = sorted(set(paths))
    if not wanted or not any((place / ".git").exists() for place in (root, *root.parents)):
        return set()
    listed: set[str] = set()
    for start in range(0, len(wanted), _AT_ONCE):
        listed.update(_list(root, wanted[start : start + _AT_ONCE]))
    above = {path[:end] for path in listed for end, mark in enumerate(path) if mark == "/"}
    return {path for path in wanted if path in listed or path in above}


def _own_repository() -> dict[str, str]:
    """Keep git from another repository than the one around the project, as in a git hook."""
    return {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}


def _list(root: Path, paths: list[str]) -> list[str]:
    command = ["git", "--literal-pathspecs", "-C", str(root), "ls-files", "-z", "--", *paths]
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, check=True, env=_own_repository()
        )
    except FileNotFoundError as error:
        raise PivotError("git is not installed, so it cannot say what it tracks") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        reason = said[0] if said else f"exit code {error.returncode}"
        raise PivotError(f"git cannot list its files in {root}: {reason}") from error
    return [name.decode(errors="surrogateescape") for name in done.stdout.split(b"\0") if name]
