"""Decide what to do; pure. A dry run prints the very plan that a run executes."""

from __future__ import annotations

from dataclasses import field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from pivot.errors import IntegrityError, PivotError
from pivot.frozen import frozen
from pivot.objects import Digest, Directory, File, Output, Promise, Sha256, files_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from pivot.targets import Reference

_SMALL = 16 * 1024

Holdings: TypeAlias = "Mapping[Digest, int | None]"
"""What a place holds, with sizes; `None` where it would not say, and may or may not have it."""


@frozen
class Place:
    """A file of the workspace, its stage or tracked data, and the document that says so."""

    path: str
    owner: str
    document: str


@frozen
class Wanted:
    """An object that is needed: what the documents promise of it, and who needs it.

    *executable* says that all who need it need it so. *sha256* is what the file *ledger* records.
    The first place that needs it stands here by itself, since nearly all have no *others*.
    """

    digest: Digest
    size: int | None
    executable: bool
    path: str
    owner: str
    document: str
    sha256: Sha256 | None = None
    ledger: str = ""
    others: tuple[Place, ...] = ()

    @property
    def promise(self) -> Promise:
        """What its bytes have to be."""
        return Promise(self.digest, self.size, self.sha256, self.ledger)

    @property
    def places(self) -> tuple[Place, ...]:
        """All who need it."""
        return (Place(self.path, self.owner, self.document), *self.others)


@frozen
class TransferPlan:
    """Every wanted object once: to *transfer*, *present* already, or *missing* at the source."""

    transfer: Holdings
    present: Holdings
    missing: tuple[Digest, ...]

    def without(self, digests: Collection[Digest]) -> TransferPlan:
        """Leave out what is not to be moved."""
        if not digests:
            return self
        kept = {digest: size for digest, size in self.transfer.items() if digest not in digests}
        missing = tuple(digest for digest in self.missing if digest not in digests)
        return TransferPlan(kept, self.present, missing)

    @property
    def bytes(self) -> int:
        """What will be moved, as far as the sizes are known."""
        return sum(size or 0 for size in self.transfer.values())

    def is_small(self, digest: Digest) -> bool:
        """Tell whether many such objects may be in memory at a time."""
        size = self.transfer.get(digest)
        return size is not None and size <= _SMALL


def list_wanted(references: Iterable[Reference]) -> dict[Digest, Wanted]:
    """List each object that *references* need once, in their order.

    Raises `IntegrityError` when two documents promise different sizes or SHA-256 of one object.
    """
    wanted: dict[Digest, Wanted] = {}
    several: dict[Digest, list[Wanted]] = {}
    for entry in references:
        for file in files_of(entry.output):
            digest, sha256 = file.digest, entry.sums.get(file.path)
            want = Wanted(
                digest,
                file.size,
                bool(file.executable),
                file.path,
                entry.owner,
                entry.document,
                sha256,
                entry.ledger if sha256 is not None else "",
            )
            first = wanted.setdefault(digest, want)
            if first is not want:
                several.setdefault(digest, [first]).append(want)
    for digest, needs in several.items():
        _check_proofs(digest, [need for need in needs if need.sha256 is not None])
    for digest, needs in several.items():
        wanted[digest] = _merge(digest, needs)
    return wanted


def _check_proofs(digest: Digest, proven: list[Wanted]) -> None:
    """Refuse two contents of one digest: what stands for one could be the other."""
    if other := _other(proven, lambda need: need.sha256):
        said = " and ".join(
            f"{need.ledger} says {need.sha256} ({need.path})" for need in (proven[0], other)
        )
        raise IntegrityError(
            f"object {digest} has two SHA-256: {said}; one of them was forged",
            hint="find out in git who changed them; 'git log -p' on both files",
        )


def _merge(digest: Digest, needs: list[Wanted]) -> Wanted:
    """Make one of what several files need; refuse two sizes."""
    sized = [need for need in needs if need.size is not None]
    proven = [need for need in needs if need.sha256 is not None]
    if other := _other(sized, lambda need: need.size):
        said = " and ".join(
            f"{need.document} ({need.path}) says {need.size} bytes" for need in (sized[0], other)
        )
        raise IntegrityError(
            f"object {digest}: {said}",
            hint="restore both files from git, or run the stages again",
        )
    first, *others = needs
    return replace(
        first,
        size=sized[0].size if sized else None,
        executable=all(need.executable for need in needs),
        sha256=proven[0].sha256 if proven else None,
        ledger=proven[0].ledger if proven else "",
        others=tuple(place for need in others for place in need.places),
    )


def _other(needs: list[Wanted], value: Callable[[Wanted], object]) -> Wanted | None:
    """Find the first that does not say what the very first one does."""
    return next((need for need in needs if value(need) != value(needs[0])), None)


def sound(held: Mapping[Digest, int], wanted: Mapping[Digest, Wanted]) -> dict[Digest, int]:
    """Leave out objects that cannot be right, since their size is not the recorded one."""
    return {d: size for d, size in held.items() if wanted[d].size in {None, size}}


def plan_transfer(
    wanted: Iterable[Digest], *, source: Holdings, destination: Holdings
) -> TransferPlan:
    """Copy what *source* has and *destination* lacks, or would not say that it has."""
    transfer: dict[Digest, int | None] = {}
    present: dict[Digest, int | None] = {}
    missing: list[Digest] = []
    for digest in wanted:
        if destination.get(digest) is not None:
            present[digest] = destination[digest]
        elif digest in source:
            transfer[digest] = source[digest]
        else:
            missing.append(digest)
    return TransferPlan(transfer, present, tuple(missing))


