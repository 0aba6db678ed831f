"""What is known of each stage: are its outputs to be had, and would it run; pure values.

The answers of `status` and `verify`, and what a CI job shows, are made of these.
"""

from __future__ import annotations

from enum import StrEnum

from pivot.frozen import frozen
from pivot.whereabouts import Whereabouts  # noqa: TC001


class State(StrEnum):
    """Where a stage, or tracked data, stands; a word for people and for reports."""

    HIT = "hit"
    """Nothing changed, and all its outputs are there or can be had."""
    PARTIAL = "partial"
    """Some of its objects are missing."""
    MISSING = "missing"
    """None of its objects can be had."""
    CHANGED = "changed"
    """It would run: something that it depends on, its command or its outputs changed."""
    WAITING = "waiting"
    """A stage that it depends on would run, and then it may have to."""
    UNKNOWN = "unknown"
    """Nobody could ask, or nothing here says whether it would run."""


RUNS = frozenset({State.CHANGED, State.WAITING, State.MISSING, State.PARTIAL})
"""The states of a stage that would run, or may have to."""


@frozen
class StageState:
    """One stage, or one piece of tracked data, by *name*.

    *lock* is the path of the document that records it, from the project root; empty if none does.
    *objects* and *bytes* count what it needs, each object once; *missing* those that are nowhere.
    *needs* names the stages that it depends on. *outputs* is empty unless asked for.
    """

    name: str
    lock: str
    state: State
    reason: str = ""
    objects: int = 0
    bytes: int = 0
    missing: int = 0
    needs: tuple[str, ...] = ()
    outputs: tuple[Whereabouts, ...] = ()
