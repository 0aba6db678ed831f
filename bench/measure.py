"""Run one command and say what it cost."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TAIL = 2000


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
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = log.read_bytes()[-_TAIL:].decode(errors="replace")
        raise CommandFailed(f"{' '.join(job.words[:6])} ended with {process.returncode}: {tail}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)
