"""Let who uses an object that a cache has, and who takes objects out of it, not meet."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def guarded(directory: Path | str, *, alone: bool) -> Iterator[None]:
    """Hold *directory*, *alone* or together with others that are not; it need not be there.

    It is for moments. Where the file system has no locks, nothing is held.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)
