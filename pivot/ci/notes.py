"""What a CI system shows beside the lock files of a change; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.errors import ExitCode
from pivot.frozen import frozen
from pivot.report import printable
from pivot.stage_states import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pivot.ci.told import Told
    from pivot.results import Problem

_MOST = 5  # of a kind: GitHub shows ten in all
_LONGEST = 300  # characters
_RUN_ANYWAY = frozenset({State.CHANGED, State.WAITING})


@frozen
class Note:
    """A note on *file*, a path from the workspace; its *level* is `error` or `warning`."""

    level: str
    file: str
    title: str
    text: str


def lock_notes(told: Told) -> tuple[Note, ...]:
    """Choose what to note on lock files: what is damaged, and what is missing."""
    notes = list(_damaged(told))
    if not told.quiet:
        notes += _missing(told)
    kept = []
    for level in ("error", "warning"):
        alike = [note for note in notes if note.level == level]
        kept += alike[:_MOST]
    return tuple(kept)


def _missing(told: Told) -> Iterator[Note]:
    level = "warning" if told.final is ExitCode.DONE else "error"
    for stage in told.stages:
        if stage.missing and stage.lock and stage.state not in _RUN_ANYWAY:
            what = "object is" if stage.missing == 1 else "objects are"
            text = f"{stage.missing} of {stage.objects} {what} not to be had. {_remedy(told)}"
            yield Note(level, _file(told, stage.lock), _title(stage.name), text)


def _damaged(told: Told) -> Iterator[Note]:
    locks = {stage.name: stage.lock for stage in told.stages}
    damaged: dict[str, list[Problem]] = {}
    for problem in told.problems:
        if problem.code is ExitCode.INTEGRITY and locks.get(problem.owner):
            damaged.setdefault(problem.owner, []).append(problem)
    for owner, problems in damaged.items():
        text = printable(f"{problems[0].path}: {problems[0].message}")[:_LONGEST]
        if len(problems) > 1:
            text += f" (and {len(problems) - 1} more)"
        yield Note("error", _file(told, locks[owner]), _title(owner), text)


def _title(name: str) -> str:
    return f"pivot: {printable(name)}"[:_LONGEST]


def _file(told: Told, lock: str) -> str:
    return f"{told.project}/{lock}" if told.project else lock


def _remedy(told: Told) -> str:
    if told.command in {"push", "checkout"}:
        return "Run the stage again, or 'pivot pull'."
    return "Whoever made them has to run 'pivot push'."
