"""See to it that nothing of the user's is lost when the outputs of a stage are to go."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pivot.errors import PivotError, StageFailed, local_error
from pivot.git import tracked_paths
from pivot.objects import digest_bytes
from pivot.repro.decide import Has
from pivot.targets import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pivot.objects import File
    from pivot.repro.before import Before
    from pivot.repro.decide import Found
    from pivot.repro.exclusive import Unfinished
    from pivot.repro.keeping import Keeper
    from pivot.stage import Stage

_SHOWN = 3
REPLACED = "replaced.log"


@dataclass
class Saver:
    """Puts into the cache what is to be replaced; *stages* are all of the pipeline.

    What a failed command left, and nobody has touched since, is no loss. With *force* also
    directories go that hold files of git's. Safe from many threads.
    """

    root: Path
    log: Path
    keeper: Keeper
    unfinished: Unfinished
    before: Before
    stages: Iterable[Stage]
    force: bool
    _in_git: frozenset[str] | None = field(default=None)

    def __post_init__(self) -> None:
        self._half_done = self.unfinished.left()

    def save_outputs(self, stage: Stage, found: Found, paths: Iterable[str]) -> list[str]:
        """Keep what stands at *paths*, outputs of *stage* that are to go; answer with warnings.

        Raises `StageFailed` for what cannot be kept.
        """
        cached = {output.path: output.cached for output in stage.outputs}
        warnings: list[str] = []
        for path in paths:
            self._check_git(stage, path)
            state = found.outputs.get(path)
            same = state is not None and state.has is Has.PLACE
            if (same and not cached.get(path, True)) or self._is_left_over(stage, path):
                continue  # as its lock has it, so in git; or half made
            saved = self.save(path)
            warnings += [] if same else saved
        return warnings

    def save(self, path: str) -> list[str]:
        """Keep what stands at *path*; say which files had been nowhere else."""
        saved = self.keeper.save(path)
        target = self.root / path
        if target.is_symlink() and not self.keeper.observer.is_own_link(path):
            return [f"{path} was a symlink to {os.readlink(target)} and is replaced"]
        if not saved:
            return []
        self._note(saved)
        told = [
            f"{file.path} was there and is replaced; it is kept as object {file.digest}"
            for file in saved[:_SHOWN]
        ]
        if len(saved) > _SHOWN:
            more = f"{len(saved) - _SHOWN} more files below {path} are kept"
            told.append(f"{more}; {os.path.relpath(self.log, self.root)} lists them")
        return told

    def begin_persist(self, stage: Stage) -> tuple[list[str], tuple[Reference, ...]]:
        """Take away what a command that did not end made of what is to persist.

        The answer is what it had begun with, to be put back, with the warnings that come of it.
        What somebody made of it since stays; what somebody removed is put back as well.
        """
        paths = [output.path for output in stage.outputs if output.persist]
        before = self.before.read(stage.name) if stage.name in self._half_done else None
        if before is None or not self.keeper.holds(before):
            return [], ()
        left = self.unfinished.left_by(stage.name)
        here = [path for path in paths if os.path.lexists(self.root / path)]
        if any(left.get(path, "") not in {"", signature(self.root, path)} for path in here):
            paths = [path for path in paths if path not in here]
        unknown = [path for path in paths if not left.get(path)]
        warnings = [text for path in unknown for text in self.save(path)]
        self.unfinished.fail(stage.name, {**left, **dict.fromkeys(paths, "")})  # unknown from now
        self.keeper.remove(paths)
        document = f"what {stage.name} began with"
        back = (output for output in before if output.path in paths)
        return warnings, tuple(Reference(o, stage.name, document, is_stage=True) for o in back)

    def note_persist(self, stage: Stage) -> None:
        """Know what is to persist before a command begins."""
        if paths := [output.path for output in stage.outputs if output.persist]:
            self.before.write(stage, self.keeper.save_all(paths))

    def note_failure(self, stage: Stage) -> None:
        """Note what a failed command left, to know it from what somebody makes of it."""
        left = {output.path: signature(self.root, output.path) for output in stage.outputs}
        self.unfinished.fail(stage.name, left)

    def end(self, stage: str) -> None:
        """Forget that a stage began, since it has ended."""
        self.unfinished.end(stage)
        self.before.end(stage)

    def _is_left_over(self, stage: Stage, path: str) -> bool:
        left = self.unfinished.left_by(stage.name)
        return bool(left) and left.get(path) == signature(self.root, path)

    def _check_git(self, stage: Stage, path: str) -> None:
        place = self.root / path
        if self.force or place.is_symlink() or not place.is_dir():
            return
        if self._in_git is None:
            outputs = [output.path for each in self.stages for output in each.outputs]
            try:
                self._in_git = frozenset(tracked_paths(self.root, outputs))
            except PivotError:  # their contents are kept in the cache all the same
                self._in_git = frozenset()
        if path in self._in_git:
            raise StageFailed(
                f"{path}, which stage {stage.name} makes anew, has files that are in git",
                hint=f"'git ls-files {path}' lists them: move them, 'git rm --cached' them, or "
                "run with --force",
            )

    def _note(self, saved: Iterable[File]) -> None:
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        lines = "".join(f"{now}\t{file.digest}\t{file.path!r}\n" for file in saved)
        try:
            with open(self.log, "a", encoding="utf-8", errors="backslashreplace") as log:
                log.write(lines)
        except OSError as error:
            raise local_error(error, self.log) from error


def signature(root: Path, path: str) -> str:
    """Sum up what stands at *path* without reading it: names, inodes, sizes and times."""
    return digest_bytes("\n".join(_describe(str(root / path))).encode("utf-8", "surrogateescape"))


def _describe(place: str) -> Iterator[str]:
    try:
        found = os.lstat(place)
    except OSError:
        yield "nothing"
        return
    yield f"{found.st_mode} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
    if stat.S_ISDIR(found.st_mode):
        for name in sorted(os.listdir(place)):
            yield name
            yield from _describe(f"{place}/{name}")
