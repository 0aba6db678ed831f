"""Requests to a bucket that show what may be done there; each answers with what the service said.

What they write has a key of its own below the prefix, and nothing below `files/`.
"""

from __future__ import annotations

import itertools
import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError

from pivot.errors import PivotError
from pivot.pace import pause
from pivot.s3_calls import FOREIGN, Calls
from pivot.s3_errors import Answer, parse_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from obstore.store import S3Store

    from pivot.aws import Access
    from pivot.remote_url import S3Url
    from pivot.s3_stores import Limits

_TRIES = 3
_PART = 5 * 1024 * 1024
_STRAY = re.compile(r"doctor/[0-9a-f]{32}")
_OLD = timedelta(days=1)

Result = TypeVar("Result")


class Answered(PivotError):
    """The service refused; *answer* is what it said."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


class Trials:
    """Trials in the bucket of *url*, of which `first` has to be the first."""

    def __init__(self, url: S3Url, access: Access, limits: Limits) -> None:
        self._calls = Calls(url, access, limits)

    @property
    def url(self) -> str:
        """Where the remote is."""
        return self._calls.url

    def first(self) -> tuple[str, ...] | Answer:
        """List the first page of objects: their names, or what the service said instead.

        Raises `RemoteError` when there is no answer.
        """

        def list_page(store: S3Store) -> tuple[str, ...]:
            page = next(obstore.list(store, "files", chunk_size=10), ())
            return tuple(entry["path"] for entry in page if entry["size"])

        return self._read(list_page)

    def get(self, name: str, *, most: int) -> bytes | Answer:
        """Read an object, and no further than is needed for so many bytes."""

        def get(store: S3Store) -> bytes:
            read = b""
            for chunk in obstore.get(store, name).stream(min_chunk_size=most):
                read += bytes(chunk)
                if len(read) >= most:
                    break
            return read

        return self._read(get)

    def put(self, name: str, data: bytes, *, if_absent: bool) -> Answer | None:
        """Store an object; what the service said where it did not."""
        mode: Literal["create", "overwrite"] = "create" if if_absent else "overwrite"
        for failures in itertools.count(1):
            try:
                obstore.put(self._calls.stores.trial, name, data, mode=mode, use_multipart=False)
            except FOREIGN as error:
                answer = parse_answer(error)
                if isinstance(error, AlreadyExistsError) or not answer.passing:
                    return answer
                if failures == _TRIES:
                    return answer
                time.sleep(pause(failures))
            else:
                return None
        return None

    def put_parts(self, name: str, data: bytes) -> Answer | None:
        """Store an object in parts, as large ones are."""
        try:
            obstore.put(self._calls.stores.writes, name, data, use_multipart=True, chunk_size=_PART)
        except FOREIGN as error:
            return parse_answer(error)
        return None

    def strays(self) -> Iterator[str]:
        """List what runs left that were killed, a day ago or more."""
        before = datetime.now(UTC) - _OLD
        try:
            for page in obstore.list(self._calls.stores.reads, "doctor"):
                for entry in page:
                    if _STRAY.fullmatch(entry["path"]) and entry["last_modified"] < before:
                        yield entry["path"]
        except FOREIGN:  # who may not list cannot know
            return

    def _read(self, act: Callable[[S3Store], Result]) -> Result | Answer:
        def answered(answer: Answer, url: str) -> PivotError:
            del url
            return Answered(answer)

        try:
            return self._calls.read(act, answered)
        except Answered as error:
            return error.answer
