"""What a path would hold if recorded outputs were in place; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.objects import Directory, File, Output, files_of, tree_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pivot.objects import Digest


def overlay(
    path: str,
    seen: Output | None,
    recorded: Sequence[Output],
    size: Callable[[Digest], int | None],
) -> Output | None:
    """Say what *path* holds when *recorded* outputs, all related to it, replace what was *seen*.

    *size* tells the size of an object where no document does.
    """
    if not recorded:
        return seen
    places = [output.path for output in recorded]
    files = {
        file.path: file
        for file in (files_of(seen) if seen is not None else ())
        if not _covered(file.path, places)
    }
    for output in recorded:
        files |= {file.path: file for file in files_of(output) if _within(file.path, path)}
    if path in files:
        return files[path]
    empty = {
        name
        for output in (seen, *recorded)
        if isinstance(output, Directory)
        for name in output.empty
        if _within(name, path) and (output is not seen or not _covered(name, places))
    }
    whole = [output for output in recorded if output.path == path]
    if not files and not empty and not whole:
        return None
    filled = {above for name in files for above in _above(name)}
    return _directory(path, files.values(), empty - filled, size)


def _directory(
    path: str, files: Iterable[File], empty: Iterable[str], size: Callable[[Digest], int | None]
) -> Directory:
    members = tuple(
        replace(
            file,
            executable=bool(file.executable),
            size=file.size if file.size is not None else size(file.digest),
        )
        for file in sorted(files, key=lambda each: each.path)
    )
    bare = tuple(sorted(empty))
    return Directory(path, tree_digest(members, bare, above=path), members, bare)


def _within(path: str, above: str) -> bool:
    return path == above or path.startswith(f"{above}/")


def _covered(path: str, places: Iterable[str]) -> bool:
    return any(_within(path, place) for place in places)


def _above(path: str) -> list[str]:
    return [path[:end] for end, char in enumerate(path) if char == "/"]
