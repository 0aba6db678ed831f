"""What `gc` answers: the plan, what became of it, and what went wrong."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING

from pivot.errors import ExitCode
from pivot.frozen import frozen
from pivot.gc.plan import Count, Plan
from pivot.results import Problem
from pivot.transfer import Failed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pivot.gc.place import Found, Trashed
    from pivot.objects import Digest
    from pivot.transfer import Moves


class Action(StrEnum):
    """What was asked for."""

    OUT = "gc"
    EMPTY = "empty-trash"
    UNDO = "undo"
    CLAIM = "claim"


@frozen
class Cleanup:
    """A run of `gc` on the place at *url*: the cache, or the remote of a name.

    Others use it as well if it is *shared*. *gone* went, out of use or out of the trash, and
    *back* came back from the trash. *receipt* undoes it. *paths* are those at which objects were
    last known. *trash* is what it holds now. *looked_at* says what was read to know what is
    needed, by the *options* that were given.
    """

    action: Action
    remote: str
    url: str
    dry_run: bool
    shared: bool = False
    plan: Plan = Plan()
    min_age: int = 0
    paths: Mapping[Digest, tuple[str, ...]] = field(default_factory=dict)
    gone: tuple[Found | Trashed, ...] = ()
    back: tuple[Trashed, ...] = ()
    receipt: str = ""
    trash: Count = Count()
    looked_at: str = ""
    options: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()


def problems_of(moves: Moves, paths: Mapping[Digest, tuple[str, ...]]) -> Iterable[Problem]:
    """Say what could not be moved, except for what was gone before."""
    for outcome in moves.outcomes:
        if isinstance(outcome, Failed) and outcome.error.code is not ExitCode.MISSING:
            error, digest = outcome.error, outcome.digest
            yield Problem(
                error.code,
                f"object {digest}: {error.message}",
                error.hint,
                next(iter(paths.get(digest, ())), ""),
                digest=digest,
            )
    if moves.stopped is not None:
        yield Problem.ending(moves.stopped)
