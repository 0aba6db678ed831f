"""Change one configuration file, keeping its comments, its order and the keys of others."""

from __future__ import annotations

import contextlib
import fcntl
import io
import itertools
from typing import TYPE_CHECKING

from pivot.documents import load_yaml, mapping, reads_as_text, write_atomically
from pivot.errors import InvalidDocument, local_error

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from pathlib import Path

    from ruamel.yaml import YAML

    from pivot.keys import Setting

    Tree = MutableMapping[str, object]


def set_key(path: Path, key: str, value: Setting) -> None:
    """Set *key* in the file at *path*; raises `InvalidDocument`, `LocalError`."""
    with _editing(path) as tree:
        place = _place(key, value)
        for old in _places(key):
            if old != place:
                _remove(tree, old)
        below = tree
        *above, name = place
        for section in above:
            if not isinstance(below.get(section), dict):
                below[_quoted(section)] = {}
            below = below[section]  # type: ignore[assignment]
        below[_quoted(name)] = _quoted(value) if isinstance(value, str) else value


def unset_key(path: Path, key: str) -> bool:
    """Remove *key*, and the sections that this leaves empty; tell whether it was there."""
    with _editing(path) as tree:
        removed = [_remove(tree, place) for place in _places(key)]
    return any(removed)


def round_trip() -> YAML:
    """Make an editor of YAML that keeps comments, order, quotes and long lines."""
    from ruamel.yaml import YAML  # noqa: PLC0415

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096  # never fold a line that the user wrote
    yaml.default_flow_style = False
    return yaml


def _quoted(text: str) -> str:
    """Quote a text that YAML 1.1, which the real Pivot reads, would take for something else."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString  # noqa: PLC0415

    return text if reads_as_text(text) else DoubleQuotedScalarString(text)


def _leading_comment(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(itertools.takewhile(lambda line: line.startswith("#"), lines))


def _place(key: str, value: Setting) -> list[str]:
    """Say where in the file a key stands.

    The real Pivot refuses a whole file whose `remotes` hold another URL than s3://, so shared
    folders stand in a section of their own, which it ignores.
    """
    section, *rest = key.split(".")
    if section == "remotes" and str(value).startswith("file:"):
        section = "folders"
    return [section, *rest]


def _places(key: str) -> list[list[str]]:
    names = key.split(".")
    return [names, ["folders", *names[1:]]] if names[0] == "remotes" else [names]


def _remove(tree: Tree, names: list[str]) -> bool:
    name, *below = names
    if name not in tree:
        return False
    if not below:
        del tree[name]
        return True
    inner = tree[name]
    if not isinstance(inner, dict) or not _remove(inner, below):
        return False
    if not inner:
        del tree[name]
    return True


@contextlib.contextmanager
def _editing(path: Path) -> Iterator[Tree]:
    """Read the file, let the caller change it, and write it whole; one editor at a time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = open(path.with_name(f"{path.name}.lock"), "w")  # noqa: SIM115  closed below
    except OSError as error:
        raise local_error(error, path) from error
    with lock:
        with contextlib.suppress(OSError):  # a file system without locks still has whole writes
            fcntl.flock(lock, fcntl.LOCK_EX)
        yaml = round_trip()
        before, tree = _read(path, yaml)
        yield tree
        stream = io.StringIO()
        yaml.dump(tree, stream)
        after = stream.getvalue() if tree else _leading_comment(before)
        if after != before:
            write_atomically(path, after.encode())


def _read(path: Path, yaml: YAML) -> tuple[str, Tree]:
    from ruamel.yaml.comments import CommentedMap  # noqa: PLC0415
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    if not path.exists():
        return "", CommentedMap()
    mapping(load_yaml(path, follow=True), path)  # its limits and its errors come first
    text = path.read_text(encoding="utf-8-sig")
    try:
        loaded = yaml.load(text)
    except YAMLError as error:
        raise InvalidDocument(path, [str(error).splitlines()[0]]) from error
    return text, CommentedMap() if loaded is None else loaded
