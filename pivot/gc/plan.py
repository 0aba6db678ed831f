"""Decide which objects go out of a place, and why the others stay; pure.

A dry run prints the very plan that a run executes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.errors import PivotError
from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pivot.gc.place import Found, Trashed
    from pivot.objects import Digest


_SKEW = 15 * 60.0
"""Seconds: S3 itself refuses requests of clocks that differ by more."""

_UNDER_WAY = 3600.0
"""Seconds: another run may be about to take away what is in use and has a copy in the trash."""


@frozen
class Count:
    """So many objects of so many bytes together."""

    objects: int = 0
    bytes: int = 0

    @classmethod
    def of(cls, found: Iterable[Found | Trashed]) -> Count:
        """Count them."""
        sizes = [each.size for each in found]
        return cls(len(sizes), sum(sizes))


@frozen
class Plan:
    """What goes out of a place, or out of its trash for good, and what comes back from the trash.

    *referenced* and *young* stay: somebody needs them, or nobody may know yet who does.
    """

    out: tuple[Found | Trashed, ...] = ()
    back: tuple[Trashed, ...] = ()
    referenced: Count = Count()
    young: Count = Count()


def plan_out(
    found: Iterable[Found],
    trashed: Iterable[Trashed],
    protected: Collection[Digest],
    *,
    now: float,
    min_age: float,
) -> Plan:
    """Let out what is not *protected* and has not changed for *min_age* seconds before *now*.

    What is protected, not in use and in the trash comes back: somebody has referred to it since.
    """
    live = {each.digest: each for each in found}
    others = [each for each in live.values() if each.digest not in protected]
    old = [each for each in others if _is_old(each, now, min_age)]
    return Plan(
        tuple(sorted(old, key=lambda each: each.digest)),
        plan_back(trashed, protected, live),
        Count.of(each for each in live.values() if each.digest in protected),
        Count.of(each for each in others if not _is_old(each, now, min_age)),
    )


def plan_back(
    trashed: Iterable[Trashed], wanted: Collection[Digest], live: Collection[Digest]
) -> tuple[Trashed, ...]:
    """Choose of what is *wanted* and not *live* one copy each, the newest."""
    chosen: dict[Digest, Trashed] = {}
    for each in trashed:
        if each.digest in wanted and each.digest not in live:
            other = chosen.get(each.digest)
            if other is None or other.changed < each.changed:
                chosen[each.digest] = each
    return tuple(sorted(chosen.values(), key=lambda each: each.digest))


def plan_emptying(
    trashed: Collection[Trashed],
    live: Mapping[Digest, Found],
    protected: Collection[Digest],
    *,
    now: float,
    min_age: float,
) -> Plan:
    """Let out of the trash what has been there for *min_age* seconds, and nobody needs from there.

    What is protected and not in use comes back instead, and no copy of it goes. Of what is in use,
    copies stay for an hour at least.
    """
    needed = {each.digest for each in trashed if each.digest in protected} - live.keys()
    others = [each for each in trashed if each.digest not in needed]

    def is_old(each: Trashed) -> bool:
        least = max(min_age, _UNDER_WAY) if each.digest in live else min_age
        return _is_old(each, now, least)

    old = [each for each in others if is_old(each)]
    old.sort(key=lambda each: (each.receipt, each.digest))
    return Plan(
        tuple(old),
        plan_back(trashed, needed, live),
        Count.of(each for each in trashed if each.digest in needed),
        Count.of(each for each in others if not is_old(each)),
    )


def check_clock(now: float, there: float, url: str) -> None:
    """Refuse to tell ages if our clock is far ahead of that of the place, which says *there*."""
    if now - there > _SKEW:
        raise PivotError(
            f"this machine's clock is {(now - there) / 60:.0f} minutes ahead of that of {url}, so "
            "nobody knows how old its objects are",
            hint="set the clock, then run the same command again",
        )


def _is_old(each: Found | Trashed, now: float, min_age: float) -> bool:
    return each.changed <= now - min_age
