"""Read objects to see whether their bytes are right, all or a sample; nothing is stored."""

from __future__ import annotations

import errno
import math
import os
import random
import time
from typing import TYPE_CHECKING

from pivot.errors import (
    ExitCode,
    ObjectDamaged,
    ObjectError,
    ObjectMissing,
    ObjectUnchanged,
    local_error,
)
from pivot.frozen import frozen
from pivot.journal import Journal
from pivot.objects import Hasher, check, hash_descriptor, verified
from pivot.plan import TransferPlan
from pivot.remembered import version_of
from pivot.results import Reading
from pivot.transfer import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pivot.cache import Cache
    from pivot.objects import Digest, Promise
    from pivot.plan import Holdings, Wanted
    from pivot.remote import Remote
    from pivot.session import Session
    from pivot.transfer import Moves, Outcome


@frozen
class Depth:
    """How much to read: so many *percent* of the objects, chosen by chance that *seed* repeats."""

    percent: float = 100.0
    seed: int | None = None


@frozen
class Found:
    """What reading came to: what is wrong with which objects, and what *stopped* it in *moves*."""

    reading: Reading
    moves: Moves
    failed: Mapping[Digest, ObjectError]


def read_cache(
    session: Session, cache: Cache, wanted: Mapping[Digest, Wanted], there: Holdings, depth: Depth
) -> Found:
    """Read objects of *cache* that are *there*, each as its documents promise."""

    def read(promise: Promise, journal: Journal) -> bool:
        return _read_file(cache.place(promise.digest), promise, journal, session.meter.bytes)

    return _read_all(session, str(cache.root), wanted, there, depth, read)


def read_remote(
    session: Session, store: Remote, wanted: Mapping[Digest, Wanted], there: Holdings, depth: Depth
) -> Found:
    """Read objects that are *there* on a remote, as a stream; as `read_cache`."""

    def read(promise: Promise, journal: Journal) -> bool:
        return _download(store, promise, journal, session.meter.bytes)

    return _read_all(session, store.url, wanted, there, depth, read)


def choose(digests: Collection[Digest], percent: float, seed: int) -> list[Digest]:
    """Choose so many *percent* of *digests*, at least one; the same seed chooses the same."""
    ordered = sorted(digests)
    count = min(len(ordered), math.ceil(len(ordered) * percent / 100))
    return ordered if count == len(ordered) else random.Random(seed).sample(ordered, count)  # noqa: S311


def _read_all(
    session: Session,
    place: str,
    wanted: Mapping[Digest, Wanted],
    there: Holdings,
    depth: Depth,
    read: Callable[[Promise, Journal], bool],
) -> Found:
    """Read what *depth* chooses; what an interrupt ends is gone on with by the same command."""
    about = f"{depth.percent:g} % of {place}"
    journal = Journal(session.project.journals, about, seed=depth.seed, now=time.time)
    over = False
    try:
        chosen = choose(there, depth.percent, journal.seed)
        plan = TransferPlan({digest: there[digest] for digest in chosen}, {}, ())
        moves = session.move(
            plan, lambda digest: read(wanted[digest].promise, journal), doing="Reading"
        )
        over = moves.stopped is None and all(map(_is_settled, moves.outcomes))
    finally:
        journal.close(over=over)
    return _sum_up(moves, wanted, there, plan, chosen, depth, journal)


def _is_settled(outcome: Outcome) -> bool:
    """Tell whether it is known how an object is; what could not be reached is read next time."""
    settled = {ExitCode.INTEGRITY, ExitCode.MISSING}
    return not isinstance(outcome, Failed) or outcome.error.code in settled


def _sum_up(
    moves: Moves,
    wanted: Mapping[Digest, Wanted],
    there: Holdings,
    plan: TransferPlan,
    chosen: Sequence[Digest],
    depth: Depth,
    journal: Journal,
) -> Found:
    failed = {one.digest: one.error for one in moves.outcomes if isinstance(one, Failed)}
    read = [one for one in moves.outcomes if not isinstance(one, Failed)]
    reading = Reading(
        there=len(there),
        chosen=len(moves.outcomes) if moves.stopped is not None else len(chosen),
        bytes=sum(plan.transfer[one.digest] or 0 for one in moves.outcomes),
        before=sum(one.was_there for one in read),
        proven=sum(wanted[one.digest].sha256 is not None for one in moves.outcomes),
        percent=depth.percent,
        seed=journal.seed,
        began=journal.began,
    )
    return Found(reading, moves, failed)


def _read_file(
    place: str, promise: Promise, journal: Journal, count: Callable[[int], None]
) -> bool:
    """Read an object of the cache, unless it was read before; tell whether it was."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            version = version_of(os.fstat(descriptor), read_at=time.time_ns())
            if version and version == journal.known(promise):
                return True
            hasher = Hasher(strong=promise.sha256 is not None)
            hash_descriptor(descriptor, hasher)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise ObjectMissing("is not there any more") from error
    except OSError as error:
        if error.errno == errno.EIO:  # the disk has lost it; the others are read on
            raise ObjectDamaged(f"cannot be read: {os.strerror(errno.EIO)}") from error
        raise local_error(error, place) from error
    count(hasher.size)
    check(promise, hasher)
    journal.note(promise.digest, version, hasher.sha256())
    return False


def _download(
    store: Remote, promise: Promise, journal: Journal, count: Callable[[int], None]
) -> bool:
    """Read an object of a remote; wrong bytes are asked for once more before they are damage."""
    for last in (False, True):
        hasher = Hasher(strong=promise.sha256 is not None)
        try:
            content = store.download(
                promise.digest, size=promise.size, known=journal.known(promise)
            )
            for chunk in verified(content.chunks, promise, hasher):
                count(len(chunk))
        except ObjectUnchanged:
            return True
        except ObjectDamaged:
            if last:
                raise
        else:
            journal.note(promise.digest, content.version, hasher.sha256())
            break
    return False
