"""Where stages stand of which only the lock file is known, and tracked data."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pivot.errors import PivotError, RemoteError, StageFailed
from pivot.lockfile import is_ignored
from pivot.objects import Directory, files_of
from pivot.pipeline import Pipeline, find_makers
from pivot.repro.decide import Has
from pivot.repro.inputs import Inputs, is_changed
from pivot.results import Problem
from pivot.stage import Stage
from pivot.stage_needs import inputs_of
from pivot.stage_states import StageState, State

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from pivot.lockfile import StageLock
    from pivot.objects import Digest, Output
    from pivot.observer import Observer
    from pivot.references import Documents
    from pivot.repro.supplies import Supplies
    from pivot.targets import Reference

UNSEEN = "whether its code changed cannot be seen here"
PAST = "no pivot.yaml has this stage any more"


class LockStates:
    """Compares recorded dependencies with what is there, or will be when recorded data is placed.

    A stage of which nothing changed that can be compared is `unknown`, never `hit`: what only the
    real Pivot runs may have changed in its code.
    """

    def __init__(
        self, root: Path, documents: Documents, observer: Observer, supplies: Supplies
    ) -> None:
        self._root = root
        self._observer = observer
        self._supplies = supplies
        self._locks = {lock.stage: lock for lock in documents.locks}
        self._entries = {entry.output.path: entry for entry in documents.references.entries}
        self._makers = dict(_makers(documents))
        self._paths = sorted(self._makers)
        self._at = {path: path for path in self._paths}
        self.lost: set[Digest] = set()
        """The objects that can be had nowhere, as far as was looked."""
        self.stuck: set[str] = set()
        """Stages that cannot run now, since an input is not to be had."""
        self.problems: list[Problem] = []

    def stage(
        self,
        lock: StageLock,
        entries: Sequence[Reference],
        needs: tuple[str, ...],
        waits: Sequence[str],
    ) -> StageState:
        """Say where a stage stands whose outputs are *entries*; of what it *needs* some run first.

        It *waits* for these, so that what they make is not compared.
        """

        def judge(count: int, gone: int) -> tuple[State, str]:
            absent, changes = self._compare(lock, waits)
            if absent:
                self.stuck.add(lock.stage)
            if changes:
                return State.CHANGED, "; ".join(changes[:_SHOWN])
            if waits:
                return State.WAITING, f"{waits[0]} may change its input"
            return _lacking(count, gone) or (State.UNKNOWN, "; ".join(absent[:_SHOWN]) or UNSEEN)

        return self._state(lock.stage, lock.document, entries, judge, needs)

    def past(self, lock: StageLock, entries: Sequence[Reference]) -> StageState:
        """Say of a stage that no pipeline has any more whether its *entries* can be had."""
        return self._state(
            lock.stage, lock.document, entries, lambda *seen: _lacking(*seen) or (State.HIT, PAST)
        )

    def data(self, entry: Reference) -> StageState:
        """Say where tracked data stands."""

        def judge(count: int, gone: int) -> tuple[State, str]:
            if is_changed(entry.output, self._observer.look(entry.output.path)):
                return State.CHANGED, f"pivot track --force {shlex.quote(entry.output.path)}"
            return _lacking(count, gone) or (State.HIT, "")

        return self._state(entry.owner, entry.document, [entry], judge)

    def _state(
        self,
        name: str,
        document: str,
        entries: Sequence[Reference],
        judge: Callable[[int, int], tuple[State, str]],
        needs: tuple[str, ...] = (),
    ) -> StageState:
        """Count objects, then *judge*; what cannot be looked at is unknown, and a problem."""
        try:
            count, size, gone = self._count(entries)
            state, reason = judge(count, gone)
        except PivotError as error:
            if isinstance(error, RemoteError) and all(e.imported_from is None for e in entries):
                raise  # the remote as a whole fails
            self.stuck.add(name)
            self.problems.append(Problem(error.code, error.message, error.hint, owner=name))
            return StageState(name, document, State.UNKNOWN, error.message, needs=needs)
        return StageState(name, document, state, reason, count, size, gone, needs)

    def _count(self, entries: Iterable[Reference]) -> tuple[int, int, int]:
        """Count the objects of *entries*, their bytes, and those that can be had nowhere."""
        sizes: dict[Digest, int] = {}
        gone: set[Digest] = set()
        for entry in entries:
            for file in files_of(entry.output):
                sizes[file.digest] = file.size or self._supplies.size(file.digest) or 0
            now = self._look(entry.output.path)
            if now is not None and is_same(entry.output, now):
                continue
            if self._supplies.has(entry.output) is Has.NOWHERE:
                here = {file.digest for file in files_of(now)} if now is not None else set()
                gone |= self._supplies.lacks(entry.output) - here
        self.lost |= gone
        return len(sizes), sum(sizes.values()), len(gone)

    def _look(self, path: str) -> Output | None:
        try:
            return self._observer.look(path)
        except PivotError:  # a loop of symlinks, a pipe: not what is recorded
            return None

    def _compare(self, lock: StageLock, waits: Collection[str]) -> tuple[list[str], list[str]]:
        """Say which inputs are not to be had and which changed, but for what *waits* will make.

        What is recorded and not there has not changed for that; what nobody records has.
        """
        absent: list[str] = []
        changes: list[str] = []
        for before in inputs_of(lock, self._locks):
            places = self._related(before.path)
            if not any(self._makers[place] in waits for place in places):
                try:
                    now = self._resolve(lock, before.path, places)
                except StageFailed:
                    absent.append(f"{before.path} is not there")
                    entry = self._entries.get(before.path)
                    if not places:
                        changes.append(absent[-1])
                    elif entry is not None and not is_same(before, entry.output):
                        changes.append(f"{before.path} changed")
                else:
                    changes += [] if is_same(before, now) else [f"{before.path} changed"]
        return absent, changes

    def _resolve(self, lock: StageLock, path: str, places: Iterable[str]) -> Output:
        """Say what is at *path*, or will be when what is recorded is put in *places*.

        That is what `repro` would find. Raises `StageFailed` for nothing, `PivotError`.
        """
        provided = {place: self._entries[place] for place in places if place in self._entries}
        inputs = Inputs(self._root, _NO_STAGES, provided, self._observer, self._supplies)
        stage = Stage(lock.stage, lock.stage, lock.document, dependencies=(path,))
        return inputs.resolve(stage, ())[path]

    def _related(self, path: str) -> list[str]:
        """List recorded outputs and tracked data at *path*, in it or around it."""
        return list(find_makers(path, self._at, self._paths))


_SHOWN = 3
_NO_STAGES = Pipeline({}, {})


def is_same(recorded: Output, now: Output) -> bool:
    """Tell whether what is there *now* is what was *recorded*, by whatever release.

    Old ones left out of directories what others did not: empty ones, names such as `__pycache__`.
    """
    if recorded.digest == now.digest:
        return True
    if not isinstance(recorded, Directory) or not isinstance(now, Directory):
        return False
    before, found = _contents(recorded), _contents(now)
    if not any(map(is_ignored, before)):
        found = {name: digest for name, digest in found.items() if not is_ignored(name)}
    return before == found


def _contents(directory: Directory) -> dict[str, Digest]:
    cut = len(directory.path) + 1
    return {file.path[cut:]: file.digest for file in directory.files}


def _lacking(count: int, gone: int) -> tuple[State, str] | None:
    if not gone:
        return None
    state = State.MISSING if gone == count else State.PARTIAL
    return state, f"{gone} of {count} objects can be had nowhere"


def _makers(documents: Documents) -> Iterator[tuple[str, str]]:
    """Name who made what is at each recorded path: a stage, or nobody for tracked data."""
    for tracked in documents.tracked:
        yield tracked.output.path, ""
    for lock in documents.locks:
        for output in (*lock.outputs, *lock.uncached, *lock.undecided):
            yield output.path, lock.stage
