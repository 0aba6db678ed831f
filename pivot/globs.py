"""Patterns of paths, as a shell has them with `globstar`; pure."""

from __future__ import annotations

import re

_WILD = re.compile(r"[*?]|\[[^]/]+\]")


def is_glob(text: str) -> bool:
    """Tell whether *text* is a pattern, and not only a path."""
    return _WILD.search(text) is not None


def compile_glob(pattern: str) -> re.Pattern[str]:
    """Make an expression that matches the whole of a path.

    `*`, `?` and `[ab]` stand for what is inside of one name, `**` for any number of directories;
    at the end it stands for all that is below. Names that begin with a dot are like others.
    """
    names = pattern.split("/")
    above = ["(?:[^/]+/)*" if name == "**" else f"{_translate(name)}/" for name in names[:-1]]
    last = ".+" if names[-1] == "**" else _translate(names[-1])
    return re.compile("".join((*above, last)), re.DOTALL)


def _translate(name: str) -> str:
    found: list[str] = []
    place = 0
    for wild in _WILD.finditer(name):
        found += [re.escape(name[place : wild.start()]), _meaning(wild[0])]
        place = wild.end()
    return "".join((*found, re.escape(name[place:])))


def _meaning(wild: str) -> str:
    if wild in {"*", "?"}:
        return "[^/]" + ("*" if wild == "*" else "")
    inside = wild[1:-1]
    turned = inside[:1] in {"!", "^"} and len(inside) > 1
    inside = re.sub(r"[\\\[^&~|]", r"\\\g<0>", inside[1:] if turned else inside)
    try:
        re.compile(f"[{inside}]")
    except re.error:  # a range that ends before it begins
        return re.escape(wild)
    return f"(?!/)[{'^' if turned else ''}{inside}]"
