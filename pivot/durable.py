"""Bring files and names to the disk, so that they outlive a loss of power."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def sync_files(files: Collection[str]) -> None:
    """Bring *files* to the disk, all of one file system: with one call, or one by one.

    Raises `OSError`.
    """
    if _sync_at_once(files):
        return
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync_at_once(paths: Collection[str]) -> bool:
    """Sync the file system of *paths* if that is less work; tell whether it was done."""
    if len(paths) < 2:  # noqa: PLR2004
        return False
    descriptor = os.open(next(iter(paths)), os.O_RDONLY)
    try:
        return _syncfs(descriptor)
    finally:
        os.close(descriptor)


def _syncfs(descriptor: int) -> bool:
    """Call Linux's syncfs(2), which Python does not offer; tell whether it worked."""
    import ctypes  # noqa: PLC0415  many runs write nothing

    try:
        call = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):
        return False
    return bool(call(descriptor) == 0)


def sync_directories(paths: Collection[str]) -> None:
    """Bring the names in directories of one file system to the disk, as `sync_files`."""
    if not _sync_at_once(paths):
        for path in paths:
            sync_directory(path)


def sync_directory(path: str | os.PathLike[str]) -> None:
    """Bring the names in a directory to the disk, where the file system can; raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # file systems that cannot
            raise
    finally:
        os.close(descriptor)
