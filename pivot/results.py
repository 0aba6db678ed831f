"""What use cases answer: the plan, what became of it, and what went wrong with which path."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from pivot.errors import ExitCode, ObjectMissing, PivotError, worst
from pivot.frozen import frozen
from pivot.plan import CheckoutPlan, Step, TransferPlan, Wanted
from pivot.transfer import Failed, Moved, Moves

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pivot.config import RemoteSettings
    from pivot.objects import Digest
    from pivot.placement import Placed


@frozen
class Problem:
    """One path that did not succeed, or, without *path*, why the rest was not tried."""

    code: ExitCode
    message: str
    hint: str = ""
    path: str = ""
    owner: str = ""
    digest: str = ""
    document: str = ""
    """The file that names the path."""
    cause: PivotError | None = field(default=None, compare=False, repr=False)
    """The error itself, where one ended everything."""

    @classmethod
    def ending(cls, error: PivotError) -> Problem:
        """Make a problem of what ended everything."""
        return cls(error.code, error.message, error.hint, cause=error)

    def as_error(self) -> PivotError:
        """Make an error of it, for who cannot go on without the path."""
        place = f"{self.path}: " if self.path else ""
        error = PivotError(f"{place}{self.message}", hint=self.hint)
        error.code = self.code
        return error


@frozen
class Source:
    """One remote of a chain: how many objects, and bytes, come from it."""

    remote: str
    url: str
    objects: int
    bytes: int


@frozen
class Reading:
    """What a deep verification read: *chosen* of the objects that are *there*, of so many *bytes*.

    *before* of them were read before, by the run that *began* then, in seconds, and was cut off.
    *proven* were compared by SHA-256, the others by xxh64 alone. *percent* of all were to be
    chosen, by chance that *seed* repeats.
    """

    there: int
    chosen: int
    bytes: int
    before: int
    proven: int
    percent: float
    seed: int
    began: float


@frozen
class Transfer:
    """A push, fetch or verify: its *plan* for the *wanted* objects and, unless dry, its *moves*.

    *stopped* is an error that ended it before there was a plan. *damaged* are objects that are
    present and wrong, *refused* such as may not be moved, *unasked* such as nobody has who could
    be asked. *ledgers* were written. *sources* are the remotes of a chain. With *several*, this is
    one of the remotes that a push is to. A verify of the cache has no *remote*; *reading* is what
    was read for it, and *repaired* are objects that were damaged, each with the file that they are
    in now.
    """

    direction: str
    remote: str
    url: str
    wanted: Mapping[Digest, Wanted]
    plan: TransferPlan
    moves: Moves | None = None
    stopped: PivotError | None = None
    damaged: Mapping[Digest, PivotError] = field(default_factory=dict)
    refused: Mapping[Digest, PivotError] = field(default_factory=dict)
    ledgers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    unasked: Mapping[Digest, PivotError] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    several: bool = False
    reading: Reading | None = None
    repaired: Mapping[Digest, str] = field(default_factory=dict)

    @property
    def dry_run(self) -> bool:
        """Nothing was moved, because nothing was to be."""
        return self.moves is None and self.stopped is None

    @property
    def transferred(self) -> int:
        """How many objects arrived."""
        return sum(isinstance(o, Moved) and not o.was_there for o in self._outcomes)

    @property
    def skipped(self) -> int:
        """How many objects were there already."""
        there = sum(isinstance(o, Moved) and o.was_there for o in self._outcomes)
        return len(self.plan.present) - len(self.damaged) + there

    @property
    def failed(self) -> int:
        """How many objects are wanted and not there."""
        return len(self.wanted) - self.transferred - self.skipped

    @property
    def proven(self) -> int:
        """How many of those that arrived were checked by SHA-256; the others by xxh64 alone."""
        return sum(
            self.wanted[o.digest].sha256 is not None
            for o in self._outcomes
            if isinstance(o, Moved) and not o.was_there
        )

    @property
    def bytes(self) -> int:
        """How many bytes arrived, in whole objects."""
        return sum(
            self.plan.transfer[o.digest] or 0
            for o in self._outcomes
            if isinstance(o, Moved) and not o.was_there
        )

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that went wrong, in the order of the plan."""
        return tuple(self._problems())

    @property
    def _outcomes(self) -> tuple[Moved | Failed, ...]:
        return self.moves.outcomes if self.moves is not None else ()

    def _problems(self) -> Iterator[Problem]:
        for digest in self.plan.missing:
            yield from self._missing(digest)
        known = (self.damaged, self.refused, self.unasked)
        for digest, error in (item for errors in known for item in errors.items()):
            yield from self._of_object(digest, error)
        for outcome in self._outcomes:
            if isinstance(outcome, Failed):
                if isinstance(outcome.error, ObjectMissing):
                    yield from self._missing(outcome.digest)
                else:
                    yield from self._of_object(outcome.digest, outcome.error)
        stopped = self.stopped or (self.moves.stopped if self.moves is not None else None)
        if stopped is not None:
            yield Problem.ending(stopped)

    def _missing(self, digest: Digest) -> Iterator[Problem]:
        for place in self.wanted[digest].places:
            again = f"run '{place.owner}' again and push it" if place.owner else "push it"
            also = "" if self.direction == "verify" else " and not in the local cache"
            message = f"object {digest} is not on remote '{self.remote}' ({self.url}){also}"
            hint = f"ask who made it to run 'pivot push', or {again}"
            if not self.remote:
                message = f"object {digest} is not in the local cache"
                hint = "'pivot fetch' brings it from the remote"
            yield Problem(
                ExitCode.MISSING,
                message,
                hint,
                place.path,
                place.owner,
                digest,
                place.document,
            )

    def _of_object(self, digest: Digest, error: PivotError) -> Iterator[Problem]:
        at = f" on remote '{self.remote}'" if self.several else ""
        for place in self.wanted[digest].places:
            message = f"object {digest}{at}: {error.message}"
            yield Problem(
                error.code,
                message,
                error.hint,
                place.path,
                place.owner,
                digest,
                place.document,
            )


