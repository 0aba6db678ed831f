"""What the lock and `.pvt` files of commits refer to, read from git without a checkout."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from pivot.documents import MAX_BYTES, parse_yaml
from pivot.errors import InvalidDocument, PivotError
from pivot.git import Objects, resolve
from pivot.ledger import ledger_path, parse_ledger
from pivot.lockfile import parse_lock
from pivot.project import NEVER_ENTERED, PIPELINE, DocumentPaths
from pivot.references import Documents, join_documents
from pivot.refs import path_inside
from pivot.targets import Reference, References
from pivot.tracked import parse_tracked

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from pivot.ledger import Ledger
    from pivot.lockfile import StageLock
    from pivot.project import Project
    from pivot.tracked import Tracked


class History:
    """The commits of a project's repository; use it in a `with` statement.

    One process of git gives all contents. Directories and documents that commits share are read
    once, so that many commits cost little more than what changed between them.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._objects = Objects(project.root)
        self._inside: str | None = None
        self._entries: dict[str, tuple[_Entry, ...]] = {}
        self._found: dict[tuple[str, _Zone], tuple[_Entry, ...]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._objects.__exit__(kind, error, trace)

    def documents(
        self, revision: str, *, dependencies: bool = False, sums: bool = False
    ) -> Documents:
        """Read every lock and `.pvt` file of a commit, as `load_documents` does the workspace's.

        Raises `UsageError` for a revision that there is not, `InvalidDocument` that names commit
        and path, and `PivotError` when git cannot tell.
        """
        commit = _Commit(self, resolve(self._project.root, revision), revision)
        locks = [commit.lock(file, dependencies=dependencies) for file in commit.locks]
        root = self._project.root
        return join_documents(
            DocumentPaths(
                tuple(root / file.path for file in commit.locks),
                tuple(root / file.path for file in commit.tracked),
                tuple(root / path for path in commit.pipelines),
            ),
            commit.pipelines,
            locks,
            [commit.data(file) for file in commit.tracked],
            read=commit.read,
            in_git=commit.having,
            ledger=commit.ledger if sums else None,
        )

    def union(self, commits: Iterable[str], broken: list[InvalidDocument]) -> References:
        """Join all that the documents of *commits*, full names, refer to, with its sums.

        Each distinct document is read once; what several dispute is all in it. Those that cannot
        be read are left out and added to *broken*. Raises `PivotError` when git cannot tell.
        """
        entries: dict[tuple[str, str, str], Reference] = {}
        stages: set[str] = set()
        uncached: dict[str, str] = {}
        seen: dict[tuple[str, str], tuple[str, ...]] = {}  # with the paths that git may have
        known: set[tuple[str, str, str, frozenset[str]]] = set()
        for name in dict.fromkeys(commits):
            commit = _Commit(self, name, name[:12])
            for file in (*commit.locks, *commit.tracked):
                ledger = commit.names.get(ledger_path(file.path), "")
                before = seen.get((file.path, file.name))
                if before is not None:
                    key = (file.path, file.name, ledger, commit.having(before))
                    if key in known:
                        continue
                try:
                    part = commit.part(file)
                except InvalidDocument as error:
                    if before is None:
                        broken.append(error)
                        seen[file.path, file.name] = ()
                    known.add((file.path, file.name, ledger, frozenset()))
                    continue
                paths = tuple(output.path for lock in part.locks for output in lock.undecided)
                seen[file.path, file.name] = paths
                known.add((file.path, file.name, ledger, part.in_git))
                found = part.references
                for entry in found.entries:
                    at = (entry.output.path, entry.output.digest, f"{entry.document} {ledger}")
                    entries.setdefault(at, entry)
                stages |= found.stages
                uncached |= found.uncached
        return References(tuple(entries.values()), frozenset(stages), uncached)

    def tree(self, commit: str) -> str | None:
        """Name the tree of the project in a commit; `None` where it was not there yet."""
        data = self._objects.read(commit, "commit", f"commit {commit[:12]}")
        tree = data.partition(b"\n")[0].removeprefix(b"tree ").decode()
        if self._inside is None:
            self._inside = path_inside(self._project.root)
        if not self._inside:
            return tree
        entry = self.find(tree, self._inside)
        return entry.name if entry is not None and entry.kind == _DIRECTORY else None

    def find(self, tree: str, path: str) -> _Entry | None:
        """Find what *tree* has at *path*."""
        found: _Entry | None = None
        for word in path.split("/"):
            if found is not None and found.kind != _DIRECTORY:
                return None
            inside = self.entries(tree if found is None else found.name)
            found = next((entry for entry in inside if entry.path == word), None)
            if found is None:
                return None
        return found

    def entries(self, tree: str) -> tuple[_Entry, ...]:
        """List what a tree has, each by its name in it."""
        if tree not in self._entries:
            data = self._objects.read(tree, "tree", f"tree {tree[:12]}")
            self._entries[tree] = tuple(_parse_tree(data, len(tree) // 2))
        return self._entries[tree]

    def read(self, file: _Entry, place: str) -> bytes:
        """Read a file; *place* is how an error calls it."""
        if file.kind != _REGULAR:
            raise InvalidDocument(place, ["is a symlink, which is not followed"])
        data = self._objects.read(file.name, "blob", place)
        if len(data) > MAX_BYTES:
            raise InvalidDocument(place, [f"is larger than {MAX_BYTES // 2**20} MiB"])
        return data

    def look(self, tree: str, zone: _Zone, depth: int = 0) -> tuple[_Entry, ...]:
        """List what can be a document, or a ledger, below *tree*; see `project.find_documents`."""
        if depth > _DEEPEST:
            raise PivotError(f"git has directories that are nested more than {_DEEPEST} deep")
        if (tree, zone) not in self._found:
            entries = self.entries(tree)
            found: list[_Entry] = []
            if zone is not _Zone.PLAIN or all(entry.path != "pyvenv.cfg" for entry in entries):
                for entry in entries:
                    below = _enter(zone, entry.path) if entry.kind == _DIRECTORY else None
                    if below is not None:
                        inside = self.look(entry.name, below, depth + 1)
                        found += [
                            _Entry(file.kind, f"{entry.path}/{file.path}", file.name)
                            for file in inside
                        ]
                    elif entry.kind in {_REGULAR, _SYMLINK} and _is_wanted(zone, entry.path):
                        found.append(entry)
            if len(found) > _MOST:
                raise PivotError(f"git has more than {_MOST} documents in one commit")
            self._found[tree, zone] = tuple(found)
        return self._found[tree, zone]


_DIRECTORY, _REGULAR, _SYMLINK = "40", "10", "12"
"""The first digits of modes, as git writes them."""

_DEEPEST = 300
_MOST = 1_000_000


class _Entry(NamedTuple):
    """What a commit has at a path: the beginning of its mode, and the object's name."""

    kind: str
    path: str
    name: str


class _Zone(Enum):
    """A part of a project, by what is looked for there."""

    TOP = auto()
    PLAIN = auto()
    PIVOT = auto()
    STAGES = auto()
    DIGESTS = auto()


def _enter(zone: _Zone, name: str) -> _Zone | None:
    if zone in {_Zone.TOP, _Zone.PLAIN}:
        if name == ".pivot":
            return _Zone.PIVOT
        return None if name in NEVER_ENTERED else _Zone.PLAIN
    if zone is _Zone.PIVOT:
        return {"stages": _Zone.STAGES, "digests": _Zone.DIGESTS}.get(name)
    return zone


def _is_wanted(zone: _Zone, name: str) -> bool:
    if zone is _Zone.STAGES:
        return name.endswith(".lock")
    if zone is _Zone.DIGESTS:
        return name.endswith(".sha256")
    return zone is not _Zone.PIVOT and (
        name == PIPELINE or (name.endswith(".pvt") and name != ".pvt")
    )


def _parse_tree(data: bytes, length: int) -> Iterable[_Entry]:
    """Read git's form of a tree, in which names of objects have so many bytes."""
    place = 0
    while place < len(data):
        blank = data.index(b" ", place)
        end = data.index(b"\0", blank)
        name = data[blank + 1 : end].decode(errors="surrogateescape")
        kind = data[place:blank].decode()[:2]
        place = end + 1 + length
        yield _Entry(kind, name, data[end + 1 : place].hex())


class _Commit:
    """The documents of one commit, which errors call by *label*."""

    def __init__(self, history: History, commit: str, label: str) -> None:
        self._history = history
        self._label = label
        self._tree = history.tree(commit)
        files = history.look(self._tree, _Zone.TOP) if self._tree is not None else ()
        self.names = {file.path: file.name for file in files if file.path.endswith(".sha256")}
        self._ledgers = {file.path: file for file in files if file.path.endswith(".sha256")}
        self.locks = sorted(file for file in files if file.path.endswith(".lock"))
        self.tracked = sorted(file for file in files if file.path.endswith(".pvt"))
        self.pipelines = sorted(
            file.path for file in files if file.path.rpartition("/")[2] == PIPELINE
        )

    def lock(self, file: _Entry, *, dependencies: bool = False) -> StageLock:
        """Read a lock file."""
        data = self._read(file)
        try:
            return parse_lock(parse_yaml(data, file.path), file.path, dependencies=dependencies)
        except PivotError as error:
            raise self._invalid(file.path, error) from error

    def data(self, file: _Entry) -> Tracked:
        """Read a `.pvt` file."""
        data = self._read(file)
        try:
            return parse_tracked(parse_yaml(data, file.path), file.path)
        except PivotError as error:
            raise self._invalid(file.path, error) from error

    def ledger(self, path: str) -> Ledger:
        """Read a ledger; one that is not there is empty."""
        file = self._ledgers.get(path)
        if file is None:
            return {}
        data = self._read(file)
        try:
            return parse_ledger(data, path)
        except PivotError as error:
            raise self._invalid(path, error) from error

    def part(self, file: _Entry) -> Documents:
        """Read one document, with its ledger, as if there were no other."""
        is_lock = file.path.endswith(".lock")
        locks = (self.lock(file),) if is_lock else ()
        paths = [output.path for lock in locks for output in lock.undecided]
        ledger = ledger_path(file.path)
        return Documents(
            DocumentPaths((), ()),
            locks,
            () if is_lock else (self.data(file),),
            self.having(paths),
            {ledger: self.ledger(ledger)},
        )

    def having(self, paths: Iterable[str]) -> frozenset[str]:
        """Say which of *paths* the commit has; a directory is one with files."""
        return frozenset(path for path in paths if self._find(path) is not None)

    def read(self, path: str) -> bytes | None:
        """Read any file; `None` where there is none."""
        entry = self._find(path)
        if entry is None or entry.kind == _DIRECTORY:
            return None
        return self._history.read(entry, self._place(path))

    def _find(self, path: str) -> _Entry | None:
        return None if self._tree is None else self._history.find(self._tree, path)

    def _read(self, file: _Entry) -> bytes:
        return self._history.read(file, self._place(file.path))

    def _place(self, path: str) -> str:
        return f"{path} of {self._label}"

    def _invalid(self, path: str, error: PivotError) -> InvalidDocument:
        told = error.problems if isinstance(error, InvalidDocument) else (error.message,)
        return InvalidDocument(
            self._place(path), told, hint="history cannot be changed: name another commit"
        )
