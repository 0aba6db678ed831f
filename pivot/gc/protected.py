"""Read which objects anybody may still need: what git and the worktrees have refers to them."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from pivot.documents import load_yaml
from pivot.errors import InvalidDocument, PivotError, UsageError
from pivot.frozen import frozen
from pivot.gc.past import list_documents, read_outputs
from pivot.gc.repository import (
    Tip,
    Worktree,
    ask_others,
    forgotten_commits,
    is_shallow,
    list_commits,
    list_put_aside,
    list_staged,
    list_tips,
    list_worktrees,
)
from pivot.git import check_own_repository, is_in_repository
from pivot.lockfile import load_lock, parse_lock
from pivot.objects import files_of, parse_object_name
from pivot.project import Project, find_documents
from pivot.refs import path_inside
from pivot.tracked import load_tracked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from pivot.objects import Digest, Output

_SHOWN = 5


@frozen
class Rules:
    """What counts as needed: with *commits*, of each branch no more than so many, the last ones.

    Nothing goes that changed within *min_age* seconds. *workspace_only* leaves git aside;
    *offline* believes what this clone knows of git's remotes; *shallow* takes a cut-off history
    for all there is; *skip_unreadable* takes documents of the past that cannot be read for empty.
    """

    min_age: int
    commits: int | None = None
    workspace_only: bool = False
    offline: bool = False
    shallow: bool = False
    skip_unreadable: bool = False

    def options(self) -> tuple[str, ...]:
        """Say them as options of the command, but for the age."""
        flags = {
            "--workspace-only": self.workspace_only,
            "--offline": self.offline,
            "--shallow": self.shallow,
            "--skip-unreadable": self.skip_unreadable,
        }
        commits = () if self.commits is None else ("--commits", str(self.commits))
        return (*commits, *(flag for flag, given in flags.items() if given))


def check_rules(project: Project, rules: Rules, *, shared: bool) -> None:
    """Refuse what cannot tell what is needed; *shared* says that others use the place as well.

    Raises `UsageError`, and `PivotError` when git cannot tell.
    """
    if rules.workspace_only:
        if shared:
            raise UsageError(
                "--workspace-only is for a cache of this workspace alone: what others need, who "
                "use the place as well, is in git",
                hint="run it where the repository is",
            )
        return
    if not is_in_repository(project.root):
        raise UsageError(
            f"{project.root} is not in a git repository, so nobody knows what else is needed",
            hint="run it in a clone"
            if shared
            else "--workspace-only keeps what this workspace refers to, and nothing else",
        )
    check_own_repository(project.root)
    if is_shallow(project.root) and (shared or not rules.shallow):
        raise UsageError(
            "this clone is shallow: what older commits refer to is not known",
            hint="git fetch --unshallow"
            + ("" if shared else ", or --shallow to keep what this clone has alone"),
        )


class Needs:
    """What *project* needs by *rules*, and where objects were last known.

    *told* says in words what was read, and *warnings* what was left out.
    """

    def __init__(self, project: Project, rules: Rules) -> None:
        self.told = ""
        self.warnings: tuple[str, ...] = ()
        self._project = project
        self._rules = rules
        self._commits: frozenset[str] = frozenset()
        self._files: dict[Path, frozenset[str]] = {}  # that are recorded in each worktree

    def read(self, *, asking: bool) -> frozenset[Digest]:
        """List all that is needed; with *asking* git's remotes are asked for what they have.

        Raises `InvalidDocument` for a document that cannot be read, and `PivotError` when git
        cannot tell: then of nothing is it known that nobody needs it.
        """
        root = self._project.root
        if self._rules.workspace_only:
            self.told = "this workspace alone"
            return frozenset(self._read_workspace(root))
        tips = list_tips(root)
        if asking and not self._rules.offline:
            tips += ask_others(root)
        worktrees = list_worktrees(root)
        tips += [Tip(f"worktree {tree.root}", tree.commit) for tree in worktrees if tree.commit]
        places = _places(root, worktrees)
        tips += [tip for tree in worktrees for tip in list_put_aside(tree.root)]
        commits = list_commits(root, tips, self._rules.commits)
        documents = list_documents(root, commits, [tip.commit for tip in tips if tip.is_tree])
        unreadable: list[str] = []
        strict = not self._rules.skip_unreadable
        found = set(_digests(read_outputs(root, documents, unreadable, strict=strict)))
        for place, commit in places.items():
            found |= self._read_workspace(place)
            staged = list_staged(place, commit)
            found |= _digests(read_outputs(place, staged, unreadable, strict=strict))
        self._commits = frozenset(commits)
        self.warnings = tuple(f"taken for empty: {text}" for text in unreadable[:_SHOWN])
        self.told = f"{len(tips)} ref(s), {len(self._commits)} commit(s), {len(places)} worktree(s)"
        return frozenset(found)

    def _read_workspace(self, root: Path) -> set[Digest]:
        files = [file for output in _workspace(root) for file in files_of(output)]
        self._files[root] = frozenset(file.path for file in files)
        return {file.digest for file in files}

    def name(self, digests: Collection[Digest]) -> dict[Digest, tuple[str, ...]]:
        """Say at which paths *digests* were in commits that do not count any more, if git knows."""
        found: dict[Digest, dict[str, None]] = {}
        if not digests or self._rules.workspace_only:
            return {}
        root = self._project.root
        with contextlib.suppress(PivotError):  # it is only for people
            others = [*list_commits(root, list_tips(root), None), *forgotten_commits(root)]
            past = [commit for commit in dict.fromkeys(others) if commit not in self._commits]
            for output in read_outputs(root, list_documents(root, past), []):
                for file in files_of(output):
                    if file.digest in digests:
                        found.setdefault(file.digest, {})[file.path] = None
        return {digest: tuple(paths) for digest, paths in found.items()}

    def linked(
        self, digests: Collection[Digest], paths: Mapping[Digest, Collection[str]]
    ) -> frozenset[Digest]:
        """Say to which of *digests* a file of a worktree is a symlink.

        Looked at is what is recorded there, and at the *paths* known of each. Raises `PivotError`.
        """
        if not digests:
            return frozenset()
        known = frozenset(path for some in paths.values() for path in some)
        roots = list_workspaces(self._project)
        found = {
            _leads_to(f"{root}/{path}")
            for root in roots
            for path in self._files.get(root, frozenset()) | known
        }
        return frozenset(digest for digest in digests if digest in found)


def list_workspaces(project: Project) -> list[Path]:
    """List the directories of this project in all worktrees; raises `PivotError`."""
    if not is_in_repository(project.root):
        return [project.root]
    return list(_places(project.root, list_worktrees(project.root)))


def _places(root: Path, worktrees: Iterable[Worktree]) -> dict[Path, str]:
    """Say where the project is in each worktree, and which commit that has checked out."""
    inside = path_inside(root)
    places: dict[Path, str] = {}
    for tree in worktrees:
        if tree.gone:
            raise PivotError(
                f"the worktree {tree.root} is not there, so what its files refer to is not known",
                hint="mount it; if somebody deleted it: git worktree prune",
            )
        place = tree.root / inside if inside else tree.root
        if os.path.realpath(place) == os.path.realpath(root):
            place = root
        if (place / ".pivot").is_dir():
            places[place] = tree.commit
    return {root: ""} | places


def _workspace(root: Path) -> Iterator[Output]:
    """Read what the files of a workspace refer to, also those of a run that was cut off."""
    try:
        found = find_documents(Project(root, root, root))
        for path in found.locks:
            lock = load_lock(path, root)
            yield from (*lock.outputs, *lock.undecided)
        for path in found.tracked:
            yield load_tracked(path, root).output
        for path in sorted((root / ".pivot/cache/unfinished").glob("*.before")):
            lock = parse_lock(load_yaml(path), path.name)
            yield from (*lock.outputs, *lock.uncached)
    except InvalidDocument as error:
        raise InvalidDocument(
            f"{root}/{error.path}", error.problems, hint=error.hint or "restore it from git"
        ) from error


def _leads_to(path: str) -> Digest | None:
    """Say which object a symlink leads to, if it looks like one to an object."""
    try:
        parts = os.readlink(path).rsplit("/", 3)
    except OSError:
        return None
    return parse_object_name("/".join(parts[-3:]))


def _digests(outputs: Iterable[Output]) -> frozenset[Digest]:
    return frozenset(file.digest for output in outputs for file in files_of(output))
