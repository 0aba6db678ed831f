"""Read what DVC recorded of contents: `dvc.lock` and `*.dvc` files, to values."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pivot.dvc.notes import Note
from pivot.errors import InvalidDocument, UnsafePath
from pivot.frozen import frozen
from pivot.paths import data_path
from pivot.schema import kind_of
from pivot.values import Values, parse_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pivot.values import Position, Typed

_MD5 = re.compile(r"([0-9a-f]{32})(\.dir)?")


@frozen
class Hashed:
    """A content as DVC names it: by *md5*, of a directory that of its listing.

    With *legacy*, as in DVC 2, the line ends of text are hashed as LF, whatever they are.
    """

    md5: str
    directory: bool = False
    size: int | None = None
    legacy: bool = False

    @property
    def name(self) -> str:
        """How DVC writes it."""
        return f"{self.md5}.dir" if self.directory else self.md5


@frozen
class Ran:
    """What `dvc.lock` records of a stage; paths count from the directory where it ran.

    A content is `None` where DVC recorded no hash that can be used.
    """

    commands: tuple[str, ...]
    dependencies: Mapping[str, Hashed | None]
    outputs: Mapping[str, Hashed | None]
    parameters: Mapping[str, Mapping[str, Typed]]


@frozen
class Data:
    """An output of a `*.dvc` file, at *path* from the root."""

    path: str
    document: str
    line: int
    content: Hashed | None


@dataclass
class _Document:
    """A document while it is read."""

    values: Values
    name: str
    problems: list[str] = field(default_factory=list)

    def wrong(self, position: Position, what: str) -> None:
        line = self.values.line(position)
        self.problems.append(f"line {line}: {what}" if line else what)

    def mapping(self, value: Typed, position: Position, what: str) -> dict[str, Typed]:
        if isinstance(value, dict):
            return value
        if value is not None:
            self.wrong(position, f"{what} must be a mapping, not {kind_of(value)}")
        return {}

    def entries(self, value: Typed, position: Position) -> Iterator[tuple[Position, str, Typed]]:
        """List the entries of `deps` or `outs` with their paths."""
        if not isinstance(value, list | None):
            self.wrong(position, f"{position[-1]} must be a list, not {kind_of(value)}")
            return
        for number, entry in enumerate(value or ()):
            path = entry.get("path") if isinstance(entry, dict) else None
            if isinstance(path, str) and path:
                yield (*position, number), path, entry
            else:
                self.wrong((*position, number), f"{position[-1]}[{number}] has no path")

    def content(self, entry: Typed, position: Position) -> Hashed | None:
        assert isinstance(entry, dict)  # noqa: S101  checked by entries
        md5, size = entry.get("md5"), entry.get("size")
        if md5 is None:
            return None
        found = _MD5.fullmatch(md5) if isinstance(md5, str) else None
        if found is None:
            self.wrong(position, f"md5 must be 32 hexadecimal digits, not {kind_of(md5)}")
            return None
        known = size if isinstance(size, int) and not isinstance(size, bool) else None
        return Hashed(found[1], bool(found[2]), known, entry.get("hash") != "md5")

    def finish(self) -> None:
        if self.problems:
            raise InvalidDocument(self.name, self.problems, hint="restore the file from git")


def read_lock(data: bytes, document: str) -> Mapping[str, Ran]:
    """Read a `dvc.lock`: what each stage read and made; raises `InvalidDocument`."""
    file = _Document(parse_values(data, document), document)
    tree = file.mapping(file.values.value, (), "the document")
    inside: Position = ("stages",) if "schema" in tree else ()
    stages = file.mapping(tree.get("stages"), inside, "stages") if inside else tree
    found = {name: _ran(file, body, (*inside, name)) for name, body in stages.items()}
    file.finish()
    return found


def read_data(data: bytes, document: str) -> tuple[tuple[Data, ...], tuple[Note, ...]]:
    """Read a `*.dvc` file: its outputs, and what of it is not converted.

    Raises `InvalidDocument`.
    """
    file = _Document(parse_values(data, document), document)
    tree = file.mapping(file.values.value, (), "the document")
    notes = tuple(_data_notes(file, tree))
    above = posixpath.join(posixpath.dirname(document), str(tree.get("wdir") or "."))
    found: list[Data] = []
    for position, path, entry in file.entries(tree.get("outs"), ("outs",)):
        line = file.values.line(position) or 0
        assert isinstance(entry, dict)  # noqa: S101  checked by entries
        if entry.get("cache") is False:
            notes += (Note(document, line, f"{path} is not cached", "it stays in git"),)
            continue
        try:
            inside = data_path(posixpath.normpath(posixpath.join(above, path)), document)
        except UnsafePath:
            cure = "copy it into the project and run 'pivot track'"
            notes += (Note(document, line, f"{path} is outside of the project", cure),)
            continue
        found.append(Data(inside, document, line, file.content(entry, position)))
    file.finish()
    return tuple(found), notes


def _ran(file: _Document, body: Typed, position: Position) -> Ran:
    tree = file.mapping(body, position, str(position[-1]))
    cmd = tree.get("cmd")
    commands = cmd if isinstance(cmd, list) else [] if cmd is None else [cmd]
    parameters = {
        posixpath.normpath(path): file.mapping(keys, (*position, "params", path), path)
        for path, keys in file.mapping(tree.get("params"), (*position, "params"), "params").items()
    }
    deps, outs = (
        {
            posixpath.normpath(path): file.content(entry, inside)
            for inside, path, entry in file.entries(tree.get(key), (*position, key))
        }
        for key in ("deps", "outs")
    )
    return Ran(tuple(str(command) for command in commands), deps, outs, parameters)


def _data_notes(file: _Document, tree: Mapping[str, Typed]) -> Iterator[Note]:
    if "cmd" in tree:
        line = file.values.line(("cmd",)) or 0
        cure = "write it as a stage of pivot.yaml"
        yield Note(file.name, line, "a stage in a .dvc file is tracked as plain data", cure)
        return
    for position, path, entry in file.entries(tree.get("deps"), ("deps",)):
        line = file.values.line(position) or 0
        repo = entry.get("repo") if isinstance(entry, dict) else None
        source = f"{repo.get('url')} ({path})" if isinstance(repo, dict) else path
        yield Note(
            file.name,
            line,
            f"imported from {source}: tracked as plain data, without its source",
            "download it again by hand when the source changes, then run 'pivot track'",
        )
