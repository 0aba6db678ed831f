"""A bucket as a place out of which objects go: the service copies, and deletes in batches."""

from __future__ import annotations

import contextlib
import queue
import threading
from itertools import chain
from typing import TYPE_CHECKING

import obstore

from pivot.crew import for_each
from pivot.errors import ObjectError, ObjectMissing, PivotError, RemoteDenied
from pivot.gc.place import (
    TRASH,
    Found,
    Trashed,
    name_on,
    parse_receipt_name,
    parse_trash_name,
)
from pivot.objects import CHUNK, Digest, parse_object_name
from pivot.s3 import PART
from pivot.s3_calls import FOREIGN, Calls
from pivot.s3_errors import Answer, of_object, of_remote, parse_answer, unavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from obstore import GetResult, ObjectMeta

    from pivot.aws import Access
    from pivot.remote_url import S3Url
    from pivot.s3_stores import Limits

_PAGE = 1000
_DELETES = 1000  # names in one request, as many as S3 takes
_DELETING = 4  # such requests at a time
_DENIED = "code: AccessDenied"  # of one name among many
_UNREAD = "invalid DeleteObjects response"  # of MinIO's kin, which names nothing in it
_WAITING = 16  # chunks
_MOST_COPIED = 5 * 1024**3
"""Bytes of the largest object that S3 copies by itself; larger ones go through this machine."""


class S3Place:
    """The objects below the prefix of *url*; what is larger than *most_copied* bytes is resent."""

    def __init__(
        self, url: S3Url, access: Access, limits: Limits, *, most_copied: int = _MOST_COPIED
    ) -> None:
        self._calls = Calls(url, access, limits)
        self._most_copied = most_copied

    @property
    def url(self) -> str:
        """See `Place.url`."""
        return self._calls.url

    def close(self) -> None:
        """See `Place.close`."""

    def objects(self) -> Iterator[Found]:
        """See `Place.objects`."""
        for entry in self._list("files"):
            digest = parse_object_name(entry["path"])
            if digest is not None:
                yield Found(digest, entry["size"], entry["last_modified"].timestamp())

    def trash(self, receipt: str = "") -> Iterator[Trashed]:
        """See `Place.trash`."""
        for entry in self._list(f"{TRASH}/{receipt}" if receipt else TRASH):
            named = parse_trash_name(entry["path"])
            if named is not None:
                yield Trashed(*named, entry["size"], entry["last_modified"].timestamp())

    def copy(self, digest: Digest, size: int, *, source: str, target: str) -> None:
        """See `Place.copy`."""
        old, new = name_on(source, digest), name_on(target, digest)
        store = self._calls.stores.writes
        try:
            if size <= self._most_copied:
                obstore.copy(store, old, new)
                return
            answer = obstore.get(self._calls.stores.reads, old)
            obstore.put(
                store,
                new,
                _stream(answer),
                attributes=answer.attributes,
                use_multipart=True,
                chunk_size=max(PART, size // 9000 + 1),
            )
        except FOREIGN as error:
            raise self._refused(parse_answer(error), "s3:GetObject or s3:PutObject") from error

    def delete(self, shelf: str, digests: Collection[Digest]) -> Collection[Digest]:
        """See `Place.delete`."""
        names = sorted(name_on(shelf, digest) for digest in digests)
        batches = (names[start : start + _DELETES] for start in range(0, len(names), _DELETES))
        for_each(batches, self._delete, jobs=_DELETING)
        return digests

    def receipts(self) -> dict[str, float]:
        """See `Place.receipts`."""
        return {
            receipt: entry["last_modified"].timestamp()
            for entry in self._list(TRASH)
            if (receipt := parse_receipt_name(entry["path"])) is not None
        }

    def read_note(self, name: str) -> bytes | None:
        """See `Place.read_note`."""
        try:
            return self._calls.read(lambda store: bytes(obstore.get(store, name).bytes()))
        except ObjectMissing:
            return None
        except ObjectError as error:
            raise unavailable(error.message, self.url) from error

    def write_note(self, name: str, data: bytes) -> float:
        """See `Place.write_note`."""
        store = self._calls.stores.writes
        try:
            obstore.put(store, name, data, use_multipart=False)
            return obstore.head(store, name)["last_modified"].timestamp()
        except FOREIGN as error:
            raise self._refused(parse_answer(error), "s3:PutObject") from error

    def delete_note(self, name: str) -> None:
        """See `Place.delete_note`."""
        self._delete([name])

    def _list(self, prefix: str) -> list[ObjectMeta]:
        """List all below *prefix*: a listing that fails is not a shorter one."""
        return self._calls.read(
            lambda store: list(chain.from_iterable(obstore.list(store, prefix, chunk_size=_PAGE))),
            of_remote,
        )

    def _delete(self, names: list[str]) -> None:
        try:
            obstore.delete(self._calls.stores.writes, names)
        except FOREIGN as error:
            if _UNREAD in str(error) and not self._any_is_left(names):
                return
            raise self._refused(parse_answer(error), "s3:DeleteObject") from error

    def _any_is_left(self, names: list[str]) -> bool:
        left: list[str] = []

        def ask(name: str) -> None:
            with contextlib.suppress(ObjectMissing):
                self._calls.read(lambda store: obstore.head(store, name))
                left.append(name)

        for_each(names, ask, jobs=_DELETING)
        return bool(left)

    def _refused(self, answer: Answer, action: str) -> PivotError:
        """Say what a failed change means: without the permission nothing can be changed."""
        if answer.denied or _DENIED in answer.text:
            return RemoteDenied(
                f"{self.url}: access denied: the credentials lack {action}",
                hint="it takes a role of its own: 'pivot remote policy NAME --role gc' prints it",
            )
        return of_object(answer, self.url)


def _stream(answer: GetResult) -> Iterator[bytes]:
    """Read in a thread of its own: obstore cannot be asked for bytes while it asks for some."""
    waiting: queue.Queue[bytes | BaseException | None] = queue.Queue(_WAITING)

    def read() -> None:
        try:
            for chunk in answer.stream(min_chunk_size=CHUNK):
                waiting.put(bytes(chunk))
            waiting.put(None)
        except BaseException as error:  # noqa: BLE001  raised again where it is waited for
            waiting.put(error)

    threading.Thread(target=read, daemon=True).start()
    while (chunk := waiting.get()) is not None:
        if isinstance(chunk, BaseException):
            raise chunk
        yield chunk
