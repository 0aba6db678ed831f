"""HTML from text: only what went through here is markup, and no text of a project is; pure.

Names, paths and messages may be anything. They are shown as `report.printable` shows them on a
terminal, so that no control character, and none that turns the order of letters, is left; then
what means something to a browser is written by name. No attribute holds a style, a handler or an
address.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, NewType

from pivot.report import human_size, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Html = NewType("Html", str)
"""Markup of our own, in which all other text is escaped."""

EMPTY = Html("")
_LONGEST = 300  # characters of a text
_NARROW = "&#8239;"  # a blank at which no line ends


def text(words: str) -> Html:
    """Write *words* so that they mean nothing to a browser; the middle of a long text is cut."""
    shown = printable(words)
    if len(shown) > _LONGEST:
        shown = f"{shown[: _LONGEST // 2]} … {shown[-_LONGEST // 2 :]}"
    return Html(html.escape(shown))


def tag(name: str, *children: Html, **attributes: str | float) -> Html:
    """Make an element; `class_` is the attribute `class`, and `_` in others stands for `-`."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(printable(str(value)))}"'
        for key, value in attributes.items()
    )
    return Html(f"<{name}{said}>{''.join(children)}</{name}>")


def join(parts: Iterable[Html], between: str = "") -> Html:
    """Put *parts* one after the other."""
    return Html(html.escape(between).join(parts))


def code(words: str) -> Html:
    """Show a name of the project; it cannot change the direction of what is around it."""
    return tag("code", text(words), dir="auto")


def size(count: int) -> Html:
    """Say a number of bytes, which cannot be broken over two lines."""
    return Html(text(human_size(count)).replace(" ", _NARROW))


def number(count: int) -> Html:
    """Say a whole number in groups of three digits."""
    return Html(text(f"{count:,}").replace(",", _NARROW))


def table(
    label: str,
    head: Sequence[str],
    rows: Iterable[Sequence[Html]],
    *,
    numbers: Sequence[int] = (),
) -> Html:
    """Make a table that can be scrolled where it is too wide; the columns *numbers* stand right."""

    def kind(column: int) -> dict[str, str]:
        return {"class_": "n"} if column in numbers else {}

    top = join(tag("th", text(h), scope="col", **kind(n)) for n, h in enumerate(head))
    body = join(
        tag("tr", join(tag("td", cell, **kind(n)) for n, cell in enumerate(row))) for row in rows
    )
    inner = tag("table", tag("thead", tag("tr", top)), tag("tbody", body))
    return tag("div", inner, class_="scroll", role="region", aria_label=label, tabindex="0")
