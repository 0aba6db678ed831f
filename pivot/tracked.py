"""A `.pvt` file, which stands beside data that no stage makes, to and from a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.documents import dump_yaml, kind, load_yaml, mapping, write_document
from pivot.errors import InvalidDocument
from pivot.frozen import frozen
from pivot.lock_writer import manifest_of
from pivot.lockfile import read_output
from pivot.objects import Directory

if TYPE_CHECKING:
    from pathlib import Path

    from pivot.documents import Value
    from pivot.objects import Output
    from pivot.values import Typed

_KEYS = frozenset({"path", "hash", "size", "num_files", "manifest", "empty_dirs", "source"})
_SOURCE_KEYS = ("repo", "rev", "rev_lock", "stage", "path", "remote")


@frozen
class Tracked:
    """Data that *document* tracks; *imported_from* is the remote's URL of another project."""

    document: str
    output: Output
    imported_from: str | None = None


def load_tracked(path: Path, root: Path) -> Tracked:
    """Read the `.pvt` file at *path* of the project at *root*.

    Raises `InvalidDocument`, `UnsafePath`, `LocalError`.
    """
    return parse_tracked(load_yaml(path), path.relative_to(root).as_posix())


def parse_tracked(content: Value, document: str) -> Tracked:
    """Take *content* as that of the `.pvt` file *document*; see `load_tracked`."""
    tree = mapping(content, document)
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


def write_tracked(root: Path, output: Output) -> Path:
    """Write the `.pvt` file of *output* beside it, as the real `pivot track` does.

    Raises `UnsafePath`, `LocalError`.
    """
    return write_document(root, f"{output.path}.pvt", render_tracked(output))


def render_tracked(output: Output) -> bytes:
    """Say *output* as the text of its `.pvt` file; the set of keys is closed."""
    tree: dict[str, Typed] = {"path": output.path.rpartition("/")[2], "hash": output.digest}
    if isinstance(output, Directory):
        tree["size"] = sum(file.size or 0 for file in output.files)
        tree["num_files"] = len(output.files)
        return dump_yaml(tree | manifest_of(output))
    return dump_yaml(tree | {"size": output.size})
