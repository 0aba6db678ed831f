"""Find values by their dotted keys; pure."""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pivot.documents import Value
    from pivot.values import Typed

_PART = re.compile(r"([^.\[\]]+)|\[(-?[0-9]{1,9})\]")


def look_up(tree: Typed, key: str) -> Typed:
    """Find the value at *key*, such as `train.lr` or `layers[0].width`; raises `KeyError`."""
    value = tree
    for part in _split(key):
        if isinstance(value, dict) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and str(part).removeprefix("-").isdecimal():
            try:
                value = value[int(part)]
            except (IndexError, ValueError):  # there is no such element, or it has 5000 digits
                raise KeyError(key) from None
        else:
            raise KeyError(key)
    return value


def _split(key: str) -> Iterator[str]:
    """Divide a key into names and indexes; raises `KeyError` for one that has no such form."""
    end = 0
    for found in _PART.finditer(key):
        between = key[end : found.start()]
        if between != ("." if end and found[1] else ""):
            raise KeyError(key)
        yield found[1] or found[2]
        end = found.end()
    if end != len(key) or not key:
        raise KeyError(key)


def leaves(tree: Typed | Value, above: str = "") -> Iterator[tuple[str, Typed | Value]]:
    """List every value that is no mapping or list, with the key that leads to it."""
    if isinstance(tree, dict) and tree:
        for name, value in tree.items():
            yield from leaves(value, f"{above}.{name}" if above else name)
    elif isinstance(tree, list) and tree:
        for number, value in enumerate(tree):
            yield from leaves(value, f"{above}[{number}]")
    else:
        yield above, tree


def nearest(tree: Typed, key: str) -> str:
    """Say which key of *tree* may be meant by *key*: `did you mean 'train.lr'?`, or nothing."""
    names: dict[str, None] = {}
    for name, _ in leaves(tree):
        names |= {name[:end]: None for end, char in enumerate(name) if char in ".["}
        names[name] = None
    near = difflib.get_close_matches(key, filter(None, names), n=1)
    return f"did you mean '{near[0]}'?" if near else ""


def to_text(value: Typed | Value) -> str:
    """Say a value as it stands in a command: `true`, `null`, `0.01`, and lists as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def merge(one: Mapping[str, Typed], other: Mapping[str, Typed]) -> dict[str, Typed]:
    """Put *other* over *one*, mapping by mapping."""
    made = dict(one)
    for key, value in other.items():
        before = made.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            made[key] = merge(before, value)
        else:
            made[key] = value
    return made
