"""`fetch`: copy what the documents refer to from remotes into the cache."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.chain import complaints, holder, pass_over
from pivot.config import RemoteSettings
from pivot.errors import LocalError, ObjectDamaged, ObjectFalse, PivotError, UsageError
from pivot.plan import Wanted, list_wanted, plan_transfer, sound
from pivot.remote_choice import read_chain
from pivot.results import Source, Transfer, stopped_transfer
from pivot.room import check_room
from pivot.sums import stale_warnings
from pivot.transfer import Failed, Moves
from pivot.workspace import find_contents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pivot.cache import Cache
    from pivot.config import Config
    from pivot.objects import Content, Digest
    from pivot.plan import TransferPlan
    from pivot.remote import Remote
    from pivot.session import Session
    from pivot.targets import Reference, Selection


def fetch(
    session: Session,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    dry_run: bool = False,
    selection: Selection | None = None,
) -> tuple[Transfer, ...]:
    """Copy what *targets* need into the cache: from the remote, and imports from theirs.

    A *selection* that was made elsewhere takes the place of that of targets.
    """
    settings = read_chain(session.config, remote)
    chosen = session.select(targets) if selection is None else selection
    with session.cache() as cache:
        references = (*chosen.entries, *chosen.past)
        done = fetch_all(session, settings, cache, references, dry_run=dry_run)
    return warned(done, chosen.warnings)


def warned(transfers: tuple[Transfer, ...], warnings: tuple[str, ...]) -> tuple[Transfer, ...]:
    """Add *warnings* to what the first of *transfers* says."""
    if not warnings:
        return transfers
    first, *others = transfers
    return (replace(first, warnings=(*warnings, *first.warnings)), *others)


def fetch_all(
    session: Session,
    settings: RemoteSettings,
    cache: Cache,
    references: Sequence[Reference],
    *,
    dry_run: bool,
    damaged: frozenset[Digest] = frozenset(),
    in_place: bool = True,
) -> tuple[Transfer, ...]:
    """Fetch from the remote of *settings*, and what is imported from the project it is from.

    *damaged* are objects that the cache seems to have and has not. What is to be *in_place* need
    not be fetched where the workspace has it already.
    """
    own = [entry for entry in references if entry.imported_from is None]
    fetched = [_fetch(session, settings, cache, own, damaged, dry_run=dry_run, in_place=in_place)]
    for url in sorted({entry.imported_from for entry in references if entry.imported_from}):
        other = [entry for entry in references if entry.imported_from == url]
        source = remote_at(session.config, url)
        before = sum(part.plan.bytes for part in fetched)
        try:
            part = _fetch(
                session,
                source,
                cache,
                other,
                damaged,
                dry_run=dry_run,
                in_place=in_place,
                before=before,
            )
            fetched.append(part)
        except UsageError as error:  # a URL that is none: the rest is not to suffer
            fetched.append(stopped_transfer("fetch", source, list_wanted(other), error))
    return tuple(fetched)


def remote_at(config: Config, url: str) -> RemoteSettings:
    """Find the remote of ours that is at *url*, with its endpoint, or make one of that name."""
    same = (known for known in config.remotes.values() if known.url.rstrip("/") == url.rstrip("/"))
    return next(same, RemoteSettings(url, url))


def _fetch(
    session: Session,
    settings: RemoteSettings,
    cache: Cache,
    references: Sequence[Reference],
    damaged: frozenset[Digest],
    *,
    dry_run: bool,
    in_place: bool,
    before: int = 0,
) -> Transfer:
    wanted = list_wanted(references)
    cached = {d: s for d, s in sound(cache.stat(wanted), wanted).items() if d not in damaged}
    if len(cached) == len(wanted):
        plan = plan_transfer(wanted, source={}, destination=cached)
        moves = None if dry_run else Moves()
        return Transfer("fetch", settings.name, settings.url, wanted, plan, moves)
    try:
        with contextlib.closing(session.open_remote(settings)) as store:
            plan = _plan(session, store, cache, references, wanted, cached, in_place=in_place)
            doubtful = session.unasked(store, plan.missing)
            weak = session.refuse_weak(wanted[digest] for digest in plan.transfer)
            plan = plan.without(weak | doubtful)
            doubts = session.config.doubts(settings)
            if dry_run:
                return Transfer(
                    "fetch",
                    settings.name,
                    store.url,
                    wanted,
                    plan,
                    refused=weak,
                    unasked=doubtful,
                    warnings=(*doubts, *complaints(store)),
                    sources=_sources(store, settings, plan.transfer),
                )
            session.check_size(plan.bytes + before)
            _check_room(session, cache, plan)
            early: dict[Digest, Content] = {}

            def download(digest: Digest) -> None:
                if plan.is_small(digest):
                    early[digest] = store.download(digest, size=wanted[digest].size)

            def receive(digest: Digest) -> bool:
                return _receive(session, store, cache, wanted[digest], early.pop(digest, None))

            moves = session.move(plan, receive, prepare=download)
            return Transfer(
                "fetch",
                settings.name,
                store.url,
                wanted,
                plan,
                _named(cache, moves),
                refused=weak,
                unasked=doubtful,
                sources=_sources(store, settings, _arrived(plan, moves)),
                warnings=(
                    *doubts,
                    *complaints(store),
                    *stale_warnings(session.project.root, references, plan.transfer),
                ),
            )
    except UsageError:
        raise
    except PivotError as error:
        return stopped_transfer("fetch", settings, wanted, error, cached)


def _plan(
    session: Session,
    store: Remote,
    cache: Cache,
    references: Sequence[Reference],
    wanted: Mapping[Digest, Wanted],
    cached: Mapping[Digest, int],
    *,
    in_place: bool,
) -> TransferPlan:
    """Ask the remote for what is not *cached*, and leave out what is *in_place* anyway."""
    lacking = [digest for digest in wanted if digest not in cached]
    kept = session.ask(store, lacking)
    unkept = frozenset(digest for digest in lacking if in_place and digest not in kept)
    # what only the workspace has needs no fetching, wherever else it may be lacking
    here = find_contents(session.project.root, cache, references, unkept)
    held = {**cached, **{digest: path.stat().st_size for digest, path in here.items()}}
    return plan_transfer(wanted, source=kept, destination=held)


def _arrived(plan: TransferPlan, moves: Moves) -> dict[Digest, int | None]:
    """List what was fetched, with sizes."""
    moved = [o.digest for o in moves.outcomes if not isinstance(o, Failed) and not o.was_there]
    return {digest: plan.transfer[digest] for digest in moved}


def _sources(
    store: Remote, settings: RemoteSettings, held: Mapping[Digest, int | None]
) -> tuple[Source, ...]:
    """Say how much of *held* each remote of a chain has; nothing for a remote by itself."""
    sizes: dict[str, list[int]] = {link.name: [] for link in settings.chain}
    for digest, size in held.items() if sizes else ():
        if (name := holder(store, digest)) in sizes:  # else another look of this run had asked
            sizes[name].append(size or 0)
    return tuple(
        Source(link.name, link.url, len(sizes[link.name]), sum(sizes[link.name]))
        for link in settings.chain
    )


def _check_room(session: Session, cache: Cache, plan: TransferPlan) -> None:
    """Refuse what cannot fit; what is left of other downloads gives way."""
    for last in (False, True):
        try:
            check_room(
                cache.root,
                size=plan.bytes - cache.room_taken(plan.transfer),
                files=len(plan.transfer),
                hint="set cache.dir to a larger disk",
                spare=session.spare,
            )
        except LocalError:
            if last or not cache.make_room(plan.transfer):
                raise
        else:
            break


def _named(cache: Cache, moves: Moves) -> Moves:
    """Give what arrived its names; what has none after a failure did not arrive."""
    try:
        cache.publish()
    except LocalError as error:
        moves = replace(moves, stopped=moves.stopped or error)
    if moves.stopped is None:
        return moves
    held = cache.stat([outcome.digest for outcome in moves.outcomes])
    kept = tuple(o for o in moves.outcomes if isinstance(o, Failed) or o.digest in held)
    return Moves(kept, moves.stopped)


def _place(store: Remote, want: Wanted) -> str:
    name = holder(store, want.digest)
    return f"remote '{name}'" if name else "the remote"


def _receive(
    session: Session, store: Remote, cache: Cache, want: Wanted, early: Content | None
) -> bool:
    """Fetch one object, which may have come *early*.

    Wrong bytes are fetched once more before they are called damage.
    """
    executable, count = want.executable, session.meter.bytes
    for last in (False, True):
        try:
            if early is not None:
                content, early = early, None
                cache.receive(want.promise, content, executable=executable, count=count)
            else:
                cache.collect(
                    want.promise,
                    lambda start: store.download(want.digest, start=start, size=want.size),
                    executable=executable,
                    count=count,
                )
        except ObjectFalse as error:  # what was asked for twice would be as false
            raise ObjectFalse(
                f"the copy on {_place(store, want)} is false and was not kept: it {error.message}",
                hint=f"somebody replaced it there, or changed {want.ledger} ('git log' tells who): "
                "delete it there, and push it again from where it was made",
            ) from error
        except ObjectDamaged as error:
            if last:
                raise ObjectDamaged(
                    f"the copy on {_place(store, want)} is damaged and was not kept: "
                    f"it {error.message}",
                    hint="delete it there, and push it again from where it was made",
                ) from error
            pass_over(store, want.digest)
        else:
            break
    return False
