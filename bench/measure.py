"""Run one command and say what it cost."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TAIL = 2000
_LOOK = 0.01  # seconds
_HIGHEST = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


class CommandFailed(Exception):
    """A command that was to be measured did not succeed: its figures are worth nothing."""


@dataclass(frozen=True)
class Job:
    """A command to be measured; *environment* is all that it gets."""

    words: Sequence[str]
    directory: Path
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Cost:
    """CPU seconds (user and system) and peak memory of a process with its children; wall time."""

    cpu: float
    wall: float
    mebibytes: float


def measure(job: Job, log: Path) -> Cost:
    """Run a job to its end; raises `CommandFailed`."""
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            job.words,
            cwd=job.directory,
            env=dict(job.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        with Peak(process.pid) as peak:
            _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = log.read_bytes()[-_TAIL:].decode(errors="replace")
        raise CommandFailed(f"{' '.join(job.words[:6])} ended with {process.returncode}: {tail}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, peak.mebibytes)


class Peak:
    """Watches the memory of a process and its children, and keeps that of the largest.

    Not `ru_maxrss`: a child inherits in it the peak of the process that started it.
    """

    def __init__(self, process: int) -> None:
        self.mebibytes = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=[process], daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self, process: int) -> None:
        while not self._over.wait(_LOOK):
            with contextlib.suppress(OSError):  # it may just have ended
                children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
                for one in (process, *children):
                    status = Path(f"/proc/{one}/status").read_text()
                    if found := _HIGHEST.search(status):
                        self.mebibytes = max(self.mebibytes, int(found[1]) / 1024)
