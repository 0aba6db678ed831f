"""Take an inventory: ask workspace, cache, remote and git, each once; changes nothing."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.chain import complaints
from pivot.errors import PivotError, UsageError
from pivot.fetch import remote_at
from pivot.inventory.history import read_growth
from pivot.inventory.tally import amount_of, find_duplicates, list_items, sum_places
from pivot.inventory.values import Answer, Inventory, Place
from pivot.lock_states import is_same
from pivot.objects import files_of
from pivot.observer import Observer
from pivot.plan import list_wanted
from pivot.references import load_documents
from pivot.remembered import Remembered
from pivot.remote_choice import read_chain
from pivot.results import Problem
from pivot.session import Answers
from pivot.status import status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pivot.cache import Cache
    from pivot.config import RemoteSettings
    from pivot.inventory.values import Point
    from pivot.objects import Digest
    from pivot.plan import Wanted
    from pivot.session import Session
    from pivot.targets import Reference


def take_inventory(
    session: Session, *, taken: str, commits: int, remote: str | None, online: bool
) -> Inventory:
    """Say what the project has and where it is, at the time *taken*, and of the last *commits*.

    The remote is asked if *online*; one that does not answer is a problem of the inventory. Raises
    what stands in the way of any answer.
    """
    settings = read_chain(session.config, remote) if online else None
    session = replace(session, answers=Answers())
    entries = load_documents(session.project).references.entries
    wanted = list_wanted(entries)
    objects: dict[Place, Mapping[Digest, Answer]] = {}
    with session.cache() as cache:
        eyes = Observer(session.project.root, cache, Remembered(session.project.remembered))
        stands = status(session, (), remote=remote, online=online, eyes=eyes)
        problems, warnings = list(stands.problems), dict.fromkeys(stands.warnings)
        cached = cache.stat(wanted)
        objects[Place.CACHE] = {d: _judge(want, cached) for d, want in wanted.items()}
        workspace = _look(eyes, entries, problems)
        growth = _grow(session, commits, cache, problems)
    if settings is not None:
        objects[Place.REMOTE] = _ask(session, settings, entries, problems, warnings)
    sizes = _sizes(wanted, cached)
    return Inventory(
        name=session.project.root.name,
        commit=growth[-1].commit if growth else "",
        taken=taken,
        remote="" if settings is None else settings.name,
        url="" if settings is None else settings.url,
        stages=stands.stages,
        items=list_items(entries, workspace, objects, sizes),
        objects=amount_of({digest: sizes.get(digest) for digest in wanted}),
        places=sum_places(entries, workspace, objects, sizes),
        duplicates=find_duplicates(entries, sizes),
        growth=growth,
        warnings=tuple(warnings),
        problems=tuple({(p.message, p.path): p for p in problems}.values()),
    )


def _judge(want: Wanted, kept: Mapping[Digest, int | None]) -> Answer:
    """Say what a place that *kept* so much has of an object."""
    if want.digest not in kept:
        return Answer.ABSENT
    size = kept[want.digest]
    if size is None:
        return Answer.UNKNOWN
    return Answer.THERE if want.size in {None, size} else Answer.OTHER


def _look(
    observer: Observer, entries: tuple[Reference, ...], problems: list[Problem]
) -> dict[str, Answer]:
    """Say of each file that is recorded what the workspace has at its path."""
    answers: dict[str, Answer] = {}
    for entry in entries:
        files = files_of(entry.output)
        try:
            now = observer.look(entry.output.path)
        except PivotError as error:
            answers |= dict.fromkeys((file.path for file in files), Answer.UNKNOWN)
            problems.append(Problem(error.code, error.message, error.hint, owner=entry.owner))
            continue
        if now is not None and is_same(entry.output, now):
            answers |= dict.fromkeys((file.path for file in files), Answer.THERE)
            continue
        found = {file.path: file.digest for file in files_of(now)} if now is not None else {}
        for file in files:
            is_there = found.get(file.path) == file.digest
            other = Answer.OTHER if file.path in found else Answer.ABSENT
            answers[file.path] = Answer.THERE if is_there else other
    return answers


def _ask(
    session: Session,
    settings: RemoteSettings,
    entries: tuple[Reference, ...],
    problems: list[Problem],
    warnings: dict[str, None],
) -> dict[Digest, Answer]:
    """Ask the remote for all, and the remotes of imports for theirs, as `verify` does."""
    answers: dict[Digest, Answer] = {}
    for url in dict.fromkeys(entry.imported_from for entry in entries):
        wanted = list_wanted(entry for entry in entries if entry.imported_from == url)
        try:
            place = settings if url is None else remote_at(session.config, url)
            with contextlib.closing(session.open_remote(place)) as store:
                kept = session.ask(store, wanted)
                doubtful = session.unasked(store, [d for d in wanted if d not in kept])
                warnings |= dict.fromkeys(complaints(store))
        except PivotError as error:
            if isinstance(error, UsageError) and url is None:
                raise
            problems.append(Problem.ending(error))
            said = dict.fromkeys(wanted, Answer.UNKNOWN)
        else:
            said = {digest: _judge(want, kept) for digest, want in wanted.items()}
            said |= dict.fromkeys(doubtful, Answer.UNKNOWN)
        answers |= {digest: answer for digest, answer in said.items() if digest not in answers}
    return answers


def _grow(
    session: Session, commits: int, cache: Cache, problems: list[Problem]
) -> tuple[Point, ...]:
    try:
        return read_growth(session.project.root, commits, lambda d: cache.stat([d]).get(d))
    except PivotError as error:
        problems.append(Problem.ending(error))
        return ()


def _sizes(wanted: Mapping[Digest, Wanted], cached: Mapping[Digest, int]) -> dict[Digest, int]:
    """Say how large objects are: as recorded, else as they are in the cache."""
    sizes = dict(cached)
    sizes |= {d: want.size for d, want in wanted.items() if want.size is not None}
    return sizes
