"""`checkout`: place objects of the cache in the workspace. `pull`: fetch, then checkout."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from pivot.crew import for_each
from pivot.errors import LocalError, ObjectDamaged, ObjectFalse
from pivot.export import nothing_there
from pivot.fetch import fetch_all, warned
from pivot.frozen import frozen
from pivot.keys import Link
from pivot.placement import place
from pivot.plan import CheckoutPlan, Existing, Step, Wanted, list_wanted, plan_checkout, sound
from pivot.remembered import Remembered
from pivot.remote_choice import read_chain
from pivot.results import Checkout, Pull
from pivot.room import check_room
from pivot.scratch import Scratch
from pivot.sums import stale_warnings
from pivot.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pivot.cache import Cache
    from pivot.export import Export
    from pivot.objects import Digest
    from pivot.session import Session
    from pivot.targets import Selection


def checkout(
    session: Session,
    targets: Sequence[str] = (),
    *,
    existing: Existing = Existing.REFUSE,
    links: Sequence[Link] | None = None,
    dry_run: bool = False,
    selection: Selection | None = None,
    export: Export | None = None,
) -> Checkout:
    """Place what *targets* name, from the cache into the workspace, or where *export* says.

    A *selection* that was made elsewhere takes the place of that of targets.
    """
    selection = session.select(targets) if selection is None else selection
    with session.cache() as cache:
        wanted = list_wanted(selection.entries)
        return place_selection(
            session,
            cache,
            selection,
            existing,
            links,
            dry_run=dry_run,
            wanted=wanted,
            state=look_closely(session, cache, wanted, dry_run=dry_run),
            export=export,
        )


def pull(
    session: Session,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    existing: Existing = Existing.UPDATE,
    links: Sequence[Link] | None = None,
    dry_run: bool = False,
    selection: Selection | None = None,
    export: Export | None = None,
) -> Pull:
    """Fetch, then check out what is then there, also when something could not be fetched.

    *selection* and *export* are as for `checkout`.
    """
    settings = read_chain(session.config, remote)
    selection = session.select(targets) if selection is None else selection
    with session.cache() as cache:
        wanted = list_wanted(selection.entries)
        damaged = look_closely(session, cache, wanted, dry_run=dry_run).damaged
        if not dry_run:
            cache.discard(damaged)
        fetched = fetch_all(
            session,
            settings,
            cache,
            selection.entries,
            dry_run=dry_run,
            damaged=frozenset(damaged),
            in_place=export is None,
        )
        coming = [d for part in fetched if part.dry_run for d in part.plan.transfer]
        held = frozenset(sound(cache.stat(wanted), wanted))
        placed = place_selection(
            session,
            cache,
            selection,
            existing,
            links,
            dry_run=dry_run,
            wanted=wanted,
            state=CacheState(held, {}),
            fetched=coming,
            export=export,
        )
    return Pull(warned(fetched, selection.warnings), placed)


@frozen
class CacheState:
    """Which objects the cache *held* when it was looked at, and which of these are *damaged*."""

    held: frozenset[Digest]
    damaged: Mapping[Digest, ObjectDamaged]


def look_closely(
    session: Session, cache: Cache, wanted: Mapping[Digest, Wanted], *, dry_run: bool
) -> CacheState:
    """Look at *wanted* objects in the cache, and read those that give cause to.

    That is: a ledger has their SHA-256, and they were not read for it yet; somebody made them
    writable; or no document records their size and the workspace has no file of that size, so that
    they are likely to be placed, and they were not read either.
    """
    root = session.project.root
    held: list[Digest] = []
    doubtful: list[Digest] = []
    for digest, found in cache.look(wanted):
        want = wanted[digest]
        if want.size not in {None, found.st_size}:
            continue
        held.append(digest)
        writable = bool(found.st_mode & 0o222)
        if _is_doubtful(root, cache, want, found):
            doubtful.append(digest)
        elif writable and not dry_run:
            cache.protect(digest)
    damaged: dict[Digest, ObjectDamaged] = {}

    def read(digest: Digest) -> None:
        try:
            cache.verify(wanted[digest].promise, note=not dry_run)
        except ObjectDamaged as error:
            damaged[digest] = error

    for_each(doubtful, read, jobs=os.cpu_count() or 1)
    # reading takes long: others may have brought or removed objects meanwhile
    there = sound(cache.stat(wanted), wanted) if doubtful else held
    return CacheState(frozenset(there), damaged)


def _is_doubtful(root: Path, cache: Cache, want: Wanted, found: os.stat_result) -> bool:
    if want.sha256 is None and found.st_mode & 0o222:
        return True
    places = want.places if want.size is None else ()
    likely = want.sha256 or any(_differs(root / place.path, found.st_size) for place in places)
    return bool(likely) and not cache.is_proven(want.digest, found, want.sha256)


def _differs(path: os.PathLike[str], size: int) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return True
    return not stat.S_ISREG(found.st_mode) or found.st_size != size


def place_selection(
    session: Session,
    cache: Cache,
    selection: Selection,
    existing: Existing,
    links: Sequence[Link] | None,
    *,
    dry_run: bool,
    wanted: Mapping[Digest, Wanted],
    state: CacheState,
    fetched: Iterable[Digest] = (),
    export: Export | None = None,
) -> Checkout:
    """Place *selection* from *cache*, where *wanted* objects were in this *state*.

    Those that are *fetched* are to come, which a dry run alone has.
    """
    root = session.project.root if export is None else export.root
    references, damaged = selection.entries, state.damaged
    coming = frozenset(fetched)
    cached = (state.held - damaged.keys()) | coming
    refused = session.refuse_weak(wanted.values())
    refused |= {
        digest: error for digest, error in damaged.items() if isinstance(error, ObjectFalse)
    }
    remembered = Remembered(session.project.remembered)
    if export is not None and not export.is_there():
        found = nothing_there(references)
    else:
        workspace = Workspace(
            root,
            cache,
            known=selection.known(),
            fetched=coming,
            damaged=damaged,
            remembered=remembered if export is None else None,
        )
        found = workspace.observe(references, existing=existing)
    plan = plan_checkout(
        references,
        cached=cached,
        workspace=found,
        existing=existing,
        refused=refused,
    )
    if dry_run:
        return Checkout(plan)
    if export is None:
        remembered.save(complete=False)
    if links is None:
        links = session.config.links if export is None else (Link.COPY,)
    scratch = Scratch(session.project.scratch if export is None else export.scratch)
    try:
        if export is not None:
            export.begin()
        if links[0] is Link.COPY and (session.spare or export is not None):
            _check_room(root, cache, plan)
        placed = place(
            plan,
            root,
            cache=cache,
            scratch=scratch,
            links=links,
        )
    except LocalError as error:
        return Checkout(plan, stopped=error)
    finally:
        scratch.remove()
    moved = {file.digest for output in plan for file, step in output.steps if step in _MOVED}
    stale = stale_warnings(session.project.root, references, moved)
    done = Checkout(plan, tuple(placed), warnings=stale)
    if export is not None and not done.problems:
        export.finish()
    return done


_MOVED = frozenset({Step.CREATE, Step.REPLACE})


def _check_room(root: Path, cache: Cache, plan: CheckoutPlan) -> None:
    """Refuse to place copies that cannot fit; where the file system shares blocks, they do."""
    files = [
        file
        for output in plan
        for file, step in output.steps
        if step in {Step.CREATE, Step.REPLACE}
    ]
    sizes = cache.stat({file.digest for file in files})
    check_room(
        root,
        size=sum(sizes.get(file.digest, 0) for file in files),
        files=len(files),
        hint="set cache.checkout_mode to hardlink or symlink",
        spare=True,
    )
