"""What git knows of the project; the only place that starts git."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from pivot.errors import PivotError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

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


def _list(root: Path, paths: list[str]) -> list[str]:
    command = ["git", "--literal-pathspecs", "-C", str(root), "ls-files", "-z", "--", *paths]
    try:
        done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603
    except FileNotFoundError as error:
        raise PivotError("git is not installed, so it cannot say what it tracks") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        reason = said[0] if said else f"exit code {error.returncode}"
        raise PivotError(f"git cannot list its files in {root}: {reason}") from error
    return [name.decode(errors="surrogateescape") for name in done.stdout.split(b"\0") if name]
