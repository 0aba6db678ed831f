"""What differs between two sides of parameters or metrics, file by file and key by key; pure."""

from __future__ import annotations

import difflib
import fnmatch
import json
import math
import os
import re
from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

from pivot.errors import ExitCode, UsageError
from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pivot.values import Position, Typed

_MOST_BITS = 10_000  # Python writes no decimal number of more than 4300 digits


class Absent(Enum):
    """What stands where there is no value, which is not the value `null`."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
Cell: TypeAlias = "Typed | Absent"
"""A value without others inside, or none; mappings and lists are empty ones."""


@frozen
class Trouble:
    """What could not be read; *code* is what the process exits with for it."""

    code: ExitCode
    message: str
    hint: str = ""


@frozen
class Side:
    """Values by file and key, as they are in *name*: a revision, or the workspace.

    *commit* is empty for the workspace. Files that are *unknown* could not be read, which does
    not say that their values are gone.
    """

    name: str
    commit: str
    values: Mapping[str, Mapping[str, Typed]]
    unknown: frozenset[str] = frozenset()
    troubles: tuple[Trouble, ...] = ()


@frozen
class Row:
    """The value at *key* of the file at *path* on both sides."""

    path: str
    key: str
    old: Cell
    new: Cell

    @property
    def changed(self) -> bool:
        """Whether the sides differ; `1`, `1.0` and `true` do, and not a number is itself."""
        if type(self.old) is not type(self.new):
            return True
        both_nan = self.old != self.old and self.new != self.new
        return self.old != self.new and not both_nan

    @property
    def change(self) -> int | float | None:
        """The difference of two numbers; `None` of anything else, and where it is not finite."""
        if not _is_number(self.old) or not _is_number(self.new):
            return None
        assert isinstance(self.old, int | float)  # noqa: S101  said by _is_number
        assert isinstance(self.new, int | float)  # noqa: S101
        try:
            change = self.new - self.old
            return change if math.isfinite(change) else None
        except OverflowError:
            return None


def compare(old: Side, new: Side, *, every: bool = False) -> tuple[Row, ...]:
    """List what differs between the sides, or *every* value, by path and key.

    Files that either side could not read are left out.
    """
    paths = (old.values.keys() | new.values.keys()) - old.unknown - new.unknown
    rows = []
    for path in sorted(paths):
        before, after = old.values.get(path, {}), new.values.get(path, {})
        for key in sorted(before.keys() | after.keys(), key=_natural):
            row = Row(path, key, before.get(key, ABSENT), after.get(key, ABSENT))
            if every or row.changed:
                rows.append(row)
    return tuple(rows)


def flatten(tree: Typed, above: str = "") -> dict[str, Typed]:
    """List every value that has no others inside by its dotted key: `a.b`, `a[0]`.

    *above* is the key of *tree* itself. Where two keys of a tree would read the same, names with
    punctuation stand in quotes: no value hides another.
    """
    if tree in ({}, []) and not above:
        return {}  # a document without values
    found = list(_leaves(tree))
    names = [_join(position, above, exact=False) for position, _ in found]
    if any(count > 1 for count in Counter(names).values()):
        names = [_join(position, above, exact=True) for position, _ in found]
    return {name: value for name, (_, value) in zip(names, found, strict=True)}


def choose(owners: Mapping[str, str], targets: Sequence[str], *, here: str, root: str) -> set[str]:
    """Choose the files that *targets* name among those of *owners*, which says whose each is.

    A target is a stage, the end of a stage's name, a pattern of names, a file, or a directory with
    files; `train` is all of `train@a` too. Paths are relative to *here*; both are absolute. Raises
    `UsageError`.
    """
    chosen: set[str] = set()
    for target in targets:
        path = os.path.relpath(os.path.join(here, target), root)
        named = {
            file
            for file, owner in owners.items()
            for name in (owner, owner.partition("@")[0])
            if f"/{name}".endswith(f"/{target}") or _fits(owner, target, path)
        }
        below = {f for f in owners if path in {".", f} or f.startswith(f"{path}/")}
        if not named and not below:
            near = difflib.get_close_matches(target, [*owners, *owners.values()], n=1)
            all_of = "'pivot metrics show' lists all; --rev takes a revision of git"
            hint = f"did you mean '{near[0]}'?" if near else all_of
            raise UsageError(f"'{target}' is no metric and no stage with metrics", hint=hint)
        chosen |= named | below
    return chosen


def _fits(name: str, *patterns: str) -> bool:
    """Tell whether one of *patterns* is one, and fits the *name* of a stage."""
    return any(
        fnmatch.fnmatchcase(name, pattern)
        for pattern in patterns
        if any(char in pattern for char in "*?[")
    )


def _leaves(tree: Typed) -> Iterator[tuple[Position, Typed]]:
    """Walk *tree* in its order; without recursion, since a document may be deep."""
    waiting: list[tuple[Position, Typed]] = [((), tree)]
    while waiting:
        position, value = waiting.pop()
        inner: Iterable[tuple[str | int, Typed]] = ()
        if isinstance(value, dict):
            inner = value.items()
        elif isinstance(value, list):
            inner = enumerate(value)
        nested = [((*position, name), below) for name, below in inner]
        if nested:
            waiting += reversed(nested)
        elif isinstance(value, int) and value.bit_length() > _MOST_BITS:
            yield position, hex(value)
        else:
            yield position, value


def _join(position: Position, above: str, *, exact: bool) -> str:
    key = above
    for name in position:
        if isinstance(name, int):
            key += f"[{name}]"
        else:
            quoted = exact and re.search(r'[.\[\]"]|^$', name)
            text = json.dumps(name, ensure_ascii=False) if quoted else name
            key += f".{text}" if key else text
    return key


def _is_number(value: Cell) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _natural(key: str) -> list[tuple[str, int]]:
    """Order numbers inside keys by their size: `a[2]` before `a[10]`."""
    parts = re.split(r"([0-9]{1,18})", key)
    return [
        (text, int(number)) for text, number in zip(parts[::2], [*parts[1::2], "0"], strict=True)
    ]
