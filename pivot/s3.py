"""A remote in S3: `s3://bucket/prefix` on AWS or any compatible service."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError

from pivot.budget import Budget
from pivot.errors import (
    ObjectDamaged,
    ObjectError,
    ObjectMissing,
    ObjectRefused,
    ObjectUnreachable,
    PivotError,
    RemoteDenied,
    local_error,
)
from pivot.listing import Page, Slice, plan_listing
from pivot.objects import (
    CHUNK,
    Content,
    Digest,
    object_name,
    parse_object_name,
    read_chunks,
    verified,
)
from pivot.s3_errors import (
    Answer,
    of_first_miss,
    of_object,
    of_remote,
    parse_answer,
    unavailable,
)
from pivot.s3_stores import Limits, open_stores
from pivot.transfer import for_each

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from obstore.store import S3Store

    from pivot.aws import Access
    from pivot.remote_url import S3Url

PART = 8 * 1024 * 1024
"""Larger objects go up in parts of this size, or of one 9,000th of the object."""

_MOST_PARTS = 9000  # S3 takes 10,000
_PARTS_AT_ONCE = 4
_MEMORY = 96 * 1024 * 1024
_PAGE = 1000
_FEW = 8  # so many HEADs go out at once, sooner than a LIST could say that it has more pages
_FAREWELL = 3.0  # seconds
_FOREIGN = (BaseError, FileNotFoundError)  # obstore raises the latter for a missing object

Result = TypeVar("Result")


class _MayNotList(PivotError):
    """The role lacks s3:ListBucket."""


class S3Remote:
    """Objects below a prefix of a bucket; *jobs* is the most requests at a time."""

    def __init__(self, url: S3Url, access: Access, limits: Limits) -> None:
        self.url = f"s3://{url.bucket}/{url.prefix}".rstrip("/")
        self._jobs = limits.jobs
        self._slots = threading.Semaphore(limits.jobs)
        self._memory = Budget(_MEMORY)
        self._lock = threading.RLock()
        self._reached = False  # the service has answered
        self._explained = False  # what HEAD cannot say is known
        self._ended = threading.Condition()
        self._in_parts = 0  # uploads in parts that are under way
        self._over = False
        self._conditional: bool | None = None  # whether the service knows If-None-Match
        self._region_known = False  # the service accepted the region, or told the right one
        self._open = functools.partial(open_stores, url, access, limits)
        self._locate = access.find_region
        self._stores = self._open(access.region)

    def close(self) -> None:
        """See `Remote.close`: uploads in parts that an interrupt left behind are taken back."""
        with self._ended:
            self._over = True
            self._ended.wait_for(lambda: not self._in_parts, timeout=_FAREWELL)

    def stat(self, digests: Collection[Digest]) -> dict[Digest, int | None]:
        """See `Remote.stat`: by LIST or by HEAD, whichever needs fewer requests."""
        wanted = sorted(set(digests))
        found: dict[Digest, int | None] = {}
        if len(wanted) > _FEW:
            wanted = self._list(wanted, found)

        def head(digest: Digest) -> None:
            self._head(digest, found)

        for_each(wanted[:1], head, jobs=1)  # many do not ask what is not there
        for_each(wanted[1:], head, jobs=self._jobs)
        return found

    def upload(
        self, digest: Digest, source: Path, size: int | None, *, count: Callable[[int], None]
    ) -> bool:
        """See `Remote.upload`."""
        try:
            found = os.stat(source).st_size
        except OSError as error:
            raise local_error(error, source) from error
        if size is not None and found != size:
            raise ObjectDamaged(f"{source} has {found} bytes instead of {size}")
        chunks = verified(read_chunks(source), digest, found)
        if found > PART:  # parts know no condition: what is there is asked for once more
            if self._size_there(digest) == found:
                return True
            self._put_parts(digest, chunks, found, count)
            return False
        with self._slots, self._memory.hold(found):
            was_there = self._put(digest, b"".join(chunks))
        count(found)
        return was_there

    def download(self, digest: Digest) -> Content:
        """See `Remote.download`."""
        answer = self._call(lambda store: obstore.get(store, object_name(digest)))

        def chunks() -> Iterator[bytes]:
            try:
                for chunk in answer.stream(min_chunk_size=CHUNK):
                    yield bytes(chunk)
            except _FOREIGN as error:
                raise of_object(parse_answer(error), self.url) from error

        return Content(answer.meta["size"], chunks())

    def _list(self, wanted: list[Digest], found: dict[Digest, int | None]) -> list[Digest]:
        """Add what LIST can tell cheaply to *found*; return those to be asked for one by one."""
        pages: list[Page] = []
        try:
            for_each([None], lambda _: pages.append(self._first_page()), jobs=1)
        except _MayNotList:
            return wanted
        self._explained = True  # LIST has words for a missing bucket and bad credentials
        plan = plan_listing(wanted, pages[0], jobs=self._jobs)
        found.update(plan.found)
        rest = list(plan.rest)

        def walk(part: Slice) -> None:
            rest.extend(self._walk(part, found))

        for_each(plan.slices, walk, jobs=self._jobs)
        return rest

    def _first_page(self) -> Page:
        def refuse(answer: Answer, url: str) -> PivotError:
            return _MayNotList(url) if answer.denied else of_remote(answer, url)

        return self._call(lambda store: next(_pages(store, None)), refuse)

    def _walk(self, part: Slice, found: dict[Digest, int | None]) -> list[Digest]:
        """List one slice, no further than it is worth; return what is still not known."""
        left = list(part.wanted)
        try:
            for number, page in enumerate(_pages(self._stores.reads, part.after), start=1):
                found.update((d, page.sizes[d]) for d in left if d in page.sizes)
                left = [d for d in left if d not in page.sizes and not page.covers(d)]
                if not left or number >= part.most_pages:
                    break
        except _FOREIGN as error:
            raise of_remote(parse_answer(error), self.url) from error
        return left

    def _head(self, digest: Digest, found: dict[Digest, int | None]) -> None:
        try:
            found[digest] = self._call(lambda store: obstore.head(store, object_name(digest)))[
                "size"
            ]
        except ObjectMissing:
            self._explain(digest)
        except ObjectRefused:
            self._explain(digest)
            found[digest] = None
        except ObjectError as error:
            known = self._region_known
            self._explain(digest)
            if known or not self._region_known:
                raise unavailable(error.message, self.url) from error
            self._head(digest, found)

    def _size_there(self, digest: Digest) -> int | None:
        """Ask for the size of one object; `None` when it is not there, or we may not know."""
        try:
            return self._call(lambda store: obstore.head(store, object_name(digest)))["size"]
        except (ObjectMissing, ObjectRefused):
            return None

    def _explain(self, digest: Digest) -> None:
        """Ask once by GET why HEAD failed: only GET has words for "no such bucket", "bad keys"."""
        with self._lock:
            if not self._explained:
                with contextlib.suppress(ObjectError):  # about this object alone, as HEAD said
                    name = object_name(digest)
                    self._call(lambda store: obstore.get(store, name), of_first_miss)
                self._explained = True

    def _call(
        self,
        act: Callable[[S3Store], Result],
        meaning: Callable[[Answer, str], PivotError] = of_object,
    ) -> Result:
        """Send a read request; raise what a failure means."""
        try:
            result = act(self._stores.reads if self._reached else self._stores.first)
        except _FOREIGN as error:
            answer = parse_answer(error)
            if answer.wrong_region and self._find_region(answer):
                return self._call(act, meaning)
            if not self._reached:
                if not answer.status:
                    raise of_remote(answer, self.url) from error
                self._reached = True
                if answer.busy:
                    return self._call(act, meaning)
            raise meaning(answer, self.url) from error
        self._reached = self._region_known = True
        return result

    def _find_region(self, answer: Answer) -> bool:
        """Go to the region that the bucket is in, once, as other AWS tools do."""
        with self._lock:
            region = answer.region or (self._locate and self._locate())
            if self._region_known or not region:
                return False
            self._region_known = True
            self._stores = self._open(region)
            return True

    def _put(self, digest: Digest, data: bytes) -> bool:
        """Store *data* unless it is there; tell whether it was."""
        for pause in (0.0, 0.5, 1.0, 2.0):
            time.sleep(pause)
            if self._try_put(digest, data):
                return False
            # "There already" may be meant, or only that another write is under way (409).
            size = self._size_there(digest)
            if size == len(data):
                return True
            if size is not None:
                raise ObjectDamaged(f"the remote holds {size} bytes instead of {len(data)}")
        raise ObjectUnreachable("the service keeps saying that somebody else is writing it")

    def _try_put(self, digest: Digest, data: bytes) -> bool:
        """Store *data* if nothing is there; a service without conditions was asked before."""
        conditional = self._conditional
        store = self._stores.trial if conditional is None else self._stores.writes
        mode: Literal["create", "overwrite"] = "overwrite" if conditional is False else "create"
        stored = True
        try:
            obstore.put(store, object_name(digest), data, mode=mode, use_multipart=False)
        except AlreadyExistsError:
            stored = False
        except _FOREIGN as error:
            answer = parse_answer(error)
            if mode == "create" and answer.unconditional:
                self._conditional = False
            elif conditional is None:
                self._conditional = self._conditional is not False
            else:
                raise self._not_written(answer) from error
            return self._try_put(digest, data)
        if conditional is None:
            self._conditional = self._conditional is not False
        return stored

    def _put_parts(
        self, digest: Digest, chunks: Iterator[bytes], size: int, count: Callable[[int], None]
    ) -> None:
        """Store a large object in parts, of which free slots send some at the same time."""
        part = max(PART, math.ceil(size / _MOST_PARTS / 2**20) * 2**20)

        def counted() -> Iterator[bytes]:
            for chunk in chunks:
                if self._over:
                    raise ObjectError("interrupted")  # obstore then tells the service to forget it
                count(len(chunk))
                yield chunk

        with self._ended:
            self._in_parts += 1
        self._slots.acquire()
        slots = 1
        try:
            while slots < _PARTS_AT_ONCE and self._slots.acquire(blocking=False):
                slots += 1
            with self._memory.hold((slots + 1) * part):
                obstore.put(
                    self._stores.writes,
                    object_name(digest),
                    counted(),
                    use_multipart=True,
                    chunk_size=part,
                    max_concurrency=slots,
                )
        except _FOREIGN as error:
            raise self._not_written(parse_answer(error)) from error
        finally:
            self._slots.release(slots)
            with self._ended:
                self._in_parts -= 1
                self._ended.notify_all()

    def _not_written(self, answer: Answer) -> PivotError:
        if answer.denied:
            return RemoteDenied(
                f"{self.url}: access denied for writing",
                hint="the credentials lack s3:PutObject; see whose they are: "
                "aws sts get-caller-identity",
            )
        return of_object(answer, self.url)


def _pages(store: S3Store, after: Digest | None) -> Iterator[Page]:
    """List names page by page, one request each, from the first after *after*."""
    offset = object_name(after) if after else None
    for entries in obstore.list(store, "files", offset=offset, chunk_size=_PAGE):
        names = [entry["path"] for entry in entries]
        sizes = {
            digest: entry["size"]
            for entry in entries
            if (digest := parse_object_name(entry["path"])) is not None
        }
        ordered = all(a <= b for a, b in pairwise(names))
        yield Page(sizes, names[-1], last=len(names) < _PAGE, ordered=ordered)
    yield Page({}, "", last=True)
