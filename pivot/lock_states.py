"""Where stages stand of which only the lock file is known, and tracked data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.objects import files_of
from pivot.repro.decide import Has
from pivot.repro.inputs import is_changed
from pivot.stage_states import StageState, State
from pivot.transfer_states import makers_of, needs_of_locks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pivot.lockfile import StageLock
    from pivot.objects import Digest, Output
    from pivot.observer import Observer
    from pivot.references import Documents
    from pivot.repro.supplies import Supplies
    from pivot.targets import Reference

UNSEEN = "whether its code changed cannot be seen here"


class LockStates:
    """Compares recorded dependencies with what is there; *known* are the states of other stages.

    A stage of which nothing changed that can be compared is `unknown`, never `hit`: what only the
    real Pivot runs may have changed in its code.
    """

    def __init__(
        self,
        documents: Documents,
        observer: Observer,
        supplies: Supplies,
        known: Mapping[str, StageState],
    ) -> None:
        self._documents = documents
        self._observer = observer
        self._supplies = supplies
        self.lost: set[Digest] = set()
        """The objects that can be had nowhere, as far as was looked."""
        self._states = dict(known)
        self._recorded: dict[str, Output] = {}
        for lock in documents.locks:
            for output in (*lock.outputs, *lock.uncached, *lock.undecided):
                self._recorded[output.path] = output
        for tracked in documents.tracked:
            self._recorded[tracked.output.path] = tracked.output

    def of(self, references: Sequence[Reference]) -> list[StageState]:
        """Say where the owners of *references* stand: stages in their order, then tracked data."""
        groups: dict[str, list[Reference]] = {}
        for entry in references:
            groups.setdefault(entry.owner, []).append(entry)
        locks = {lock.stage: lock for lock in self._documents.locks}
        needs = needs_of_locks(self._documents.locks)
        found = []
        for name in needs:
            if name in groups and groups[name][0].is_stage:
                state = self._stage(locks[name], groups[name], needs.get(name, ()))
                self._states[name] = state
                found.append(state)
        data = [entry for entry in references if not entry.is_stage]
        return [*found, *(self._data(entry) for entry in data)]

    def _stage(
        self, lock: StageLock, entries: Sequence[Reference], needs: tuple[str, ...]
    ) -> StageState:
        objects, size, missing = self._count(entries)
        waits = [name for name in needs if self._runs(name)]
        changes = list(self._changes(lock))
        if changes:
            state, reason = State.CHANGED, "; ".join(changes[:3])
        elif waits:
            state, reason = State.WAITING, f"{waits[0]} may change its input"
        elif missing:
            state = State.MISSING if missing == objects else State.PARTIAL
            reason = f"{missing} of {objects} objects can be had nowhere"
        else:
            state, reason = State.UNKNOWN, UNSEEN
        return StageState(lock.stage, lock.document, state, reason, objects, size, missing, needs)

    def _runs(self, name: str) -> bool:
        state = self._states.get(name)
        return state is not None and state.state not in {State.HIT, State.UNKNOWN}

    def _changes(self, lock: StageLock) -> Iterator[str]:
        for dependency in lock.dependencies:
            made = self._recorded.get(dependency.path)
            now = self._observer.look(dependency.path)
            if now is not None and is_changed(dependency, now):
                yield f"{dependency.path} changed"
            elif now is None and made is None and not self._is_within(dependency.path):
                yield f"{dependency.path} is not here"
            elif now is None and made is not None and is_changed(dependency, made):
                yield f"{dependency.path} changed"

    def _is_within(self, path: str) -> bool:
        """Tell whether *path* lies in, or around, something recorded: then nobody can compare."""
        return bool(makers_of([path], dict.fromkeys(self._recorded, "x"), "")) or any(
            other.startswith(f"{path}/") for other in self._recorded
        )

    def _data(self, entry: Reference) -> StageState:
        objects, size, missing = self._count([entry])
        now = self._observer.look(entry.output.path)
        if now is not None and is_changed(entry.output, now):
            state, reason = State.CHANGED, f"pivot track --force '{entry.output.path}'"
        elif missing:
            state = State.MISSING if missing == objects else State.PARTIAL
            reason = f"{missing} of {objects} objects can be had nowhere"
        else:
            state, reason = State.HIT, ""
        return StageState(entry.owner, entry.document, state, reason, objects, size, missing)

    def _count(self, entries: Sequence[Reference]) -> tuple[int, int, int]:
        """Count the objects of *entries*, their bytes, and those that can be had nowhere."""
        digests: dict[str, int] = {}
        gone: set[Digest] = set()
        for entry in entries:
            for file in files_of(entry.output):
                held = self._supplies.size(file.digest)
                digests[file.digest] = file.size or held or 0
            now = self._observer.look(entry.output.path)
            in_place = now is not None and now.digest == entry.output.digest
            if not in_place and self._supplies.has(entry.output) is Has.NOWHERE:
                gone |= self._supplies.lacks(entry.output)
        self.lost |= gone
        return len(digests), sum(digests.values()), len(gone)
