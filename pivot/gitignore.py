"""Keep cached outputs out of git: a block of lines in the project's `.gitignore`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pivot.documents import write_document
from pivot.errors import local_error

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_BEGIN = "# Outputs in Pivot's cache; 'pivot repro' and 'pivot track' keep this block up to date"
_END = "# End of Pivot's outputs"
_BLOCK = re.compile(
    rf"^{re.escape(_BEGIN)}\r?\n(?:(?!{re.escape(_BEGIN)}).*\n)*?{re.escape(_END)}\r?(?:\n|\Z)",
    re.MULTILINE,
)


def update_gitignore(root: Path, paths: Iterable[str]) -> bool:
    """Let `.gitignore` name exactly *paths* in Pivot's block; tell whether it was changed.

    A project that no git repository holds is left alone. Raises `UnsafePath`, `LocalError`.
    """
    if not any((place / ".git").exists() for place in (root, *root.parents)):
        return False
    file = root / ".gitignore"
    try:
        before = file.read_bytes().decode("utf-8", "surrogateescape") if file.exists() else ""
    except OSError as error:
        raise local_error(error, file) from error
    after = render_gitignore(before, paths)
    if after == before:
        return False
    write_document(root, ".gitignore", after.encode("utf-8", "surrogateescape"))
    return True


def render_gitignore(text: str, paths: Iterable[str]) -> str:
    """Put *paths* into the block of *text*, at its end if it has none; pure."""
    lines = sorted({pattern(path) for path in paths})
    block = "".join(f"{line}\n" for line in (_BEGIN, *lines, _END)) if lines else ""
    found = _BLOCK.search(text)
    if found:
        rest = _BLOCK.sub("", text[found.end() :])  # of a merge there may be two
        return text[: found.start()] + block + rest
    if not block:
        return text
    if text and not text.endswith("\n"):
        text += "\n"
    return text + ("\n" if text else "") + block


def pattern(path: str) -> str:
    """Write *path* as a line that means it and nothing else (gitignore(5))."""
    escaped = re.sub(r"([\\*?\[])", r"\\\1", path)
    escaped = re.sub(r"( +)\Z", lambda blanks: "\\ " * len(blanks[1]), escaped)
    escaped = re.sub(r"\r\Z", "[\r]", escaped)  # git takes it for a part of the line's end
    escaped = escaped.replace("\n", "[[:cntrl:]]")  # there is no way to write it in a line
    return f"/{escaped}"
