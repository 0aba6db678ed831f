"""A remote in S3: `s3://bucket/prefix` on AWS or any compatible service."""

from __future__ import annotations

import itertools
import math
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import obstore
from obstore.exceptions import AlreadyExistsError

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
from pivot.objects import (
    Content,
    Digest,
    Sha256,
    local_damage,
    object_name,
    read_small,
    read_verified,
)
from pivot.pace import Pace, pause
from pivot.s3_calls import FOREIGN, Calls
from pivot.s3_download import SHA256, Downloads, claimed
from pivot.s3_errors import Answer, of_object, parse_answer
from pivot.s3_stat import Inventory

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from obstore import Attributes

    from pivot.aws import Access
    from pivot.objects import Hasher, Promise
    from pivot.remote_url import S3Url
    from pivot.s3_stores import Limits

PART = 8 * 1024 * 1024
"""Larger objects go up in parts of this size, or of one 9,000th of the object."""

_MOST_PARTS = 9000  # S3 takes 10,000
_PARTS_AT_ONCE = 4
_MEMORY = 96 * 1024 * 1024
_FAREWELL = 3.0  # seconds
_PRECONDITION = 412
_PAUSES = (0.5, 1.0, 2.0)  # seconds between tries while somebody else writes the same object


class S3Remote:
    """Objects below a prefix of a bucket; `limits.jobs` says how many requests at a time."""

    def __init__(self, url: S3Url, access: Access, limits: Limits) -> None:
        self._calls = Calls(url, access, limits)
        self._inventory = Inventory(self._calls, jobs=limits.jobs)
        self._downloads = Downloads(self._calls, limits.jobs.most)
        self._slots = Pace(limits.jobs.most)
        self._retries = limits.retries
        self._memory = Budget(_MEMORY)
        self._conditional: bool | None = None  # whether the service knows If-None-Match
        self._ended = threading.Condition()
        self._in_parts = 0  # uploads in parts that are under way
        self._over = False

    @property
    def url(self) -> str:
        """See `Remote.url`."""
        return self._calls.url

    def close(self) -> None:
        """See `Remote.close`: uploads in parts that an interrupt left behind are taken back."""
        with self._ended:
            self._over = True
            self._ended.wait_for(lambda: not self._in_parts, timeout=_FAREWELL)

    def stat(self, digests: Collection[Digest]) -> dict[Digest, int | None]:
        """See `Remote.stat`."""
        return self._inventory.stat(digests)

    def read(
        self, promise: Promise, source: str | os.PathLike[str], hasher: Hasher
    ) -> bytes | None:
        """See `Remote.read`."""
        return read_small(source, promise, hasher)

    def upload(
        self,
        promise: Promise,
        source: str | os.PathLike[str],
        hasher: Hasher,
        *,
        count: Callable[[int], None],
        data: bytes | None = None,
    ) -> bool:
        """See `Remote.upload`."""
        if data is None:
            data = read_small(source, promise, hasher)
        if data is None:
            return self._upload_large(promise, source, hasher, count)
        with self._slots:
            was_there = self._put(promise, hasher.sha256() or promise.sha256, data)
        count(len(data))
        return was_there

    def _upload_large(
        self,
        promise: Promise,
        source: str | os.PathLike[str],
        hasher: Hasher,
        count: Callable[[int], None],
    ) -> bool:
        """Upload what is to be counted in memory, or is sent in parts."""
        try:
            found = os.stat(source).st_size
        except OSError as error:
            raise local_error(error, source) from error
        if promise.size not in {None, found}:
            raise local_damage(source, f"has {found} bytes instead of {promise.size}")
        promise = replace(promise, size=found)
        if found > PART:  # parts know no condition: what is there is asked for once more
            if self._is_there(promise, promise.sha256, found):
                return True
            self._put_parts(promise, read_verified(source, promise, hasher), found, count)
            return False
        with self._slots, self._memory.hold(found):
            data = read_small(source, promise, hasher, most=PART)
            if data is None:  # a file system that gives less than it is asked for, or has more
                data = b"".join(read_verified(source, promise, hasher))
            was_there = self._put(promise, hasher.sha256() or promise.sha256, data)
        count(found)
        return was_there

    def download(
        self, digest: Digest, *, start: int = 0, size: int | None = None, known: str = ""
    ) -> Content:
        """See `Remote.download`."""
        return self._downloads.open(digest, start, size, known)

    def _is_there(
        self, promise: Promise, sha256: Sha256 | None, size: int, *, if_refused: bool = False
    ) -> bool:
        """Tell whether the object is there; raises `ObjectDamaged` where it is another.

        What somebody stored under this name can differ in its size, or in the SHA-256 that it
        claims: then one of the two contents was made to have the digest of the other.
        """
        name = object_name(promise.digest)
        try:
            there = self._calls.read(lambda store: obstore.get(store, name, options={"head": True}))
        except ObjectMissing:
            return False
        except ObjectRefused:
            return if_refused
        found = there.meta["size"]
        if found != size:
            raise ObjectDamaged(f"the remote holds {found} bytes instead of {size}")
        told = claimed(there)
        if None not in {told, sha256} and told != sha256:
            raise ObjectDamaged(
                f"the remote holds another content of this digest: SHA-256 {told} instead of "
                f"{sha256}",
                hint="one of them was forged: find out who stored it there, delete what is false",
            )
        return True

    def _put(self, promise: Promise, sha256: Sha256 | None, data: bytes) -> bool:
        """Store *data* unless it is there; tell whether it was."""
        digest, attributes = promise.digest, _attributes(sha256)
        for seconds in (*_PAUSES, None):
            refusal = self._try_put(digest, data, attributes)
            if refusal is None:
                return False
            # 412 says that it is there; 409 also that another write is under way, or was undone
            doubtful = refusal.status == _PRECONDITION
            if self._is_there(promise, sha256, len(data), if_refused=doubtful):
                return True
            if seconds is not None:
                time.sleep(seconds)
        raise ObjectUnreachable("the service keeps saying that somebody else is writing it")

    def _try_put(self, digest: Digest, data: bytes, attributes: Attributes) -> Answer | None:
        """Store *data* if nothing is there, else return what the service said.

        A service that knows no conditions was asked before.
        """
        conditional = self._conditional
        mode: Literal["create", "overwrite"] = "overwrite" if conditional is False else "create"
        refusal = None
        try:
            self._send(digest, data, attributes, mode, tries=0 if conditional is None else None)
        except AlreadyExistsError as error:
            refusal = parse_answer(error)
        except FOREIGN as error:
            answer = parse_answer(error)
            if answer.unconfirmed:
                return answer
            if mode == "create" and answer.unconditional:
                self._conditional = False
            elif conditional is None:
                self._conditional = self._conditional is not False
            else:
                raise self._not_written(answer) from error
            return self._try_put(digest, data, attributes)
        if conditional is None:
            self._conditional = self._conditional is not False
        return refusal

    def _send(
        self,
        digest: Digest,
        data: bytes,
        attributes: Attributes,
        mode: Literal["create", "overwrite"],
        tries: int | None,
    ) -> None:
        """Send *data*, up to so many *tries* more where the failure may pass; raises `FOREIGN`.

        obstore itself does not send a write again whose connection was lost, since it could have
        been carried out; here that does no harm. What the service complains of sets the pace.
        """
        for failures in itertools.count(1):
            try:
                obstore.put(
                    self._calls.stores.trial,
                    object_name(digest),
                    data,
                    attributes=attributes,
                    mode=mode,
                    use_multipart=False,
                )
            except FOREIGN as error:
                answer = parse_answer(error)
                if answer.busy:
                    self._slots.slow_down(time.monotonic())
                last = failures > (self._retries if tries is None else tries)
                if last or self._over or not answer.passing:
                    raise
                time.sleep(pause(failures))
            else:
                self._slots.go_on()
                return

    def _put_parts(
        self, promise: Promise, chunks: Iterator[bytes], size: int, count: Callable[[int], None]
    ) -> None:
        """Store a large object in parts, of which free slots send some at the same time.

        Its SHA-256 would have to be in the first request, so it is left out where only the bytes
        can tell it: they are not read twice for that.
        """
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
                    self._calls.stores.writes,
                    object_name(promise.digest),
                    counted(),
                    attributes=_attributes(promise.sha256),
                    use_multipart=True,
                    chunk_size=part,
                    max_concurrency=slots,
                )
        except FOREIGN as error:
            raise self._not_written(parse_answer(error)) from error
        finally:
            self._slots.release(slots)
            with self._ended:
                self._in_parts -= 1
                self._ended.notify_all()

    def _not_written(self, answer: Answer) -> PivotError:
        if answer.denied:
            return RemoteDenied(
                f"{self._calls.url}: access denied for writing",
                hint="the credentials lack s3:PutObject; see whose they are: "
                "aws sts get-caller-identity",
            )
        return of_object(answer, self._calls.url)


def _attributes(sha256: Sha256 | None) -> Attributes:
    return {} if sha256 is None else {SHA256: sha256}
