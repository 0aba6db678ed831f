"""Move many objects at once. Knows nothing of caches, remotes or S3."""

from __future__ import annotations

import contextlib
import time
from dataclasses import field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pivot.crew import Jobs, for_groups
from pivot.errors import ObjectError, ObjectUnreachable, PivotError
from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from threading import Event

    from pivot.objects import Digest

_ROUNDS = 4
_REST = 0.5  # seconds


@frozen
class Moved:
    """The object arrived, verified; *was_there* says that somebody else was first."""

    digest: Digest
    was_there: bool = False


@frozen
class Failed:
    """The object did not arrive, and why."""

    digest: Digest
    error: ObjectError


Outcome: TypeAlias = Moved | Failed


@frozen
class Moves:
    """What became of each object that was tried, and the error that *stopped* the rest, if any.

    *jobs* is how many were moved at a time, at most.
    """

    outcomes: tuple[Outcome, ...] = ()
    stopped: PivotError | None = None
    jobs: int = field(default=0, compare=False)


class Ahead(NamedTuple):
    """What is done for some *small* objects in a row, before each of them is moved.

    It costs about half of what it costs in turn with requests, after each of which a processor
    has to come back to it.
    """

    prepare: Callable[[Digest], None]
    small: Callable[[Digest], bool]


def _nothing(_: Digest) -> None:
    pass


_NOTHING_AHEAD = Ahead(_nothing, lambda _: False)


class Meter:
    """Told of every object that is done and of bytes as they pass; this one ignores them.

    Called from many threads.
    """

    def asking(self, url: str) -> AbstractContextManager[None]:
        """Tell the user, as long as the context lasts, that *url* is asked and has not answered."""
        del url
        return contextlib.nullcontext()

    def start(self, objects: int, size: int, *, doing: str = "Transferring") -> None:
        """Begin: so many *objects* of *size* bytes together, as far as known."""

    def bytes(self, count: int) -> None:
        """Count bytes that have passed."""

    def done(self, outcome: Outcome) -> None:
        """Count an object."""

    def chose(self, jobs: int) -> None:
        """Tell how many objects were moved at a time."""

    def finish(self) -> None:
        """End, also when not all is done."""


def move_all(
    digests: Iterable[Digest],
    move: Callable[[Digest], bool],
    *,
    jobs: int | Jobs,
    meter: Meter | None = None,
    ahead: Ahead | None = None,
) -> Moves:
    """Call *move* for each of *digests*, at most *jobs* at a time, and what is *ahead* before it.

    *move* answers whether the object was there already. An `ObjectError` becomes an outcome and
    the others go on; any other `PivotError` stops the rest and is returned. What could not be
    reached is tried again in the end, with half as many at a time, as long as that helps.
    """
    ahead = ahead or _NOTHING_AHEAD
    round_ = _Round(move, meter, ahead.prepare)
    jobs = Jobs.of(jobs)
    most = jobs.first
    try:
        most = for_groups(digests, round_.attempt, jobs=jobs, together=ahead.small)
        fewer = max(most, jobs.first)  # few objects need few threads: that says nothing of the line
        for number in range(1, _ROUNDS):
            left, round_.unreached = round_.unreached, []
            if not left:
                break
            time.sleep(_REST * number)
            fewer = max(1, fewer // 2)
            again = [failed.digest for failed in left]
            for_groups(again, round_.attempt, jobs=fewer, together=ahead.small)
            if len(round_.unreached) == len(left):
                break  # it did not help
    except PivotError as error:
        return Moves(round_.end(), error, most)
    return Moves(round_.end(), jobs=most)


class _Round:
    """What became of the objects so far, called from many threads."""

    def __init__(
        self,
        move: Callable[[Digest], bool],
        meter: Meter | None,
        prepare: Callable[[Digest], None],
    ) -> None:
        self.unreached: list[Failed] = []
        self._outcomes: list[Outcome] = []
        self._move = move
        self._meter = meter or Meter()
        self._prepare = prepare

    def attempt(self, digests: list[Digest], stop: Event) -> None:
        ready: list[Digest] = []
        try:
            for digest in digests:
                if stop.is_set():
                    return
                try:
                    self._prepare(digest)
                except ObjectError as error:
                    self._fail(digest, error)
                else:
                    ready.append(digest)
        finally:  # what ends everything does not take back what was done before it
            for digest in ready:
                if not stop.is_set():
                    self._attempt(digest)

    def _attempt(self, digest: Digest) -> None:
        try:
            outcome = Moved(digest, self._move(digest))
        except ObjectError as error:
            self._fail(digest, error)
        else:
            self._outcomes.append(outcome)  # atomic under the interpreter's lock
            self._meter.done(outcome)

    def _fail(self, digest: Digest, error: ObjectError) -> None:
        failed = Failed(digest, error)
        if isinstance(error, ObjectUnreachable):
            self.unreached.append(failed)
        else:
            self._outcomes.append(failed)
            self._meter.done(failed)

    def end(self) -> tuple[Outcome, ...]:
        for failed in self.unreached:
            self._meter.done(failed)
        return (*self._outcomes, *self.unreached)
