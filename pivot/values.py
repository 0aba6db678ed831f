"""Read documents that people write, with types and line numbers: YAML, JSON and TOML.

YAML is read by the core schema of version 1.2, in which `1e-3` is a number and `no` is a word.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import tomllib
from typing import TYPE_CHECKING, TypeAlias

from pivot.documents import explain_yaml, read_document, yaml_text
from pivot.errors import InvalidDocument
from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from yaml.nodes import MappingNode, Node

Typed: TypeAlias = "bool | int | float | str | list[Typed] | dict[str, Typed] | None"
Position: TypeAlias = "tuple[str | int, ...]"
"""Where a value stands: the keys and list indexes that lead to it."""

_MOST_NODES = 1_000_000
_ENOUGH = 100_000  # for a small document: aliases can double one at every level
_DEEPEST = 50  # values are put into values, and a lock file with them must not be too deep either
_MOST_BITS = 10_000  # Python writes no number of more than 4300 digits
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {w: w.lower() == "true" for w in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)"
    r"|\.(?:nan|NaN|NAN)"
)
_STANDARD_TAG = "tag:yaml.org,2002:"
_PLAIN = "plain"
"""The tag that a scalar without quotes and without a tag gets here."""


@frozen
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
        return _plain(json.loads(text, object_pairs_hook=_unique))
    except UnicodeDecodeError as error:
        raise InvalidDocument(document, [f"is not UTF-8 text (byte {error.start})"]) from error
    except json.JSONDecodeError as error:
        raise InvalidDocument(document, [f"line {error.lineno}: {error.msg}"]) from error
    except RecursionError as error:
        raise InvalidDocument(document, ["is nested too deep"]) from error
    except ValueError as error:  # what tomllib raises, and what `_unique` and int() do
        what = str(error).splitlines()[0]
        what = "a number is too long" if what.startswith("Exceeds the limit") else what
        raise InvalidDocument(document, [what]) from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made: dict[str, object] = {}
    for key, value in pairs:
        if key in made:
            raise ValueError(f"the key {key!r} stands twice")
        made[key] = value
    return made


def _plain(value: object, depth: int = 0) -> Typed:
    """Make what JSON and TOML may hold what everything else bears: dates become text."""
    if depth > _DEEPEST:
        raise ValueError(f"is nested deeper than {_DEEPEST}")
    match value:
        case dict():
            return {_unicode(key): _plain(inner, depth + 1) for key, inner in value.items()}
        case list():
            return [_plain(inner, depth + 1) for inner in value]
        case str():
            return _unicode(value)
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case int() if value.bit_length() > _MOST_BITS:
            raise ValueError("a number is too long")
        case bool() | int() | float() | None:
            return value
    raise ValueError(f"a value of the kind {type(value).__name__} cannot be used")


def _unicode(text: str) -> str:
    """Refuse what JSON can say and no file can hold: half of a surrogate pair."""
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError(f"the text {text!r:.60} is not Unicode")
    return text


def _parse_yaml(data: bytes, document: str) -> Values:
    import yaml  # noqa: PLC0415  a heavy package, loaded where it is needed

    # every value takes a byte, so more values than bytes come of aliases alone
    builder = _Builder(document, min(_MOST_NODES, max(_ENOUGH, len(data))))
    try:
        node = yaml.compose(yaml_text(data, document), Loader=_loader())
        value = None if node is None else builder.build(node, ())
    except yaml.YAMLError as error:
        raise InvalidDocument(document, [explain_yaml(error, data)]) from error
    except RecursionError as error:  # a mapping that is merged into itself
        raise InvalidDocument(document, ["is nested too deep"]) from error
    if builder.problems:
        raise InvalidDocument(document, builder.problems)
    return Values({} if value is None else value, builder.lines)


def _loader() -> type:
    import yaml  # noqa: PLC0415

    class Loader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
        """Tells a plain scalar from one that is quoted, or says that it is text."""

        def resolve(self, kind: type, value: object, implicit: object) -> str:
            if isinstance(implicit, tuple) and implicit[0]:
                return _PLAIN
            return str(super().resolve(kind, value, implicit))

    return Loader


class _Builder:
    """Makes values of YAML nodes and notes where they stand."""

    def __init__(self, document: str, most: int) -> None:
        self.document = document
        self.most = most
        self.problems: list[str] = []
        self.lines: dict[Position, int] = {}
        self._count = 0

    def build(self, node: Node, position: Position) -> Typed:
        from yaml.nodes import MappingNode, SequenceNode  # noqa: PLC0415

        self.lines.setdefault(position, _line(node))
        if isinstance(node, MappingNode):
            self._enter(node, position, "map")
            return self._mapping(node, position)
        if isinstance(node, SequenceNode):
            self._enter(node, position, "seq")
            return [self._item(inner, (*position, n)) for n, inner in enumerate(node.value)]
        self._enter(node, position, "")
        return self._scalar(node)

    def _item(self, node: Node, position: Position) -> Typed:
        self.lines[position] = _line(node)
        return self.build(node, position)

    def _enter(self, node: Node, position: Position, tag: str) -> None:
        self._count += 1
        if self._count > self.most:
            what = f"has more than {self.most} values, with what aliases repeat"
            raise InvalidDocument(self.document, [what])
        if len(position) > _DEEPEST:
            what = f"line {_line(node)}: nested deeper than {_DEEPEST}"
            raise InvalidDocument(self.document, [what])
        if tag and node.tag != _STANDARD_TAG + tag:
            self.problems.append(f"line {_line(node)}: the tag {node.tag!r} is not allowed")

    def _mapping(self, node: MappingNode, position: Position) -> dict[str, Typed]:
        from yaml.nodes import ScalarNode  # noqa: PLC0415

        made: dict[str, Typed] = {}
        merged: dict[str, Typed] = {}
        for key, inner in node.value:
            if _is_merge(key):
                merged = self._merged(inner, position) | merged
        for key, inner in node.value:
            if not isinstance(key, ScalarNode):
                self.problems.append(f"line {_line(key)}: a key must be text")
            elif key.value in made:
                self.problems.append(f"line {_line(key)}: the key {key.value!r} stands twice")
            elif not _is_merge(key):
                place = (*position, key.value)
                self.lines[place] = _line(key)
                made[key.value] = self.build(inner, place)
        return merged | made

    def _merged(self, node: Node, position: Position) -> dict[str, Typed]:
        """Build what a key `<<` brings along: a mapping, or several, of which the first wins."""
        from yaml.nodes import MappingNode, SequenceNode  # noqa: PLC0415

        merged: dict[str, Typed] = {}
        for part in reversed(node.value if isinstance(node, SequenceNode) else [node]):
            self._enter(part, position, "")
            if isinstance(part, MappingNode):
                merged |= self._mapping(part, position)
            else:
                self.problems.append(f"line {_line(part)}: only a mapping can be merged with '<<'")
        return merged

    def _scalar(self, node: Node) -> Typed:
        if node.tag == f"{_STANDARD_TAG}str":  # also what is quoted, or a block
            return str(node.value)
        if node.tag != _PLAIN:
            self.problems.append(f"line {_line(node)}: the tag {node.tag!r} is not allowed")
            return None
        try:
            return _core(str(node.value))
        except ValueError:
            self.problems.append(f"line {_line(node)}: the number is too long")
            return None


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _is_merge(key: Node) -> bool:
    return bool(key.tag == _PLAIN and key.value == "<<")


def _core(text: str) -> Typed:
    """Give a plain scalar its type, by https://yaml.org/spec/1.2.2/#103-core-schema."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        if len(text) > _MOST_BITS // 4:
            raise ValueError(text)
        return int(text, 0) if text.startswith("0") and text[1:2] in {"o", "x"} else int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text
