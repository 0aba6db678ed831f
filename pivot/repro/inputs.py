"""What stages read: as the workspace has it, or as it will be when those before have ended."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pivot.errors import PivotError, StageFailed
from pivot.objects import Directory, tree_digest
from pivot.paths import related
from pivot.repro.decide import Found, Has
from pivot.repro.overlay import overlay
from pivot.targets import Reference, References, select

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from pivot.objects import Output
    from pivot.observer import Observer
    from pivot.pipeline import Pipeline
    from pivot.repro.supplies import Supplies
    from pivot.stage import Stage


@dataclass
class Inputs:
    """Knows what stages before have left, or will have left.

    *provided* is what no chosen stage makes, by path: tracked data, and what other locks record.
    Safe from many threads.
    """

    root: Path
    pipeline: Pipeline
    provided: Mapping[str, Reference]
    observer: Observer
    supplies: Supplies
    virtual: dict[str, Reference] = field(default_factory=dict)
    """Recorded outputs that are not in place, but count as if they were."""
    pending: dict[str, str] = field(default_factory=dict)
    """Outputs that may still change, with their stages."""
    needed: dict[str, Reference] = field(default_factory=dict)
    """What is provided, is not in place and can be had, for stages that depend on it."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        declared = {o.path for stage in self.pipeline.stages.values() for o in stage.outputs}
        self._made = declared | self.provided.keys()
        self._stale: set[str] = set()

    def resolve(self, stage: Stage, but: Collection[str]) -> dict[str, Output]:
        """Say what the dependencies of *stage* hold, or will hold, *but* some.

        Raises `StageFailed` that names all that are not there, `PivotError`.
        """
        found: dict[str, Output] = {}
        missing: list[StageFailed] = []
        for path in stage.dependencies:
            if path not in but:
                try:
                    found[path] = self._resolve(stage, path)
                except StageFailed as error:
                    missing.append(error)
        if missing:
            told = "; ".join(error.message for error in missing)
            raise StageFailed(told, hint=missing[0].hint)
        return found

    def waits_for(self, stage: Stage) -> dict[str, str]:
        """List what *stage* reads and another may still change, with that other stage."""
        with self._lock:
            found = {path: related(path, self.pending) for path in stage.reads}
            return {path: self.pending[others[0]] for path, others in found.items() if others}

    def changed_since(self, stage: Stage, found: Found) -> list[str]:
        """List the dependencies of *stage* that are not any more as they were *found*."""
        for path in stage.reads:
            self.observer.forget(path)
        changed = []
        for path, before in found.dependencies.items():
            now = self.observer.look(path, source=self._is_source(path))
            if now is None or now.digest != before.digest:
                changed.append(path)
        return changed

    def forget(self, stage: Stage) -> None:
        """Look at what *stage* reads and makes anew the next time."""
        for path in (*stage.reads, *(output.path for output in stage.outputs)):
            self.observer.forget(path)

    def made(self, stage: Stage) -> None:
        """Take note that *stage* has run: its outputs are what the workspace has."""
        with self._lock:
            for output in stage.outputs:
                self.pending.pop(output.path, None)
                self.virtual.pop(output.path, None)

    def placed(self, references: Iterable[Reference]) -> None:
        """Take note that recorded outputs were put in place."""
        with self._lock:
            for entry in references:
                self.virtual.pop(entry.output.path, None)
                self.observer.forget(entry.output.path)

    def expect(self, stage: Stage, recorded: Iterable[Reference], *, is_open: bool) -> None:
        """Take note of what the stages after *stage* will find.

        Of its outputs those that are *recorded* will be in place; all may change if it *is_open*.
        """
        with self._lock:
            for output in stage.outputs:
                self.virtual.pop(output.path, None)
                if is_open:
                    self.pending[output.path] = stage.name
                else:
                    self.pending.pop(output.path, None)
            self.virtual |= {entry.output.path: entry for entry in recorded}

    def to_place(self, stage: Stage) -> tuple[Reference, ...]:
        """List what *stage* reads that is recorded and not in place, and no more than it reads.

        A directory in which others were still to make something was not looked at before. Raises
        `StageFailed` for what is nowhere.
        """
        for path in stage.reads:
            self._provide(path)
        with self._lock:
            virtual = dict(self.virtual)
        chosen: dict[str, Reference] = {}
        for path in stage.reads:
            for other in related(path, virtual):
                narrow = path if path.startswith(f"{other}/") else other
                entries = References((virtual[other],), frozenset(), {})
                for entry in select(entries, [narrow]):
                    chosen.setdefault(entry.output.path, entry)
        return tuple(chosen.values())

    def stale(self) -> list[Reference]:
        """List tracked data that chosen stages read and that is not any more as it is recorded."""
        return [self.provided[path] for path in sorted(self._stale)]

    def _resolve(self, stage: Stage, path: str) -> Output:
        """Say what a dependency holds, or will hold; raises `PivotError` when it is not there."""
        self._provide(path)
        with self._lock:
            virtual = [self.virtual[other].output for other in related(path, self.virtual)]
        seen = self.observer.look(path, source=self._is_source(path))
        self._compare(path)
        found = overlay(path, seen, virtual, self.supplies.size)
        if found is None:
            raise self._missing(stage, path)
        return found

    def _compare(self, path: str) -> None:
        """Take note of tracked data at *path* that somebody has changed."""
        with self._lock:
            virtual = list(self.virtual)
        for other in related(path, self.provided):
            entry = self.provided[other]
            if entry.is_stage or other in self._stale or related(other, virtual):
                continue
            if is_changed(entry.output, self.observer.look(other)):
                self._stale.add(other)

    def _is_source(self, path: str) -> bool:
        """Tell whether no stage and no tracked data has to do with a path."""
        return not related(path, self._made)

    def _provide(self, path: str) -> None:
        """Count what is provided at *path* as in place, if it is not and can be had.

        Of a directory that is there in part, as after a `pull` of some of it, what is not there
        counts so; what is there is the user's. Raises `StageFailed` when the rest is nowhere.
        """
        for other in related(path, self.provided):
            for entry in self._absent(self.provided[other], path):
                has = self.supplies.has(entry.output)
                if has is Has.NOWHERE:
                    if entry.output.path != other:
                        raise self._missing_part(entry, other)
                    continue
                with self._lock:
                    self.virtual[entry.output.path] = entry
                    if has is not Has.ACCEPTED:
                        self.needed[entry.output.path] = entry

    def _absent(self, entry: Reference, path: str) -> list[Reference]:
        """List what the workspace has not of *entry*, as far as it is read at *path*."""
        output = entry.output
        if not os.path.lexists(self.root / output.path):
            return [entry]
        if not isinstance(output, Directory) or not (self.root / output.path).is_dir():
            return []
        parts: list[Output] = [*output.files]
        parts += [Directory(p, tree_digest((), (), above=p), ()) for p in output.empty]
        return [
            replace(entry, output=part)
            for part in parts
            if related(path, [part.path]) and not os.path.lexists(self.root / part.path)
        ]

    def _missing_part(self, entry: Reference, whole: str) -> PivotError:
        gone = f"'pivot track --force {whole}' if it is gone on purpose"
        again = f"'pivot repro {entry.owner}' to make it again"
        return StageFailed(
            f"{entry.output.path}, which {entry.document} records, is not there",
            hint=f"'pivot pull {whole}', or {again if entry.is_stage else gone}",
        )

    def _missing(self, stage: Stage, path: str) -> PivotError:
        known = [self.provided[other] for other in related(path, self.provided)]
        text = f"{path}, which stage {stage.name} reads, is not there"
        idle = [
            f"stage {other.name} makes it, and {other.idle}"
            for other in self.pipeline.stages.values()
            if other.idle and related(path, [output.path for output in other.outputs])
        ]
        if idle:
            hint = f"{idle[0]}; 'pivot pull' if its outputs were pushed"
        elif known:
            hint = f"'pivot pull {known[0].output.path}', or 'pivot repro --pull'"
        else:
            near = self._nearest(path)
            meant = f"did you mean '{near}'? If not, " if near else ""
            hint = f"{meant}make it, or correct the deps in {stage.document}, line {stage.line}"
        return StageFailed(text, hint=hint)

    def _nearest(self, path: str) -> str:
        """Find what *path* was perhaps meant to be: an output, or a file beside it."""
        import difflib  # noqa: PLC0415  on such bad days alone

        made = [o.path for stage in self.pipeline.stages.values() for o in stage.outputs]
        above = os.path.dirname(path)
        with contextlib.suppress(OSError):
            made += [os.path.join(above, name) for name in os.listdir(self.root / above)]
        return next(iter(difflib.get_close_matches(path, made, n=1, cutoff=0.8)), "")


def is_changed(recorded: Output, now: Output | None) -> bool:
    """Tell whether tracked data that is there is not as it is *recorded*.

    Of directories of the oldest releases, which left names out, that is not known.
    """
    if now is None or (isinstance(recorded, Directory) and recorded.skips_ignored):
        return False
    return now.digest != recorded.digest
