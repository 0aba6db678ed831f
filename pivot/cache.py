"""Objects in a directory, and the one door through which they come in."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pivot.arrivals import Arrivals, Arrived
from pivot.copying import take
from pivot.errors import (
    ObjectDamaged,
    ObjectError,
    ObjectMissing,
    ObjectRefused,
    ObjectUnreachable,
    local_error,
)
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
from pivot.partials import WORTH, Partials
from pivot.scratch import Scratch, write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from pivot.proofs import Proofs


class _Private(NamedTuple):
    """An open file that is to become an object."""

    path: str
    descriptor: int
    executable: bool


class Cache:
    """Objects below *root*, as docs/format.md lays them out: `files/ab/12…`, read-only.

    What comes in is written to a private file, verified while it is written, synced to the disk,
    and only then linked to its name; a name that is taken stays as it is. Names appear in batches,
    at the latest when the cache is closed: use it in a `with` statement. Safe from many threads.
    With *proofs* it knows which objects were checked by SHA-256.
    """

    def __init__(self, root: Path, proofs: Proofs | None = None) -> None:
        self.root = root
        self._root = str(root)
        self._proofs = proofs
        self._scratch = Scratch(root / "tmp")
        self._partials = Partials(root / "partial")
        self._arrivals = Arrivals(self.place, proofs, self.sha256)

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
            if not self._arrivals.failed:
                self.publish()
        finally:
            self._scratch.remove()
            self._partials.drop(lambda digest: self.path(digest).exists())
            if self._proofs is not None:
                self._proofs.save()

    def path(self, digest: Digest) -> Path:
        """Where the object is, or would be."""
        return self.root / object_name(digest)

    def place(self, digest: Digest) -> str:
        """As `path`, at a tenth of its cost."""
        return f"{self._root}/files/{digest[:2]}/{digest[2:]}"

    def stat(self, digests: Iterable[Digest]) -> dict[Digest, int]:
        """Say which of *digests* are here, with their sizes; raises `LocalError`."""
        return {digest: found.st_size for digest, found in self.look(digests)}

    def look(self, digests: Iterable[Digest]) -> Iterator[tuple[Digest, os.stat_result]]:
        """Look at those of *digests* that are here, one after the other; raises `LocalError`."""
        for digest in digests:
            try:
                found = os.lstat(self.place(digest))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise local_error(error) from error
            if stat.S_ISREG(found.st_mode):
                yield digest, found

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
        _check_announced(promise, content)
        hasher = hasher or Hasher(strong=promise.sha256 is not None)
        if isinstance(content.chunks, tuple):
            promise = _sized(promise, content)
            self._receive_whole(promise, content.chunks, hasher, executable=executable)
            if count is not None:
                count(hasher.size)
            return
        with self._scratch.file() as (private, descriptor):
            self._fill(_Private(private, descriptor, executable), promise, content, hasher, count)

    def _receive_whole(
        self, promise: Promise, chunks: tuple[bytes, ...], hasher: Hasher, *, executable: bool
    ) -> None:
        """Admit what is in memory: as `receive`, at half of the cost for a small object."""
        for chunk in chunks:
            hasher.update(chunk)
        check(promise, hasher)
        path, found = self._scratch.write(chunks, 0o555 if executable else 0o444)
        sha256 = hasher.sha256()
        self._arrivals.add(Arrived(path, promise.digest, hasher.size, sha256, found, promised=True))

    def collect(
        self,
        promise: Promise,
        download: Callable[[int], Content],
        *,
        executable: bool = False,
        count: Callable[[int], None] | None = None,
    ) -> None:
        """Admit an object that *download* gives, from the byte on that it is called with.

        As `receive`, but what is left of a large one that was cut off, also by a kill, is kept in
        `partial/` and gone on with by whoever needs it next. Raises what *download* raises, too.
        """
        left = self._partials.claim(promise.digest)
        if left is not None:
            try:
                self._go_on(left, promise, download, executable=executable, count=count)
            except (ObjectMissing, ObjectRefused, ObjectUnreachable):
                raise
            except ObjectError:  # what was left is wrong, or the rest cannot be had alone
                pass
            else:
                return
        content = download(0)
        if content.size < WORTH:
            self.receive(promise, content, executable=executable, count=count)
            return
        _check_announced(promise, content)
        new = self._partials.new(promise.digest)
        self._go_on(new, promise, lambda _: content, executable=executable, count=count)

    def _go_on(
        self,
        private: Path,
        promise: Promise,
        download: Callable[[int], Content],
        *,
        executable: bool,
        count: Callable[[int], None] | None,
    ) -> None:
        """Hash what *private* has, and append the rest."""
        hasher = Hasher(strong=promise.sha256 is not None)
        with self._partials.file(private, promise.digest) as descriptor:
            try:
                hash_descriptor(descriptor, hasher)
            except OSError as error:
                raise local_error(error, private) from error
            if count is not None:
                count(hasher.size)
            whole = hasher.size and hasher.digest() == promise.digest
            content = Content(hasher.size, ()) if whole else download(hasher.size)
            _check_announced(promise, content)
            file = _Private(str(private), descriptor, executable)
            self._fill(file, promise, content, hasher, count)

    def _fill(
        self,
        file: _Private,
        promise: Promise,
        content: Content,
        hasher: Hasher,
        count: Callable[[int], None] | None,
    ) -> None:
        """Write *content* behind what *hasher* has read already, and announce the file."""
        for chunk in verified(content.chunks, _sized(promise, content), hasher):
            write_all(file.descriptor, chunk, file.path)
            if count is not None:
                count(len(chunk))
        try:
            os.fchmod(file.descriptor, 0o555 if file.executable else 0o444)
            found = os.fstat(file.descriptor)
        except OSError as error:
            raise local_error(error, file.path) from error
        sha256 = hasher.sha256()
        self._arrivals.add(
            Arrived(file.path, promise.digest, hasher.size, sha256, found, promised=True)
        )

    def room_taken(self, digests: Collection[Digest]) -> int:
        """Say how many bytes of *digests* are here already, of downloads that were cut off."""
        return self._partials.size(digests)

    def make_room(self, digests: Collection[Digest]) -> bool:
        """Give up downloads that were cut off, but for *digests*; tell whether there were any."""
        return self._partials.drop(lambda digest: digest not in digests)

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
        self._arrivals.add(Arrived(private, digest, hasher.size, sha256, found, promised=False))
        return digest, hasher.size

    def sha256(self, digest: Digest, *, read: bool = True, note: bool = True) -> Sha256 | None:
        """Give the SHA-256 of an object of the cache, which is read if it has to be.

        It is read once, if that may be *note*d. `None` when the object is not there, its bytes
        are not those of its name, or it is not known and not to be *read*. Raises `LocalError`.
        """
        try:
            descriptor = os.open(self.place(digest), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
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
        path = self.place(promise.digest)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                strong = promise.sha256 is not None or (note and self._proofs is not None)
                hasher = Hasher(strong=strong)
                found = os.fstat(descriptor)
                hash_descriptor(descriptor, hasher)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise local_error(error, path) from error
        check(promise, hasher)
        if not note:
            return
        sha256 = hasher.sha256()
        if self._proofs is not None and sha256 is not None:
            self._proofs.note(promise.digest, found, sha256)
        if found.st_mode & 0o222:
            self.protect(promise.digest)

    def is_proven(self, digest: Digest, found: os.stat_result, sha256: Sha256 | None) -> bool:
        """Tell whether an object, which *found* is of, was read here and has this SHA-256.

        With `None` it may have any: then it had the digest of its name when it was read.
        """
        known = None if self._proofs is None else self._proofs.recall(digest, found)
        return known is not None and sha256 in {None, known}

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

    def quarantine(self, digest: Digest) -> Path:
        """Move an object that was found to be damaged out of the way, and say where it is now.

        There it is no object to anybody. Raises `LocalError`.
        """
        place, source = self.root / "quarantine", self.path(digest)
        target = place / digest
        try:
            place.mkdir(exist_ok=True)
            for number in itertools.count(2):
                if not os.path.lexists(target):
                    break
                target = place / f"{digest}.{number}"  # what lies there is evidence as well
            source.rename(target)
        except OSError as error:
            raise local_error(error, source) from error
        return target

    def publish(self) -> None:
        """Give all that has arrived its name, now; see `Arrivals.publish`."""
        self._arrivals.publish()


def _sized(promise: Promise, content: Content) -> Promise:
    """Expect what *content* announces where nobody else knows how long it is."""
    return promise if promise.size is not None else replace(promise, size=content.size)


def _check_announced(promise: Promise, content: Content) -> None:
    """Raise `ObjectDamaged` if what *content* announces is not what was promised."""
    if promise.size is not None and content.size != promise.size:
        raise ObjectDamaged(f"has {content.size} bytes instead of {promise.size}")
    if content.claimed is not None and promise.sha256 not in {None, content.claimed}:
        raise false(promise, content.claimed)
