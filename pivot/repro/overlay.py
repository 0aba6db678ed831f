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
        file = _sized(files[path], size)
        return replace(file, executable=file.executable or None)
    empty = {
        name
        for output in (seen, *recorded)
        if isinstance(output, Directory)
        for name in (output.empty if output is seen or _holds(output) else (output.path,))
        if _within(name, path) and (output is not seen or not _covered(name, places))
    }
    if not files and not empty:
        return None
    filled = {above for name in (*files, *empty) for above in _above(name)}
    return _directory(path, files.values(), empty - filled - {path}, size)


def _holds(output: Directory) -> bool:
    return bool(output.files or output.empty)


def _directory(
    path: str, files: Iterable[File], empty: Iterable[str], size: Callable[[Digest], int | None]
) -> Directory:
    members = tuple(
        replace(_sized(file, size), executable=bool(file.executable))
        for file in sorted(files, key=lambda each: each.path)
    )
    bare = tuple(sorted(empty))
    return Directory(path, tree_digest(members, bare, above=path), members, bare)


def _sized(file: File, size: Callable[[Digest], int | None]) -> File:
    known = file.size if file.size is not None else size(file.digest)
    return replace(file, size=known, lenient=False)


def _within(path: str, above: str) -> bool:
    return path == above or path.startswith(f"{above}/")


def _covered(path: str, places: Iterable[str]) -> bool:
    return any(_within(path, place) for place in places)


def _above(path: str) -> list[str]:
    return [path[:end] for end, char in enumerate(path) if char == "/"]
