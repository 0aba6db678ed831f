"""Objects in a directory, and the one door through which they come in."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import threading
from typing import TYPE_CHECKING

from pivot.copying import take
from pivot.errors import ObjectDamaged, local_error
from pivot.objects import Content, Digest, is_digest, object_name, verified
from pivot.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

_BATCH = 256
_BATCH_BYTES = 64 * 1024 * 1024


class Cache:
    """Objects below *root*, as docs/format.md lays them out: `files/ab/12…`, read-only.

    What comes in is written to a private file, verified while it is written, synced to the disk,
    and only then linked to its name; a name that is taken stays as it is. Names appear in batches,
    at the latest when the cache is closed: use it in a `with` statement. Safe from many threads.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._scratch = Scratch(root / "tmp")
        self._lock = threading.Lock()
        self._publishing = threading.Lock()
        self._failed = False
        self._arrived: list[tuple[Path, Digest, int]] = []
        self._arrived_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Name what has arrived, and remove what has not; raises `LocalError`.

        What could not be named, as was told before, is not tried again.
        """
        try:
            if not self._failed:
                self.publish()
        finally:
            self._scratch.remove()

    def path(self, digest: Digest) -> Path:
        """Where the object is, or would be."""
        return self.root / object_name(digest)

    def stat(self, digests: Collection[Digest]) -> dict[Digest, int]:
        """Say which of *digests* are here, with their sizes; raises `LocalError`."""
        held: dict[Digest, int] = {}
        root = str(self.root)
        for digest in digests:
            try:
                found = os.lstat(f"{root}/{object_name(digest)}")
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise local_error(error) from error
            if stat.S_ISREG(found.st_mode):
                held[digest] = found.st_size
        return held

    def scan(self) -> Iterator[tuple[Digest, int]]:
        """List all objects with their sizes; other names in the directory are not ours."""
        files = self.root / "files"
        try:
            for head in sorted(os.listdir(files)) if files.is_dir() else ():
                if len(head) != 2 or not (files / head).is_dir():  # noqa: PLR2004
                    continue
                with os.scandir(files / head) as entries:
                    for entry in sorted(entries, key=lambda entry: entry.name):
                        if is_digest(head + entry.name) and entry.is_file(follow_symlinks=False):
                            yield Digest(head + entry.name), entry.stat().st_size
        except OSError as error:
            raise local_error(error) from error

    def receive(
        self,
        digest: Digest,
        content: Content,
        size: int | None,
        *,
        executable: bool = False,
        count: Callable[[int], None] | None = None,
    ) -> None:
        """Admit an object if its bytes are what *digest* and *size* promise.

        With *executable* the object gets the x bits, for files that are hard links to it.
        Raises `ObjectDamaged` before it reads where *content* announces another size, and
        `LocalError`; nothing of it stays then.
        """
        if size is not None and content.size != size:
            raise ObjectDamaged(f"has {content.size} bytes instead of {size}")
        with self._scratch.file() as (private, descriptor):
            written = 0
            for chunk in verified(content.chunks, digest, content.size):
                written += _write(descriptor, chunk, private)
                if count is not None:
                    count(len(chunk))
            try:
                os.fchmod(descriptor, 0o555 if executable else 0o444)
            except OSError as error:
                raise local_error(error, private) from error
        self._announce(private, digest, written)

    def add(self, source: Path, *, executable: bool = False) -> tuple[Digest, int]:
        """Admit the content of the file at *source*, whatever it is: its digest and size.

        It is read once, or shared with *source* where the file system can and then read. Raises
        `LocalError`, also when *source* is no regular file.
        """
        with self._scratch.file() as (private, descriptor):
            try:
                digest, size = take(source, descriptor)
                os.fchmod(descriptor, 0o555 if executable else 0o444)
            except OSError as error:
                raise local_error(error, source) from error
        self._announce(private, digest, size)
        return digest, size

    def is_writable(self, digest: Digest) -> bool:
        """Tell whether somebody gave an object a mode that lets it be changed."""
        try:
            return bool(os.lstat(self.path(digest)).st_mode & 0o222)
        except OSError as error:
            raise local_error(error) from error

    def protect(self, digest: Digest) -> None:
        """Make an object read-only again, if it is ours to do so."""
        path = self.path(digest)
        with contextlib.suppress(OSError):
            path.chmod(stat.S_IMODE(path.lstat().st_mode) & 0o555)

    def discard(self, digests: Collection[Digest]) -> None:
        """Remove objects that were found to be damaged; raises `LocalError`."""
        for digest in digests:
            try:
                self.path(digest).unlink(missing_ok=True)
            except OSError as error:
                raise local_error(error) from error

    def publish(self) -> None:
        """Give all that has arrived its name, now; raises `LocalError`.

        Also what another thread is about to name has its name when this returns.
        """
        with self._publishing:
            with self._lock:
                arrived, self._arrived, self._arrived_bytes = self._arrived, [], 0
            if not arrived:
                return
            try:
                _sync(arrived[0][0].parent, [private for private, _, _ in arrived])
                shelves = {self._name(*entry) for entry in arrived}
                for shelf in shelves:
                    _sync_directory(shelf)
            except OSError as error:
                with self._lock:  # for whoever else waits for these
                    self._arrived += [entry for entry in arrived if entry[0].exists()]
                self._failed = True
                raise local_error(error) from error
            self._failed = False

    def _announce(self, private: Path, digest: Digest, size: int) -> None:
        with self._lock:
            self._arrived.append((private, digest, size))
            self._arrived_bytes += size
            full = len(self._arrived) >= _BATCH or self._arrived_bytes >= _BATCH_BYTES
        if full:
            self.publish()

    def _name(self, private: Path, digest: Digest, size: int) -> Path:
        """Link *private* to its name and return the shelf that it stands on."""
        target = self.path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(private, target)
        except FileExistsError:
            held = target.lstat()
            if not stat.S_ISREG(held.st_mode) or held.st_size != size:
                os.replace(private, target)  # what stands there is damaged; ours is verified
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS}:
                raise
            os.rename(private, target)  # a file system without hard links
        with contextlib.suppress(FileNotFoundError):
            os.unlink(private)
        return target.parent


def _write(descriptor: int, chunk: bytes, path: Path) -> int:
    view = memoryview(chunk)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise local_error(error, path) from error
    return len(chunk)


def _sync(directory: Path, files: list[Path]) -> None:
    """Bring *files* to the disk: with one call for the file system, or one by one."""
    if len(files) > 1:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if _syncfs(descriptor):
                return
        finally:
            os.close(descriptor)
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _syncfs(descriptor: int) -> bool:
    """Call Linux's syncfs(2), which Python does not offer; tell whether it worked."""
    try:
        call = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):
        return False
    return bool(call(descriptor) == 0)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # file systems that cannot
            raise
    finally:
        os.close(descriptor)
