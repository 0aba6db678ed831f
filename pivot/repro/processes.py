"""Run shell commands so that nothing of theirs outlives what is to be stopped.

The only place besides `git` that starts programs.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import select
import signal
import subprocess
import termios
import threading
import time
from typing import TYPE_CHECKING

from pivot.errors import Interrupted, LocalError, PivotError, local_error
from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

TOKEN = "PIVOT_RUN"  # noqa: S105  a mark, no secret
"""The variable that marks every process of a run, whatever session it is in."""

_PIECE = 64 * 1024
_PATIENCE = 0.1
_GRACE = 2.0
"""Seconds that processes get after each signal, before the next and harder one."""
_DRAIN = 0.5
"""Seconds for which those are heard who print on when the command has ended."""
_SHELL = "/bin/sh"


@frozen
class Ended:
    """How a command ended: its exit *code*, negative for a signal.

    With *left*, processes that it had started were still running, and were stopped.
    """

    code: int
    left: bool = False


class Processes:
    """The commands of one run, which can be stopped together; safe from many threads.

    *token* marks them in their environment, so that also what a killed run left is found.
    """

    def __init__(self, token: str, environment: Mapping[str, str]) -> None:
        self.token = token
        # Python holds what it prints back when it prints into a pipe; nobody sees it come then.
        self._environment = {"PYTHONUNBUFFERED": "1"} | dict(environment) | {TOKEN: token}
        self._lock = threading.Lock()
        self._running: set[int] = set()
        self._over = False

    def run(
        self,
        command: str,
        *,
        directory: Path,
        variables: Mapping[str, str],
        tell: Callable[[bytes], None],
    ) -> Ended:
        """Run *command* in the shell and hand all that it prints to *tell*, piece by piece.

        Raises `LocalError` when it cannot be started, `Interrupted`.
        """
        process = self._start(command, directory, variables)
        try:
            assert process.stdout is not None  # noqa: S101  it is a pipe
            read_until_end(process, process.stdout.fileno(), tell)
            code = process.wait()
            left = self._stop_group(process.pid)
            drain(process.stdout.fileno(), tell)
        except BaseException:  # whoever listens is gone
            self._stop_group(process.pid)
            process.wait()
            raise
        finally:
            with self._lock:
                self._running.discard(process.pid)
            if process.stdout is not None:
                process.stdout.close()
        if self._over:  # some commands answer an interrupt with success
            raise Interrupted("the run was interrupted")
        return Ended(code, left)

    def stop(self) -> None:
        """Stop all that runs, kindly first; nothing can be started after this."""
        with self._lock:
            self._over = True
            running = set(self._running)
        if not running:
            return
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                for group in running:
                    _signal_group(group, number)
                if _wait(lambda: not any(map(_group_lives, running)), _GRACE):
                    break
        finally:
            for group in filter(_group_lives, running):
                _signal_group(group, signal.SIGKILL)
            stop_marked({self.token})

    def _start(
        self, command: str, directory: Path, variables: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        with self._lock:  # `stop` finds it, or it does not start
            if self._over:
                raise PivotError("the run is over")
            try:
                process = subprocess.Popen(  # noqa: S602  running shell commands is the purpose
                    command,
                    shell=True,
                    executable=_SHELL,
                    cwd=directory,
                    env=self._environment | dict(variables),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    bufsize=0,
                    start_new_session=True,
                )
            except OSError as error:
                raise local_error(error, directory) from error
            except ValueError as error:
                raise LocalError(f"the command cannot be started: {error}") from error
            self._running.add(process.pid)
            return process

    def _stop_group(self, group: int) -> bool:
        """Stop what a command left in the background; tell whether there was anything."""
        if not _group_lives(group):
            return False
        _signal_group(group, signal.SIGTERM)
        if not _wait(lambda: not _group_lives(group), _GRACE):
            _signal_group(group, signal.SIGKILL)
        return True


def read_until_end(
    process: subprocess.Popen[bytes], pipe: int, tell: Callable[[bytes], None]
) -> None:
    """Read until the pipe is closed, or the command ends while others keep the pipe open.

    Those have a moment to say what they still have to say.
    """
    until: float | None = None
    while until is None or time.monotonic() < until:
        if _readable(pipe, _PATIENCE):
            piece = os.read(pipe, _PIECE)
            if not piece:
                return
            tell(piece)
        elif until is not None:
            return
        if until is None and process.poll() is not None:
            until = time.monotonic() + _DRAIN


def drain(pipe: int, tell: Callable[[bytes], None]) -> None:
    """Read what is in a pipe at this moment, and no more: others may still write to it."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    left = count[0]
    while left > 0 and (piece := os.read(pipe, min(left, _PIECE))):
        left -= len(piece)
        tell(piece)


def _readable(pipe: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(pipe, select.POLLIN | select.POLLHUP)
    return bool(poll.poll(seconds * 1000))


def stop_marked(tokens: Iterable[str]) -> bool:
    """Kill every process that carries one of *tokens*; tell whether there was any.

    Finds what has left its session too. Does nothing where there is no /proc.
    """
    marks = {f"{TOKEN}={token}".encode() for token in tokens}
    killed = False
    for _ in range(3):  # those that are starting others just now
        found = [process for process in _processes() if not marks.isdisjoint(_variables(process))]
        for process in found:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
                killed = True
        if not found:
            break
        time.sleep(0.02)
    return killed


def _processes() -> list[int]:
    try:
        return [int(n) for n in os.listdir("/proc") if n.isdecimal() and int(n) != os.getpid()]
    except OSError:
        return []


def _variables(process: int) -> list[bytes]:
    try:
        with open(f"/proc/{process}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:  # gone, or somebody else's
        return []


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(group, number)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return not _all_dead(group)


def _all_dead(group: int) -> bool:
    """Tell whether all that is left of a group are dead children that nobody has asked for."""
    for process in _processes():
        try:
            with open(f"/proc/{process}/stat", "rb") as file:
                state, _, number = file.read().rpartition(b")")[2].split()[:3]
        except OSError:
            continue
        if int(number) == group and state != b"Z":
            return False
    return os.path.isdir("/proc/self")


def _wait(done: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    pause = 0.005
    while not done():
        if time.monotonic() > until:
            return False
        time.sleep(pause)
        pause = min(2 * pause, 0.1)  # each look walks through all processes
    return True
