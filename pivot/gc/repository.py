"""What git has that may refer to objects: branches, tags, stashes, worktrees and what is staged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pivot.errors import PivotError
from pivot.frozen import frozen
from pivot.gc.past import Document, document_at, is_document
from pivot.git import ask, has_commit, is_in_repository
from pivot.refs import path_inside

if TYPE_CHECKING:
    from collections.abc import Iterable

_FSCK = "'git fsck' tells what the repository lacks; a broken branch or tag can be deleted"


class Tip(NamedTuple):
    """A commit that something stands for: a branch, tag, stash, or the HEAD of a worktree."""

    name: str
    commit: str
    is_tree: bool = False  # a tag may stand for files without a commit


@frozen
class Worktree:
    """A worktree at *root*; *commit* is what it has checked out, empty where there is none yet.

    One that is *gone* is known to git, and its directory is not there.
    """

    root: Path
    commit: str
    gone: bool


def list_tips(root: Path) -> list[Tip]:
    """List all that refs of any kind stand for, stashes each; raises `PivotError`.

    What git would leave out with a warning is an error: nobody knows what it refers to.
    """
    form = "--format=%(objectname) %(objecttype) %(*objectname) %(*objecttype) %(refname)"
    listed = ask(root, "cannot read its branches and tags", "for-each-ref", form, hint=_FSCK)
    if lost := [line for line in listed.warnings if "dangling symref" not in line]:
        raise PivotError(f"git cannot read its branches and tags: {lost[0]}", hint=_FSCK)
    tips = [_tip(root, line) for line in listed.text.splitlines()]
    found = [tip for tip in tips if tip.commit]
    return found + (_stashes(root) if any(tip.name == "refs/stash" for tip in found) else [])


def _tip(root: Path, line: str) -> Tip:
    about, _, ref = line.partition(" refs/")
    words = about.split()
    name = f"refs/{ref}"
    if words[1] == "commit":
        return Tip(name, words[0])
    if words[-1] == "commit":
        return Tip(name, words[2])
    what = f"cannot read {name}"
    kind = ask(root, what, "cat-file", "-t", f"{name}^{{}}", hint=_FSCK).text.strip()
    if kind not in {"commit", "tree"}:
        return Tip(name, "")  # a tag of one file
    peeled = ask(root, what, "rev-parse", "--verify", f"{name}^{{}}").text.strip()
    return Tip(name, peeled, is_tree=kind == "tree")


def _stashes(root: Path) -> list[Tip]:
    """List all stashes, each with what was staged and what was not tracked then."""
    what = "cannot list its stashes"
    each = ask(root, what, "log", "-g", "--format=%H %P", "refs/stash", "--", hint=_FSCK).text
    return [
        Tip(f"stash@{{{number}}}", commit)
        for number, line in enumerate(each.splitlines())
        for commit in (line.split()[0], *line.split()[2:])
    ]


def list_put_aside(root: Path) -> list[Tip]:
    """List what a rebase or merge that has stopped in the worktree at *root* put aside; raises."""
    what = f"cannot say what {root} put aside"
    found: list[Tip] = []
    for name in ("rebase-merge/autostash", "rebase-apply/autostash", "MERGE_AUTOSTASH"):
        path = ask(root, what, "rev-parse", "--git-path", name).text.removesuffix("\n")
        try:
            commit = (root / path).read_text().strip()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise PivotError(f"git {what}: {path} cannot be read") from error
        parents = ask(root, what, "rev-list", "--parents", "-1", commit, hint=_FSCK).text.split()
        found += [Tip(name, each) for each in (commit, *parents[2:])]
    return found


def list_worktrees(root: Path) -> list[Worktree]:
    """List all worktrees of the repository; raises `PivotError`."""
    listed = ask(root, "cannot list its worktrees", "worktree", "list", "--porcelain").text
    found = []
    for part in listed.strip().split("\n\n"):
        about = dict(line.partition(" ")[::2] for line in part.splitlines())
        if "bare" not in about and "worktree" in about:
            commit = about.get("HEAD", "")
            place = Path(about["worktree"])
            found.append(Worktree(place, commit if commit.strip("0") else "", not place.is_dir()))
    return found


def list_staged(root: Path, commit: str) -> list[Document]:
    """List the documents that the index of the worktree at *root* has otherwise than *commit*.

    All sides of a conflict are listed. Raises `PivotError`.
    """
    what = f"cannot read the index of {root}"
    listing = ("ls-files", "--stage", "-z", "--full-name", "--", ":(top)")
    staged = ask(root, what, *listing).text.split("\0")
    tree = ("ls-tree", "-r", "-z", "--full-tree", commit)
    held = ask(root, what, *tree).text.split("\0") if commit else []
    inside = path_inside(root)
    index = {(entry.partition("\t")[2], entry.split(" ")[1]) for entry in staged if entry}
    head = {(entry.partition("\t")[2], entry.split()[2]) for entry in held if entry}
    return [
        document_at(inside, path, blob) for path, blob in sorted(index - head) if is_document(path)
    ]


def ask_others(root: Path) -> list[Tip]:
    """List what the branches and tags of git's remotes stand for now.

    Raises `PivotError` for a remote that does not answer, and for what this clone does not have.
    """
    found: list[Tip] = []
    for name in ask(root, "cannot list its remotes", "remote").text.split():
        listed = ask(
            root,
            f"cannot ask '{name}' for its branches",
            "ls-remote",
            "--heads",
            "--tags",
            name,
            hint="with --offline what this clone knows of them is believed",
        ).text
        for line in listed.splitlines():
            commit, _, ref = line.partition("\t")
            if not ref.endswith("^{}"):
                found.append(Tip(f"{ref} of {name}", commit))
    if lacking := _lacking(root, found):
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise PivotError(
            f"this clone does not have {lacking[0].name} ({lacking[0].commit[:12]}){more}, so "
            "what that refers to is not known",
            hint="git fetch --all --tags",
        )
    return found


def _lacking(root: Path, tips: Iterable[Tip]) -> list[Tip]:
    """Choose those whose object is not here."""
    asked = list(tips)
    given = "".join(f"{tip.commit}\n" for tip in asked).encode()
    told = ask(root, "cannot say what it has", "cat-file", "--batch-check", given=given)
    lines = told.text.splitlines()
    return [tip for tip, line in zip(asked, lines, strict=True) if line.endswith(" missing")]


def list_commits(root: Path, tips: Iterable[Tip], most: int | None) -> list[str]:
    """List the commits of *tips*, and all before them, or the last *most* of each.

    Raises `PivotError`, also where the repository lacks one of them.
    """
    starts = list(dict.fromkeys(tip.commit for tip in tips if not tip.is_tree))
    what = "cannot read its history"
    if not starts or most == 1:
        return starts
    if most is None:
        given = "".join(f"{start}\n" for start in starts).encode()
        return ask(root, what, "rev-list", "--stdin", given=given, hint=_FSCK).text.split()
    found: dict[str, None] = {}
    for start in starts:
        count = f"--max-count={most}"
        found |= dict.fromkeys(ask(root, what, "rev-list", count, start, hint=_FSCK).text.split())
    return list(found)


def forgotten_commits(root: Path) -> list[str]:
    """List commits that nothing stands for any more, of which git still knows; raises."""
    return ask(
        root, "cannot read its reflogs", "rev-list", "--reflog", "--not", "--all"
    ).text.split()


def is_shallow(root: Path) -> bool:
    """Tell whether history is cut off; raises `PivotError`."""
    told = ask(root, "cannot say whether it is shallow", "rev-parse", "--is-shallow-repository")
    return told.text.strip() == "true"


def first_commits(root: Path) -> frozenset[str]:
    """Name the commits with which the branches of this project began; raises.

    What was merged into them does not count, nor what other remotes of git's have than origin, nor
    notes: that may be of other projects.
    """
    if not is_in_repository(root):
        return frozenset()
    what = "cannot find its first commits"
    ours = (*(("HEAD",) if has_commit(root) else ()), "--branches", "--remotes=origin")
    words = ("rev-list", "--first-parent", "--max-parents=0", *ours)
    return frozenset(ask(root, what, *words).text.split())
