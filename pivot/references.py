"""Read all that a project's documents refer to."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

from pivot.errors import PivotError
from pivot.frozen import frozen
from pivot.git import tracked_paths
from pivot.ledger import Ledger, ledger_path, load_ledger
from pivot.lock_writer import lock_path
from pivot.lockfile import StageLock, load_lock
from pivot.objects import Output, files_of
from pivot.project import DocumentPaths, Project, find_documents
from pivot.targets import Reference, References
from pivot.tracked import Tracked, load_tracked

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from pivot.pipeline.file import Reader


@frozen
class Documents:
    """Every lock and `.pvt` file of a project, read; *paths* are all documents that there are.

    *in_git* are outputs of which git keeps the content, among those whose lock does not say.
    *ledgers* stand by their paths, as far as they were read.
    """

    paths: DocumentPaths
    locks: tuple[StageLock, ...]
    tracked: tuple[Tracked, ...]
    in_git: frozenset[str]
    ledgers: Mapping[str, Ledger] = field(default_factory=dict)

    @property
    def references(self) -> References:
        """All that the documents refer to."""
        entries: list[Reference] = []
        uncached: dict[str, str] = {}
        for lock in self.locks:
            cached = (*lock.outputs, *(o for o in lock.undecided if o.path not in self.in_git))
            entries += [self.refer(output, lock) for output in cached]
            kept = (*lock.uncached, *(o for o in lock.undecided if o.path in self.in_git))
            uncached |= {output.path: lock.stage for output in kept}
            uncached |= {file.path: lock.stage for output in kept for file in files_of(output)}
        entries += [
            self._with_sums(
                Reference(
                    t.output,
                    t.output.path,
                    t.document,
                    is_stage=False,
                    imported_from=t.imported_from,
                )
            )
            for t in self.tracked
        ]
        stages = frozenset(lock.stage for lock in self.locks)
        return References(tuple(entries), stages, uncached)

    def refer(self, output: Output, lock: StageLock) -> Reference:
        """Refer to an output of a lock, with what its ledger has of it."""
        return self._with_sums(Reference(output, lock.stage, lock.document, is_stage=True))

    def _with_sums(self, entry: Reference) -> Reference:
        """Add what the ledger has of an output, if it is of the content that the lock has."""
        path = ledger_path(entry.document)
        section = self.ledgers.get(path, {}).get(entry.output.path)
        if section is None:
            return entry
        if section.digest != entry.output.digest:
            return replace(entry, ledger=path, stale=True)
        return replace(entry, ledger=path, sums=section.sums)


def load_documents(
    project: Project, *, dependencies: bool = False, sums: bool = False
) -> Documents:
    """Read every lock and `.pvt` file, with what stages depend on, and ledgers, only if asked.

    Of locks that contradict each other, those of stages that the pipeline has not any more are
    left out. Raises `InvalidDocument`, `UnsafePath`, `LocalError`, and `PivotError` when git must
    say which outputs of the oldest lock files are cached, and cannot.
    """
    root = project.root
    found = find_documents(project)
    locks = [load_lock(path, root, dependencies=dependencies) for path in found.locks]
    tracked = [load_tracked(path, root) for path in found.tracked]

    def read(path: str) -> bytes | None:
        return (root / path).read_bytes() if (root / path).is_file() else None

    return join_documents(
        found,
        [path.relative_to(root).as_posix() for path in found.pipelines],
        locks,
        tracked,
        read=read,
        in_git=lambda paths: tracked_paths(root, paths),
        ledger=(lambda path: load_ledger(root, path)) if sums else None,
    )


def join_documents(
    paths: DocumentPaths,
    pipelines: Sequence[str],
    locks: Sequence[StageLock],
    tracked: Iterable[Tracked],
    *,
    read: Reader,
    in_git: Callable[[Iterable[str]], Collection[str]],
    ledger: Callable[[str], Ledger] | None,
) -> Documents:
    """Make one of documents that were read, of the workspace or of a commit; see `load_documents`.

    *read* gives the content of the *pipelines* and what they name, *in_git* says which of some
    paths git has, and *ledger* reads one.
    """
    doubtful = [output.path for lock in locks for output in lock.undecided]
    known = frozenset(in_git(doubtful)) if doubtful else frozenset()
    kept = _without_orphans(locks, pipelines, read)
    data = tuple(tracked)
    ledgers = {}
    if ledger is not None:
        documents = [*(lock.document for lock in kept), *(each.document for each in data)]
        names = sorted({ledger_path(document) for document in documents})
        ledgers = {name: found for name in names if (found := ledger(name))}
    return Documents(paths, tuple(kept), data, known, ledgers)


def load_references(project: Project) -> References:
    """Read all that the documents refer to, with its sums; raises as `load_documents` does."""
    return load_documents(project, sums=True).references


def _without_orphans(
    locks: Sequence[StageLock], pipelines: Iterable[str], read: Reader
) -> Sequence[StageLock]:
    """Drop a lock that disagrees with another, if the pipeline knows the other's stage alone.

    Of two that have one stage's name, the one in the project's own `.pivot` counts.
    """
    own = {lock.stage for lock in locks if lock.document == lock_path(lock.stage)}
    locks = [lock for lock in locks if lock.stage not in own or lock.document.startswith(".pivot/")]
    disputed = _disputed(locks)
    if not disputed:
        return locks
    names = _stage_names(pipelines, read)
    whole = {lock.stage for lock in locks if lock.stage in names}
    known = whole or {lock.stage for lock in locks if lock.stage.partition("@")[0] in names}
    return [
        lock
        for lock in locks
        if lock.stage in known
        or not any(
            disputed.get(output.path, set()) & known for output in (*lock.outputs, *lock.uncached)
        )
    ]


def _stage_names(documents: Iterable[str], read: Reader) -> set[str]:
    """Name all stages; of files that are not right, without the values of a matrix."""
    from pivot.pipeline import load_pipeline  # noqa: PLC0415  needed on such bad days alone
    from pivot.pipeline.file import stage_names  # noqa: PLC0415

    try:
        return set(load_pipeline(documents, read).stages)
    except (OSError, PivotError):
        pass
    try:
        return {name for path in documents for name in stage_names(read(path) or b"", path)}
    except (OSError, PivotError):
        return set()


def _disputed(locks: Iterable[StageLock]) -> Mapping[str, set[str]]:
    """List output paths for which locks record different contents, each with its stages."""
    said: dict[str, dict[str, str]] = {}
    for lock in locks:
        for output in (*lock.outputs, *lock.uncached):
            said.setdefault(output.path, {})[lock.stage] = output.digest
    return {path: set(digests) for path, digests in said.items() if len(set(digests.values())) > 1}
