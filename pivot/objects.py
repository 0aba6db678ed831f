"""Contents named by digest: how they are hashed, named and checked, and what refers to them."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
from typing import TYPE_CHECKING, NewType, TypeAlias, TypeGuard

import xxhash

from pivot.errors import ObjectDamaged, ObjectFalse, local_error
from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Digest = NewType("Digest", str)
"""xxh64 with seed 0 over the bytes, as 16 lower-case hexadecimal digits."""

Sha256 = NewType("Sha256", str)
"""SHA-256 over the bytes, as 64 lower-case hexadecimal digits: a proof where a digest is a name."""

CHUNK = 256 * 1024
"""Bytes read at a time: the fastest size for hashing (measured), and small next to a part."""

SMALL = 64 * 1024
"""Bytes up to which a file is read at once, and not counted in a budget of memory."""

_ENTRIES = 1000  # of a manifest, hashed together
_DIGEST = re.compile(r"[0-9a-f]{16}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"files/([0-9a-f]{2})/([0-9a-f]{14})")


@frozen
class File:
    """A file at a *path* from the project root, with `/` between names.

    *size* is in bytes, `None` where the lock does not record it. *executable* is the owner's x
    bit, `None` where the format does not record one (an output that is a single file); with
    *lenient* a link may have the other bit, as the oldest release leaves it.
    """

    path: str
    digest: Digest
    size: int | None = None
    executable: bool | None = None
    lenient: bool = False


@frozen
class Directory:
    """A directory at *path*: its *files* (with their full paths) and *empty* directories.

    *skips_ignored* says that the release that wrote it may have left out names such as
    `__pycache__`, so that their presence in the workspace is no difference.
    """

    path: str
    digest: Digest
    files: tuple[File, ...]
    empty: tuple[str, ...] = ()
    skips_ignored: bool = False


Output: TypeAlias = File | Directory


@frozen
class Content:
    """An object on its way: *size* bytes in *chunks*, which can be read once.

    Of a small object all is in memory, and *chunks* are a tuple then.
    *claimed* is the SHA-256 that the remote says it has: enough to refuse it, never to trust it.
    *version* tells this copy from any other that was or will be under its name; empty where
    nothing does.
    """

    size: int
    chunks: Iterable[bytes]
    claimed: Sha256 | None = None
    version: str = ""


@frozen
class Promise:
    """What is known of an object's bytes before they are seen.

    *sha256* is what the file *ledger* says, or `None` where no ledger vouches for them.
    """

    digest: Digest
    size: int | None = None
    sha256: Sha256 | None = None
    ledger: str = ""


class Hasher:
    """Hashes bytes as they pass, with both digests in one pass, and counts them.

    Without *strong* there is no SHA-256.
    """

    def __init__(self, *, strong: bool = False) -> None:
        self.size = 0
        self._hash = xxhash.xxh64()
        self._strong = hashlib.sha256() if strong else None
        self._told = -1, Sha256("")  # of so many bytes

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes."""
        self._hash.update(data)
        if self._strong is not None:
            self._strong.update(data)
        self.size += len(data)

    def digest(self) -> Digest:
        """Name the bytes so far."""
        return Digest(self._hash.hexdigest())

    def sha256(self) -> Sha256 | None:
        """Give the SHA-256 of the bytes so far, if it was asked for."""
        if self._strong is None:
            return None
        if self._told[0] != self.size:
            self._told = self.size, Sha256(self._strong.hexdigest())
        return self._told[1]


def is_digest(text: object) -> TypeGuard[Digest]:
    """Tell whether *text* has the form of a digest."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def is_sha256(text: object) -> TypeGuard[Sha256]:
    """Tell whether *text* has the form of a SHA-256."""
    return isinstance(text, str) and _SHA256.fullmatch(text) is not None


def object_name(digest: Digest) -> str:
    """Name an object below a root: `ab12…` becomes `files/ab/12…`."""
    return f"files/{digest[:2]}/{digest[2:]}"


def parse_object_name(name: str) -> Digest | None:
    """Read `files/ab/12…` back; `None` for any other name, which is not ours."""
    found = _NAME.fullmatch(name)
    return Digest(found[1] + found[2]) if found else None


def tree_digest(files: Iterable[File], empty: Iterable[str], *, above: str) -> Digest:
    """Hash what a directory output at *above* lists, as docs/format.md says."""
    cut = len(above) + 1
    entries = (
        {
            "hash": file.digest,
            "isexec": bool(file.executable),
            "relpath": file.path[cut:],
            "size": file.size,
        }
        for file in files
    )
    bare = [path[cut:] for path in empty]
    start, end = (f'{{"empty_dirs":{_json(bare)},"manifest":[', "]}") if bare else ("[", "]")
    hashed = xxhash.xxh64(start.encode())
    separator = ""
    while some := list(itertools.islice(entries, _ENTRIES)):  # the text of all would be long
        hashed.update((separator + _json(some)[1:-1]).encode())
        separator = ","
    hashed.update(end.encode())
    return Digest(hashed.hexdigest())


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def files_of(output: Output) -> tuple[File, ...]:
    """List the files of an output: itself, or what its directory holds."""
    return (output,) if isinstance(output, File) else output.files


def digest_bytes(data: bytes) -> Digest:
    """Hash *data*."""
    return Digest(xxhash.xxh64_hexdigest(data))


def digest_file(path: str | os.PathLike[str], *, dir_fd: int | None = None) -> Digest:
    """Hash the file at *path* in bounded memory; raises `OSError`."""
    return hash_file(path, Hasher(), dir_fd=dir_fd).digest()


def hash_file(path: str | os.PathLike[str], hasher: Hasher, *, dir_fd: int | None = None) -> Hasher:
    """Let *hasher* read the file at *path*, which is no symlink; raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=dir_fd)
    try:
        return hash_descriptor(descriptor, hasher)
    finally:
        os.close(descriptor)


