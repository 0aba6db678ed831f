"""A remote in a folder that several machines see: `file:///folder`."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from pivot.cache import Cache
from pivot.errors import (
    LocalError,
    ObjectDamaged,
    ObjectError,
    ObjectMissing,
    ObjectUnchanged,
    ObjectUnreachable,
    RemoteError,
    local_error,
)
from pivot.objects import Content, Digest, Hasher, Promise, local_damage, read_chunks
from pivot.remembered import version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path


class FolderRemote:
    """The folder at *path* has the layout of a cache, and the same door."""

    def __init__(self, path: Path) -> None:
        self._objects = Cache(path)
        self.url = path.as_uri()

    def close(self) -> None:
        """See `Remote.close`; what was uploaded may get its names only now."""
        try:
            self._objects.close()
        except LocalError as error:  # of that disk
            failure = RemoteError(f"{self.url}: {error.message}", hint=error.hint)
            failure.code = error.code
            raise failure from error

    def stat(self, digests: Collection[Digest]) -> dict[Digest, int | None]:
        """See `Remote.stat`; a folder that is not there is not an empty one."""
        if not self._objects.root.is_dir():
            raise RemoteError(
                f"{self.url}: there is no such folder", hint="is it mounted? else make it: mkdir"
            )
        try:
            return dict(self._objects.stat(digests))
        except LocalError as error:
            raise RemoteError(error.message, hint=error.hint) from error

    def read(self, promise: Promise, source: str | os.PathLike[str], hasher: Hasher) -> None:
        """See `Remote.read`: what is there already is not read."""

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
        del data
        try:
            found = os.stat(source).st_size
        except OSError as error:
            raise local_error(error, source) from error
        held = self._objects.stat([promise.digest]).get(promise.digest)
        if held not in {None, found}:
            raise ObjectDamaged(f"the remote holds {held} bytes instead of {found}")
        if held is not None:
            return True
        content = Content(found, read_chunks(source))
        try:
            self._objects.receive(promise, content, hasher=hasher, count=count)
        except ObjectDamaged as error:
            raise local_damage(source, error.message) from error
        return False

    def download(
        self, digest: Digest, *, start: int = 0, size: int | None = None, known: str = ""
    ) -> Content:
        """See `Remote.download`."""
        del size
        path = self._objects.path(digest)
        try:
            found = path.stat()
            version = version_of(found, read_at=time.time_ns())
            if known and known == version:
                raise ObjectUnchanged("is as it was when it was read")
            return Content(found.st_size, _readable(path, start), version=version)
        except FileNotFoundError as error:
            raise ObjectMissing("is not there any more") from error
        except OSError as error:
            raise ObjectError(local_error(error).message) from error


def _readable(path: Path, start: int) -> Iterator[bytes]:
    """Read a file of the folder: a failure is one of this object, not of the local disk."""
    try:
        yield from read_chunks(path, start=start)
    except LocalError as error:
        raise ObjectUnreachable(error.message, hint=error.hint) from error
