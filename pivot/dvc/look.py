"""Find what a DVC project has: its documents, and the contents that they name."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pivot.dvc.recorded import Hashed
from pivot.dvc.store import Hashes, Lost, Part, Store, Whole, hash_file, listing_md5, look
from pivot.errors import PivotError, local_error
from pivot.project import NEVER_ENTERED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pivot.tree import Tree

_CLOSED = NEVER_ENTERED | {".dvc", ".pivot"}
_NAMES = frozenset({"dvc.yaml", ".dvcignore"})


def find_files(root: Path) -> tuple[str, ...]:
    """List the `dvc.yaml`, `*.dvc` and `.dvcignore` files below *root*, and `.dvc` of others.

    Other repositories and virtual environments are not entered. Raises `LocalError`.
    """
    return tuple(sorted(os.path.relpath(path, root) for path in _walk(str(root), top=True)))


def _walk(place: str, *, top: bool = False) -> Iterator[str]:
    try:
        with os.scandir(place) as found:
            entries = sorted(found, key=lambda entry: entry.name)
            below = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
            files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except OSError as error:
        raise local_error(error, place) from error
    if not top:
        names = {entry.name for entry in entries}
        if names & {".git", "pyvenv.cfg"}:
            return
        if ".dvc" in {entry.name for entry in below}:
            yield f"{place}/.dvc"
            return
    for name in files:
        if name in _NAMES or (name.endswith(".dvc") and name != ".dvc"):
            yield f"{place}/{name}"
    for entry in below:
        if entry.name not in _CLOSED:
            yield from _walk(f"{place}/{entry.name}")


@dataclass
class Looker:
    """Finds contents in DVC's *store* and in the workspace *tree*; what it hashed it remembers."""

    store: Store
    tree: Tree
    hashed: dict[str, Hashes | None] = field(default_factory=dict)

    def find(self, path: str, content: Hashed) -> Whole | Lost:
        """Find the *content* that DVC recorded at *path*; raises `LocalError`."""
        if content.directory:
            return self._directory(path, content)
        found = self._file(path, content)
        return Whole(path, (found,)) if found else Lost(path, self._why(path, content))

    def _file(self, path: str, content: Hashed, *, executable: bool | None = None) -> Part | None:
        """Look where the bytes are surest to be: DVC 2 knows text only up to its line ends."""
        if content.legacy and (part := self._placed(path, content, executable=executable)):
            return part
        if found := self.store.find(content):
            return Part(path, content, *found, executable)
        return self._placed(path, content, executable=executable)

    def _placed(self, path: str, content: Hashed, *, executable: bool | None) -> Part | None:
        hashes = self._hash(path)
        if hashes is None or not hashes.are(content):
            return None
        return Part(path, content, self.tree.root / path, hashes.size, executable, hashes)

    def _hash(self, path: str) -> Hashes | None:
        if path not in self.hashed:
            found = look(self.tree, path)
            self.hashed[path] = None
            if found is not None and stat.S_ISREG(found.st_mode):
                above, name = self.tree.parent(path)
                self.hashed[path] = hash_file(name, dir_fd=above)
        return self.hashed[path]

    def _directory(self, path: str, content: Hashed) -> Whole | Lost:
        listing = self.store.listing(content, path)
        if isinstance(listing, Lost):
            return listing
        files, empty = self._scan(path)
        if listing is None:
            named = {name: self._hash(f"{path}/{name}") for name in files}
            entries = [
                (name, hashes.unix if content.legacy else hashes.md5)
                for name, hashes in named.items()
                if hashes is not None
            ]
            if listing_md5(entries) != content.md5:
                return Lost(path, self._why(path, content))
            listing = tuple((name, Hashed(md5, legacy=content.legacy)) for name, md5 in entries)
        parts: list[Part] = []
        for name, inner in sorted(listing):
            inside = f"{path}/{name}"
            part = self._file(inside, inner, executable=self._is_executable(inside))
            if part is None:
                return Lost(inside, self._why(inside, inner))
            parts.append(part)
        above = {name for part in parts for name in _parents(part.path)}
        bare = tuple(name for name in empty if name not in above)
        return Whole(path, tuple(parts), directory=True, empty=bare)

    def _scan(self, path: str) -> tuple[list[str], list[str]]:
        """List the files of a directory of the workspace, relative, and its empty directories."""
        files: list[str] = []
        empty: list[str] = []
        try:
            if self.tree.open(path) is None:
                return [], []
            for place, below, names in os.walk(self.tree.root / path):
                inside = os.path.relpath(place, self.tree.root / path)
                prefix = "" if inside == "." else f"{inside}/"
                files += [prefix + name for name in names]
                if not below and not names and prefix:
                    empty.append(f"{path}/{inside}")
        except PivotError:
            return [], []
        return sorted(files), sorted(empty)

    def _is_executable(self, path: str) -> bool:
        found = look(self.tree, path)
        regular = found is not None and stat.S_ISREG(found.st_mode)
        return regular and found is not None and bool(found.st_mode & stat.S_IXUSR)

    def _why(self, path: str, content: Hashed) -> str:
        there = look(self.tree, path) is not None
        state = "has changed since" if there else "is not there"
        return f"{content.name} is not in DVC's cache, and {path} {state}"


def _parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path