def stopped_transfer(
    direction: str,
    settings: RemoteSettings,
    wanted: Mapping[Digest, Wanted],
    error: PivotError | None,
    present: Mapping[Digest, int] | None = None,
) -> Transfer:
    """Make the answer of a transfer that ended before it had a plan, or had nothing to do."""
    plan = TransferPlan({}, present or {}, ())
    moves = Moves() if error is None else None
    return Transfer(direction, settings.name, settings.url, wanted, plan, moves, error)


@frozen
class Checkout:
    """A checkout: its *plan* and, unless it was a dry run, what was *placed*."""

    plan: CheckoutPlan
    placed: tuple[Placed, ...] | None = None
    stopped: PivotError | None = None
    warnings: tuple[str, ...] = ()

    @property
    def dry_run(self) -> bool:
        """Nothing was placed, because nothing was to be."""
        return self.placed is None and self.stopped is None

    @property
    def restored(self) -> int:
        """How many files were placed."""
        return sum(placed.files for placed in self.placed or ())

    @property
    def removed(self) -> int:
        """How many files went that no lock lists any more."""
        return sum(placed.removed for placed in self.placed or ())

    @property
    def to_restore(self) -> list[str]:
        """The files that the plan places."""
        return [p for output in self.plan for p in output.paths(Step.CREATE, Step.REPLACE)]

    @property
    def skipped(self) -> int:
        """How many files were in place, or are kept."""
        return sum(len(output.paths(Step.LEAVE)) for output in self.plan)

    @property
    def missing(self) -> list[str]:
        """The files whose objects are not in the cache."""
        return [path for output in self.plan for path in output.paths(Step.MISSING)]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that went wrong, in the order of the plan."""
        return tuple(self._problems())

    def _problems(self) -> Iterator[Problem]:
        for output in self.plan:
            place = output.output.path
            if output.problem is not None:
                error = output.problem
                yield Problem(
                    error.code,
                    error.message,
                    error.hint,
                    place,
                    output.owner,
                    document=output.document,
                )
            if output.refused:
                yield _refused(output.refused, place, output.owner)
            for file, step in output.steps:
                if step is Step.MISSING:
                    message = f"object {file.digest} is not in the local cache"
                    yield Problem(
                        ExitCode.MISSING,
                        message,
                        "Run 'pivot pull' to fetch from remote storage.",
                        file.path,
                        output.owner,
                        file.digest,
                        output.document,
                    )
        for placed in self.placed or ():
            if placed.error is not None:
                failure = placed.error
                yield Problem(failure.code, failure.message, failure.hint, placed.path)
        if self.stopped is not None:
            yield Problem.ending(self.stopped)


_REFUSED_SHOWN = 5


def _refused(paths: tuple[str, ...], place: str, owner: str) -> Problem:
    if paths == (place,):
        message = f"'{place}' already exists with different content."
    else:
        cut = len(place) + 1
        names = ", ".join(path[cut:] for path in paths[:_REFUSED_SHOWN])
        more = len(paths) - _REFUSED_SHOWN
        names += f" and {more} more" if more > 0 else ""
        message = f"'{place}' has local changes that are not in the cache: {names}."
    hint = "Use --force to overwrite or --only-missing to skip existing files."
    return Problem(ExitCode.FAILED, message, hint, place, owner)


@frozen
class Pull:
    """A pull: what was fetched, from each remote, and what was then checked out."""

    fetches: tuple[Transfer, ...]
    checkout: Checkout

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that went wrong, without saying twice what the fetch has said."""
        fetched = tuple(p for fetch in self.fetches for p in fetch.problems)
        said = {problem.digest for problem in fetched}
        stopped = any(not problem.path for problem in fetched)
        rest = (
            problem
            for problem in self.checkout.problems
            if problem.code is not ExitCode.MISSING or not (stopped or problem.digest in said)
        )
        return (*fetched, *rest)


def exit_code(problems: tuple[Problem, ...], *, misses_fail: bool = True) -> ExitCode:
    """Choose the exit code; without *misses_fail*, what is missing does not count."""
    return worst(p.code for p in problems if misses_fail or p.code is not ExitCode.MISSING)
