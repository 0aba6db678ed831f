"""Copy a file in the cheapest way that the file system offers, and hash it on the way."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from typing import TYPE_CHECKING

from pivot.objects import hash_descriptor

if TYPE_CHECKING:
    from pathlib import Path

    from pivot.objects import Hasher

_FICLONE = 0x40049409  # ioctl_ficlone(2): share the blocks, copy on write (Btrfs, XFS, ...)
_CHUNK = 1024 * 1024


def copy_file(source: str | Path, target: str, *, mode: int, directory: int | None = None) -> None:
    """Copy *source* to the new file *target*, below *directory* if given; raises `OSError`.

    *mode* is before the umask. What was begun is removed when it fails.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        writer = os.open(target, flags, mode, dir_fd=directory)
        try:
            if not clone(reader, writer):
                _copy(reader, writer)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(target, dir_fd=directory)
            raise
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def take(source: Path, writer: int, hasher: Hasher) -> None:
    """Copy the regular file *source* to the descriptor *writer*, and let *hasher* see its bytes.

    What is hashed are the bytes of the copy, whatever happens to *source*. Raises `OSError`.
    """
    reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(reader).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", str(source))
        if clone(reader, writer):
            hash_descriptor(writer, hasher)
            return
        while chunk := os.read(reader, _CHUNK):
            hasher.update(chunk)
            view = memoryview(chunk)
            while view:
                view = view[os.write(writer, view) :]
    finally:
        os.close(reader)


def clone(reader: int, writer: int) -> bool:
    """Let two files share their blocks, if the file system can; tell whether it could."""
    try:
        fcntl.ioctl(writer, _FICLONE, reader)
    except OSError:
        return False
    return True


def _copy(reader: int, writer: int) -> None:
    """Let the kernel copy, and do it here from where it would not go on."""
    if hasattr(os, "copy_file_range"):
        with contextlib.suppress(OSError):
            while os.copy_file_range(reader, writer, 1 << 30):
                pass
            if os.lseek(reader, 0, os.SEEK_CUR) == os.fstat(reader).st_size:
                return
    os.lseek(writer, os.lseek(reader, 0, os.SEEK_CUR), os.SEEK_SET)
    while chunk := os.read(reader, _CHUNK):
        view = memoryview(chunk)
        while view:
            view = view[os.write(writer, view) :]
