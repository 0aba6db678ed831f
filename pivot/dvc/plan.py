"""Decide what an import writes: documents, locks, `.pvt` files, settings, objects; pure."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from pivot.dvc.store import Lost, Part, Whole
from pivot.errors import ExitCode
from pivot.frozen import frozen
from pivot.lock_writer import lock_path
from pivot.results import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pivot.dvc.converted import Match
    from pivot.dvc.notes import Note
    from pivot.dvc.recorded import Data, Hashed, Ran
    from pivot.stage import Stage
    from pivot.values import Typed

    Wanted: TypeAlias = tuple[str, Hashed]
    """A content at a path from the root."""
    Recorded = TypeVar("Recorded")


@frozen
class LockPlan:
    """A lock that is written: *stage* has the command that DVC ran last.

    *kept* are the outputs that enter the cache, *seen* those that git keeps.
    """

    stage: Stage
    parameters: Mapping[str, Typed]
    dependencies: tuple[Whole, ...]
    kept: tuple[Whole, ...]
    seen: tuple[Whole, ...]

    @property
    def wholes(self) -> tuple[Whole, ...]:
        """Everything that the lock names."""
        return (*self.dependencies, *self.kept, *self.seen)

    @property
    def path(self) -> str:
        """The lock file."""
        return lock_path(self.stage.name)


@frozen
class DataPlan:
    """Tracked data whose `.pvt` file is written beside it; *document* is the `.dvc` file."""

    data: Whole
    document: str

    @property
    def path(self) -> str:
        """The `.pvt` file."""
        return f"{self.data.path}.pvt"


@frozen
class ImportPlan:
    """All that an import does; *unlocked* says why a stage gets no lock, by its name."""

    documents: Mapping[str, bytes]
    settings: Mapping[str, str]
    locks: tuple[LockPlan, ...]
    data: tuple[DataPlan, ...]
    unlocked: Mapping[str, str]
    notes: tuple[Note, ...]
    problems: tuple[Problem, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that is written, in order."""
        locks = [lock.path for lock in self.locks]
        return (*self.documents, *locks, *(data.path for data in self.data))

    @property
    def objects(self) -> Mapping[str, Part]:
        """What enters the cache, each content once."""
        wholes = [whole for lock in self.locks for whole in lock.kept]
        wholes += [data.data for data in self.data]
        return {content_key(part): part for whole in wholes for part in whole.parts}


def content_key(part: Part) -> str:
    """Name the bytes of *part*: where DVC's name does not tell them, by where they lie."""
    return f"{part.source}" if part.content.legacy else part.content.md5


def wanted(matches: Iterable[tuple[Match, Ran | None]], data: Iterable[Data]) -> Iterator[Wanted]:
    """List the contents that a plan needs to know of."""
    for match, ran in matches:
        if ran is not None:
            stage = match.stage
            for recorded, paths in (
                (ran.dependencies, stage.dependencies),
                (ran.outputs, [output.path for output in stage.outputs]),
            ):
                for path, content in _from_root(stage, recorded).items():
                    if path in paths and content is not None:
                        yield path, content
    for entry in data:
        if entry.content is not None:
            yield entry.path, entry.content


def make_plan(
    documents: Mapping[str, bytes],
    settings: Mapping[str, str],
    matches: Iterable[tuple[Match, Ran | None]],
    data: Iterable[Data],
    found: Mapping[Wanted, Whole | Lost],
    notes: Iterable[Note],
) -> ImportPlan:
    """Decide from what was *found* which locks and `.pvt` files can be written."""
    locks: list[LockPlan] = []
    unlocked: dict[str, str] = {}
    problems: list[Problem] = []
    pairs = list(matches)
    made = {output.path for match, _ in pairs for output in match.stage.outputs}
    for match, ran in pairs:
        lock = _lock(match.stage, ran, found, problems, made)
        if isinstance(lock, LockPlan):
            locks.append(lock)
        else:
            unlocked[match.stage.name] = lock
    tracked: list[DataPlan] = []
    for entry in data:
        place = found[entry.path, entry.content] if entry.content is not None else None
        if isinstance(place, Whole):
            tracked.append(DataPlan(place, entry.document))
        else:
            lost = place or Lost(entry.path, "DVC has recorded no md5 of it")
            problems.append(lost_problem(lost, entry.path, entry.document))
    return ImportPlan(
        documents,
        settings,
        tuple(locks),
        tuple(tracked),
        unlocked,
        tuple(dict.fromkeys(notes)),
        tuple(problems),
    )


def _lock(
    stage: Stage,
    ran: Ran | None,
    found: Mapping[Wanted, Whole | Lost],
    problems: list[Problem],
    made: Collection[str],
) -> LockPlan | str:
    """Plan the lock of *stage*, or say why there is none.

    What DVC has not recorded is left out, so that the stage runs here as it would there.
    """
    if ran is None:
        return "DVC has not run it"
    recorded = _from_root(stage, ran.dependencies)
    dependencies: list[Whole] = []
    for path in stage.dependencies:
        if path in recorded:
            place = _place(path, recorded[path], found)
            if isinstance(place, Lost):
                return f"the dependency {path} is not as it was: {place.why}"
            is_made = path in made or any(above in made for above in _parents(path))
            dependencies.append(place if is_made else _source(place))
    recorded = _from_root(stage, ran.outputs)
    kept: list[Whole] = []
    seen: list[Whole] = []
    for output in stage.outputs:
        if output.path in recorded:
            place = _place(output.path, recorded[output.path], found)
            if isinstance(place, Lost):
                if output.cached:
                    problems.append(lost_problem(place, output.path, stage.name))
                return f"the output {output.path} is not as it was: {place.why}"
            (kept if output.cached else seen).append(place)
    before = replace(stage, commands=ran.commands or stage.commands)
    return LockPlan(before, _parameters(stage, ran), tuple(dependencies), tuple(kept), tuple(seen))


def _place(path: str, content: Hashed | None, found: Mapping[Wanted, Whole | Lost]) -> Whole | Lost:
    if content is None:
        return Lost(path, "DVC has recorded no md5 of it")
    return found[path, content]


def _source(whole: Whole) -> Whole:
    """Leave out compiled Python files, which do not count where no stage makes a directory."""
    parts = [
        part
        for part in whole.parts
        if "__pycache__" not in part.path.split("/") and not part.path.endswith(".pyc")
    ]
    return replace(whole, parts=tuple(parts)) if whole.directory else whole


def _parents(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _parameters(stage: Stage, ran: Ran) -> dict[str, Typed]:
    """Take the values that DVC recorded; one that it did not know stays out."""
    recorded = _from_root(stage, ran.parameters)
    values: dict[str, Typed] = dict(stage.values)
    for key in stage.keys:
        known = recorded.get(key.path, {})
        if not key.key and key.path in recorded:
            values[key.name] = dict(known)
        elif key.key in known:
            values[key.name] = known[key.key]
    return values


def _from_root(stage: Stage, recorded: Mapping[str, Recorded]) -> dict[str, Recorded]:
    return {
        posixpath.normpath(posixpath.join(stage.directory, path)): content
        for path, content in recorded.items()
    }


def lost_problem(lost: Lost, path: str, owner: str) -> Problem:
    """Say that a content is nowhere, or is not what its name says."""
    if lost.damaged:
        hint = "delete the file, run 'dvc fetch', then 'pivot import-dvc --force'"
        return Problem(ExitCode.INTEGRITY, lost.why, hint, path, owner)
    hint = "run 'dvc fetch', then 'pivot import-dvc --force'"
    return Problem(ExitCode.MISSING, lost.why, hint, path, owner)
