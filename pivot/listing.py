"""Decide by which LIST requests to learn which objects a bucket has; pure.

Digests are spread evenly, so the first page of a listing tells how many pages there are: if its
last name lies at a tenth of all digests, there are about ten.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from pivot.frozen import frozen
from pivot.objects import Digest, object_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@frozen
class Page:
    """One answer to LIST: the *sizes* of our objects on it, and the *end*, its last name of all.

    *last* says that nothing follows. A page that is not *ordered* says nothing about what is left
    out.
    """

    sizes: Mapping[Digest, int]
    end: str
    last: bool
    ordered: bool = True

    def covers(self, digest: Digest) -> bool:
        """Tell whether *digest*, if it existed, would be on this page or an earlier one."""
        return self.last or (self.ordered and object_name(digest) <= self.end)


@frozen
class Slice:
    """List the names that follow *after* until all of *wanted* are passed, or *most_pages* read."""

    after: Digest
    wanted: tuple[Digest, ...]
    most_pages: int


@frozen
class ListingPlan:
    """What the first page told, the *slices* to list, and the *rest* to ask for one by one."""

    found: Mapping[Digest, int]
    slices: tuple[Slice, ...] = ()
    rest: tuple[Digest, ...] = ()


def plan_listing(wanted: Sequence[Digest], first: Page, *, jobs: int) -> ListingPlan:
    """Choose between listing on, on at most *jobs* threads, and one request for each object."""
    found = {digest: first.sizes[digest] for digest in wanted if digest in first.sizes}
    left = sorted(d for d in wanted if d not in found and not first.covers(d))
    covered = _position(first.end)
    if not left or not covered or not first.ordered:
        return ListingPlan(found, rest=tuple(left))
    pages = (1 - covered) / covered
    count = max(1, min(jobs, math.ceil(pages), len(left)))
    cuts = [round(number * len(left) / count) for number in range(count + 1)]
    slices: list[Slice] = []
    rest: list[Digest] = []
    for start, end in pairwise(cuts):
        part = left[start:end]
        span = _position(object_name(part[-1])) - _position(object_name(part[0]))
        pages = math.ceil(span / covered) + 1
        if len(part) <= pages:
            rest += part
        else:
            slices.append(Slice(_before(part[0]), tuple(part), 2 * pages))
    return ListingPlan(found, tuple(slices), tuple(rest))


def _before(digest: Digest) -> Digest:
    """Name the greatest digest that is less, since a listing starts after a name."""
    return Digest(f"{int(digest, 16) - 1:016x}")


def _position(name: str) -> float:
    """Tell which part of all digests comes before *name*; 0 where its name does not tell."""
    digits = re.match(r"[0-9a-f]*", name.removeprefix("files/").replace("/", ""))
    text = digits[0] if digits else ""
    return int(text, 16) / 16 ** len(text) if text else 0.0
