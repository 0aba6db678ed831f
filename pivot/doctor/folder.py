"""Try what may be done with a remote in a folder, and take away what was written for it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from pivot.cache import Cache
from pivot.doctor.checks import Check, State
from pivot.errors import RemoteError
from pivot.report import human_size
from pivot.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pivot.objects import Digest

_DATA = b"pivot doctor was here\n"
_LITTLE = 1024**3


class Folder:
    """The folder at *path*, asked one thing after the other; `clear` when it is over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._objects = Cache(path)
        self._scratch = Scratch(path / "tmp")  # what a killed run leaves, the next one removes
        self._found: Digest | None = None

    def ask(self, name: str) -> Check:
        """Ask one thing; raises what a failure means, also as `OSError`."""
        acts: dict[str, Callable[[], Check]] = {
            "folder": self._exists,
            "list": self._list,
            "get": self._get,
            "put": self._put,
            "put-if-absent": self._put_if_absent,
            "delete": self._delete,
        }
        return acts[name]()

    def clear(self) -> None:
        """Take away what was written."""
        self._scratch.remove()

    def _exists(self) -> Check:
        if not self._path.is_dir():
            raise RemoteError(
                f"{self._path}: there is no such folder", hint="is it mounted? else make it: mkdir"
            )
        disk = os.statvfs(self._path)
        free = disk.f_bavail * disk.f_frsize
        seen = f"{self._path} is there, {human_size(free)} free"
        if free < _LITTLE:
            return Check("folder", State.WARNING, seen, "free some space there")
        return Check("folder", State.OK, seen)

    def _list(self) -> Check:
        with os.scandir(self._path):
            pass
        self._found = next((digest for digest, size in self._objects.scan() if size), None)
        seen = "may list" if self._found else "may list; it is empty yet"
        return Check("list", State.OK, seen)

    def _get(self) -> Check:
        if self._found is None:
            return Check("get", State.OK, "may read, once there is something")
        with open(self._objects.path(self._found), "rb") as file:
            file.read(1)
        return Check("get", State.OK, "may read")

    def _put(self) -> Check:
        file = self._scratch.directory() / "one"
        file.write_bytes(_DATA)
        files = self._path / "files"
        if files.exists() and not os.access(files, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(files))
        return Check("put", State.OK, "may write")

    def _put_if_absent(self) -> Check:
        one, other = (self._scratch.directory() / name for name in ("one", "other"))
        try:
            os.link(one, other)
        except OSError:
            seen = "no hard links: objects get their names by rename, over what is there"
            cure = "none is needed: what is pushed twice at once is replaced by the same bytes"
            return Check("put-if-absent", State.WARNING, seen, cure)
        return Check("put-if-absent", State.OK, "a name that is taken stays as it is (hard links)")

    def _delete(self) -> Check:
        for name in ("one", "other"):
            (self._scratch.directory() / name).unlink(missing_ok=True)
        self._scratch.remove()
        return Check("delete", State.OK, "may delete: nothing is left of this")
