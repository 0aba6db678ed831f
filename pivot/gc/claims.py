"""Who may clean up in a place that several projects could use: it says so itself."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from pivot.errors import UsageError
from pivot.gc.documents import Owner, parse_claim, render_claim
from pivot.gc.place import CLAIM
from pivot.gc.places import is_shared
from pivot.gc.repository import first_commits
from pivot.refs import path_inside

if TYPE_CHECKING:
    from pivot.config import RemoteSettings
    from pivot.gc.place import Place
    from pivot.project import Project
    from pivot.session import Session


def check_claim(session: Session, remote: RemoteSettings | None, place: Place) -> str:
    """Name this project, if no other one keeps objects in *place*; else raise `UsageError`.

    A cache inside of the project needs no claim. Raises `InvalidDocument` too.
    """
    project = session.project
    if not is_shared(session, remote):
        return project.root.name
    data = place.read_note(CLAIM)
    where = f"{place.url}/{CLAIM}"
    command = f"pivot gc{f' -r {remote.name}' if remote else ''} --claim"
    if data is None:
        raise UsageError(
            f"{place.url}: other projects may keep objects there too, which this one does not "
            "know to be needed",
            hint=f"if none does, say so once: {command}",
        )
    ours = owner_of(project)
    owners = parse_claim(data, where)
    _refuse_others(ours, owners, where)
    if not any(owner.is_same(ours) for owner in owners):
        raise UsageError(f"{where} names no project", hint=f"say that it is this one: {command}")
    return ours.name


def make_claim(project: Project, place: Place) -> tuple[str, ...]:
    """Write that *project* keeps objects in *place*, and no other does; the answer has its name.

    Raises `UsageError` where another one has said so, and `InvalidDocument`.
    """
    ours = owner_of(project)
    data = place.read_note(CLAIM)
    where = f"{place.url}/{CLAIM}"
    if data is not None:
        owners = parse_claim(data, where)
        _refuse_others(ours, owners, where)
        known = frozenset[str]().union(*(owner.roots for owner in owners))
        ours = Owner(ours.roots | known, ours.inside, ours.name)
    place.write_note(CLAIM, render_claim([ours]))
    return (ours.name,)


def owner_of(project: Project) -> Owner:
    """Say which project it is, by what all of its clones have; raises `UsageError`."""
    roots = first_commits(project.root)
    if not roots:
        raise UsageError(
            f"{project.root} has no commits, so it cannot be told from other projects",
            hint="commit its lock files first",
        )
    inside = path_inside(project.root)
    return Owner(roots, inside, posixpath.basename(inside) or project.root.name)


def _refuse_others(ours: Owner, owners: tuple[Owner, ...], where: str) -> None:
    others = sorted({owner.name for owner in owners if not owner.is_same(ours)})
    if others:
        raise UsageError(
            f"{where}: another project keeps objects there ({', '.join(others)}), which this one "
            "does not know to be needed",
            hint="give each project a prefix of its own; if it is not used any more, delete that "
            "file and claim the place anew",
        )
