"""Carry an import out: contents into the cache, then locks, settings and pipelines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pivot.cache import Cache
from pivot.config import load_config
from pivot.config_file import set_key
from pivot.documents import write_document
from pivot.dvc.plan import ImportPlan, LockPlan, content_key, lost_problem
from pivot.dvc.store import Lost, hash_file
from pivot.dvc.survey import existing, survey
from pivot.errors import ExitCode, ObjectDamaged, UsageError, worst
from pivot.frozen import frozen
from pivot.keys import parse_setting
from pivot.lock_writer import Record, write_lock
from pivot.objects import Digest, Directory, File, tree_digest
from pivot.project import Project, init_project
from pivot.tracked import write_tracked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pivot.dvc.store import Part, Whole
    from pivot.objects import Output
    from pivot.results import Problem


@frozen
class Imported:
    """An import: its *plan*, and what came of it, which for a dry run is the plan.

    *written* are files, *objects* the contents that are in the cache, by their keys, and
    *unlocked* says why a stage has no lock. Contents are checked by a run only.
    """

    plan: ImportPlan
    dry_run: bool
    written: tuple[str, ...]
    objects: Mapping[str, Part]
    unlocked: Mapping[str, str]
    problems: tuple[Problem, ...]

    @property
    def code(self) -> ExitCode:
        """What the command exits with: what DVC has lost is missing, what it cannot say is not."""
        return worst(problem.code for problem in self.problems)

    @property
    def bytes(self) -> int:
        """How many bytes the objects have."""
        return sum(part.size for part in self.objects.values())


def import_dvc(
    start: Path, environment: Mapping[str, str], *, dry_run: bool = False, force: bool = False
) -> Imported:
    """Make the DVC project in the directory *start* one of ours; no stage is run.

    What DVC has is read and never changed. Raises `UsageError` where there is nothing to import,
    or where files would be overwritten without *force*.
    """
    project = _project(start, environment)
    plan = survey(project)
    there = existing(project, plan)
    if there and not force:
        more = f" and {len(there) - 5} more" if len(there) > 5 else ""  # noqa: PLR2004
        raise UsageError(
            f"{', '.join(there[:5])}{more}: exists already",
            hint="use --force to overwrite what an earlier import wrote",
        )
    if dry_run:
        return Imported(
            plan,
            dry_run=True,
            written=plan.files,
            objects=plan.objects,
            unlocked=plan.unlocked,
            problems=plan.problems,
        )
    if not project.pivot.exists():
        init_project(project.root)
    config = load_config(project, project.user_config)
    with Cache(config.cache_dir(project, environment)) as cache:
        taker = _Taker(cache)
        taker.take(plan)
    return _write(project, plan, taker)


def _project(start: Path, environment: Mapping[str, str]) -> Project:
    """Make the directory the root of a project; an outer one would be taken for it later."""
    root = Path(os.path.abspath(start))
    outer = [place for place in root.parents if (place / ".pivot").is_dir()]
    if outer:
        raise UsageError(
            f"{root} is inside of the Pivot project {outer[-1]}",
            hint="move the DVC project out of it, or import at the root",
        )
    return Project(root, root, Path(environment.get("HOME") or os.path.expanduser("~")))


class _Taker:
    """Reads contents, checks what DVC calls them, and lets those to be kept into the cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._digests: dict[str, tuple[Digest, int]] = {}
        self.damaged: dict[str, str] = {}
        """Why a content was not taken, by its key."""

    def take(self, plan: ImportPlan) -> None:
        """Read all contents of *plan*, each once; raises `LocalError`."""
        kept = plan.objects
        for key, part in kept.items():
            self._read(key, part, keep=True)
        for lock in plan.locks:
            for whole in (*lock.dependencies, *lock.seen):
                for part in whole.parts:
                    self._read(content_key(part), part, keep=False)

    def _read(self, key: str, part: Part, *, keep: bool) -> None:
        if key in self._digests or key in self.damaged:
            return
        hashes = part.hashes or hash_file(part.source)
        if not hashes.are(part.content):
            self.damaged[key] = f"{part.source} hashes to {hashes.md5}, and was not taken"
            return
        self._digests[key] = hashes.digest, hashes.size
        if keep and self._cache.stat([hashes.digest]).get(hashes.digest) != hashes.size:
            added, _ = self._cache.add(part.source, executable=bool(part.executable))
            if added != hashes.digest:
                raise ObjectDamaged(
                    f"{part.source} changed while it was read", hint="run the command again"
                )

    def lost(self, whole: Whole) -> list[Lost]:
        """List the files of *whole* that were not taken."""
        return [
            Lost(part.path, self.damaged[key], damaged=True)
            for part in whole.parts
            if (key := content_key(part)) in self.damaged
        ]

    def output(self, whole: Whole) -> Output:
        """Say with our digests what was found, of which nothing may be lost."""
        files = [
            File(part.path, *self._digests[content_key(part)], part.executable)
            for part in whole.parts
        ]
        if not whole.directory:
            return files[0]
        files.sort(key=lambda file: file.path)
        digest = tree_digest(files, whole.empty, above=whole.path)
        return Directory(whole.path, digest, tuple(files), whole.empty)


def _write(project: Project, plan: ImportPlan, taker: _Taker) -> Imported:
    """Write all documents; the pipelines come last, when all that they need is there."""
    root = project.root
    written: list[str] = []
    problems = list(plan.problems)
    unlocked = dict(plan.unlocked)
    for lock in plan.locks:
        lost = [each for whole in lock.wholes for each in taker.lost(whole)]
        problems += [lost_problem(each, each.path, lock.stage.name) for each in lost]
        if lost:
            more = f", and {len(lost) - 1} more files" if len(lost) > 1 else ""
            unlocked[lock.stage.name] = f"{lost[0].path} is damaged in DVC's cache{more}"
        else:
            write_lock(root, _record(lock, taker))
            written.append(lock.path)
    for tracked in plan.data:
        lost = taker.lost(tracked.data)
        problems += [lost_problem(each, each.path, tracked.document) for each in lost]
        if not lost:
            write_tracked(root, taker.output(tracked.data))
            written.append(tracked.path)
    for key, text in plan.settings.items():
        set_key(project.config, key, parse_setting(key, text))
    for path, data in plan.documents.items():
        write_document(root, str(path), data)
        written.append(path)
    return Imported(
        plan,
        dry_run=False,
        written=tuple(written),
        objects={key: part for key, part in plan.objects.items() if key not in taker.damaged},
        unlocked=unlocked,
        problems=tuple(dict.fromkeys(problems)),
    )


def _record(lock: LockPlan, taker: _Taker) -> Record:
    dependencies = tuple(map(taker.output, lock.dependencies))
    outputs = tuple(map(taker.output, (*lock.kept, *lock.seen)))
    return Record(lock.stage, lock.parameters, dependencies, outputs)
