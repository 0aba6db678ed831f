"""Values that unit tests are made of, short to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.objects import (
    Digest,
    Directory,
    File,
    Output,
    digest_bytes,
    files_of,
    object_name,
    tree_digest,
)
from pivot.plan import Place, Wanted
from pivot.targets import Reference, References

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def digest(number: int) -> Digest:
    """Name some content by a number; greater numbers come later in a listing."""
    return Digest(f"{number:016x}")


def file_of(path: str, content: bytes, *, executable: bool | None = None) -> File:
    return File(path, digest_bytes(content), len(content), executable)


def directory_of(
    path: str, contents: Mapping[str, bytes], *, empty: tuple[str, ...] = ()
) -> Directory:
    files = tuple(file_of(f"{path}/{n}", data, executable=False) for n, data in contents.items())
    bare = tuple(f"{path}/{name}" for name in empty)
    return Directory(path, tree_digest(files, bare, above=path), files, bare)


def stage_output(stage: str, output: Output) -> Reference:
    return Reference(output, stage, f".pivot/stages/{stage}.lock", is_stage=True)


def tracked_output(output: Output) -> Reference:
    return Reference(output, output.path, f"{output.path}.pvt", is_stage=False)


def want_of(digest: Digest, size: int | None, *places: Place) -> Wanted:
    """Want an object for *places*, the first of which comes first."""
    first, *others = places
    where = (first.path, first.owner, first.document)
    return Wanted(digest, size, False, *where, others=tuple(others))


def paths_of(*outputs: Output) -> frozenset[str]:
    """List what a project whose documents name *outputs* knows of."""
    return frozenset(file.path for output in outputs for file in files_of(output))


def references_of(*entries: Reference, uncached: Mapping[str, str] | None = None) -> References:
    stages = {entry.owner for entry in entries if entry.is_stage} | set((uncached or {}).values())
    return References(entries, frozenset(stages), uncached or {})


def put_object(cache: Path, content: bytes, *, mode: int = 0o444) -> Digest:
    """Store *content* in the cache at *cache* as an earlier run would have."""
    name = digest_bytes(content)
    place = cache / object_name(name)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        place.unlink()
    place.write_bytes(content)
    place.chmod(mode)
    return name


def write(root: Path, path: str, content: bytes = b"") -> Path:
    """Write a file below *root*, with the directories above it."""
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place
