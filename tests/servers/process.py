"""Start a server process on free ports, wait until it answers, and stop it whatever happens."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

LOOPBACK = "127.0.0.1"
LEASH = Path(__file__).with_name("leash.py")


class NotHere(Exception):
    """This server cannot be had on this machine; the message says why."""


class NotReady(Exception):
    """A server did not come up; the message ends with the tail of its log."""


def program(name: str) -> str:
    """Return the path of a program, looked for beside this Python first; raises `NotHere`."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise NotHere(f"{name} is neither beside {sys.executable} nor on PATH")
    return found


def free_ports(count: int) -> list[int]:
    """Return so many different ports that nothing on loopback listens on at this moment."""
    with contextlib.ExitStack() as stack:
        # all are held at once, or the system might name one of them twice
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]


def listens(port: int) -> bool:
    """Tell whether anything takes connections on this port of loopback."""
    with socket.socket() as client:
        client.settimeout(5)
        return client.connect_ex((LOOPBACK, port)) == 0


def answers(port: int, path: str = "/", *, below: int = 600) -> bool:
    """Tell whether a GET of this path is answered with a status below the one given."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < below
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def clean_environment(directory: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment that lets no setting of the user reach a server."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(directory),
        "LC_ALL": "C",
        **(extra or {}),
    }


def wait_until(ready: Callable[[], bool], seconds: float, give_up: Callable[[], bool]) -> bool:
    """Ask again and again until ready; False when the time is over or there is no more hope."""
    deadline = time.monotonic() + seconds
    while not give_up():
        if ready():
            # an answer of a stranger on the same port must not count as that of a dead process
            return not give_up()
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return False


def run(command: Sequence[str], directory: Path, seconds: float = 120) -> None:
    """Run a preparing command to its end; raises `NotReady` when it fails or takes too long."""
    log = directory / "prepare.log"
    with log.open("ab") as output:
        try:
            subprocess.run(
                command,
                check=True,
                timeout=seconds,
                cwd=directory,
                env=clean_environment(directory),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        except subprocess.SubprocessError as error:
            raise NotReady(f"{error}\n{_tail(log)}") from error


@contextlib.contextmanager
def running(
    command: Sequence[str],
    directory: Path,
    ready: Callable[[], bool],
    *,
    name: str | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = 60,
) -> Iterator[None]:
    """Keep a process running inside the block; raises `NotReady` when it does not come up.

    The process leads its own group, which is stopped as a whole. On Linux it also dies with the
    thread that started it, so that thread has to live as long as the block.
    """
    log = directory / f"{name or Path(command[0]).name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *command],
            cwd=directory,
            env=clean_environment(directory, environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        if not wait_until(ready, seconds, lambda: process.poll() is not None):
            code = process.poll()
            outcome = f"no answer after {seconds:g} s" if code is None else f"it ended with {code}"
            raise NotReady(f"{' '.join(command)}: {outcome}\n{_tail(log)}")
        yield
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes], seconds: float = 1) -> None:
    """End the whole group: politely first, so that a restarted server finds its data."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(log: Path, size: int = 3000) -> str:
    return log.read_bytes()[-size:].decode(errors="replace")
