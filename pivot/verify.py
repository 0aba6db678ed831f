"""`verify`: ask whether the remote, or the cache, has every object that the documents name."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.chain import complaints
from pivot.deep import Depth, read_cache, read_remote
from pivot.errors import ObjectDamaged, ObjectMissing, ObjectRefused, PivotError, UsageError
from pivot.fetch import fetch_all, remote_at
from pivot.frozen import frozen
from pivot.git import has_commit
from pivot.history import History
from pivot.plan import TransferPlan, list_wanted, plan_transfer, sound
from pivot.remote_choice import pushed_to, read_chain
from pivot.results import Transfer, stopped_transfer
from pivot.targets import select
from pivot.transfer import Moves

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pivot.cache import Cache
    from pivot.config import RemoteSettings
    from pivot.deep import Found
    from pivot.objects import Digest
    from pivot.plan import Wanted
    from pivot.session import Session
    from pivot.targets import Reference


@frozen
class Scope:
    """What to verify, the *remote*, the *cache* or both, and whether to read what is there.

    With *repair*, damaged objects of the cache are put aside, and what it lacks then is fetched.
    """

    remote: bool = True
    cache: bool = False
    depth: Depth | None = None
    repair: bool = False


_REMOTE = Scope()


def verify(
    session: Session,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    scope: Scope = _REMOTE,
) -> tuple[Transfer, ...]:
    """Ask for all that *targets* need, of the remotes of imports for theirs.

    Nothing is copied but for repair. What the cache has does not count for the remote: others
    cannot have it. The answers are transfers with nothing to move.
    """
    settings = read_chain(session.config, remote) if scope.remote or scope.repair else None
    references = session.select(targets).entries
    asked: tuple[Transfer, ...] = ()
    if scope.cache:
        asked += _verify_cache(session, references, scope, settings)
    if scope.remote and settings is not None:
        asked += verify_remote(session, settings, references, depth=scope.depth)
    return asked


def verify_commit(
    session: Session,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    revision: str | None = None,
) -> tuple[Transfer, ...]:
    """Ask for all that *targets* need in the commit *revision*, by default `HEAD`.

    Asked is each remote to which it would be pushed: that another one has it does not help. Where
    nothing is committed yet, the documents of the workspace say what is needed.
    """
    first, *others = pushed_to(session.config, remote)
    chosen = _committed(session, targets, revision)
    own = [entry for entry in chosen if entry.imported_from is None]
    asked = verify_remote(session, first, chosen)
    for settings in others:
        asked += verify_remote(session, settings, own)
    return asked


def _committed(
    session: Session, targets: Sequence[str], revision: str | None
) -> Sequence[Reference]:
    if revision is None and not has_commit(session.project.root):
        return session.select(targets).entries
    with History(session.project) as history:
        references = history.documents(revision or "HEAD", sums=True).references
    return select(references, targets, here=session.here, root=str(session.project.root))


def verify_remote(
    session: Session,
    settings: RemoteSettings,
    references: Sequence[Reference],
    *,
    depth: Depth | None = None,
) -> tuple[Transfer, ...]:
    """Ask the remote of *settings* for *references*, and for imports the remotes of theirs."""
    own = [entry for entry in references if entry.imported_from is None]
    asked = [_verify(session, settings, list_wanted(own), depth)]
    for url in sorted({entry.imported_from for entry in references if entry.imported_from}):
        other = list_wanted(entry for entry in references if entry.imported_from == url)
        source = remote_at(session.config, url)
        try:
            asked.append(_verify(session, source, other, depth))
        except UsageError as error:  # a URL that is none: the rest is not to suffer
            asked.append(stopped_transfer("verify", source, other, error))
    return tuple(asked)


def _verify(
    session: Session,
    settings: RemoteSettings,
    wanted: Mapping[Digest, Wanted],
    depth: Depth | None,
) -> Transfer:
    if not wanted:
        return stopped_transfer("verify", settings, wanted, None)
    try:
        with contextlib.closing(session.open_remote(settings)) as store:
            kept = session.ask(store, wanted)
            doubtful = session.unasked(store, [digest for digest in wanted if digest not in kept])
            plan = plan_transfer(wanted, source={}, destination=kept)
            unsaid = tuple(digest for digest in plan.missing if kept.get(digest, 0) is None)
            damaged: dict[Digest, PivotError] = {
                digest: ObjectDamaged(
                    f"the remote holds {size} bytes instead of {wanted[digest].size}"
                )
                for digest, size in plan.present.items()
                if size is not None and wanted[digest].size not in {None, size}
            }
            doubt = ObjectRefused("the remote does not say whether it has it")
            damaged |= dict.fromkeys(unsaid, doubt)
            gone = tuple(d for d in plan.missing if d not in kept and d not in doubtful)
            plan = TransferPlan({}, dict(plan.present) | dict.fromkeys(unsaid), gone)
            name, url = settings.name, store.url
            done = Transfer(
                "verify",
                name,
                url,
                wanted,
                plan,
                Moves(),
                damaged=damaged,
                unasked=doubtful,
                warnings=complaints(store),
            )
            if depth is None:
                return done
            there = {d: size for d, size in plan.present.items() if d not in damaged}
            found = read_remote(session, store, wanted, there, depth)
            cure = f"delete it below {url}/files, and push it again from where it was made"
            return _with_reading(done, found, "the copy on the remote is wrong: it", cure)
    except UsageError:
        raise
    except PivotError as error:
        return stopped_transfer("verify", settings, wanted, error)


def _verify_cache(
    session: Session,
    references: Sequence[Reference],
    scope: Scope,
    settings: RemoteSettings | None,
) -> tuple[Transfer, ...]:
    wanted = list_wanted(references)
    with session.cache() as cache:
        done = _look(session, cache, wanted, scope.depth)
        if settings is None or not scope.repair or not (done.damaged or done.plan.missing):
            return (done,)
        aside = {
            digest: str(cache.quarantine(digest))
            for digest, error in done.damaged.items()
            if isinstance(error, ObjectDamaged)
        }
        fetched = fetch_all(session, settings, cache, references, dry_run=False)
        held = sound(cache.stat(wanted), wanted)
    done = replace(
        done,
        plan=TransferPlan({}, held, ()),  # what is still missing, the fetch says
        damaged={digest: error for digest, error in done.damaged.items() if digest not in held},
        repaired={digest: place for digest, place in aside.items() if digest in held},
    )
    return (done, *fetched)


def _look(
    session: Session, cache: Cache, wanted: Mapping[Digest, Wanted], depth: Depth | None
) -> Transfer:
    """Say which objects *cache* lacks, and which are wrong."""
    held = cache.stat(wanted)
    gone = tuple(digest for digest in wanted if digest not in held)
    right = sound(held, wanted)
    damaged: dict[Digest, PivotError] = {
        digest: _damage(f"the local copy is wrong: it has {size} bytes, not {wanted[digest].size}")
        for digest, size in held.items()
        if digest not in right
    }
    url = cache.root.absolute().as_uri()
    plan = TransferPlan({}, held, gone)
    done = Transfer("verify", "", url, wanted, plan, Moves(), damaged=damaged)
    if depth is None:
        return done
    found = read_cache(session, cache, wanted, right, depth)
    return _with_reading(done, found, "the local copy is wrong: it", _REPAIR)


_REPAIR = "'pivot verify --cache --repair' puts it aside and fetches it again"


def _damage(message: str) -> ObjectDamaged:
    return ObjectDamaged(message, hint=_REPAIR)


def _with_reading(done: Transfer, found: Found, what: str, cure: str) -> Transfer:
    """Add what reading has found: an object may be damaged, or be gone since it was asked for."""
    gone = tuple(d for d, error in found.failed.items() if isinstance(error, ObjectMissing))
    wrong: dict[Digest, PivotError] = {}
    for digest, error in found.failed.items():
        if isinstance(error, ObjectDamaged):
            wrong[digest] = type(error)(f"{what} {error.message}", hint=cure)
        elif digest not in gone:
            wrong[digest] = error
    present = {digest: size for digest, size in done.plan.present.items() if digest not in gone}
    return replace(
        done,
        plan=TransferPlan({}, present, (*done.plan.missing, *gone)),
        moves=Moves((), found.moves.stopped, found.moves.jobs),
        damaged=dict(done.damaged) | wrong,
        reading=found.reading,
    )
