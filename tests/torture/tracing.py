"""Run a command under strace: see its system calls, or let one of them fail or be the last."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.conftest import Command, Done
from tests.torture.programme import CannotRunError

MUTATING = (
    "openat",
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "syncfs",
    "link",
    "linkat",
    "rename",
    "renameat",
    "renameat2",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "chmod",
    "fchmod",
    "fchmodat",
    "mkdir",
    "mkdirat",
    "ftruncate",
    "copy_file_range",
)
"""Calls that change a file system; of `openat` only those count that may write."""

_CALL = re.compile(r"(\d+) +(\w+)\((.*)")
_SECONDS = 120


@dataclass(frozen=True, order=True)
class Point:
    """The call at which something happens: the *number*th of this name in one thread."""

    call: str
    number: int

    def __str__(self) -> str:
        """Say it for a list of violations."""
        return f"{self.call} {self.number}"


@cache
def check_tracing() -> None:
    """Make sure that this machine lets us trace; raises `CannotRunError`."""
    if shutil.which("strace") is None:
        raise CannotRunError("strace is not installed")
    done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False)
    if done.returncode:
        raise CannotRunError("this machine does not let us trace")


def traced(
    pivot: Command, *words: str, cwd: Path, options: tuple[str, ...], **variables: str
) -> Done:
    """Run `pivot` under strace with *options*; its own process groups end with it."""
    done = subprocess.run(
        ["strace", "-f", "-qq", "--seccomp-bpf", *options, sys.executable, "-m", "pivot", *words],
        cwd=cwd,
        env=pivot.environment | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def points(pivot: Command, *words: str, cwd: Path, inside: Path) -> list[Point]:
    """List each call of a command that changes *inside*, or may."""
    log = cwd.parent / f"{cwd.name}.strace"
    options = ("-y", "-s", "0", "-e", f"trace={','.join(MUTATING)}", "-o", str(log))
    done = traced(pivot, *words, cwd=cwd, options=options)
    assert done.code == 0, done
    found: dict[Point, None] = {}
    numbers: Counter[tuple[str, str]] = Counter()
    for line in log.read_text().splitlines():
        call = _CALL.match(line)
        if call is None:
            continue
        thread, name = call[1], call[2]
        numbers[thread, name] += 1
        if _is_about(line, inside):
            found[Point(name, numbers[thread, name])] = None
    return list(found)


def killed_at(pivot: Command, point: Point, *words: str, cwd: Path) -> Done:
    """Run a command and let `kill -9` come as it makes that call."""
    return _injected(pivot, point, "signal=SIGKILL", *words, cwd=cwd)


def failing_at(pivot: Command, point: Point, error: str, *words: str, cwd: Path) -> Done:
    """Run a command and let that call fail with *error*, such as ENOSPC."""
    return _injected(pivot, point, f"error={error}", *words, cwd=cwd)


def _injected(pivot: Command, point: Point, what: str, *words: str, cwd: Path) -> Done:
    options = (
        *("-e", f"trace={point.call}"),
        *("-e", f"inject={point.call}:{what}:when={point.number}"),
        *("-o", "/dev/null"),
    )
    return traced(pivot, *words, cwd=cwd, options=options)


def _is_about(line: str, inside: Path) -> bool:
    call = _CALL.match(line)
    if call is None or str(inside) not in line:
        return False
    return call[2] != "openat" or "O_CREAT" in line or "O_WRONLY" in line or "O_RDWR" in line
