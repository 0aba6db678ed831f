"""Replace `${key}` as DVC does; pure."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from pivot.frozen import frozen
from pivot.parameters import look_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pivot.values import Typed

_REFERENCE = re.compile(r"(?<!\\)\$\{(?P<key>.*?)\}")


@frozen
class Templates:
    """Fills templates with what *scope* holds; *flags* and *lists* are for mappings in commands."""

    scope: Mapping[str, Typed]
    flags: str = "store_true"
    lists: str = "nargs"

    def fill(self, value: Typed, *, command: bool = False) -> Typed:
        r"""Replace each `${key}` in *value*, and `\${` by `${`.

        A text that is one reference and nothing else becomes the value itself; in a *command* a
        mapping becomes options. Raises `ValueError` with the reason.
        """
        if isinstance(value, dict):
            return {
                self.text(key): self.fill(inner, command=command) for key, inner in value.items()
            }
        if isinstance(value, list):
            return [self.fill(inner, command=command) for inner in value]
        if not isinstance(value, str):
            return value
        whole = _REFERENCE.fullmatch(value)
        if whole and value.count("${") == 1:
            found = self._find(whole["key"])
            return self._options(found) if command and isinstance(found, dict) else found
        return self.text(value, command=command)

    def text(self, text: str, *, command: bool = False) -> str:
        """Replace each `${key}` in *text*; raises `ValueError`."""

        def replace(found: re.Match[str]) -> str:
            value = self._find(found["key"])
            if isinstance(value, dict) and command:
                return self._options(value)
            if isinstance(value, dict | list):
                raise ValueError(f"{found[0]} is no single value")  # noqa: TRY004
            return plain(value)

        return _REFERENCE.sub(replace, text).replace(r"\${", "${")

    def _find(self, key: str) -> Typed:
        dotted = key.strip().replace("[", ".").replace("]", "")
        try:
            return look_up(dict(self.scope), dotted)
        except KeyError:
            raise ValueError(f"${{{key}}} is not found") from None

    def _options(self, tree: Mapping[str, Typed]) -> str:
        return " ".join(word for key, value in _flat(tree, "") for word in self._option(key, value))

    def _option(self, key: str, value: Typed) -> Iterator[str]:
        match value:
            case True:
                yield f"--{key}"
            case False:
                if self.flags == "boolean_optional":
                    yield f"--no-{key}"
            case list():
                words = [_quoted(inner) for inner in value]
                if self.lists == "append":
                    yield from (f"--{key} {word}" for word in words)
                elif words:
                    yield f"--{key} {' '.join(words)}"
            case _:
                yield f"--{key} {_quoted(value)}"


def plain(value: Typed) -> str:
    """Say a value as DVC does, in commands and in names of stages."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def mentions_mapping(value: Typed, scope: Mapping[str, Typed]) -> str:
    """Name the first `${key}` in *value* that is a mapping; empty if there is none."""
    for text in value if isinstance(value, list) else [value]:
        for found in _REFERENCE.finditer(str(text)):
            try:
                if isinstance(look_up(dict(scope), found["key"].strip()), dict):
                    return found[0]
            except KeyError:
                continue
    return ""


def _flat(tree: Mapping[str, Typed], above: str) -> Iterator[tuple[str, Typed]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _quoted(value: Typed) -> str:
    return shlex.quote(value) if isinstance(value, str) else str(value)
