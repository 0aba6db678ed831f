"""Replace `${key}` by values; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pivot.parameters import look_up, nearest, to_text

if TYPE_CHECKING:
    from pivot.values import Typed

_REFERENCE = re.compile(r"(\\)?\$\{\s*([^${}]*?)\s*\}")


def interpolate(value: Typed, scope: Typed, problems: list[str]) -> Typed:
    """Replace each `${key}` in *value* by what *scope* has at that key; `\\${` becomes `${`.

    A text that is one reference and nothing else becomes the value itself, of whatever type.
    What cannot be replaced is added to *problems*.
    """
    if isinstance(value, dict):
        made: dict[str, Typed] = {}
        for key, inner in value.items():
            made[_text(key, scope, problems)] = interpolate(inner, scope, problems)
        return made
    if isinstance(value, list):
        return [interpolate(inner, scope, problems) for inner in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole and not whole[1]:
        return _find(whole[2], scope, problems)
    return _text(value, scope, problems)


def _text(text: str, scope: Typed, problems: list[str]) -> str:
    def replace(found: re.Match[str]) -> str:
        if found[1]:
            return found[0][1:]
        value = _find(found[2], scope, problems)
        if isinstance(value, dict | list):
            problems.append(f"${{{found[2]}}} is no single value, so it cannot stand in a text")
            return ""
        return to_text(value)

    return _REFERENCE.sub(replace, text)


def _find(key: str, scope: Typed, problems: list[str]) -> Typed:
    try:
        return look_up(scope, key)
    except KeyError:
        near = nearest(scope, key)
        cure = f"; {near}" if near else f"; write \\${{{key}}} or ${key} to leave it to the shell"
        problems.append(f"${{{key}}} is no parameter{cure}")
        return ""
