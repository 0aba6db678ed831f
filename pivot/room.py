"""Is there room for what is to come? Asked before the first byte."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pivot.errors import LocalError

if TYPE_CHECKING:
    from pathlib import Path

_SPARE = 256 * 1024 * 1024
_SPARE_PERCENT = 5


def check_room(directory: Path, *, size: int, files: int, hint: str, spare: bool = False) -> None:
    """Refuse to begin what cannot fit below *directory*, which need not exist; see `LocalError`.

    With *spare*, room for 5 % and 256 MiB more must be left: other steps of a job need some.
    """
    if not files:
        return
    place = directory
    while not place.exists():
        place = place.parent
    disk = os.statvfs(place)
    free = disk.f_bavail * disk.f_frsize
    needed = size + size * _SPARE_PERCENT // 100 + _SPARE if spare else size
    if needed > free:
        room = " (with 5 % and 256 MiB to spare)" if spare else ""
        raise LocalError(
            f"{directory}: {needed} bytes are needed{room}, {free} are free",
            hint=f"free some space, or {hint}",
        )
    if disk.f_files and files > disk.f_favail:
        raise LocalError(
            f"{directory}: {files} files are to come, {disk.f_favail} inodes are free",
            hint=f"remove some files, or {hint}",
        )
