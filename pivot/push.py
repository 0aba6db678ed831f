"""`push`: copy what the documents refer to from the cache to the remote."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.errors import LocalError, ObjectDamaged, PivotError, RemoteError, UsageError
from pivot.objects import CHUNK, Digest, Hasher, Sha256, digest_file, files_of
from pivot.plan import TransferPlan, Wanted, list_wanted, plan_transfer, sound
from pivot.remote_choice import destinations
from pivot.results import Transfer, stopped_transfer
from pivot.sums import update_ledgers
from pivot.workspace import find_contents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pivot.cache import Cache
    from pivot.config import RemoteSettings
    from pivot.plan import Holdings
    from pivot.remote import Remote
    from pivot.session import Session
    from pivot.targets import Reference, Selection


def push(
    session: Session,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    dry_run: bool = False,
    all_cache: bool = False,
    selection: Selection | None = None,
) -> Transfer:
    """Copy what *targets* need to the remote; with *all_cache* also all else that is cached.

    A *selection* that was made elsewhere takes the place of that of targets. Of what only other
    commits need, objects that are lost are a warning: nobody can push them from here.
    Raises what stands in the way before anything is asked of the remote; what goes wrong after
    that is in the answer.
    """
    done = push_each(
        session,
        targets,
        remote=remote,
        dry_run=dry_run,
        all_cache=all_cache,
        selection=selection,
    )
    if len(done) > 1:
        raise ValueError(remote)
    return done[0]


def push_each(
    session: Session,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    dry_run: bool = False,
    all_cache: bool = False,
    selection: Selection | None = None,
) -> tuple[Transfer, ...]:
    """Push to every remote that *remote* names, in turn; see `push` and `remote_choice`.

    What is wrong with one of them does not keep the others from getting all.
    """
    remotes = destinations(session.config, remote)
    if all_cache and targets:
        raise UsageError("--all-cache takes no targets: it pushes the whole cache")
    selection = session.select(targets) if selection is None else selection
    entries = (*selection.entries, *selection.past)
    own = [entry for entry in entries if entry.imported_from is None]
    wanted = list_wanted(own)
    with session.cache() as cache:
        if all_cache:
            for digest, size in cache.scan():
                name = f"object {digest}"
                want = Wanted(digest, size, executable=False, path=name, owner="", document="")
                wanted.setdefault(digest, want)
        if not wanted:
            return (stopped_transfer("push", remotes[0], wanted, None),)
        done: list[Transfer] = []
        for settings in remotes:
            try:
                with contextlib.closing(session.open_remote(settings)) as store:
                    part, known = _push(
                        session, settings, store, cache, own, wanted, dry_run=dry_run
                    )
                part = _without_lost(part, selection.only_past) if selection.past else part
                told = selection.warnings if not done else ()
                told = (*told, *session.config.doubts(settings), *part.warnings)
                part = replace(part, warnings=told)
                if not dry_run:
                    part = _with_ledgers(session, cache, part, selection, known)
            except RemoteError as error:
                part = stopped_transfer("push", settings, wanted, error)
            except PivotError as error:
                if len(remotes) == 1:
                    raise
                part = stopped_transfer("push", settings, wanted, error)
            done.append(replace(part, several=len(remotes) > 1))
    return tuple(done)


def _without_lost(done: Transfer, only_past: frozenset[Digest]) -> Transfer:
    """Leave out what other commits alone need and nobody has, and say so."""
    lost = [digest for digest in done.plan.missing if digest in only_past]
    if not lost:
        return done
    gone = frozenset(lost)
    wanted = {digest: want for digest, want in done.wanted.items() if digest not in gone}
    missing = tuple(digest for digest in done.plan.missing if digest in wanted)
    names = ", ".join(dict.fromkeys(done.wanted[digest].path for digest in lost[:_SHOWN]))
    more = ", …" if len(lost) > _SHOWN else ""
    told = f"{len(lost)} object(s) of other commits are neither here nor on the remote: {names}"
    return replace(
        done,
        wanted=wanted,
        plan=TransferPlan(done.plan.transfer, done.plan.present, missing),
        warnings=(*done.warnings, told + more),
    )


_SHOWN = 3


def _push(
    session: Session,
    settings: RemoteSettings,
    store: Remote,
    cache: Cache,
    references: Sequence[Reference],
    wanted: Mapping[Digest, Wanted],
    *,
    dry_run: bool,
) -> tuple[Transfer, Mapping[Digest, Sha256]]:
    """Push; the answer has the sums of what was read for that, too."""
    plan, elsewhere, damaged = _plan(session, store, cache, references, wanted)
    if dry_run:
        return Transfer("push", settings.name, store.url, wanted, plan, damaged=damaged), {}
    known: dict[Digest, Sha256] = {}
    early: dict[Digest, tuple[Hasher, bytes | None]] = {}

    def read(digest: Digest) -> None:
        if plan.is_small(digest):
            source = elsewhere.get(digest) or cache.place(digest)
            hasher = Hasher(strong=True)
            early[digest] = hasher, store.read(wanted[digest].promise, source, hasher)

    def upload(digest: Digest) -> bool:
        source = elsewhere.get(digest) or cache.place(digest)
        was_read = early.pop(digest, None)
        hasher, data = was_read if was_read is not None else (Hasher(strong=True), None)
        promise = wanted[digest].promise
        # what is small is hashed before it is sent, and need not be known
        is_large = (plan.transfer[digest] or 0) > CHUNK
        if promise.sha256 is None and digest not in elsewhere and is_large:
            promise = replace(promise, sha256=cache.sha256(digest, read=False))
        was_there = store.upload(promise, source, hasher, count=session.meter.bytes, data=data)
        sha256 = hasher.sha256()
        if sha256 is not None and hasher.digest() == digest:  # else it was not read
            expected = promise.sha256  # the same text, which is in memory already
            known[digest] = expected if expected == sha256 else sha256
        return was_there

    session.check_size(plan.bytes)
    moves = session.move(plan, upload, prepare=read)
    return Transfer("push", settings.name, store.url, wanted, plan, moves, damaged=damaged), known


def _plan(
    session: Session,
    store: Remote,
    cache: Cache,
    references: Sequence[Reference],
    wanted: Mapping[Digest, Wanted],
) -> tuple[TransferPlan, Mapping[Digest, Path], Mapping[Digest, PivotError]]:
    """Decide what to push, what of it from outside of the cache, and what is damaged there."""
    kept = session.ask(store, wanted)
    sizes = cache.stat(wanted)
    lacking = _lacking(wanted, kept, sizes)
    elsewhere = find_contents(session.project.root, cache, references, lacking)
    sizes |= {digest: path.stat().st_size for digest, path in elsewhere.items()}
    plan = plan_transfer(wanted, source=sizes, destination=kept)
    damaged: dict[Digest, PivotError] = {}
    for digest, size in plan.present.items():
        error = _suspect(store, cache, wanted[digest], size, sizes.get(digest))
        if error is not None:
            damaged[digest] = error
    return plan, elsewhere, damaged


def _lacking(
    wanted: Mapping[Digest, Wanted], kept: Holdings, sizes: Mapping[Digest, int]
) -> frozenset[Digest]:
    """List what neither the remote nor the cache has."""
    good = sound(sizes, wanted)
    return frozenset(d for d in wanted if kept.get(d) is None and d not in good)


def _with_ledgers(
    session: Session,
    cache: Cache,
    done: Transfer,
    selection: Selection,
    known: Mapping[Digest, Sha256],
) -> Transfer:
    """Write the sums of what is on the remote now; what is not, has none to be trusted."""
    stopped = done.moves is None or done.moves.stopped is not None
    failed = {problem.digest for problem in done.problems}
    chosen = [
        entry
        for entry in selection.entries
        if entry.imported_from is None
        and not any(file.digest in failed for file in files_of(entry.output))
    ]
    if stopped or not chosen:
        return done
    every = [entry for entry in selection.all if entry.imported_from is None]
    try:
        written = update_ledgers(session.project.root, cache, chosen, every, known=known)
    except LocalError as error:  # all is on the remote, which is what was asked for
        told = f"the ledgers were not written: {error.message}"
        return replace(done, warnings=(*done.warnings, told))
    return replace(done, ledgers=written)


def _suspect(
    store: Remote, cache: Cache, want: Wanted, size: int | None, cached: int | None
) -> ObjectDamaged | None:
    """Tell whether what the remote holds under a name cannot be right.

    Only a recorded size or a copy here that was just verified accuses it: where sizes differ, it
    may be ours that is wrong.
    """
    right = want.size if want.size is not None else cached
    if size is None or right in {None, size}:
        return None
    verified = cached == right and digest_file(cache.path(want.digest)) == want.digest
    if want.size is None and not verified:
        return None
    place = f"{store.url}/files/{want.digest[:2]}/{want.digest[2:]}"
    remedy = "push again" if verified else "push it from where it was made"
    return ObjectDamaged(
        f"the remote holds {size} bytes instead of {right}", hint=f"delete {place} and {remedy}"
    )
