"""Write lock files, in the form that all releases of the real Pivot read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.documents import Value, dump_yaml, mapping, parse_yaml, write_document
from pivot.errors import local_error
from pivot.fingerprint import fingerprint
from pivot.frozen import frozen
from pivot.manifests import expand
from pivot.objects import Directory, Output

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pivot.stage import Stage
    from pivot.values import Typed


@frozen
class Record:
    """What a stage read and made when it ran: one entry for each path that it declares.

    *parameters* are the values of its keys, by `ParameterKey.name`, and those in the pipeline.
    """

    stage: Stage
    parameters: Mapping[str, Typed]
    dependencies: tuple[Output, ...]
    outputs: tuple[Output, ...]


def lock_path(stage: str) -> str:
    """Name the lock file of a stage, from the project root."""
    return f".pivot/stages/{stage}.lock"


def write_lock(root: Path, record: Record) -> Path:
    """Write the lock file of a stage whole or not at all, if it is to change.

    Raises `UnsafePath`, `LocalError`.
    """
    path = root / lock_path(record.stage.name)
    data = render_lock(record)
    try:
        same = path.is_file() and path.read_bytes() == data
    except OSError as error:
        raise local_error(error, path) from error
    if not same:
        write_document(root, lock_path(record.stage.name), data)
    return path


def render_lock(record: Record) -> bytes:
    """Say *record* as the text of a lock file; docs/format.md describes it."""
    cached = {output.path: output.cached for output in record.stage.outputs}
    only = len(record.outputs) == 1
    outs = []
    for output in sorted(record.outputs, key=lambda each: each.path):
        entry = _entry(output, {"key": None if only else output.path})
        outs.append(entry if cached[output.path] else {**entry, "cached": False})
    tree: dict[str, Typed] = {
        "schema_version": 2,
        "code_manifest": dict(fingerprint(record.stage, record.parameters)),
        "params": dict(sorted(record.parameters.items())),
        "deps": [
            _entry(dependency, {"producer": _producer(dependency.path), "key": None})
            for dependency in sorted(record.dependencies, key=lambda each: each.path)
        ],
        "outs": [*outs],
    }
    return dump_yaml(tree)


def as_text(parameters: Mapping[str, Typed]) -> Mapping[str, Value]:
    """Say values as they will be read from a lock file: every scalar as text."""
    tree = dict(sorted(parameters.items()))
    written = expand(parse_yaml(dump_yaml(tree), "parameters")) if tree else {}
    return mapping(written, "parameters")


def _entry(output: Output, more: Mapping[str, Typed]) -> dict[str, Typed]:
    """Say a file or directory with the keys of all generations; its manifest stands last."""
    entry: dict[str, Typed] = {"path": output.path, "hash": output.digest, **more}
    if not isinstance(output, Directory):
        entry |= {"size": output.size} if output.size is not None else {}
        return entry | ({"isexec": True} if output.executable else {})
    return entry | manifest_of(output)


def manifest_of(output: Directory) -> dict[str, Typed]:
    """Say what a directory holds, as lock and `.pvt` files alike do."""
    cut = len(output.path) + 1
    manifest: list[Typed] = [
        {
            "relpath": file.path[cut:],
            "hash": file.digest,
            "size": file.size,
            "isexec": bool(file.executable),
        }
        for file in output.files
    ]
    if not output.empty:
        return {"manifest": manifest}
    return {"manifest": manifest, "empty_dirs": [path[cut:] for path in output.empty]}


def _producer(path: str) -> str:
    """Name a dependency for readers that expect a stage here, which has no colon in its name."""
    return path.replace(":", "%3A")
