"""Texts of strangers in Markdown: they stay text, whatever they hold; pure.

Source: https://github.github.com/gfm/ (backslash escapes, tables, autolinks).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pivot.report import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-!|~&$:\"'=])")
_LIVELY = re.compile(
    r"(?<![A-Za-z0-9])@(?=\S)"  # a mention
    r"|@(?=[\w\\-]*\.)"  # an address
    r"|@(?=[0-9a-f]{7})"  # a commit of somebody
    r"|\\#(?=\w)|gh\\-(?=\d)"  # an issue
    r"|www(?=\.)|(?:https?|ftp)(?=\\:)"  # a link
    r"|\\:(?=(?:\w|\\[+\-_])+(?:\\:|$))",  # an emoji, also with a colon of ours
    re.IGNORECASE,
)
"""What GitHub makes something of although it is escaped; `train@a` is nothing, and stays whole."""

_LONGEST = 200  # characters of one text
_APART = "\u200b"  # a space of no width: behind it, a word is another one


def plain(text: str, *, longest: int = _LONGEST) -> str:
    """Write *text* so that it is shown as it is: no markup, no link, no mention, one line."""
    text = printable(text)
    if len(text) > longest:
        text = f"{text[: longest - 1]}…"
    text = _SPECIAL.sub(r"\\\1", text.strip())
    text = re.sub(r"^(\d+)\.", r"\1\\.", text)  # begins no list
    return _LIVELY.sub(rf"\g<0>{_APART}", text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Write a table; the cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def folded(title: str, lines: Sequence[str]) -> list[str]:
    """Write *lines* so that a click shows them."""
    return ["<details>", f"<summary>{title}</summary>", "", *lines, "", "</details>"]
