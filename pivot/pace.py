"""How many requests go out at a time: fewer when the service asks for it, more again later."""

from __future__ import annotations

import random
import threading

_CALM = 1.0  # seconds in which one complaint counts, however many requests it hits
_LONGEST = 20.0


class Pace:
    """So many places (*most*) for requests; who asks for one when none is free waits.

    A complaint of the service halves the number, and every success adds a little to it, so that it
    grows by one in the time in which all places were used once. Safe from many threads.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._busy = 0
        self._slowed = float("-inf")
        # a plain lock costs a tenth of a condition, and nearly always nobody waits
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting = 0

    @property
    def limit(self) -> int:
        """How many places there are now."""
        return max(1, int(self._limit))

    def acquire(self, *, blocking: bool = True) -> bool:
        """Take a place; without *blocking*, tell whether there was one."""
        with self._lock:
            if self._busy >= self.limit:
                if not blocking:
                    return False
                self._wait()
            self._busy += 1
            return True

    def _wait(self) -> None:
        self._waiting += 1
        try:
            while self._busy >= self.limit:
                self._changed.wait()
        finally:
            self._waiting -= 1

    def release(self, count: int = 1) -> None:
        """Give *count* places back."""
        with self._lock:
            self._busy -= count
            if self._waiting:
                self._changed.notify(count)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def slow_down(self, now: float) -> None:
        """Halve the number of places; *now* is a time in seconds."""
        with self._lock:
            if now - self._slowed >= _CALM:
                self._limit = max(1.0, self._limit / 2)
                self._slowed = now

    def go_on(self) -> None:
        """Note a success."""
        if self._limit >= self._most:  # as nearly always: no lock for that
            return
        with self._lock:
            before = self.limit
            self._limit = min(float(self._most), self._limit + 1 / self._limit)
            if self.limit > before:
                self._changed.notify()


def pause(tries: int) -> float:
    """Say how many seconds to wait after so many failures: doubled each time, never in step."""
    return random.uniform(0.5, 1.0) * min(_LONGEST, 0.1 * 2.0**tries)  # noqa: S311  no secret