def digest_descriptor(descriptor: int) -> tuple[Digest, int]:
    """Hash an open file from its start in bounded memory: digest and size; raises `OSError`."""
    hasher = hash_descriptor(descriptor, Hasher())
    return hasher.digest(), hasher.size


def hash_descriptor(descriptor: int, hasher: Hasher) -> Hasher:
    """Let *hasher* read an open file from its start in bounded memory; raises `OSError`."""
    view = memoryview(bytearray(CHUNK))
    os.lseek(descriptor, 0, os.SEEK_SET)
    while count := os.readv(descriptor, [view]):
        hasher.update(view[:count])
    return hasher


def read_chunks(
    path: str | os.PathLike[str], size: int = CHUNK, *, start: int = 0
) -> Iterator[bytes]:
    """Read the file at *path* piece by piece, from the byte *start* on; raises `LocalError`."""
    try:
        with open(path, "rb", buffering=0) as file:
            file.seek(start)
            while chunk := file.read(size):
                yield chunk
    except OSError as error:
        raise local_error(error, path) from error


def verified(
    chunks: Iterable[bytes], promise: Promise, hasher: Hasher | None = None
) -> Iterator[bytes]:
    """Pass *chunks* on, the last one only when all of them are what *promise* says.

    Whoever keeps what this yields only after it is exhausted keeps no wrong bytes; *hasher*, if
    given, knows them then. Raises `ObjectDamaged` as soon as there are more bytes than promised,
    and `ObjectFalse` for bytes that fit their name and not their SHA-256.
    """
    hasher = hasher or Hasher(strong=promise.sha256 is not None)
    held = b""
    for chunk in chunks:
        if promise.size is not None and hasher.size + len(chunk) > promise.size:
            raise ObjectDamaged(f"has more than the recorded {promise.size} bytes")
        hasher.update(chunk)
        if held:
            yield held
        held = chunk
    check(promise, hasher)
    if held:
        yield held


def check(promise: Promise, hasher: Hasher) -> None:
    """Raise `ObjectDamaged` or `ObjectFalse` if what *hasher* has read is not what was promised."""
    if promise.size not in {None, hasher.size}:
        raise ObjectDamaged(f"has {hasher.size} bytes instead of {promise.size}")
    if (found := hasher.digest()) != promise.digest:
        raise ObjectDamaged(f"hashes to {found}")
    sha256 = hasher.sha256()
    if promise.sha256 is not None and sha256 is not None and sha256 != promise.sha256:
        raise false(promise, sha256)


def false(promise: Promise, found: Sha256) -> ObjectFalse:
    """Say that bytes have another SHA-256, *found*, than they should."""
    where = promise.ledger or "the record"
    return ObjectFalse(f"has the SHA-256 {found}, and {where} says {promise.sha256}")


def read_verified(
    path: str | os.PathLike[str], promise: Promise, hasher: Hasher | None = None
) -> Iterator[bytes]:
    """Read the file at *path* for an upload: `verified`, and what is wrong is said of the file."""
    try:
        yield from verified(read_chunks(path), promise, hasher)
    except ObjectDamaged as error:
        raise local_damage(path, error.message) from error


def read_small(
    path: str | os.PathLike[str], promise: Promise, hasher: Hasher, *, most: int = SMALL
) -> bytes | None:
    """As `read_verified`, at once, if the file has no more than *most* bytes, else `None`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size if promise.size is None else promise.size
            data = os.read(descriptor, size + 1) if size <= most else b""
            if len(data) < size <= most:  # not as long, or not read to its end
                size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
    except OSError as error:
        raise local_error(error, path) from error
    if len(data) != size:  # large, or somebody is writing it
        return None
    hasher.update(data)
    try:
        check(promise, hasher)
    except ObjectDamaged as error:
        raise local_damage(path, error.message) from error
    return data


def local_damage(path: str | os.PathLike[str], what: str) -> ObjectDamaged:
    """Say that the copy at *path* is not what its name promises, and what to do."""
    return ObjectDamaged(
        f"the local copy is damaged and was not pushed: it {what}",
        hint=f"delete {path}, then 'pivot pull' or run the stage again",
    )
