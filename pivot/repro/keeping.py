"""What happens to the files of a stage around its run: make way for them, then keep them."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from typing import TYPE_CHECKING

from pivot.copying import copy_file
from pivot.errors import PivotError, StageFailed, local_error
from pivot.frozen import frozen
from pivot.keys import Link
from pivot.ledger import Section, ledger_path, write_ledger
from pivot.lock_writer import lock_path
from pivot.objects import Directory, File, Output, files_of
from pivot.placement import place
from pivot.plan import OutputPlan, Step
from pivot.project import PIPELINE
from pivot.remembered import settle
from pivot.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pivot.cache import Cache
    from pivot.objects import Digest
    from pivot.observer import Observer
    from pivot.remembered import Remembered
    from pivot.scratch import Scratch
    from pivot.stage import DeclaredOutput, Stage


@frozen
class Keeper:
    """Keeps contents of the workspace in the cache; *links* are the ways to place a file."""

    root: Path
    cache: Cache
    observer: Observer
    remembered: Remembered
    scratch: Scratch
    links: Sequence[Link]

    def keep(self, stage: Stage) -> tuple[Output, ...]:
        """Put what *stage* made into the cache, and link the workspace to it as configured.

        Each file is read once. Raises `StageFailed` when an output is not there.
        """
        made = tuple(self._keep(stage, output) for output in stage.outputs)
        self.cache.publish()
        for output, declared in zip(made, stage.outputs, strict=True):
            if declared.cached and self.links[0] is not Link.COPY:
                self._link(output)
        return made

    def write_ledger(self, stage: Stage, made: Sequence[Output]) -> None:
        """Write the SHA-256 of all that *stage* made and the cache has, which saw all of it."""
        ledger = {}
        for output, declared in zip(made, stage.outputs, strict=True):
            sums = {file.path: self.cache.sha256(file.digest) for file in files_of(output)}
            found = {path: sha256 for path, sha256 in sums.items() if sha256 is not None}
            if declared.cached:
                ledger[output.path] = Section(output.digest, found)
        write_ledger(self.root, ledger_path(lock_path(stage.name)), ledger)

    def save(self, path: str) -> list[File]:
        """Put what stands at *path* into the cache, since it is to go; list what it did not have.

        What has no content of its own, such as a symlink, is no loss. Raises `LocalError`, and
        `StageFailed` for what cannot be kept.
        """
        if not _is_content(self.root / path):
            return []
        self.observer.forget(path)
        try:
            found = self.observer.look(path)
        except PivotError as error:
            raise StageFailed(
                f"{path} is in the way and cannot be kept: {error.message}",
                hint=f"move {path} away, or remove it",
            ) from error
        files = {file.digest: file for file in files_of(found)} if found is not None else {}
        held = self.cache.stat(files)
        lacking = [file for digest, file in files.items() if digest not in held]
        for file in lacking:
            self.cache.add(self.root / file.path)
        self.cache.publish()
        return lacking

    def save_all(self, paths: Sequence[str]) -> tuple[Output, ...]:
        """Put all that stands at *paths* into the cache and say what it is; raises as `save`."""
        for path in paths:
            self.save(path)
        looked = [self.observer.look(path) for path in paths]
        return tuple(found for found in looked if found is not None)

    def holds(self, outputs: Sequence[Output]) -> bool:
        """Tell whether the cache has all of *outputs*."""
        files = {file.digest for output in outputs for file in files_of(output)}
        return len(self.cache.stat(files)) == len(files)

    def make_way(self, stage: Stage) -> None:
        """Remove what *stage* will make, and make the directories that it goes to.

        What is to stay becomes the stage's own to change: no link into the cache any more.
        """
        with Tree(self.root) as tree:
            for output in stage.outputs:
                tree.parent(output.path)  # what is in the way is said before anything goes
            for output in stage.outputs:
                if output.persist:
                    self._loosen(tree, output)
                else:
                    tree.remove(output.path)
                tree.parent(output.path, make=True)
                self.observer.forget(output.path)

    def remove(self, paths: Sequence[str]) -> None:
        """Remove *paths* from the workspace."""
        with Tree(self.root) as tree:
            for path in paths:
                tree.remove(path)
                self.observer.forget(path)

    def _keep(self, stage: Stage, output: DeclaredOutput) -> Output:
        place = self.root / output.path
        if not os.path.lexists(place):
            raise StageFailed(
                f"stage {stage.name} did not make {output.path}",
                hint=f"correct the command, or the outs in {stage.document}, line {stage.line}",
            )
        if place.is_symlink() and not self.observer.is_own_link(output.path):
            raise StageFailed(
                f"stage {stage.name} made {output.path} a symlink; an output is a file or a "
                "directory",
                hint="copy the data there, or declare what the link leads to",
            )
        self.observer.forget(output.path)
        found = self.observer.look(output.path, read=self._add if output.cached else None)
        if found is None:
            raise StageFailed(f"{output.path} is gone while it is read")
        for file in files_of(found):
            if file.path.endswith((f"/{PIPELINE}", ".pvt")):
                raise StageFailed(
                    f"stage {stage.name} made {file.path}, which Pivot would read as its own",
                    hint="give it another name, or leave it out of the output",
                )
        return found

    def _add(self, path: str, found: os.stat_result) -> tuple[Digest, int]:
        """Read a file on its way into the cache, unless the cache is known to have it."""
        known = self.remembered.recall(path, found)
        if known is not None and self.cache.stat([known]).get(known) == found.st_size:
            return known, found.st_size
        place = self.root / path
        if place.is_symlink():  # an object of the cache, which has it
            return self.observer.digest(path, found)
        read_at = time.time_ns()
        digest, size = self.cache.add(place, executable=bool(found.st_mode & stat.S_IXUSR))
        self.remembered.note(path, found, digest, read_at=read_at)
        return digest, size

    def _link(self, output: Output) -> None:
        """Let the workspace share the bytes of the cache, but for directories made read-only."""
        files = [file for file in files_of(output) if not self._is_linked(file)]
        steps = tuple((file, Step.REPLACE) for file in files)
        plan = OutputPlan(output, "", "", steps)
        done = place((plan,), self.root, cache=self.cache, scratch=self.scratch, links=self.links)
        for placed in done:
            if placed.error is not None:
                if isinstance(placed.error.__cause__, PermissionError):
                    return
                raise placed.error
        self._remember(files)

    def _is_linked(self, file: File) -> bool:
        place, held = self.root / file.path, self.cache.path(file.digest)
        return place.is_symlink() or place.samefile(held)

    def _remember(self, files: Sequence[File]) -> None:
        """Know the files again that have just got another inode."""
        found = [(file, os.stat(self.root / file.path)) for file in files]
        settle([status.st_ctime_ns for _, status in found])
        now = time.time_ns()
        for file, status in found:
            self.remembered.note(file.path, status, file.digest, read_at=now)

    def _loosen(self, tree: Tree, output: DeclaredOutput) -> None:
        """Make private copies of what is linked to the cache."""
        found = self.observer.look(output.path)
        if isinstance(found, Directory) and (self.root / output.path).is_symlink():
            raise StageFailed(f"{output.path} is a symlink to a directory, and is to persist")
        for file in files_of(found) if found is not None else ():
            above, name = tree.parent(file.path)
            source = self.root / file.path
            try:
                status = source.lstat()
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                    os.chmod(name, status.st_mode | 0o200, dir_fd=above)
                    continue
                mode = 0o755 if file.executable else 0o644
                self._copy(source, name, mode=mode, directory=above)
            except OSError as error:
                raise local_error(error, file.path) from error

    def _copy(self, source: Path, name: str, *, mode: int, directory: int | None) -> None:
        """Replace the file *name* in *directory* by a copy of *source*."""
        aside = self.scratch.directory() / secrets.token_hex(8)
        copy_file(source, str(aside), mode=mode)
        try:
            os.rename(aside, name, dst_dir_fd=directory)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            beside = f".pivot-{secrets.token_hex(8)}"
            copy_file(source, beside, mode=mode, directory=directory)
            os.rename(beside, name, src_dir_fd=directory, dst_dir_fd=directory)


def _is_content(place: Path) -> bool:
    try:
        mode = place.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)
