"""Read documents that people write, with types and line numbers: YAML, JSON and TOML.

YAML is read by the core schema of version 1.2, in which `1e-3` is a number and `no` is a word.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pivot.documents import explain_yaml, read_document, yaml_text
from pivot.errors import InvalidDocument

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from yaml.nodes import MappingNode, Node

Typed: TypeAlias = "bool | int | float | str | list[Typed] | dict[str, Typed] | None"
Position: TypeAlias = "tuple[str | int, ...]"
"""Where a value stands: the keys and list indexes that lead to it."""

_MOST_NODES = 1_000_000
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {w: w.lower() == "true" for w in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)"
    r"|\.(?:nan|NaN|NAN)"
)
_STANDARD_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Values:
    """What a document holds, and on which line each value stands (YAML alone knows)."""

    value: Typed
    lines: Mapping[Position, int]

    def line(self, position: Position) -> int | None:
        """Find the line of *position*, or of the nearest value around it."""
        for end in range(len(position), -1, -1):
            if position[:end] in self.lines:
                return self.lines[position[:end]]
        return None


def load_values(path: Path, document: str) -> Values:
    """Read the file at *path* by its ending, `.json`, `.toml`, else YAML; see `parse_values`."""
    return parse_values(read_document(path, follow=True), document)


def parse_values(data: bytes, document: str) -> Values:
    """Read *data*; *document* is its name, whose ending says the format.

    An empty document is an empty mapping. Raises `InvalidDocument` with the line.
    """
    if document.endswith((".json", ".toml")):
        return Values(_parse_other(data, document), {})
    return _parse_yaml(data, document)


def _parse_other(data: bytes, document: str) -> Typed:
    try:
        text = data.decode("utf-8-sig")
        if document.endswith(".toml"):
            return _plain(tomllib.loads(text))
        loaded: Typed = json.loads(text, object_pairs_hook=_unique)
        return loaded
    except UnicodeDecodeError as error:
        raise InvalidDocument(document, [f"is not UTF-8 text (byte {error.start})"]) from error
    except json.JSONDecodeError as error:
        raise InvalidDocument(document, [f"line {error.lineno}: {error.msg}"]) from error
    except RecursionError as error:
        raise InvalidDocument(document, ["is nested too deep"]) from error
    except ValueError as error:  # what tomllib raises, and what `_unique` and int() do
        raise InvalidDocument(document, [str(error).splitlines()[0]]) from error


def _unique(pairs: list[tuple[str, Typed]]) -> dict[str, Typed]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return made


def _plain(value: object) -> Typed:
    """Make what TOML may hold what JSON may hold: dates become text."""
    match value:
        case dict():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case bool() | int() | float() | str():
            return value
    raise ValueError(f"a value of the kind {type(value).__name__} cannot be used")


def _parse_yaml(data: bytes, document: str) -> Values:
    import yaml  # noqa: PLC0415  a heavy package, loaded where it is needed

    try:
        text = yaml_text(data, document)
        node = yaml.compose(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except yaml.YAMLError as error:
        raise InvalidDocument(document, [explain_yaml(error)]) from error
    if node is None:
        return Values({}, {})
    builder = _Builder(document)
    value = builder.build(node, ())
    if builder.problems:
        raise InvalidDocument(document, builder.problems)
    return Values({} if value is None else value, builder.lines)


class _Builder:
    """Makes values of YAML nodes and notes where they stand."""

    def __init__(self, document: str) -> None:
        self.document = document
        self.problems: list[str] = []
        self.lines: dict[Position, int] = {}
        self._count = 0

    def build(self, node: Node, position: Position) -> Typed:
        from yaml.nodes import MappingNode, SequenceNode  # noqa: PLC0415

        self._count += 1
        if self._count > _MOST_NODES:  # aliases can double a document at every level
            raise InvalidDocument(self.document, [f"has more than {_MOST_NODES} values"])
        self.lines.setdefault(position, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            return self._mapping(node, position)
        if isinstance(node, SequenceNode):
            return [
                self.build(inner, (*position, number)) for number, inner in enumerate(node.value)
            ]
        return self._scalar(node)

    def _mapping(self, node: MappingNode, position: Position) -> dict[str, Typed]:
        from yaml.nodes import MappingNode, ScalarNode  # noqa: PLC0415

        made: dict[str, Typed] = {}
        merged: dict[str, Typed] = {}
        for key, inner in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self.problems.append(f"line {line}: a key must be text")
            elif key.value == "<<" and not key.style and isinstance(inner, MappingNode):
                merged |= self._mapping(inner, position)
            elif key.value in made:
                self.problems.append(f"line {line}: the key {key.value!r} stands twice")
            else:
                place = (*position, key.value)
                self.lines[place] = line
                made[key.value] = self.build(inner, place)
        return merged | made

    def _scalar(self, node: Node) -> Typed:
        tag = str(node.tag).removeprefix(_STANDARD_TAG)
        text = str(node.value)
        line = node.start_mark.line + 1
        if tag != "str":
            self.problems.append(f"line {line}: the tag {node.tag!r} is not allowed")
            return None
        if getattr(node, "style", None):  # quoted, or a block
            return text
        try:
            return _core(text)
        except ValueError:
            self.problems.append(f"line {line}: the number is too long")
            return None


def _core(text: str) -> Typed:
    """Give a plain scalar its type, by https://yaml.org/spec/1.2.2/#103-core-schema."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text.startswith("0") and text[1:2] in {"o", "x"} else int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text
