"""Update a directory as a whole: share what stays with a new one, and exchange the two."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

Shared: TypeAlias = dict[str, tuple[int, int]]
"""What was shared, by its path in the directory: device and inode."""

_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CANNOT = frozenset(
    {
        errno.EACCES,
        errno.EINVAL,
        errno.EMLINK,
        errno.ENOSYS,
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
        errno.EPERM,
        errno.EXDEV,
    }
)


def share_directory(source: int, target: Path, leave_out: Collection[str]) -> Shared | None:
    """Make *target* a directory like the open one *source*, of hard links to the same files.

    *leave_out* are paths inside that it shall not have; directories that have nothing else do not
    come either. `None` where the file system, or who owns the files, does not allow links. Raises
    `OSError`.
    """
    shared: Shared = {}
    target.mkdir()
    try:
        _share(source, target, "", frozenset(leave_out), shared)
        target.chmod(stat.S_IMODE(os.fstat(source).st_mode) | 0o700)
    except OSError as error:
        if error.errno in _CANNOT:
            return None
        raise
    return shared


def _share(
    source: int, target: Path, above: str, leave_out: Collection[str], shared: Shared
) -> None:
    for name, found in _entries(source):
        path = above + name
        if path in leave_out:
            continue
        if not stat.S_ISDIR(found.st_mode):
            target.mkdir(parents=True, exist_ok=True)
            os.link(name, target / name, src_dir_fd=source, follow_symlinks=False)
            shared[path] = found.st_dev, found.st_ino
            continue
        inner = os.open(name, _OPEN, dir_fd=source)
        try:
            if not os.listdir(inner):
                (target / name).mkdir(parents=True)
            _share(inner, target / name, f"{path}/", leave_out, shared)
            with contextlib.suppress(FileNotFoundError):
                (target / name).chmod(stat.S_IMODE(found.st_mode) | 0o700)
        finally:
            os.close(inner)


def exchange(new: Path, name: str, above: int | None) -> bool:
    """Let *new* and what stands at *name* in the open directory *above* change places at once.

    False where that cannot be. Raises `OSError`.
    """
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    here = -100 if above is None else above  # AT_FDCWD
    if call(-100, os.fsencode(new), here, os.fsencode(name), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code), name)


def newcomers(old: int, shared: Shared, leave_out: Collection[str]) -> list[str]:
    """List what came into a directory after it was shared, and what was replaced there since."""
    return [
        path
        for path, found in _walk(old, "")
        if path not in leave_out and shared.get(path) != (found.st_dev, found.st_ino)
    ]


def _walk(directory: int, above: str) -> Iterator[tuple[str, os.stat_result]]:
    for name, found in _entries(directory):
        if not stat.S_ISDIR(found.st_mode):
            yield above + name, found
            continue
        inner = os.open(name, _OPEN, dir_fd=directory)
        try:
            yield from _walk(inner, f"{above}{name}/")
        finally:
            os.close(inner)


def _entries(directory: int) -> list[tuple[str, os.stat_result]]:
    with os.scandir(directory) as entries:
        return [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
