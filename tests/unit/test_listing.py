"""How many requests it takes to learn what a bucket has, against a simulated one."""

from __future__ import annotations

import bisect
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pivot.listing import ListingPlan, Page, plan_listing
from pivot.objects import Digest, object_name, parse_object_name
from tests.unit.values import digest


@dataclass
class Bucket:
    """Names in order, listed *page* at a time, and a count of the requests."""

    names: list[str]
    page: int
    requests: int = 0
    sizes: dict[Digest, int] = field(default_factory=dict)

    def pages(self, after: str = "") -> Iterator[Page]:
        start = bisect.bisect_right(self.names, after)
        while True:
            self.requests += 1
            names = self.names[start : start + self.page]
            found = [d for name in names if (d := parse_object_name(name)) is not None]
            last = len(names) < self.page
            yield Page(dict.fromkeys(found, 1), names[-1] if names else "", last)
            if last:
                return
            start += self.page

    def head(self, wanted: Digest) -> bool:
        self.requests += 1
        return object_name(wanted) in set(self.names[self._at(wanted) : self._at(wanted) + 1])

    def _at(self, wanted: Digest) -> int:
        return bisect.bisect_left(self.names, object_name(wanted))


def bucket_of(held: Sequence[Digest], page: int, foreign: Sequence[str] = ()) -> Bucket:
    return Bucket(sorted([*map(object_name, held), *foreign]), page)


def carry_out(
    bucket: Bucket, wanted: Sequence[Digest], jobs: int
) -> tuple[set[Digest], ListingPlan]:
    """Do what the plan says, as the S3 remote does, and return what was found."""
    first = next(bucket.pages())
    plan = plan_listing(wanted, first, jobs=jobs)
    found = set(plan.found)
    rest = list(plan.rest)
    for part in plan.slices:
        left = list(part.wanted)
        for number, page in enumerate(bucket.pages(object_name(part.after)), start=1):
            found.update(d for d in left if d in page.sizes)
            left = [d for d in left if d not in page.sizes and not page.covers(d)]
            if not left or number >= part.most_pages:
                break
        rest += left
    found.update(d for d in rest if bucket.head(d))
    return found, plan


DIGESTS = st.integers(0, 2**64 - 1).map(digest)
FOREIGN = st.sampled_from(
    ["files/.keep", "files/00/.lock", "files/ab/x.verified", "files/zz", "files"]
)


@given(
    held=st.sets(DIGESTS, max_size=60),
    others=st.sets(DIGESTS, max_size=20),
    foreign=st.sets(FOREIGN),
    page=st.integers(1, 12),
    jobs=st.integers(1, 5),
    data=st.data(),
)
def test_what_is_found_is_what_is_there(
    held: set[Digest],
    others: set[Digest],
    foreign: set[str],
    page: int,
    jobs: int,
    data: st.DataObject,
) -> None:
    wanted = data.draw(st.sets(st.sampled_from(sorted(held | others)))) if held | others else set()
    bucket = bucket_of(sorted(held), page, sorted(foreign))

    found, _ = carry_out(bucket, sorted(wanted), jobs)

    assert found == wanted & held


@given(st.sets(st.integers(0, 40).map(digest), max_size=40), st.integers(1, 4))
def test_digests_that_are_not_spread_evenly_cost_requests_and_no_truth(
    held: set[Digest], page: int
) -> None:
    wanted = [digest(number) for number in range(0, 60, 2)] + [digest(2**64 - 1)]

    found, _ = carry_out(bucket_of(sorted(held), page), wanted, 3)

    assert found == held & set(wanted)


def spread(count: int, seed: int) -> list[Digest]:
    chance = random.Random(seed)
    return sorted({digest(chance.getrandbits(64)) for _ in range(count)})


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 6000),
    share=st.floats(0, 1),
    absent=st.integers(0, 300),
    jobs=st.sampled_from([1, 4, 20]),
    seed=st.integers(0, 10**6),
)
def test_it_takes_hardly_more_requests_than_the_cheaper_way(
    count: int, share: float, absent: int, jobs: int, seed: int
) -> None:
    page = 100
    held = spread(count, seed)
    wanted = sorted({*held[: round(share * count)], *spread(absent, seed + 1)})
    bucket = bucket_of(held, page)

    carry_out(bucket, wanted, jobs)

    one_by_one, listed = len(wanted), len(held) // page + 1
    cheaper = min(one_by_one, listed)
    assert bucket.requests <= 1 + 1.5 * cheaper + 2 * min(jobs, listed)


@pytest.mark.parametrize("few", [1, 5])
def test_a_few_objects_of_a_large_bucket_are_asked_for_one_by_one(few: int) -> None:
    held = spread(5000, seed=1)
    wanted = held[-few:]

    _, plan = carry_out(bucket_of(held, 100), wanted, 20)

    assert set(plan.rest) == set(wanted)
    assert not plan.slices


def test_everything_of_a_large_bucket_is_listed_by_all_hands() -> None:
    held = spread(6000, seed=2)
    bucket = bucket_of(held, 100)

    found, plan = carry_out(bucket, held, 20)

    assert found == set(held)
    assert not plan.rest
    assert 10 <= len(plan.slices) <= 20


def test_a_small_bucket_is_known_from_its_first_page() -> None:
    held = spread(50, seed=3)
    bucket = bucket_of(held, 100)

    found, plan = carry_out(bucket, [*held, *spread(500, seed=4)], 20)

    assert found == set(held)
    assert bucket.requests == 1
    assert plan == ListingPlan(plan.found)


def test_a_page_that_is_not_in_order_rules_nothing_out() -> None:
    page = Page({digest(5): 1}, object_name(digest(2**63)), last=False, ordered=False)

    plan = plan_listing([digest(4), digest(5), digest(6)], page, jobs=4)

    assert plan == ListingPlan({digest(5): 1}, rest=(digest(4), digest(6)))


def test_a_first_page_of_foreign_names_tells_nothing_of_the_rest() -> None:
    wanted = spread(30, seed=5)
    page = Page({}, "files/.pivot", last=False)

    assert plan_listing(wanted, page, jobs=4).rest == tuple(wanted)


@given(st.sets(DIGESTS, min_size=2, max_size=40), st.integers(1, 9), st.integers(1, 2**60))
def test_slices_share_out_what_is_left(wanted: set[Digest], jobs: int, end: int) -> None:
    page = Page({}, object_name(digest(end)), last=False)

    plan = plan_listing(sorted(wanted), page, jobs=jobs)

    shared = [d for part in plan.slices for d in part.wanted]
    left = sorted(d for d in wanted if d > digest(end))
    assert sorted([*shared, *plan.rest]) == left
    assert len(plan.slices) <= jobs
    assert all(part.after < min(part.wanted) for part in plan.slices)
    assert all(1 <= part.most_pages < math.inf for part in plan.slices)
