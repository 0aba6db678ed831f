"""Names that say which process a private file belongs to, so that others can tell it is dead."""

from __future__ import annotations

import os


def own_name() -> str:
    """Make a new name of this process."""
    return f"{_machine()}-{os.getpid()}-{os.urandom(4).hex()}"


def is_abandoned(name: str) -> bool:
    """Tell whether the process that made *name* is dead, as far as this machine can tell."""
    machine, _, process = name.rpartition("-")[0].rpartition("-")
    return (
        machine == _machine()
        and process.isascii()
        and process.isdigit()
        and not _runs(int(process))
    )


def _machine() -> str:
    """Name the set of processes among which a process id means something."""
    try:
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        space = 0
    return f"{os.uname().nodename}-{space}".replace("/", "_")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
