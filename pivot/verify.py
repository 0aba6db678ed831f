"""`verify`: ask whether the remote has every object that the documents name."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pivot.chain import complaints, unasked
from pivot.errors import ObjectDamaged, ObjectRefused, PivotError, UsageError
from pivot.fetch import remote_at
from pivot.plan import TransferPlan, Wanted, list_wanted, plan_transfer
from pivot.remote_choice import read_chain
from pivot.results import Transfer, stopped_transfer
from pivot.transfer import Moves

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pivot.config import RemoteSettings
    from pivot.objects import Digest
    from pivot.session import Session


def verify(
    session: Session, targets: Sequence[str] = (), *, remote: str | None = None
) -> tuple[Transfer, ...]:
    """Ask the remote for all that *targets* need, and the remotes of imports for theirs.

    Nothing is copied, and what the cache has does not count: others cannot have it. The answers
    are transfers with nothing to move.
    """
    settings = read_chain(session.config, remote)
    references = session.select(targets).entries
    own = [entry for entry in references if entry.imported_from is None]
    asked = [_verify(session, settings, list_wanted(own))]
    for url in sorted({entry.imported_from for entry in references if entry.imported_from}):
        other = list_wanted(entry for entry in references if entry.imported_from == url)
        source = remote_at(session.config, url)
        try:
            asked.append(_verify(session, source, other))
        except UsageError as error:  # a URL that is none: the rest is not to suffer
            asked.append(stopped_transfer("verify", source, other, error))
    return tuple(asked)


def _verify(
    session: Session, settings: RemoteSettings, wanted: Mapping[Digest, Wanted]
) -> Transfer:
    if not wanted:
        return stopped_transfer("verify", settings, wanted, None)
    try:
        with contextlib.closing(session.open_remote(settings)) as store:
            kept = session.ask(store, wanted)
            url = store.url
            doubtful = unasked(store, [digest for digest in wanted if digest not in kept])
            told = complaints(store)
    except UsageError:
        raise
    except PivotError as error:
        return stopped_transfer("verify", settings, wanted, error)
    plan = plan_transfer(wanted, source={}, destination=kept)
    unsaid = tuple(digest for digest in plan.missing if kept.get(digest, 0) is None)
    damaged: dict[Digest, PivotError] = {
        digest: ObjectDamaged(f"the remote holds {size} bytes instead of {wanted[digest].size}")
        for digest, size in plan.present.items()
        if size is not None and wanted[digest].size not in {None, size}
    }
    damaged |= dict.fromkeys(unsaid, ObjectRefused("the remote does not say whether it has it"))
    gone = tuple(d for d in plan.missing if d not in kept and d not in doubtful)
    plan = TransferPlan({}, dict(plan.present) | dict.fromkeys(unsaid), gone)
    return Transfer(
        "verify",
        settings.name,
        url,
        wanted,
        plan,
        Moves(),
        damaged=damaged,
        unasked=doubtful,
        warnings=told,
    )
