"""Say what a comparison found: as a table, as Markdown or as JSON; pure."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

from pivot.compare import ABSENT, compare
from pivot.errors import worst
from pivot.frozen import frozen
from pivot.report import Report, dump, printable
from pivot.revision import WORKSPACE
from pivot.tables import Word, change_of, markdown_table, text_table, word_of, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pivot.compare import Row, Side, Trouble
    from pivot.report import Json
    from pivot.values import Typed


class Form(StrEnum):
    """How an answer is written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


@frozen
class Style:
    """What the user wants to see: *precision* digits, and *every* value or what changed."""

    form: Form
    precision: int
    every: bool = False


def report_differences(command: str, old: Side, new: Side, style: Style) -> Report:
    """Say what differs between two sides; JSON in the form of `schemas/differences.json`."""
    rows = compare(old, new, every=style.every)
    troubles = (*old.troubles, *new.troubles)
    if style.form is Form.JSON:
        tree: dict[str, Json] = {"old": _side_tree(old), "new": _side_tree(new)}
        return _answer_json(command, tree | {"rows": [_row_tree(r) for r in rows]}, troubles)
    what = command.partition(" ")[0]
    if not rows:
        return _answer([_nothing(what, old, new, style)], troubles)
    name = "Metric" if what == "metrics" else "Key"
    sides = [Word(side.name, verbatim=bool(side.commit)) for side in (old, new)]
    header = [Word("Path"), Word(name), *sides, Word("Change")]
    lines = [
        [
            _verbatim(row.path),
            _verbatim(row.key),
            *words_of(row.old, row.new, style.precision),
            change_of(row.change, style.precision),
        ]
        for row in rows
    ]
    return _answer(_table(header, lines, style), troubles)


def report_metrics(side: Side, style: Style) -> Report:
    """Say all metrics of one side; JSON in the form of `schemas/metrics.json`."""
    rows = compare(side, side, every=True)
    if style.form is Form.JSON:
        tree: list[Json] = [
            {"path": row.path, "key": row.key, "value": _value_tree(row.new)}
            for row in rows
            if row.new is not ABSENT
        ]
        return _answer_json("metrics show", {"metrics": tree}, side.troubles)
    if not rows:
        return _answer(["No metrics found." if not side.troubles else _UNREAD], side.troubles)
    lines = [
        [_verbatim(row.path), _verbatim(row.key), word_of(row.new, style.precision)] for row in rows
    ]
    header = [Word("Path"), Word("Metric"), Word("Value")]
    return _answer(_table(header, lines, style), side.troubles)


_UNREAD = "Nothing to show of what could be read."


def _nothing(what: str, old: Side, new: Side, style: Style) -> str:
    if any(trouble.code for trouble in (*old.troubles, *new.troubles)):
        return _UNREAD
    name = {"params": "parameters"}.get(what, what)
    if style.every:
        return f"No {name} found."
    later = f"the {WORKSPACE}" if not new.commit else new.name
    return printable(f"No {name} changed between {old.name} and {later}.")


def _verbatim(text: str) -> Word:
    return Word(text, verbatim=True)


def _table(header: list[Word], rows: list[list[Word]], style: Style) -> list[str]:
    make = markdown_table if style.form is Form.MARKDOWN else text_table
    return make(header, rows)


def _answer(lines: Sequence[str], troubles: Sequence[Trouble]) -> Report:
    code = worst(trouble.code for trouble in troubles)
    return Report(tuple(lines), tuple(_trouble_lines(troubles)), code)


def _answer_json(command: str, tree: dict[str, Json], troubles: Sequence[Trouble]) -> Report:
    code = worst(trouble.code for trouble in troubles)
    head: dict[str, Json] = {"version": 1, "command": command, "exit_code": int(code)}
    problems: list[Json] = [
        {"code": int(t.code), "message": t.message, "hint": t.hint} for t in troubles
    ]
    text = dump(head | tree | {"problems": problems})
    return Report((text,), tuple(_trouble_lines(troubles)), code)


def _trouble_lines(troubles: Sequence[Trouble]) -> list[str]:
    """Say each problem in a line, and each remedy once."""
    lines = [
        printable(f"{'Error' if trouble.code else 'Warning'}: {trouble.message}")
        for trouble in troubles
    ]
    tips = dict.fromkeys(trouble.hint for trouble in troubles if trouble.hint)
    return lines + [printable(f"Tip: {tip}") for tip in tips]


def _side_tree(side: Side) -> Json:
    return {"name": side.name, "commit": side.commit or None}


def _row_tree(row: Row) -> Json:
    tree: dict[str, Json] = {"path": row.path, "key": row.key}
    if row.old is not ABSENT:
        tree["old"] = _value_tree(row.old)
    if row.new is not ABSENT:
        tree["new"] = _value_tree(row.new)
    return tree | {"changed": row.changed, "change": row.change}


def _value_tree(value: Typed) -> Json:
    """Give a value the form that JSON has for it: it has none for what is no finite number."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
