"""Read all that a project's documents refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.git import tracked_paths
from pivot.lockfile import load_lock
from pivot.objects import files_of
from pivot.project import find_documents
from pivot.targets import Reference, References
from pivot.tracked import load_tracked

if TYPE_CHECKING:
    from pivot.project import Project


def load_references(project: Project) -> References:
    """Read every lock and `.pvt` file of the project.

    Raises `InvalidDocument`, `UnsafePath`, `LocalError`, and `PivotError` when git must say which
    outputs of the oldest lock files are cached, and cannot.
    """
    found = find_documents(project)
    locks = [load_lock(path, project.root) for path in found.locks]
    tracked = [load_tracked(path, project.root) for path in found.tracked]
    doubtful = [output.path for lock in locks for output in lock.undecided]
    in_git = tracked_paths(project.root, doubtful)
    entries: list[Reference] = []
    uncached: dict[str, str] = {}
    for lock in locks:
        cached = (*lock.outputs, *(o for o in lock.undecided if o.path not in in_git))
        entries += [
            Reference(output, lock.stage, lock.document, is_stage=True) for output in cached
        ]
        kept = (*lock.uncached, *(o for o in lock.undecided if o.path in in_git))
        uncached |= {output.path: lock.stage for output in kept}
        uncached |= {file.path: lock.stage for output in kept for file in files_of(output)}
    entries += [
        Reference(
            t.output, t.output.path, t.document, is_stage=False, imported_from=t.imported_from
        )
        for t in tracked
    ]
    return References(tuple(entries), frozenset(lock.stage for lock in locks), uncached)
