"""Read all that a project's documents refer to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pivot.errors import PivotError
from pivot.git import tracked_paths
from pivot.lockfile import StageLock, load_lock
from pivot.objects import files_of
from pivot.project import DocumentPaths, Project, find_documents
from pivot.targets import Reference, References
from pivot.tracked import Tracked, load_tracked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Documents:
    """Every lock and `.pvt` file of a project, read; *paths* are all documents that there are.

    *in_git* are outputs of which git keeps the content, among those whose lock does not say.
    """

    paths: DocumentPaths
    locks: tuple[StageLock, ...]
    tracked: tuple[Tracked, ...]
    in_git: frozenset[str]

    @property
    def references(self) -> References:
        """All that the documents refer to."""
        entries: list[Reference] = []
        uncached: dict[str, str] = {}
        for lock in self.locks:
            cached = (*lock.outputs, *(o for o in lock.undecided if o.path not in self.in_git))
            entries += [
                Reference(output, lock.stage, lock.document, is_stage=True) for output in cached
            ]
            kept = (*lock.uncached, *(o for o in lock.undecided if o.path in self.in_git))
            uncached |= {output.path: lock.stage for output in kept}
            uncached |= {file.path: lock.stage for output in kept for file in files_of(output)}
        entries += [
            Reference(
                t.output, t.output.path, t.document, is_stage=False, imported_from=t.imported_from
            )
            for t in self.tracked
        ]
        stages = frozenset(lock.stage for lock in self.locks)
        return References(tuple(entries), stages, uncached)


def load_documents(project: Project, *, dependencies: bool = False) -> Documents:
    """Read every lock and `.pvt` file, with what stages depend on only if asked.

    Of locks that contradict each other, those of stages that the pipeline has not any more are
    left out. Raises `InvalidDocument`, `UnsafePath`, `LocalError`, and `PivotError` when git must
    say which outputs of the oldest lock files are cached, and cannot.
    """
    found = find_documents(project)
    locks = [load_lock(path, project.root, dependencies=dependencies) for path in found.locks]
    tracked = tuple(load_tracked(path, project.root) for path in found.tracked)
    doubtful = [output.path for lock in locks for output in lock.undecided]
    in_git = frozenset(tracked_paths(project.root, doubtful))
    kept = _without_orphans(locks, found.pipelines, project.root)
    return Documents(found, tuple(kept), tracked, in_git)


def load_references(project: Project) -> References:
    """Read all that the documents refer to; raises as `load_documents` does."""
    return load_documents(project).references


def _without_orphans(
    locks: Sequence[StageLock], pipelines: Iterable[Path], root: Path
) -> Sequence[StageLock]:
    """Drop a lock that disagrees with another, if the pipeline knows the other's stage alone."""
    disputed = _disputed(locks)
    if not disputed:
        return locks
    from pivot.pipeline.file import stage_names  # noqa: PLC0415  needed on such bad days alone

    names: set[str] = set()
    for path in pipelines:
        try:
            names |= stage_names(path.read_bytes(), path.relative_to(root).as_posix())
        except (OSError, PivotError):
            return locks
    known = {lock.stage for lock in locks if names & {lock.stage, lock.stage.partition("@")[0]}}
    return [
        lock
        for lock in locks
        if lock.stage in known
        or not any(
            disputed.get(output.path, set()) & known for output in (*lock.outputs, *lock.uncached)
        )
    ]


def _disputed(locks: Iterable[StageLock]) -> Mapping[str, set[str]]:
    """List output paths for which locks record different contents, each with its stages."""
    said: dict[str, dict[str, str]] = {}
    for lock in locks:
        for output in (*lock.outputs, *lock.uncached):
            said.setdefault(output.path, {})[lock.stage] = output.digest
    return {path: set(digests) for path, digests in said.items() if len(set(digests.values())) > 1}
