"""`checkout`: place objects of the cache in the workspace. `pull`: fetch, then checkout."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from pivot.errors import LocalError
from pivot.fetch import fetch_all
from pivot.keys import Link
from pivot.objects import Digest, digest_file
from pivot.placement import place
from pivot.plan import CheckoutPlan, Existing, Step, Wanted, list_wanted, plan_checkout, sound
from pivot.results import Checkout, Pull
from pivot.room import check_room
from pivot.scratch import Scratch
from pivot.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pivot.cache import Cache
    from pivot.session import Session
    from pivot.targets import Selection


def checkout(
    session: Session,
    targets: Sequence[str] = (),
    *,
    existing: Existing = Existing.REFUSE,
    links: Sequence[Link] | None = None,
    dry_run: bool = False,
) -> Checkout:
    """Place what *targets* name, from the cache into the workspace."""
    selection = session.select(targets)
    with session.cache() as cache:
        damaged = find_damaged(session, cache, list_wanted(selection.entries), dry_run=dry_run)
        return place_selection(
            session, cache, selection, existing, links, dry_run=dry_run, damaged=damaged
        )


def pull(
    session: Session,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    existing: Existing = Existing.UPDATE,
    links: Sequence[Link] | None = None,
    dry_run: bool = False,
) -> Pull:
    """Fetch, then check out what is then there, also when something could not be fetched."""
    settings = session.config.remote(remote)
    selection = session.select(targets)
    with session.cache() as cache:
        damaged = find_damaged(session, cache, list_wanted(selection.entries), dry_run=dry_run)
        if not dry_run:
            cache.discard(damaged)
        fetched = fetch_all(
            session, settings, cache, selection.entries, dry_run=dry_run, damaged=damaged
        )
        coming = [d for part in fetched if part.dry_run for d in part.plan.transfer]
        placed = place_selection(
            session, cache, selection, existing, links, dry_run=dry_run, fetched=coming
        )
    return Pull(fetched, placed)


def find_damaged(
    session: Session, cache: Cache, wanted: Mapping[Digest, Wanted], *, dry_run: bool
) -> frozenset[Digest]:
    """Find objects of the cache whose bytes are wrong, among those that give cause to look.

    That is: somebody made them writable; or no document records their size and the workspace
    has no file of that size, so that they are likely to be placed.
    """
    root = session.project.root
    damaged = set()
    for digest, size in sound(cache.stat(wanted), wanted).items():
        writable = cache.is_writable(digest)
        places = wanted[digest].places if wanted[digest].size is None else ()
        if not writable and not any(_differs(root / place.path, size) for place in places):
            continue
        if digest_file(cache.path(digest)) != digest:
            damaged.add(digest)
        elif writable and not dry_run:
            cache.protect(digest)  # so that it need not be read again
    return frozenset(damaged)


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
    fetched: Iterable[Digest] = (),
    damaged: frozenset[Digest] = frozenset(),
) -> Checkout:
    """Place *selection* from *cache*, without *damaged* objects; *fetched* are to come."""
    references = selection.entries
    wanted = list_wanted(references)
    coming = frozenset(fetched)
    cached = (sound(cache.stat(wanted), wanted).keys() - damaged) | coming
    workspace = Workspace(session.project.root, cache, known=selection.known, fetched=coming)
    found = workspace.observe(references, existing=existing)
    plan = plan_checkout(references, cached=cached, workspace=found, existing=existing)
    if dry_run:
        return Checkout(plan)
    links = session.config.links if links is None else links
    scratch = Scratch(session.project.scratch)
    try:
        if links[0] is Link.COPY and session.spare:
            _check_room(session, cache, plan)
        placed = place(
            plan,
            session.project.root,
            cache=cache,
            scratch=scratch,
            links=links,
        )
    except LocalError as error:
        return Checkout(plan, stopped=error)
    finally:
        scratch.remove()
    return Checkout(plan, tuple(placed))


def _check_room(session: Session, cache: Cache, plan: CheckoutPlan) -> None:
    """Refuse to place copies that cannot fit; where the file system shares blocks, they do."""
    files = [
        file
        for output in plan
        for file, step in output.steps
        if step in {Step.CREATE, Step.REPLACE}
    ]
    sizes = cache.stat({file.digest for file in files})
    check_room(
        session.project.root,
        size=sum(sizes.get(file.digest, 0) for file in files),
        files=len(files),
        hint="set cache.checkout_mode to hardlink or symlink",
        spare=True,
    )
