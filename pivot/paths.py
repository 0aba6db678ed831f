"""Paths that documents name: which may be data, and which are one and the same to a file system.

Documents come from git, and in CI perhaps from a stranger.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from pivot.errors import UnsafePath

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_WHO = "find out in git who wrote it ('git log -p'), and restore the file"
_RESERVED = frozenset({".git", ".pivot", "git~1", "pivot~1"})
_UNSEEN = dict.fromkeys(
    [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF]
)
"""Characters that HFS+ leaves out of account, as git has them for CVE-2014-9390."""

_NAME = r"[!-\-0-9;-\[\]-}][ -.0-9;-\[\]-}]*+"
_HARMLESS = re.compile(f"{_NAME}(?:/{_NAME})*+")
"""Names of ASCII without `/`, `:`, `\\` and `~` that do not begin with a dot or a blank."""


def data_path(text: str, document: Path | str) -> str:
    """Check a path from the project root that *document* names; return it without trailing slash.

    Raises `UnsafePath` for one that is empty, absolute, has `..` or a NUL, or that reaches into
    `.git` or `.pivot`, on whatever file system.
    """
    path = text.removesuffix("/")
    if _HARMLESS.fullmatch(path):  # a manifest has up to 100,000 paths
        return path
    if any(name in {"", ".", ".."} for name in path.split("/")) or "\0" in path:
        raise UnsafePath(
            f"{document}: unsafe path {text!r}: it must stay inside the project", hint=_WHO
        )
    if any(is_reserved(name) for name in re.split(r"[/\\]", path)):
        raise UnsafePath(
            f"{document}: unsafe path {text!r}: .git and .pivot are not data", hint=_WHO
        )
    return path


def is_reserved(name: str) -> bool:
    """Tell whether a file of that name is `.git` or `.pivot` to any common file system.

    Some fold case; HFS+ leaves out characters; NTFS leaves out what comes after a colon and blanks
    and dots at the end, and knows short names.
    """
    seen = name.translate(_UNSEEN).partition(":")[0].rstrip(" .")
    return seen.casefold() in _RESERVED


def find_clashes(paths: Iterable[str]) -> dict[str, str]:
    """Find paths that a file system that folds names has for one, each with one that it is."""
    seen: dict[str, str] = {}
    clashes: dict[str, str] = {}
    for path in paths:
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
        first = seen.setdefault(folded, path)
        if first != path:
            clashes[path] = first
            clashes.setdefault(first, path)
    return clashes


def related(path: str, paths: Iterable[str]) -> list[str]:
    """List those of *paths* that are *path*, or lie inside or around it."""
    inside = f"{path}/"
    return [
        other
        for other in paths
        if other == path or other.startswith(inside) or path.startswith(f"{other}/")
    ]
