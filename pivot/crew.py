"""Threads that share one iterator: as many as asked for, or as many as help."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_LOOK = 0.1  # seconds between two looks at how it goes
_PATIENCE = 1.0  # seconds without evidence until there may be more threads all the same
_BLIND = 16  # so many at most without evidence
_BUSY = 0.7  # of a processor: then more threads would wait for each other
_HELP = 1.2  # so much faster with twice as many threads, or it was no help
_MOST_TOGETHER = 16
_SPAN = 0.03  # seconds that a group may take: longer, and others would wait for the last one

Item = TypeVar("Item")


class Jobs(NamedTuple):
    """How many at a time: *first* to begin with, more while that helps, never more than *most*."""

    first: int
    most: int

    @classmethod
    def exactly(cls, number: int) -> Jobs:
        """So many, as somebody asked for."""
        return cls(number, number)

    @classmethod
    def of(cls, jobs: int | Jobs) -> Jobs:
        """Take a number as that of exactly so many."""
        return cls.exactly(jobs) if isinstance(jobs, int) else jobs


def for_each(items: Iterable[Item], act: Callable[[Item], None], *, jobs: int | Jobs) -> int:
    """Call *act* for each of *items* on at most *jobs* threads, which pull the next item.

    The answer is how many threads there were. The first exception stops the rest and is raised,
    as is an interrupt of the caller: blocking calls never run on the caller's own thread, so
    Ctrl-C is heard at once.
    """

    def act_alone(group: list[Item], _: threading.Event) -> None:
        act(group[0])

    return for_groups(items, act_alone, jobs=jobs, together=lambda _: False)


def for_groups(
    items: Iterable[Item],
    act: Callable[[list[Item], threading.Event], None],
    *,
    jobs: int | Jobs,
    together: Callable[[Item], bool],
) -> int:
    """Call *act* for groups of *items*: as `for_each`, but a thread pulls some at once.

    They are as many as take a thirtieth of a second; one that may not be *together* with those
    behind it is the last of its group. The event tells *act* that the rest is not to be done.
    """
    jobs = Jobs.of(jobs)
    crew = _Crew(iter(items), act, together)
    try:  # an interrupt may come before all of them are started
        crew.grow(jobs.first)
        if jobs.most > jobs.first:
            growth = Growth(jobs)
            while crew.wait(_LOOK) and not growth.settled:
                crew.grow(growth.look(crew.done, time.process_time(), time.monotonic()))
        crew.wait(None)
    except BaseException:
        crew.stop.set()
        raise
    if crew.error is not None:
        raise crew.error
    return len(crew.threads)


class Growth:
    """Decides how many threads there should be; pure.

    They are doubled while the process mostly waits and the last doubling made it faster. What is
    slow to tell, because each item takes long, is believed to help up to a bound.
    """

    def __init__(self, jobs: Jobs) -> None:
        self.number = jobs.first
        self.settled = False
        self._most = jobs.most
        self._before = 0.0  # items a second with half as many
        self._since: tuple[int, float, float] | None = None

    def look(self, done: int, busy: float, now: float) -> int:
        """Answer how many there should be; *busy* is the processor time of all, in seconds."""
        if self._since is None:
            self._since = done, busy, now
            return self.number
        items, used, seconds = (
            new - old for new, old in zip((done, busy, now), self._since, strict=True)
        )
        evident = items >= 2 * self.number
        if not evident and seconds < _PATIENCE:
            return self.number
        self._since = done, busy, now
        rate = items / seconds if seconds > 0 else 0.0
        if used >= _BUSY * seconds:
            self._before = 0.0  # that may pass, and then is no measure
        elif evident and rate < _HELP * self._before:
            self.settled = True
        elif evident or self.number < _BLIND:
            self._before = rate if evident else 0.0
            self.number = min(2 * self.number, self._most)
            self.settled = self.number == self._most
        return self.number


class _Crew(Generic[Item]):
    """Threads that share one iterator: two to seven microseconds an item, and no queue."""

    def __init__(
        self,
        items: Iterator[Item],
        act: Callable[[list[Item], threading.Event], None],
        together: Callable[[Item], bool],
    ) -> None:
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self.threads: list[threading.Thread] = []
        self.done = 0
        self._exhausted = False
        self._items = items
        self._act = act
        self._together = together
        self._lock = threading.Lock()

    def grow(self, number: int) -> None:
        """Start threads until there are so many, or nothing is left for them to do."""
        while len(self.threads) < number and not (self.threads and self._exhausted):
            name = f"transfer-{len(self.threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            thread.start()
            self.threads.append(thread)

    def wait(self, seconds: float | None) -> bool:
        """Wait for all to end, for so long; tell whether any of them still works."""
        for thread in self.threads:
            thread.join(seconds)
            if thread.is_alive():
                return True
        return False

    def _work(self) -> None:
        size = 1
        try:
            while not self.stop.is_set() and (group := self._pull(size)):
                began = time.monotonic()
                self._act(group, self.stop)
                each = (time.monotonic() - began) / len(group)
                size = min(_MOST_TOGETHER, max(1, int(_SPAN / each))) if each else _MOST_TOGETHER
        except BaseException as error:  # noqa: BLE001  raised again by for_groups
            self._fail(error)

    def _pull(self, size: int) -> list[Item]:
        """Take the next items, at most so many; none when there are no more."""
        group: list[Item] = []
        with self._lock:
            for item in itertools.islice(self._items, size):
                group.append(item)
                if not self._together(item):
                    break
            self.done += len(group)
        self._exhausted = self._exhausted or not group
        return group

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            if self.error is None:
                self.error = error
        self.stop.set()
