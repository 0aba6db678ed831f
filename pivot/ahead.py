"""Do what comes next before it is asked for, on a few threads; the answers come in order."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def ahead(
    items: Sequence[Item], act: Callable[[Item], Answer], *, threads: int
) -> Iterator[Answer]:
    """Yield `act(item)` of each item in order, with so many *threads* at work.

    No more answers than threads wait for the caller. An exception of *act* is raised where its
    answer would have been; when the caller ends early, nothing new is begun.
    """
    window = _Window(items, act, threads)
    for number in range(min(threads, len(items))):
        threading.Thread(target=window.work, name=f"ahead-{number}", daemon=True).start()
    try:
        for number in range(len(items)):
            yield window.answer(number)
    finally:
        window.close()


class _Window(Generic[Item, Answer]):
    """The items between the one that the caller waits for and the last one begun."""

    def __init__(self, items: Sequence[Item], act: Callable[[Item], Answer], width: int) -> None:
        self._items = items
        self._act = act
        self._width = width
        self._begun = 0
        self._asked = 0
        self._answers: dict[int, Answer] = {}
        self._errors: dict[int, BaseException] = {}
        self._over = False
        self._changed = threading.Condition()

    def work(self) -> None:
        while (number := self._next()) is not None:
            try:
                answer = self._act(self._items[number])
            except BaseException as error:  # noqa: BLE001  raised again where it was asked for
                with self._changed:
                    self._errors[number] = error
                    self._over = True
                    self._changed.notify_all()
                return
            with self._changed:
                self._answers[number] = answer
                self._changed.notify_all()

    def _next(self) -> int | None:
        """Begin an item, when there is room for its answer; `None` when there is nothing more."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._begun - self._asked <= self._width)
            if self._over or self._begun == len(self._items):
                return None
            self._begun += 1
            return self._begun - 1

    def answer(self, number: int) -> Answer:
        """Wait for an answer; raises what became of it instead."""
        with self._changed:
            self._asked = number
            self._changed.notify_all()
            self._changed.wait_for(lambda: number in self._answers or number in self._errors)
            if number in self._errors:
                raise self._errors[number]
            return self._answers.pop(number)

    def close(self) -> None:
        """Begin nothing more."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
