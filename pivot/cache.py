"""Objects in a directory, and the one door through which they come in."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pivot.copying import take
from pivot.errors import IntegrityError, ObjectDamaged, local_error
from pivot.objects import (
    Content,
    Digest,
    Hasher,
    Promise,
    Sha256,
    check,
    false,
    hash_descriptor,
    is_digest,
    object_name,
    verified,
)
from pivot.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from pivot.proofs import Proofs

_BATCH = 256
_BATCH_BYTES = 64 * 1024 * 1024


class _Arrived(NamedTuple):
    """A verified file that has no name yet; *promised* says that its SHA-256 was asked for."""

    private: Path
    digest: Digest
    size: int
    sha256: Sha256 | None
    found: os.stat_result
    promised: bool


class Cache:
    """Objects below *root*, as docs/format.md lays them out: `files/ab/12…`, read-only.

    What comes in is written to a private file, verified while it is written, synced to the disk,
    and only then linked to its name; a name that is taken stays as it is. Names appear in batches,
    at the latest when the cache is closed: use it in a `with` statement. Safe from many threads.
    With *proofs* it knows which objects were checked by SHA-256.
    """

    def __init__(self, root: Path, proofs: Proofs | None = None) -> None:
        self.root = root
        self._proofs = proofs
        self._scratch = Scratch(root / "tmp")
        self._lock = threading.Lock()
        self._publishing = threading.Lock()
        self._failed = False
        self._arrived: list[_Arrived] = []
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
            if self._proofs is not None:
                self._proofs.save()

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
        promise: Promise,
        content: Content,
        *,
        executable: bool = False,
        hasher: Hasher | None = None,
        count: Callable[[int], None] | None = None,
    ) -> None:
        """Admit an object if its bytes are what *promise* says.

        With *executable* the object gets the x bits, for files that are hard links to it. *hasher*
        is new, and knows the bytes then. Raises `ObjectDamaged` before it reads where *content*
        announces another size or SHA-256, and `LocalError`; nothing of it stays then.
        """
        if promise.size is not None and content.size != promise.size:
            raise ObjectDamaged(f"has {content.size} bytes instead of {promise.size}")
        if content.claimed is not None and promise.sha256 not in {None, content.claimed}:
            raise false(promise, content.claimed)
        promise = replace(promise, size=content.size)
        hasher = hasher or Hasher(strong=promise.sha256 is not None)
        with self._scratch.file() as (private, descriptor):
            for chunk in verified(content.chunks, promise, hasher):
                _write(descriptor, chunk, private)
                if count is not None:
                    count(len(chunk))
            try:
                os.fchmod(descriptor, 0o555 if executable else 0o444)
                found = os.fstat(descriptor)
            except OSError as error:
                raise local_error(error, private) from error
        sha256 = hasher.sha256()
        self._announce(_Arrived(private, promise.digest, hasher.size, sha256, found, promised=True))

    def add(self, source: Path, *, executable: bool = False) -> tuple[Digest, int]:
        """Admit the content of the file at *source*, whatever it is: its digest and size.

        It is read once, or shared with *source* where the file system can and then read. Raises
        `LocalError`, also when *source* is no regular file; when it is to get its name,
        `IntegrityError` if the cache has another content of the same digest.
        """
        hasher = Hasher(strong=self._proofs is not None)
        with self._scratch.file() as (private, descriptor):
            try:
                take(source, descriptor, hasher)
                os.fchmod(descriptor, 0o555 if executable else 0o444)
                found = os.fstat(descriptor)
            except OSError as error:
                raise local_error(error, source) from error
        digest, sha256 = hasher.digest(), hasher.sha256()
        self._announce(_Arrived(private, digest, hasher.size, sha256, found, promised=False))
        return digest, hasher.size

    def sha256(self, digest: Digest, *, read: bool = True, note: bool = True) -> Sha256 | None:
        """Give the SHA-256 of an object of the cache, which is read if it has to be.

        It is read once, if that may be *note*d. `None` when the object is not there, its bytes
        are not those of its name, or it is not known and not to be *read*. Raises `LocalError`.
        """
        try:
            descriptor = os.open(self.path(digest), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise local_error(error, self.path(digest)) from error
        try:
            if self._proofs is not None:
                known = self._proofs.recall(digest, os.fstat(descriptor))
                if known is not None:
                    return known
            if not read:
                return None
            hasher = hash_descriptor(descriptor, Hasher(strong=True))
            if hasher.digest() != digest:
                return None
            sha256 = hasher.sha256()
            if note and self._proofs is not None and sha256 is not None:
                self._proofs.note(digest, os.fstat(descriptor), sha256)
            return sha256
        except OSError as error:
            raise local_error(error, self.path(digest)) from error
        finally:
            os.close(descriptor)

    def verify(self, promise: Promise, *, note: bool = True) -> None:
        """Read an object and raise `ObjectDamaged` if it is not what was promised.

        One that somebody made writable is protected again, so that it need not be read again, and
        that it was read is remembered, both if that may be *note*d. Raises `LocalError`.
        """
        path = self.path(promise.digest)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                hasher = Hasher(strong=promise.sha256 is not None)
                found = os.fstat(descriptor)
                hash_descriptor(descriptor, hasher)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise local_error(error, path) from error
        check(promise, hasher)
        if not note:
            return
        if self._proofs is not None and promise.sha256 is not None:
            self._proofs.note(promise.digest, found, promise.sha256)
        if found.st_mode & 0o222:
            self.protect(promise.digest)

    def lstat(self, digest: Digest) -> os.stat_result:
        """Look at an object that is there; raises `LocalError`."""
        try:
            return os.lstat(self.path(digest))
        except OSError as error:
            raise local_error(error) from error

    def is_proven(self, digest: Digest, found: os.stat_result, sha256: Sha256) -> bool:
        """Tell whether an object, which *found* is of, was read here and has this SHA-256."""
        return self._proofs is not None and self._proofs.recall(digest, found) == sha256

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

        Also what another thread is about to name has its name when this returns. Raises
        `IntegrityError` for two contents of one digest.
        """
        with self._publishing:
            with self._lock:
                arrived, self._arrived, self._arrived_bytes = self._arrived, [], 0
            if not arrived:
                return
            try:
                _sync(arrived[0].private.parent, [entry.private for entry in arrived])
                shelves = {self._name(entry) for entry in arrived}
                for shelf in shelves:
                    _sync_directory(shelf)
            except (OSError, IntegrityError) as error:
                with self._lock:  # for whoever else waits for these
                    self._arrived += [entry for entry in arrived if entry.private.exists()]
                self._failed = True
                if isinstance(error, IntegrityError):
                    raise
                raise local_error(error) from error
            self._failed = False

    def _announce(self, entry: _Arrived) -> None:
        with self._lock:
            self._arrived.append(entry)
            self._arrived_bytes += entry.size
            full = len(self._arrived) >= _BATCH or self._arrived_bytes >= _BATCH_BYTES
        if full:
            self.publish()

    def _name(self, entry: _Arrived) -> Path:
        """Link a private file to its name and return the shelf that it stands on."""
        private, target = entry.private, self.path(entry.digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        ours = True
        try:
            os.link(private, target)
        except FileExistsError:
            ours = not self._is_held(entry, target.lstat())
            if ours:
                os.replace(private, target)  # what stands there is wrong; ours is verified
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS}:
                raise
            os.rename(private, target)  # a file system without hard links
        if ours and self._proofs is not None and entry.sha256 is not None:
            self._proofs.note(entry.digest, entry.found, entry.sha256)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(private)
        return target.parent

    def _is_held(self, entry: _Arrived, held: os.stat_result) -> bool:
        """Tell whether what stands at the name of *entry* may stay; raises `IntegrityError`."""
        if not stat.S_ISREG(held.st_mode) or held.st_size != entry.size:
            return False
        if self._proofs is None or entry.sha256 is None:
            return True
        sha256 = self.sha256(entry.digest)
        if sha256 in {None, entry.sha256} or entry.promised:
            return sha256 == entry.sha256
        raise IntegrityError(
            f"two contents have the digest {entry.digest}, with the SHA-256 {entry.sha256} and "
            f"{sha256}: one of them was forged, and neither can stand for the other",
            hint=f"find out where each of them comes from; the other is {self.path(entry.digest)}",
        )


def _write(descriptor: int, chunk: bytes, path: Path) -> None:
    view = memoryview(chunk)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise local_error(error, path) from error


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
