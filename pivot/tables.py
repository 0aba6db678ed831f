"""Tables for people: aligned columns for a terminal, Markdown for a pull request; pure."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING

from pivot.compare import ABSENT
from pivot.frozen import frozen
from pivot.report import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pivot.compare import Cell

MOST_DIGITS = 17
"""More significant digits than these no float has."""

_LONGEST = 60
_BEFORE = 12  # characters shown before the first that differs
_OTHER_KINDS = frozenset({"", "-", "~", "null", "true", "false"})


@frozen
class Word:
    """What stands in one place of a table; one that is *verbatim* comes from a document."""

    text: str
    verbatim: bool = False


NOTHING = Word("-")


def text_table(header: Sequence[Word], rows: Sequence[Sequence[Word]]) -> list[str]:
    """Align columns with blanks, without a line or colour."""
    lines = [[printable(word.text) for word in row] for row in (header, *rows)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            text + " " * (width - _width(text)) for text, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]


def markdown_table(header: Sequence[Word], rows: Sequence[Sequence[Word]]) -> list[str]:
    """Make a table for GitHub and its like, in which no text of a document has an effect."""
    lines = [[_markdown(word) for word in row] for row in (header, *rows)]
    lines.insert(1, ["---"] * len(header))
    return [f"| {' | '.join(line)} |" for line in lines]


def word_of(value: Cell, precision: int) -> Word:
    """Say a value; floats with *precision* significant digits."""
    match value:
        case str():
            text = json.dumps(value, ensure_ascii=False) if _may_be_misread(value) else value
            return Word(text, verbatim=True)
        case float():
            return Word(_digits(value, precision))
        case _ if value is ABSENT:
            return NOTHING
        case _:
            return Word(json.dumps(value))


def words_of(old: Cell, new: Cell, precision: int) -> tuple[Word, Word]:
    """Say two values so that a difference can be seen: with more digits, or cut to where it is."""
    one, other = word_of(old, precision), word_of(new, precision)
    if one.text == other.text and isinstance(old, float) and isinstance(new, float) and old != new:
        return word_of(old, MOST_DIGITS), word_of(new, MOST_DIGITS)
    start = 0
    if one.text != other.text and NOTHING not in {one, other}:
        pairs = enumerate(zip(one.text, other.text, strict=False))
        shorter = min(len(one.text), len(other.text))
        start = next((place for place, (a, b) in pairs if a != b), shorter)
    return _cut(one, start), _cut(other, start)


def change_of(change: float | None, precision: int) -> Word:
    """Say the difference of two numbers with its sign."""
    if change is None:
        return NOTHING
    text = str(change) if isinstance(change, int) else _digits(change, precision)
    return Word(text if change <= 0 else f"+{text}")


def _may_be_misread(text: str) -> bool:
    """Tell whether *text* without quotes would look like a number, or like nothing."""
    try:
        float(text)
    except ValueError:
        return text.lower() in _OTHER_KINDS or text != text.strip()
    return True


def _digits(value: float, precision: int) -> str:
    return repr(value) if precision >= MOST_DIGITS else f"{value:.{max(precision, 1)}g}"


def _cut(word: Word, start: int) -> Word:
    """Keep of a long text what is around *start*."""
    if len(word.text) <= _LONGEST:
        return word
    begin = max(0, min(start - _BEFORE, len(word.text) - _LONGEST))
    end = begin + _LONGEST
    text = word.text[begin:end]
    before, after = "…" if begin else "", "…" if end < len(word.text) else ""
    return Word(f"{before}{text}{after}", word.verbatim)


def _width(text: str) -> int:
    """Count the columns that a terminal needs for *text*."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _markdown(word: Word) -> str:
    """Write a word as code where it comes from a document: no link, mention or HTML works there.

    Between backticks `|` would end the cell, so a text with one becomes an element in which
    all punctuation is written as numbers.
    """
    text = printable(word.text)
    if not word.verbatim or not text:
        return text
    if re.search(r"[`|]", text) or text != text.strip():
        number = "".join(c if c.isalnum() or c == " " else f"&#{ord(c)};" for c in text)
        return f"<code>{number}</code>"
    return f"`{text}`"
