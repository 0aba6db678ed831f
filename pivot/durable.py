"""Bring files and names to the disk, so that they outlive a loss of power."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def sync_files(directory: Path, files: list[Path]) -> None:
    """Bring *files* to the disk: with one call for the file system, or one by one.

    Raises `OSError`.
    """
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


def sync_directory(path: Path) -> None:
    """Bring the names in a directory to the disk, where the file system can; raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # file systems that cannot
            raise
    finally:
        os.close(descriptor)