class Existing(StrEnum):
    """What to do with a file that is there already and is not what the lock says."""

    REFUSE = "refuse"
    """Leave it and fail: `checkout`."""
    UPDATE = "update"
    """Replace it if its content is in the cache, else leave it and fail: `pull`."""
    KEEP = "keep"
    """Leave it: `--only-missing`."""
    OVERWRITE = "overwrite"
    """Replace it: `--force`."""


class Step(StrEnum):
    """What will be done with one path."""

    CREATE = "create"
    REPLACE = "replace"
    REMOVE = "remove"
    LEAVE = "leave"
    REFUSE = "refuse"
    MISSING = "missing"
    HOLD = "hold"
    """Not done, because another file of the same directory is refused or missing."""


class Is(StrEnum):
    """What stands at a path of the workspace, compared with what should."""

    ABSENT = "absent"
    SAME = "same"
    SAME_BUT_MODE = "same but mode"
    CACHED = "cached"
    """Something else, whose content is in the cache."""
    DIFFERENT = "different"
    """Something else, which exists nowhere else."""


@frozen
class Found:
    """What the workspace has of one output.

    *files* has one entry for each of its files. *extra* are files inside it that the lock does
    not list. *whole* is the state of a directory output's own path: `SAME` for a directory or a
    link to the same tree. *problem* is why its place cannot be used.
    """

    files: Mapping[str, Is]
    extra: Mapping[str, Is] = field(default_factory=dict)
    whole: Is = Is.SAME
    problem: PivotError | None = None


@frozen
class OutputPlan:
    """What to do with one output: a step for each file, and for what must go."""

    output: Output
    owner: str
    document: str
    steps: tuple[tuple[File, Step], ...]
    remove: tuple[str, ...] = ()
    build: bool = False
    """The directory is not there: it is built elsewhere and appears whole."""
    refused: tuple[str, ...] = ()
    """The paths that must not be touched, for which the output is left as it is."""
    problem: PivotError | None = None

    def paths(self, *steps: Step) -> list[str]:
        """List the files that have one of *steps*."""
        return [file.path for file, step in self.steps if step in steps]


CheckoutPlan: TypeAlias = tuple[OutputPlan, ...]


def plan_checkout(
    references: Iterable[Reference],
    *,
    cached: Collection[Digest],
    workspace: Mapping[str, Found],
    existing: Existing,
    refused: Mapping[Digest, PivotError] | None = None,
) -> CheckoutPlan:
    """Decide for each output what to place; *workspace* is what was found, by output path.

    An output that needs one of the *refused* objects is not touched.
    """
    plans = (
        _plan_output(entry, cached, workspace[entry.output.path], existing) for entry in references
    )
    return tuple(_refuse(plan, refused) if refused else plan for plan in plans)


def _refuse(plan: OutputPlan, refused: Mapping[Digest, PivotError]) -> OutputPlan:
    """Hold an output for which a refused object would have to be placed."""
    needed = _PLACES | {Step.MISSING, Step.HOLD}
    for file, step in plan.steps:
        if step in needed and file.digest in refused and plan.problem is None:
            error = refused[file.digest]
            problem = PivotError(
                f"{file.path}: object {file.digest} in the local cache {error.message}",
                hint=error.hint or "'pivot pull' fetches it anew",
            )
            problem.code = error.code
            held = tuple((f, Step.HOLD if s in needed else s) for f, s in plan.steps)
            return OutputPlan(plan.output, plan.owner, plan.document, held, problem=problem)
    return plan


def _plan_output(
    entry: Reference, cached: Collection[Digest], found: Found, existing: Existing
) -> OutputPlan:
    output = entry.output
    files = files_of(output)
    if found.problem is not None:
        held = tuple((file, Step.HOLD) for file in files)
        return OutputPlan(output, entry.owner, entry.document, held, problem=found.problem)
    swapped = found.whole in {Is.CACHED, Is.DIFFERENT}
    whole_step = _step(found.whole, existing) if swapped else Step.LEAVE
    if whole_step is Step.REPLACE:
        steps = [(file, Step.CREATE) for file in files]
    elif swapped:
        steps = [(file, whole_step) for file in files]
    else:
        steps = [(file, _step(found.files[file.path], existing)) for file in files]
    steps = [
        (file, Step.MISSING if step in _PLACES and file.digest not in cached else step)
        for file, step in steps
    ]
    remove, refused = _plan_extra(found.extra, existing)
    if whole_step is Step.REPLACE:
        remove = (output.path,)
    refused += tuple(file.path for file, step in steps if step is Step.REFUSE)
    if whole_step is Step.REFUSE:
        refused = (output.path,)
    if refused or any(step is Step.MISSING for _, step in steps):
        remove = ()
        steps = [(file, Step.HOLD if step in _PLACES else step) for file, step in steps]
    build = isinstance(output, Directory) and (
        found.whole is Is.ABSENT or whole_step is Step.REPLACE
    )
    return OutputPlan(output, entry.owner, entry.document, tuple(steps), remove, build, refused)


_PLACES = frozenset({Step.CREATE, Step.REPLACE})


def _step(found: Is, existing: Existing) -> Step:
    if found is Is.ABSENT:
        return Step.CREATE
    if found is Is.SAME or existing is Existing.KEEP:
        return Step.LEAVE
    if found is Is.SAME_BUT_MODE or existing is Existing.OVERWRITE:
        return Step.REPLACE
    if found is Is.CACHED and existing is Existing.UPDATE:
        return Step.REPLACE
    return Step.REFUSE


def _plan_extra(
    extra: Mapping[str, Is], existing: Existing
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divide extra files into those to remove and those to refuse for."""
    steps = {path: _step(found, existing) for path, found in extra.items()}
    return (
        tuple(path for path, step in steps.items() if step is Step.REPLACE),
        tuple(path for path, step in steps.items() if step is Step.REFUSE),
    )
