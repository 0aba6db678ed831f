"""Learn which objects a bucket has: by LIST or by HEAD, whichever needs fewer requests."""

from __future__ import annotations

import contextlib
import threading
from itertools import pairwise
from typing import TYPE_CHECKING

import obstore

from pivot.crew import for_each
from pivot.errors import ObjectError, ObjectMissing, ObjectRefused, PivotError
from pivot.listing import Page, Slice, plan_listing
from pivot.objects import Digest, object_name, parse_object_name
from pivot.s3_calls import FOREIGN, Calls
from pivot.s3_errors import Answer, of_first_miss, of_remote, parse_answer, unavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from obstore import ObjectMeta
    from obstore.store import S3Store

    from pivot.crew import Jobs

_PAGE = 1000
_LISTS = 16  # at a time: more pages are asked for in turn
_FEW = 8  # so many HEADs go out at once, sooner than a LIST could say that it has more pages


class _MayNotList(PivotError):
    """The role lacks s3:ListBucket, or somebody's key cannot be listed."""


class Inventory:
    """What the bucket behind *calls* has, asked with so many *jobs*: requests at a time."""

    def __init__(self, calls: Calls, *, jobs: Jobs) -> None:
        self._calls = calls
        self._jobs = jobs
        self._lock = threading.Lock()
        self._explained = False  # what HEAD cannot say is known

    def stat(self, digests: Collection[Digest]) -> dict[Digest, int | None]:
        """See `Remote.stat`."""
        wanted = sorted(set(digests))
        found: dict[Digest, int | None] = {}
        if len(wanted) > _FEW:
            wanted = self._list(wanted, found)

        def head(digest: Digest) -> None:
            self._head(digest, found)

        for_each(wanted[:1], head, jobs=1)  # many do not ask what is not there
        for_each(wanted[1:], head, jobs=self._jobs)
        return found

    def _list(self, wanted: list[Digest], found: dict[Digest, int | None]) -> list[Digest]:
        """Add what LIST can tell cheaply to *found*; return those to be asked for one by one."""
        pages: list[Page] = []
        try:
            for_each([None], lambda _: pages.append(self._first_page()), jobs=1)
        except _MayNotList:
            return wanted
        self._explained = True  # LIST has words for a missing bucket and bad credentials
        if not pages[0].end and pages[0].last:  # empty, or no listing at all
            self._head(wanted[0], found)
            return wanted[1:] if found else []
        plan = plan_listing(wanted, pages[0], jobs=min(self._jobs.most, _LISTS))
        found.update(plan.found)
        rest = list(plan.rest)

        def walk(part: Slice) -> None:
            rest.extend(self._walk(part, found))

        for_each(plan.slices, walk, jobs=min(self._jobs.most, _LISTS))
        return rest

    def _first_page(self) -> Page:
        def refuse(answer: Answer, url: str) -> PivotError:
            cannot = answer.denied or answer.unlistable
            return _MayNotList(url) if cannot else of_remote(answer, url)

        return self._calls.read(lambda store: next(_pages(store, None)), refuse)

    def _walk(self, part: Slice, found: dict[Digest, int | None]) -> list[Digest]:
        """List one slice, no further than it is worth; return what is still not known."""
        left = list(part.wanted)
        try:
            for number, page in enumerate(_pages(self._calls.stores.reads, part.after), start=1):
                found.update((d, page.sizes[d]) for d in left if d in page.sizes)
                left = [d for d in left if d not in page.sizes and not page.covers(d)]
                if not left or number >= part.most_pages:
                    break
        except FOREIGN as error:
            answer = parse_answer(error)
            if not answer.unlistable:
                raise of_remote(answer, self._calls.url) from error
        return left

    def _head(self, digest: Digest, found: dict[Digest, int | None]) -> None:
        name = object_name(digest)
        try:
            found[digest] = self._calls.read(lambda store: obstore.head(store, name))["size"]
        except ObjectMissing:
            self._explain(digest)
        except ObjectRefused:
            self._explain(digest)
            found[digest] = None
        except ObjectError as error:
            known = self._calls.region_known
            self._explain(digest)
            if known or not self._calls.region_known:
                raise unavailable(error.message, self._calls.url) from error
            self._head(digest, found)

    def _explain(self, digest: Digest) -> None:
        """Ask once by GET why HEAD failed: only GET has words for "no such bucket", "bad keys"."""
        with self._lock:
            if not self._explained:
                with contextlib.suppress(ObjectError):  # about this object alone, as HEAD said
                    name = object_name(digest)
                    self._calls.read(lambda store: obstore.get(store, name), of_first_miss)
                self._explained = True


def _pages(store: S3Store, after: Digest | None) -> Iterator[Page]:
    """List names page by page, one request each, from the first after *after*."""
    offset = object_name(after) if after else None
    # what came is let go, as 16 lists of a thousand entries are large, before more is asked for
    yield from map(_page, obstore.list(store, "files", offset=offset, chunk_size=_PAGE))
    yield Page({}, "", last=True)


def _page(entries: Sequence[ObjectMeta]) -> Page:
    names = [entry["path"] for entry in entries]
    sizes = {
        digest: entry["size"]
        for entry in entries
        if (digest := parse_object_name(entry["path"])) is not None
    }
    ordered = all(a <= b for a, b in pairwise(names))
    return Page(sizes, names[-1], last=len(names) < _PAGE, ordered=ordered)
