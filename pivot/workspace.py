"""The user's files: see what stands where outputs belong."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.errors import LocalError, PivotError, UnsafePath, local_error
from pivot.git import tracked_paths
from pivot.lockfile import is_ignored
from pivot.objects import (
    Digest,
    Directory,
    File,
    Hasher,
    Sha256,
    files_of,
    hash_descriptor,
    is_digest,
)
from pivot.paths import find_clashes
from pivot.plan import Existing, Found, Is
from pivot.remembered import is_same
from pivot.tree import Tree, folds_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from pivot.cache import Cache
    from pivot.remembered import Remembered
    from pivot.targets import Reference


class Workspace:
    """The files below *root*, compared with the objects of *cache*.

    *known* are the files that any document names. *fetched* are digests that will be in the cache
    by the time the plan is carried out, *damaged* those of objects whose bytes are wrong. What was
    *remembered* of a file that has not changed is not read again.
    """

    def __init__(
        self,
        root: Path,
        cache: Cache,
        *,
        known: Collection[str] = (),
        fetched: Collection[Digest] = (),
        damaged: Collection[Digest] = (),
        remembered: Remembered | None = None,
    ) -> None:
        self._root = root
        self._known = frozenset(known)
        self._cache = cache
        self._fetched = frozenset(fetched)
        self._damaged = frozenset(damaged)
        self._remembered = remembered
        self._existing = Existing.REFUSE
        self._sums: Mapping[str, Sha256] = {}  # of the output that is looked at
        self._files = os.path.realpath(cache.root / "files")

    def observe(self, references: Iterable[Reference], *, existing: Existing) -> dict[str, Found]:
        """Compare each output with what the workspace has at its path, as far as *existing* asks.

        Files that no lock lists do not matter where all that exists is kept. Content is read only
        where sizes agree, or where it matters whether the cache has it.
        """
        self._existing = existing
        references = tuple(references)
        refused = self._refused(references)
        with Tree(self._root) as tree:
            found = {
                entry.output.path: refused.get(entry.output.path) or self._observe(tree, entry)
                for entry in references
            }
        extra = [path for each in found.values() for path in each.extra]
        if not extra:
            return found
        kept = self._in_git(extra)
        return {
            path: replace(
                each, extra={p: state for p, state in each.extra.items() if p not in kept}
            )
            for path, each in found.items()
        }

    def _refused(self, references: Iterable[Reference]) -> dict[str, Found]:
        """Refuse outputs of which one file would be written over another here, for its name."""
        if not folds_names(self._root):
            return {}
        files = {file.path: entry for entry in references for file in files_of(entry.output)}
        return {
            files[one].output.path: Found(
                {},
                problem=UnsafePath(
                    f"{one} and {other} are one and the same file on this file system",
                    hint="use one that tells their names apart, or give one of them another name",
                ),
            )
            for one, other in find_clashes(files).items()
        }

    def _in_git(self, extra: Collection[str]) -> frozenset[str]:
        """Say which files git has, or may have: they are the user's, wherever they lie."""
        try:
            return frozenset(tracked_paths(self._root, extra))
        except PivotError:
            return frozenset(extra)  # git cannot tell, so none of them may go

    def find(self, file: File) -> bool:
        """Tell whether the workspace has *file* with the right content, as a regular file."""
        with Tree(self._root) as tree:
            try:
                found = tree.lstat(file.path)
                if found is None or not stat.S_ISREG(found.st_mode):
                    return False
                return self._compare(tree, file, found) in {Is.SAME, Is.SAME_BUT_MODE}
            except (LocalError, UnsafePath):
                return False

    def _observe(self, tree: Tree, entry: Reference) -> Found:
        output = entry.output
        self._sums = entry.sums
        try:
            top = tree.lstat(output.path)
            if isinstance(output, File):
                return Found({output.path: self._compare(tree, output, top)})
            if top is None:
                return Found({file.path: Is.ABSENT for file in output.files}, whole=Is.ABSENT)
            if not stat.S_ISDIR(top.st_mode):
                instead = self._instead_of_directory(tree, output, top)
                return Found({file.path: instead for file in output.files}, whole=instead)
            files = {
                file.path: self._compare(tree, file, tree.lstat(file.path)) for file in output.files
            }
            if self._existing is Existing.KEEP:
                return Found(files)
            return Found(files, dict(self._extra(tree, output)))
        except (LocalError, UnsafePath) as error:
            return Found({}, problem=error)

    def _compare(self, tree: Tree, file: File, found: os.stat_result | None) -> Is:
        """Compare the *file* that should be with what was *found* at its path."""
        if found is None:
            return Is.ABSENT
        if stat.S_ISLNK(found.st_mode):
            return self._compare_link(tree, file)
        other_size = file.size is not None and file.size != found.st_size
        if not stat.S_ISREG(found.st_mode) or (other_size and not self._needs_digests):
            return Is.DIFFERENT
        digest, twin = self._digest(tree, file, found)
        if digest == file.digest and not twin:
            executable = bool(found.st_mode & stat.S_IXUSR)
            if file.executable is None or file.lenient or executable == file.executable:
                return Is.SAME
            return Is.SAME_BUT_MODE
        # no edit of the user's has the very digest: a twin is what somebody forged
        return Is.CACHED if twin or self._holds(digest, found.st_size) else Is.DIFFERENT

    def _compare_link(self, tree: Tree, file: File) -> Is:
        linked = self._link_into_cache(tree, file.path)
        if linked == file.digest:
            good = linked not in self._damaged and self._holds(linked, file.size)
            return Is.SAME if good else Is.ABSENT  # a link to nothing of worth
        return Is.CACHED if linked else Is.DIFFERENT

    @property
    def _needs_digests(self) -> bool:
        """Only an update asks whether what is there instead can be had again."""
        return self._existing is Existing.UPDATE

    def _digest(self, tree: Tree, file: File, found: os.stat_result) -> tuple[Digest, bool]:
        """Hash a file, unless it is a hard link to the very object that should be there.

        True with it says that the digest is right and the SHA-256 is not.
        """
        try:
            held = os.lstat(self._cache.place(file.digest))
        except OSError:
            held = None
        read_only = held is not None and not held.st_mode & 0o222
        if held is not None and read_only and os.path.samestat(held, found):
            return file.digest, False
        sha256 = self._sums.get(file.path)
        known = self._remembered and self._remembered.recall_all(file.path, found)
        if known and (sha256 is None or known.sha256):
            return known.digest, known.digest == file.digest and sha256 not in {None, known.sha256}
        hasher = self._read(tree, file.path, strong=sha256 is not None)
        digest = hasher.digest()
        return digest, digest == file.digest and hasher.sha256() != sha256

    def _hash(self, tree: Tree, path: str) -> Digest:
        return self._read(tree, path).digest()

    def _read(self, tree: Tree, path: str, *, strong: bool = False) -> Hasher:
        above, name = tree.parent(path)
        read_at = time.time_ns()
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=above)
            try:
                before = os.fstat(descriptor)
                hasher = hash_descriptor(descriptor, Hasher(strong=strong))
                after = os.fstat(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise local_error(error, path) from error
        if self._remembered and is_same(before, after) and hasher.size == after.st_size:
            self._remembered.note(
                path, after, hasher.digest(), read_at=read_at, sha256=hasher.sha256()
            )
        return hasher

    def _holds(self, digest: Digest, size: int | None = None) -> bool:
        """Tell whether the cache has a content, of the right *size*: a damaged object is none."""
        held = self._cache.stat([digest]).get(digest)
        return digest in self._fetched or (held is not None and size in {None, held})

    def _link_into_cache(self, tree: Tree, path: str) -> Digest | None:
        """Read which object, or tree of the real Pivot's, a symlink in the workspace points to."""
        above, name = tree.parent(path)
        try:
            target = os.readlink(name, dir_fd=above)
        except OSError as error:
            raise local_error(error, path) from error
        place = (self._root / path).parent / target
        shelf, last = os.path.split(os.path.normpath(place))
        files, head = os.path.split(shelf)
        digest = head + last
        inside = os.path.realpath(files) == self._files
        return Digest(digest) if inside and is_digest(digest) else None

    def _instead_of_directory(self, tree: Tree, output: Directory, top: os.stat_result) -> Is:
        """Compare what stands at the path of a directory output and is no directory."""
        if stat.S_ISLNK(top.st_mode):
            linked = self._link_into_cache(tree, output.path)
            if linked == output.digest and self._cache.path(linked).is_dir():
                return Is.SAME  # the real Pivot links whole trees when it prefers symlinks
            return Is.CACHED if linked else Is.DIFFERENT
        if stat.S_ISREG(top.st_mode):
            held = self._needs_digests and self._holds(self._hash(tree, output.path), top.st_size)
            return Is.CACHED if held else Is.DIFFERENT
        return Is.DIFFERENT

    def _extra(self, tree: Tree, output: Directory) -> Iterator[tuple[str, Is]]:
        """Find files below a directory output that no lock lists; the user's symlinks are his."""
        waiting = [output.path]
        while waiting:
            place = waiting.pop()
            descriptor = tree.open(place)
            if descriptor is None:
                continue
            with os.scandir(descriptor) as entries:
                inside = [
                    (entry.name, entry.stat(follow_symlinks=False))
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False)
                    or f"{place}/{entry.name}" not in self._known
                ]
            for name, found in sorted(inside, key=lambda item: item[0]):
                path = f"{place}/{name}"
                if output.skips_ignored and is_ignored(path[len(output.path) + 1 :]):
                    continue
                if stat.S_ISDIR(found.st_mode):
                    waiting.append(path)
                elif not stat.S_ISLNK(found.st_mode):
                    yield path, self._compare_extra(tree, path, found)
                elif self._link_into_cache(tree, path):
                    yield path, Is.CACHED  # to the real Pivot such a link is that file

    def _compare_extra(self, tree: Tree, path: str, found: os.stat_result) -> Is:
        if not self._needs_digests or not stat.S_ISREG(found.st_mode):
            return Is.DIFFERENT
        cached = self._holds(self._hash(tree, path), found.st_size)
        return Is.CACHED if cached else Is.DIFFERENT


def find_contents(
    root: Path, cache: Cache, references: Iterable[Reference], digests: frozenset[Digest]
) -> dict[Digest, Path]:
    """Find the files below *root* that have the contents *digests*, at their own paths."""
    found: dict[Digest, Path] = {}
    if digests:
        workspace = Workspace(root, cache)
        for entry in references:
            for file in files_of(entry.output):
                if file.digest in digests and file.digest not in found and workspace.find(file):
                    found[file.digest] = root / file.path
    return found
