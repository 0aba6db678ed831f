"""The order in which stages come up, as those before them end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Schedule:
    """An iterator of *names*, each as soon as all that it *needs* of them is done.

    It waits for what is under way, and ends when nothing more can come up. Safe from many threads.
    """

    def __init__(
        self, names: Iterable[str], needs: Mapping[str, Iterable[str]], *, keep_going: bool
    ) -> None:
        self._waiting = dict.fromkeys(names)
        self._needs = {
            name: {other for other in needs[name] if other in self._waiting}
            for name in self._waiting
        }
        self._keep_going = keep_going
        self._running: set[str] = set()
        self._changed = threading.Condition()

    def __iter__(self) -> Schedule:
        return self

    def __next__(self) -> str:
        with self._changed:
            while True:
                for name in self._waiting:
                    if not self._needs[name]:
                        del self._waiting[name]
                        self._running.add(name)
                        return name
                if not self._running or not self._waiting:
                    raise StopIteration
                self._changed.wait()

    def finish(self, name: str, *, success: bool) -> None:
        """Take note that *name* has ended; after a failure what needs it does not come up."""
        with self._changed:
            self._running.discard(name)
            if success:
                for needed in self._needs.values():
                    needed.discard(name)
            elif not self._keep_going:
                self._waiting.clear()
            self._changed.notify_all()

    def stop(self) -> None:
        """Let nothing more come up."""
        with self._changed:
            self._waiting.clear()
            self._running.clear()
            self._changed.notify_all()
