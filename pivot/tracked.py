"""A `.pvt` file, which stands beside data that no stage makes, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pivot.documents import kind, load_yaml, mapping
from pivot.errors import InvalidDocument
from pivot.lockfile import read_output

if TYPE_CHECKING:
    from pathlib import Path

    from pivot.objects import Output

_KEYS = frozenset({"path", "hash", "size", "num_files", "manifest", "empty_dirs", "source"})
_SOURCE_KEYS = ("repo", "rev", "rev_lock", "stage", "path", "remote")


@dataclass(frozen=True, slots=True)
class Tracked:
    """Data that *document* tracks; *imported_from* is the remote's URL of another project."""

    document: str
    output: Output
    imported_from: str | None = None


def load_tracked(path: Path, root: Path) -> Tracked:
    """Read the `.pvt` file at *path* of the project at *root*.

    Raises `InvalidDocument`, `UnsafePath`, `LocalError`.
    """
    document = path.relative_to(root).as_posix()
    tree = mapping(load_yaml(path), document)
    problems = [f"unknown key {key!r}" for key in tree if key not in _KEYS]
    name = tree.get("path")
    if not isinstance(name, str) or not name:
        problems.append(f"path must be a relative path, not {kind(name)}")
        raise InvalidDocument(document, problems)
    above = document.rpartition("/")[0]
    inside = f"{above}/{name}" if above else name
    output = read_output(tree, inside, document, "", problems, old="empty_dirs" not in tree)
    source = tree.get("source")
    if source is not None:
        fields = mapping(source, document, "source")
        problems += [
            f"source.{key} must be text, not {kind(fields.get(key))}"
            for key in _SOURCE_KEYS
            if not isinstance(fields.get(key), str)
        ]
    if problems or output is None:
        raise InvalidDocument(document, problems, hint="restore the file from git")
    imported = str(fields["remote"]) if source is not None else None
    return Tracked(document, output, imported)
