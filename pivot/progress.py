"""Show how far a transfer is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, TextIO

from pivot.report import human_size, printable
from pivot.transfer import Failed, Meter, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

_PATIENCE = 1.0  # seconds
_HEARTBEAT = 30.0  # seconds: silence for longer makes people and runners think it hangs


class _Counting(Meter):
    """Counts what has passed, and says on *stream* what is waited for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.objects = 0
        self.size = 0
        self.passed = 0
        self.finished = 0
        self._lock = threading.Lock()
        self._telling = threading.Lock()  # which may last: nobody who counts is to wait for it

    @contextlib.contextmanager
    def asking(self, url: str) -> Iterator[None]:
        """See `Meter.asking`: a line after a second, and one every half minute."""
        answered = threading.Event()

        def remind() -> None:
            began, patience = time.monotonic(), _PATIENCE
            while not answered.wait(patience):
                waited = round(time.monotonic() - began)
                self._say(printable(f"Waiting for {url} ({waited} s)"))
                patience = _HEARTBEAT

        threading.Thread(target=remind, daemon=True).start()
        try:
            yield
        finally:
            answered.set()

    def _say(self, text: str) -> None:
        with self._telling:  # a line of another thread is not to come in between
            self._stream.write(f"{text}\n")
            self._stream.flush()

    def start(self, objects: int, size: int, *, doing: str = "Transferring") -> None:
        del doing
        self.objects, self.size, self.passed, self.finished = objects, size, 0, 0

    def bytes(self, count: int) -> None:
        with self._lock:
            self.passed += count

    def done(self, outcome: Outcome) -> None:
        del outcome
        with self._lock:
            self.finished += 1


class LineMeter(_Counting):
    """A line at the start and one every half minute, for logs."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._stop = threading.Event()
        self._began = 0.0

    def start(self, objects: int, size: int, *, doing: str = "Transferring") -> None:
        """See `Meter.start`."""
        super().start(objects, size)
        if objects:
            self._say(f"{doing} {objects} object(s), {human_size(size)}")
            self._began = time.monotonic()
            self._stop = threading.Event()
            beat = threading.Thread(target=self._beat, args=[self._stop], daemon=True)
            beat.start()

    def finish(self) -> None:
        """See `Meter.finish`."""
        self._stop.set()

    def _beat(self, stop: threading.Event) -> None:
        while not stop.wait(_HEARTBEAT):
            rate = self.passed / max(time.monotonic() - self._began, 0.001)
            known = self.size > self.passed  # sizes may be unknown, and a retry passes twice
            of, left = "", ""
            if known:
                of = f" of {human_size(self.size)}"
                left = f", {(self.size - self.passed) / rate:.0f} s left" if rate else ""
            self._say(
                f"{self.finished} of {self.objects} objects, {human_size(self.passed)}{of}, "
                f"{human_size(round(rate))}/s{left}"
            )


class VerboseMeter(LineMeter):
    """A line for every object as well."""

    def done(self, outcome: Outcome) -> None:
        """See `Meter.done`."""
        super().done(outcome)
        state = f"failed: {outcome.error.message}" if isinstance(outcome, Failed) else "done"
        self._say(printable(f"{outcome.digest} {state}"))

    def chose(self, jobs: int) -> None:
        """See `Meter.chose`."""
        if self.objects:
            self._say(f"Transfers at a time: {jobs}")


class BarMeter(_Counting):
    """A bar with bytes, rate and time left."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def start(self, objects: int, size: int, *, doing: str = "Transferring") -> None:
        """See `Meter.start`."""
        super().start(objects, size)
        del doing
        if not objects:
            return
        from rich.console import Console  # noqa: PLC0415  loaded for a terminal only
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (
            TextColumn("{task.fields[finished]}/{task.fields[objects]}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=size or None, finished=0, objects=objects)
        self._bar.start()

    def bytes(self, count: int) -> None:
        """See `Meter.bytes`."""
        super().bytes(count)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=min(self.passed, self.size or self.passed))

    def done(self, outcome: Outcome) -> None:
        """See `Meter.done`."""
        super().done(outcome)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, finished=self.finished)

    def finish(self) -> None:
        """See `Meter.finish`: takes the bar away, and gives the cursor back."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
