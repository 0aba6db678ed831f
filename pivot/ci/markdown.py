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
_LONGEST = 200  # characters of one text
_APART = "\u200b"  # a space of no width: what GitHub would link or ping is no word any more


def plain(text: str, *, longest: int = _LONGEST) -> str:
    """Write *text* so that it is shown as it is: no markup, no link, no mention, one line."""
    text = printable(text)
    if len(text) > longest:
        text = f"{text[: longest - 1]}…"
    text = _SPECIAL.sub(r"\\\1", text)
    text = re.sub(r"@(?=\w)", f"@{_APART}", text)
    text = re.sub(r"\\#(?=\w)", rf"\\#{_APART}", text)
    text = re.sub(r"(?i)\b(www)\.", rf"\1{_APART}.", text)
    text = re.sub(r"(?i)\b(https?|ftp)\\:(?=//)", rf"\1{_APART}\\:", text)
    return re.sub(r"(?i)\b(gh)\\-(?=\d)", rf"\1\\-{_APART}", text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Write a table; the cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def folded(title: str, lines: Sequence[str]) -> list[str]:
    """Write *lines* so that a click shows them."""
    return ["<details>", f"<summary>{title}</summary>", "", *lines, "", "</details>"]
