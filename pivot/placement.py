"""Carry a checkout plan out: put objects where the workspace needs them, each one atomically."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from typing import TYPE_CHECKING

from pivot.copying import copy_file
from pivot.errors import LocalError, PivotError, local_error
from pivot.exchange import exchange, newcomers, share_directory
from pivot.frozen import frozen
from pivot.keys import Link
from pivot.objects import Directory, File, Output
from pivot.plan import CheckoutPlan, OutputPlan, Step
from pivot.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from pivot.cache import Cache
    from pivot.exchange import Shared
    from pivot.scratch import Scratch

_TRIES = 10
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_CANNOT_LINK = frozenset(
    {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS, errno.EOPNOTSUPP}
)


@frozen
class Placed:
    """What became of one output: how many files were placed and removed, or why not the rest."""

    path: str
    files: int
    removed: int = 0
    error: PivotError | None = None


def place(
    plan: CheckoutPlan,
    root: Path,
    *,
    cache: Cache,
    scratch: Scratch,
    links: Sequence[Link],
) -> list[Placed]:
    """Place what *plan* says below *root*; the failure of an output does not stop the others.

    Where no other could succeed either, as on a full disk, the rest is not tried. *links* are the
    ways to place a file, tried in order. Raises `LocalError` when *root* cannot be opened.
    """
    results = []
    with Tree(root) as tree:
        placer = _Placer(tree, cache, scratch, tuple(links))
        for output in plan:
            if output.problem is not None or output.refused:
                continue
            path, placed, removed = output.output.path, placer.placed, placer.removed
            error: PivotError | None = None
            try:
                placer.place(output)
            except PivotError as failure:
                error = failure
            counts = placer.placed - placed, placer.removed - removed
            results.append(Placed(path, *counts, error))
            if isinstance(cause := error and error.__cause__, OSError) and cause.errno in _FULL:
                break
    return results


class _Placer:
    def __init__(self, tree: Tree, cache: Cache, scratch: Scratch, links: tuple[Link, ...]) -> None:
        self._tree = tree
        self._cache = cache
        self._scratch = scratch
        self._links = links
        self.placed = 0
        self.removed = 0
        """How many files were placed and removed so far."""

    def place(self, plan: OutputPlan) -> None:
        """Place one output."""
        files = [file for file, step in plan.steps if step in {Step.CREATE, Step.REPLACE}]
        swap = plan.output.path in plan.remove
        if plan.build and isinstance(plan.output, Directory) and not _incomplete(plan):
            self._build(plan.output, files, swap=swap)
            return
        if len(files) + len(plan.remove) > 1 and self._update(plan, files):
            return
        # All is made ready before anything changes: what then remains are renames.
        aside = [(file, self._prepare(file)) for file in files]
        for path in plan.remove:  # first: a directory may stand where a file belongs
            self._tree.remove(path)
            self._prune(path, plan.output)
            self.removed += 1
        for file, source in aside:
            self._install(file, source)
        if isinstance(plan.output, Directory) and not _incomplete(plan):
            for path in plan.output.empty:
                self._tree.open(path, make=True)

    def _build(self, output: Directory, files: Sequence[File], *, swap: bool) -> None:
        """Build a directory aside and give it its name when it is whole."""
        aside = self._scratch.directory() / secrets.token_hex(8)
        cut = len(output.path) + 1
        made: set[str] = set()
        try:
            aside.mkdir()
            for file in files:  # as texts: a Path costs more than the link
                target = f"{aside}/{file.path[cut:]}"
                above = target.rpartition("/")[0]
                if above not in made:
                    os.makedirs(above, exist_ok=True)
                    made.add(above)
                self._make(file, target, None)
            for path in output.empty:
                (aside / path[cut:]).mkdir(parents=True, exist_ok=True)
            if swap:
                self._tree.remove(output.path)
            place, name = self._tree.parent(output.path, make=True)
            os.rename(aside, name, dst_dir_fd=place)
            self.placed += len(files)
        except OSError as error:
            if error.errno not in {errno.EXDEV, errno.ENOTEMPTY, errno.EEXIST}:
                raise local_error(error, output.path) from error
            # its place is on another file system than .pivot, or an output inside it came first
            for file in files:
                self._install(file, self._prepare(file))
            for path in output.empty:
                self._tree.open(path, make=True)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _update(self, plan: OutputPlan, files: Sequence[File]) -> bool:
        """Update a directory as a whole; false where that cannot be, and nothing was done."""
        output = plan.output
        if not isinstance(output, Directory):
            return False
        for _ in range(_TRIES):  # somebody else may be updating it as well
            done = self._try_update(plan, output, files)
            if done is not None:
                self.placed += len(files) * done
                self.removed += len(plan.remove) * done
                return done
        raise LocalError(f"{output.path} keeps changing", hint="let one command end first")

    def _try_update(
        self, plan: OutputPlan, output: Directory, files: Sequence[File]
    ) -> bool | None:
        """Update a directory once; `None` if something else stands there meanwhile."""
        aside = self._scratch.directory() / secrets.token_hex(8)
        cut = len(output.path) + 1
        changed = {path[cut:] for path in (*plan.remove, *(file.path for file in files))}
        try:
            source = self._tree.open(output.path)
            if source is None:
                return False
            before = os.fstat(source)
            shared = share_directory(source, aside, changed)
            if shared is None:
                return False
            with Tree(aside) as inside:  # what is shared may have a symlink by now
                for file in files:
                    place, last = inside.parent(file.path[cut:], make=True)
                    self._make(file, last, place)
                for path in output.empty:
                    inside.open(path[cut:], make=True)
            above, name = self._tree.parent(output.path)
            if not exchange(aside, name, above):
                return False
            old = aside.lstat()
            if not stat.S_ISDIR(old.st_mode) or not os.path.samestat(before, old):
                exchange(aside, name, above)
                return None
            self._carry_over(aside, output.path, shared, changed)
        except OSError as error:
            raise local_error(error, output.path) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return True

    def _carry_over(self, old: Path, path: str, shared: Shared, changed: Collection[str]) -> None:
        """Keep what somebody put into the old directory while the new one was made."""
        descriptor = os.open(old, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            for name in newcomers(descriptor, shared, changed):
                above, last = self._tree.parent(f"{path}/{name}", make=True)
                os.rename(old / name, last, dst_dir_fd=above)
        finally:
            os.close(descriptor)

    def _prepare(self, file: File) -> str:
        """Make a file aside, where the end of the run removes what is left."""
        aside = str(self._scratch.directory() / secrets.token_hex(8))
        try:
            self._make(file, aside, None)
        except OSError as error:
            raise local_error(error, file.path) from error
        return aside

    def _install(self, file: File, aside: str) -> None:
        """Rename a file to its place, over what the plan lets go."""
        above, name = self._tree.parent(file.path, make=True)
        try:
            try:
                self._give_name(aside, None, name, above, file.path)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                beside = f".pivot-{secrets.token_hex(8)}"
                self._make(file, beside, above)
                self._give_name(beside, above, name, above, file.path)
                os.unlink(aside)
            self.placed += 1
        except OSError as error:
            raise local_error(error, file.path) from error

    def _give_name(
        self, source: str, source_fd: int | None, name: str, above: int | None, path: str
    ) -> None:
        try:
            os.rename(source, name, src_dir_fd=source_fd, dst_dir_fd=above)
        except IsADirectoryError:
            self._tree.remove(path)
            above, name = self._tree.parent(path)
            os.rename(source, name, src_dir_fd=source_fd, dst_dir_fd=above)

    def _make(self, file: File, target: str, directory: int | None) -> None:
        """Make *target* share the object's bytes in the first way that works here."""
        source = self._cache.place(file.digest)
        held = os.stat(source, follow_symlinks=False)
        fits = (
            file.executable is None
            or file.lenient
            or bool(held.st_mode & stat.S_IXUSR) == file.executable
        )
        links = self._links if fits else (Link.COPY,)
        for link in links:
            try:
                match link:
                    case Link.HARDLINK:
                        os.link(source, target, dst_dir_fd=directory, follow_symlinks=False)
                    case Link.SYMLINK:
                        os.symlink(os.path.abspath(source), target, dir_fd=directory)
                    case Link.COPY:
                        mode = 0o755 if file.executable else 0o644
                        copy_file(source, target, mode=mode, directory=directory)
            except OSError as error:
                if error.errno not in _CANNOT_LINK or (link is Link.COPY and link is links[-1]):
                    raise
            else:
                return
        raise LocalError(
            f"{file.path}: {' or '.join(links)} is not possible: the file system cannot, or the "
            f"cache ({self._cache.root}) is on another file system",
            hint="use --checkout-mode copy, or add copy to cache.checkout_mode",
        )

    def _prune(self, path: str, output: Output) -> None:
        """Remove the directories of an output that are empty since *path* is gone."""
        while (path := path.rpartition("/")[0]) and path.startswith(f"{output.path}/"):
            above, name = self._tree.parent(path)
            try:
                os.rmdir(name, dir_fd=above)
            except OSError:
                return  # not empty, or not ours to remove


def _incomplete(plan: OutputPlan) -> bool:
    return any(step in {Step.MISSING, Step.HOLD, Step.REFUSE} for _, step in plan.steps)
