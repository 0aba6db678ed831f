"""A cache, or a remote in a folder, as a place out of which objects go: by hard links."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from typing import TYPE_CHECKING

from pivot.documents import write_atomically
from pivot.durable import sync_directories, sync_directory
from pivot.errors import ObjectMissing, local_error
from pivot.gc.place import LIVE, TRASH, Found, Trashed, is_receipt, name_on, receipt_name
from pivot.guard import guarded
from pivot.objects import Digest, is_digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS})


class FolderPlace:
    """The objects below *root*, at *url* for messages; a cache that is not there is empty.

    An object is as old as the last change of its inode: a link that was made or removed counts.
    """

    def __init__(self, root: Path, url: str) -> None:
        self.url = url
        self._root = root
        self._seen: dict[Digest, int] = {}  # when each object last changed, as far as we know

    def close(self) -> None:
        """See `Place.close`."""

    def objects(self) -> Iterator[Found]:
        """See `Place.objects`."""
        for digest, found in _scan(self._root / "files"):
            self._seen[digest] = found.st_ctime_ns
            yield Found(digest, found.st_size, _changed(found))

    def trash(self, receipt: str = "") -> Iterator[Trashed]:
        """See `Place.trash`."""
        names = [receipt] if receipt else filter(is_receipt, _names(self._root / TRASH))
        for name in sorted(names):
            for digest, found in _scan(self._root / TRASH / name / "files"):
                yield Trashed(name, digest, found.st_size, _changed(found))

    def copy(self, digest: Digest, size: int, *, source: str, target: str) -> None:
        """See `Place.copy`: a second name for the same bytes, where the file system can."""
        del size
        old, new = (self._root / name_on(shelf, digest) for shelf in (source, target))
        try:
            if source != LIVE:
                new.parent.mkdir(parents=True, exist_ok=True)
                _link(old, new)
                return
            with guarded(self._root / "files", alone=True):
                if old.lstat().st_ctime_ns == self._seen.get(digest):  # else it is used again
                    new.parent.mkdir(parents=True, exist_ok=True)
                    _link(old, new)
                    self._seen[digest] = old.lstat().st_ctime_ns
        except FileNotFoundError as error:
            raise ObjectMissing("is not there any more") from error
        except OSError as error:
            raise local_error(error) from error

    def delete(self, shelf: str, digests: Collection[Digest]) -> Collection[Digest]:
        """See `Place.delete`; names that were made before are on the disk then.

        Who finds an object that it was about to add changes its inode, see `arrivals`.
        """
        paths = {digest: self._root / name_on(shelf, digest) for digest in digests}
        try:
            tops = [str(self._root / name) for name in (TRASH, "files")]
            sync_directories([top for top in tops if os.path.isdir(top)])
            if shelf != LIVE:
                for path in paths.values():
                    path.unlink(missing_ok=True)
                self._tidy(shelf)
                return digests
            return {digest for digest, path in paths.items() if self._take_away(digest, path)}
        except OSError as error:
            raise local_error(error) from error

    def _take_away(self, digest: Digest, path: Path) -> bool:
        """Remove an object, unless it was used since we know of it."""
        with guarded(self._root / "files", alone=True):
            try:
                if path.lstat().st_ctime_ns != self._seen.get(digest):
                    return False
                path.unlink()
            except FileNotFoundError:
                pass
            return True

    def receipts(self) -> dict[str, float]:
        """See `Place.receipts`."""
        found = {}
        for name in filter(is_receipt, _names(self._root / TRASH)):
            with contextlib.suppress(FileNotFoundError):
                found[name] = (self._root / receipt_name(name)).lstat().st_mtime
        return found

    def read_note(self, name: str) -> bytes | None:
        """See `Place.read_note`."""
        try:
            return (self._root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise local_error(error) from error

    def write_note(self, name: str, data: bytes) -> float:
        """See `Place.write_note`."""
        path = self._root / name
        write_atomically(path, data, follow=False)
        try:
            sync_directory(path.parent)
            return path.lstat().st_mtime
        except OSError as error:
            raise local_error(error, path) from error

    def delete_note(self, name: str) -> None:
        """See `Place.delete_note`."""
        path = self._root / name
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise local_error(error, path) from error
        if name.startswith(f"{TRASH}/"):
            self._tidy(path.parent.name)

    def _tidy(self, receipt: str) -> None:
        """Remove directories of the trash that are empty."""
        place = self._root / TRASH / receipt
        shelves = [place / "files" / name for name in _names(place / "files")]
        for path in (*shelves, place / "files", place, place.parent):
            with contextlib.suppress(OSError):
                path.rmdir()


def _scan(files: Path) -> Iterator[tuple[Digest, os.stat_result]]:
    """List objects; other names are not ours. Raises `LocalError`."""
    try:
        for head in _names(files):
            if len(head) != 2 or not (files / head).is_dir():  # noqa: PLR2004
                continue
            with os.scandir(files / head) as entries:
                for entry in entries:
                    if is_digest(head + entry.name):
                        with contextlib.suppress(FileNotFoundError):  # it went meanwhile
                            found = entry.stat(follow_symlinks=False)
                            if stat.S_ISREG(found.st_mode):
                                yield Digest(head + entry.name), found
    except OSError as error:
        raise local_error(error) from error


def _names(directory: Path) -> list[str]:
    """List the names in a directory, none where there is no such; raises `LocalError`."""
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise local_error(error, directory) from error


def _changed(found: os.stat_result) -> float:
    return max(found.st_mtime, found.st_ctime)


def _link(old: Path, new: Path) -> None:
    """Give a file a second name, or its bytes where the file system has no links."""
    try:
        os.link(old, new, follow_symlinks=False)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _copy_bytes(old, new)


def _copy_bytes(old: Path, new: Path) -> None:
    aside = new.with_name(f".{new.name}.{secrets.token_hex(4)}")
    try:
        shutil.copy2(old, aside, follow_symlinks=False)
        with open(aside, "rb") as file:
            os.fsync(file.fileno())
        os.replace(aside, new)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise
