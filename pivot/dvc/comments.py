"""Write a YAML document anew, keeping the comments of an old one where they still belong."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, TypeAlias

from pivot.config_file import round_trip
from pivot.documents import reads_as_text
from pivot.errors import InvalidDocument
from pivot.values import parse_values

if TYPE_CHECKING:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    from pivot.values import Typed

    Node: TypeAlias = CommentedMap | CommentedSeq

_NUMBER = re.compile(r"[-+.0-9]")


def rewrite(before: bytes, tree: Typed, document: str) -> bytes:
    """Write *tree* with the comments and the layout of *before*, as far as it still says the same.

    What is written reads as *tree*, without the comments if need be. Raises `InvalidDocument`.
    """
    for text in (_with_comments(before, tree), _plain(tree)):
        if text is not None and parse_values(text, document).value == tree:
            return text
    raise InvalidDocument(document, ["cannot be written so that it reads the same"])


def _with_comments(before: bytes, tree: Typed) -> bytes | None:
    from ruamel.yaml.comments import CommentedMap  # noqa: PLC0415
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    yaml = _yaml()
    try:
        loaded = yaml.load(before.decode("utf-8-sig"))
    except (YAMLError, ValueError, NotImplementedError):
        return None
    if not isinstance(loaded, CommentedMap) or not isinstance(tree, dict):
        return None
    _update_mapping(loaded, tree)
    return _dump(yaml, loaded)


def _plain(tree: Typed) -> bytes:
    return _dump(_yaml(), _new(tree))


def _dump(yaml: YAML, node: object) -> bytes:
    stream = io.StringIO()
    yaml.dump(node, stream)
    return stream.getvalue().encode()


def _yaml() -> YAML:
    yaml = round_trip()
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _update_mapping(node: CommentedMap, wanted: dict[str, Typed]) -> None:
    for key in [key for key in node if key not in wanted]:
        del node[key]
    for place, (key, value) in enumerate(wanted.items()):
        if key not in node:
            node.insert(place, _new(key), _new(value))
        elif not _update(node[key], value):
            node[key] = _new(value)


def _update(node: object, wanted: Typed) -> bool:
    """Change *node* to say *wanted*; tell whether that was possible."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq  # noqa: PLC0415

    if isinstance(node, CommentedMap) and isinstance(wanted, dict):
        _update_mapping(node, wanted)
        return True
    if isinstance(node, CommentedSeq) and isinstance(wanted, list) and len(node) == len(wanted):
        for number, value in enumerate(wanted):
            if not _update(node[number], value):
                node[number] = _new(value)
        return True
    same_kind = isinstance(node, str) == isinstance(wanted, str)
    return same_kind and isinstance(node, bool) == isinstance(wanted, bool) and node == wanted


def _new(value: Typed) -> object:
    """Make a node of *value*, with quotes where a reader could take text for something else."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq  # noqa: PLC0415
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString  # noqa: PLC0415

    match value:
        case dict():
            made = CommentedMap()
            for key, inner in value.items():
                made[_new(key)] = _new(inner)
            return made
        case list():
            listed = CommentedSeq(_new(inner) for inner in value)
            if not any(isinstance(inner, dict | list) for inner in value):
                listed.fa.set_flow_style()
            return listed
        case str() if _NUMBER.match(value) or not reads_as_text(value):
            return DoubleQuotedScalarString(value)
    return value
