"""Read objects from S3: in one stream, or a large one in ranges, as many as the line needs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, NotModifiedError

from pivot.ahead import ahead
from pivot.errors import ObjectError, ObjectUnchanged
from pivot.objects import CHUNK, Content, Digest, Sha256, is_sha256, object_name
from pivot.s3_calls import FOREIGN
from pivot.s3_errors import of_object, parse_answer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from obstore import GetOptions, GetResult
    from obstore.store import S3Store

    from pivot.s3_calls import Calls

LARGE = 64 * 1024 * 1024
"""From so many bytes on an object may come by more than one connection."""

SHA256 = "pivot-sha256"
"""The name of the metadata of an object, `x-amz-meta-pivot-sha256`."""

_FIRST = 16 * 1024 * 1024  # how fast one connection is, is seen by these
_FAST = 200 * 1024 * 1024  # bytes a second by one connection: no more of them are needed
_RANGE = 8 * 1024 * 1024
_AT_ONCE = 16 * _RANGE  # after which others may have the connections
_LENT = 4
_NO_PART = "non-partial response when range requested"  # obstore has no class for it


class NoPart(ObjectError):
    """The service answered with all of an object, or as if it did, when asked for a part."""


class Lanes:
    """Who reads, and how many more connections large objects were lent: at most *most* in all.

    Safe from many threads, each of which reads one object at a time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._readers: set[int] = set()
        self._lent = 0
        # a plain lock costs a tenth of a condition, and nearly always nobody waits
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)

    def enter(self) -> None:
        """Begin to read, when what was lent leaves room for it."""
        me = threading.get_ident()
        with self._lock:
            if self._lent:
                # a reader that never ended is a thread that has gone: nobody waits for that
                self._changed.wait_for(
                    lambda: not self._lent or len(self._readers | {me}) + self._lent <= self._most
                )
            self._readers.add(me)

    def leave(self) -> None:
        """End to read."""
        with self._lock:
            self._readers.discard(threading.get_ident())
            if self._lent:  # else nobody waits
                self._changed.notify_all()

    def borrow(self) -> int:
        """Take as many connections as are free, and not too many for memory; maybe none."""
        with self._changed:
            free = min(_LENT - self._lent, self._most - len(self._readers) - self._lent)
            self._lent += max(0, free)
            return max(0, free)

    def give_back(self, count: int) -> None:
        """Give connections back."""
        with self._changed:
            self._lent -= count
            self._changed.notify_all()


class Downloads:
    """Opens the objects behind *calls*, for at most *most* requests at a time."""

    def __init__(self, calls: Calls, most: int) -> None:
        self._calls = calls
        self._lanes = Lanes(most)
        self._parts = True  # the service sends parts of objects, as far as is known

    def open(self, digest: Digest, start: int, expected: int | None, known: str = "") -> Content:
        """See `Remote.download`; a version is an ETag, which S3 changes with the bytes."""
        name = object_name(digest)
        large = expected is not None and expected - start >= LARGE
        stop = start + _FIRST if large and self._parts else None
        self._lanes.enter()
        try:
            answer = self._begin(name, start, stop, known)
            meta = answer.meta
            small = not start and meta["size"] <= CHUNK
            whole = self._whole(answer) if small else b""
        except BaseException:
            self._lanes.leave()
            raise
        if small:
            self._lanes.leave()
            chunks: Iterable[bytes] = (whole,)
        else:
            chunks = self._chunks(name, answer, meta["size"])
        return Content(meta["size"], chunks, claimed(answer), meta["e_tag"] or "")

    def _chunks(self, name: str, answer: GetResult, size: int) -> Iterator[bytes]:
        try:
            yield from self._rest(name, answer, size)
        finally:
            self._lanes.leave()

    def _begin(self, name: str, start: int, stop: int | None, known: str) -> GetResult:
        """Ask for the first part; a service that sends no parts may send all."""
        try:
            return self._ask(name, start, stop, known)
        except NoPart:
            self._parts = False
            if start:
                raise
            return self._ask(name, 0, None, known)

    def _rest(self, name: str, answer: GetResult, size: int) -> Iterator[bytes]:
        """Read *answer*, and what comes after it up to *size*, as the line needs it."""
        at, end = answer.range
        waited = yield from self._timed(self._stream(answer, end - at))
        slow = end - at <= _FAST * waited
        while end < size:
            if slow:
                end = yield from self._ranges(name, end, size)
            if end < size:  # nothing was free, or nothing more is needed
                stop = min(size, end + LARGE) if slow else size
                yield from self._stream(self._ask(name, end, stop), stop - end)
                end = stop

    @staticmethod
    def _timed(chunks: Iterator[bytes]) -> Generator[bytes, None, float]:
        """Pass on *chunks*; the answer is for how many seconds they were waited for."""
        waited = 0.0
        while True:
            began = time.monotonic()
            chunk = next(chunks, None)
            waited += time.monotonic() - began
            if chunk is None:
                return waited
            yield chunk

    def _ask(self, name: str, start: int, stop: int | None, known: str = "") -> GetResult:
        return self._calls.read(lambda store: _get(store, name, start, stop, known))

    def _ranges(self, name: str, start: int, size: int) -> Generator[bytes, None, int]:
        """Read by as many connections as are free; the answer is how far that came."""
        while start < size and (lent := self._lanes.borrow()):
            try:
                stop = min(size, start + _AT_ONCE)
                parts = [(at, min(at + _RANGE, stop)) for at in range(start, stop, _RANGE)]
                yield from ahead(parts, lambda part: self._part(name, *part), threads=lent + 1)
                start = stop
            finally:
                self._lanes.give_back(lent)
        return start

    def _part(self, name: str, start: int, stop: int) -> bytes:
        return self._calls.read(lambda store: bytes(_get(store, name, start, stop).bytes()))

    def _stream(self, answer: GetResult, size: int) -> Iterator[bytes]:
        if size <= CHUNK:
            yield self._whole(answer)
            return
        try:
            for chunk in answer.stream(min_chunk_size=CHUNK):
                yield bytes(chunk)
        except FOREIGN as error:
            raise of_object(parse_answer(error), self._calls.url) from error

    def _whole(self, answer: GetResult) -> bytes:
        try:
            return bytes(answer.bytes())
        except FOREIGN as error:
            raise of_object(parse_answer(error), self._calls.url) from error


def _get(store: S3Store, name: str, start: int, stop: int | None, known: str = "") -> GetResult:
    """Ask for an object from the byte *start* on, and up to *stop* if that is given.

    Raises `ObjectUnchanged` if it has the ETag that is *known*.
    """
    options: GetOptions = {"range": {"offset": start}} if start else {}
    if stop is not None:
        options = {"range": (start, stop)}
    if known:
        options["if_none_match"] = known
    try:
        return obstore.get(store, name, options=options)
    except NotModifiedError as error:
        raise ObjectUnchanged("is as it was when it was read") from error
    except BaseError as error:
        if _NO_PART in str(error):
            raise NoPart("the service does not send parts of objects") from error
        raise


def claimed(answer: GetResult) -> Sha256 | None:
    """Give the SHA-256 that whoever stored the object says it has."""
    told = answer.attributes.get(SHA256, "")
    return Sha256(told) if is_sha256(told) else None
