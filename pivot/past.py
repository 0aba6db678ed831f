"""Which outputs the user means in other commits than the one that is checked out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.errors import UsageError
from pivot.history import History
from pivot.references import load_references
from pivot.refs import list_refs
from pivot.targets import References, Selection, choose, select

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pivot.errors import InvalidDocument
    from pivot.session import Session
    from pivot.targets import Reference

_SHOWN = 5


def select_revision(
    session: Session, targets: Sequence[str], revision: str, *, in_place: bool = False
) -> Selection:
    """Find what *targets* name in the commit *revision*; lock files of the workspace do not count.

    When it is to be placed *in_place*, they say which files are other outputs' there, which no
    checkout removes. Raises as `History.documents` and `targets.select` do.
    """
    with History(session.project) as history:
        references = history.documents(revision, sums=True).references
    root = str(session.project.root)
    chosen = select(references, targets, here=session.here, root=root)
    known = references.paths()
    if in_place:
        places = {entry.output.path for entry in references.entries}
        now = load_references(session.project)
        others = tuple(entry for entry in now.entries if entry.output.path not in places)
        known |= References(others, frozenset(), now.uncached).paths()
    return Selection(chosen, lambda: known, references.entries)


def select_refs(
    session: Session, targets: Sequence[str], *, branches: bool, tags: bool
) -> Selection:
    """Find what *targets* name in the workspace, and apart from it, in all branches or tags.

    A target that only some of them know is no mistake. Documents of a commit that cannot be read
    are left out, with a warning: nobody can mend them. Raises `UsageError` for a target that none
    knows and outside of a repository, and `PivotError` when git cannot tell.
    """
    refs = list_refs(session.project.root, branches=branches, tags=tags)
    broken: list[InvalidDocument] = []
    with History(session.project) as history:
        past = history.union((ref.commit for ref in refs), broken)
    own = load_references(session.project)
    here, root = session.here, str(session.project.root)
    known: list[str] = []
    for target in targets:
        try:
            choose(own, [target], here=here, root=root)
            known.append(target)
        except UsageError:
            choose(past, [target], here=here, root=root)
    entries = select(own, known, here=here, root=root) if known or not targets else ()
    told = [f"left out: {error.message}" for error in broken[:_SHOWN]]
    if len(broken) > _SHOWN:
        told.append(f"left out: {len(broken) - _SHOWN} more document(s) that cannot be read")
    return Selection(
        entries,
        own.paths,
        own.entries,
        past=_named(past, targets, here, root),
        told=f"Read {len(refs)} ref(s) of git, {len({ref.commit for ref in refs})} commit(s)",
        warnings=tuple(told),
    )


def _named(past: References, targets: Sequence[str], here: str, root: str) -> tuple[Reference, ...]:
    """Choose what any of *targets* names, as far as anything does."""
    if not targets:
        return past.entries
    found: list[Reference] = []
    for target in targets:
        try:
            found += choose(past, [target], here=here, root=root)
        except UsageError:  # the workspace alone knows it
            continue
    return tuple(found)
