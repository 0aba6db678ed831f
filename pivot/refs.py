"""What git calls its commits: branches and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.errors import PivotError
from pivot.frozen import frozen
from pivot.git import ask, check_repository

if TYPE_CHECKING:
    from pathlib import Path

_WHAT = "cannot read its branches and tags"
_FSCK = "'git fsck' tells what the repository lacks; a broken branch or tag can be deleted"


@frozen
class Ref:
    """A branch or tag by its short *name*, and the full name of the *commit* it stands for."""

    name: str
    commit: str


def list_refs(root: Path, *, branches: bool, tags: bool) -> tuple[Ref, ...]:
    """List branches, those of git's remotes as well, and tags, but for tags of other things.

    Raises `UsageError` outside of a repository, `PivotError` when git cannot read all of them:
    what it would leave out with a warning is an error.
    """
    check_repository(root)
    below = ["refs/heads", "refs/remotes"] if branches else []
    below += ["refs/tags"] if tags else []
    if not below:
        return ()
    form = "%(objectname) %(objecttype) %(*objectname) %(*objecttype) %(symref) %(refname)"
    told = ask(root, _WHAT, "for-each-ref", f"--format={form}", *below, hint=_FSCK)
    if lost := [line for line in told.warnings if "dangling symref" not in line]:
        raise PivotError(f"git {_WHAT}: {lost[0]}", hint=_FSCK)
    return tuple(ref for line in told.text.splitlines() if (ref := _ref(root, line)) is not None)


def _ref(root: Path, line: str) -> Ref | None:
    own, kind, peeled, inner, symbolic, name = line.split(" ")
    short = name.split("/", 2)[2]
    if symbolic:  # what it is another name for is listed itself
        return None
    if kind == "tag" and inner == "tag":  # git before 2.45 goes through one tag alone
        own = ask(root, _WHAT, "rev-parse", "--verify", f"{own}^{{}}", hint=_FSCK).text.strip()
        kind = ask(root, _WHAT, "cat-file", "-t", own, hint=_FSCK).text.strip()
    elif kind == "tag":
        own, kind = peeled, inner
    return Ref(short, own) if kind == "commit" else None


def path_inside(root: Path) -> str:
    """Say where *root* is in its repository; empty at its top. Raises `PivotError`."""
    told = ask(root, "cannot say where it is", "rev-parse", "--show-prefix")
    return told.text.removesuffix("\n").rstrip("/")
