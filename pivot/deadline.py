"""End what takes too long, in the way in which Ctrl-C ends it."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, NoReturn

from pivot.errors import TimedOut

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextlib.contextmanager
def deadline(seconds: int | None) -> Iterator[None]:
    """Raise `TimedOut` in the main thread when the body lasts longer than *seconds*."""
    if seconds is None:
        yield
        return

    def expire(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        raise TimedOut(seconds)

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
