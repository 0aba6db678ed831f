"""Run commands on a small file system of their own, which needs no privilege."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.conftest import Command, Done
from tests.torture.programme import CannotRunError

_ALONE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec")


@cache
def check_mounting() -> None:
    """Make sure that this machine lets us mount; raises `CannotRunError`."""
    if shutil.which("unshare") is None:
        raise CannotRunError("unshare is not installed")
    script = "mount -t tmpfs -o size=1m none /mnt"
    done = subprocess.run([*_ALONE, script], check=False, capture_output=True, text=True)
    if done.returncode:
        raise CannotRunError(f"this machine does not let us mount: {done.stderr.strip()}")


def in_namespace(script: str, *arguments: str | Path, pivot: Command, cwd: Path) -> Done:
    """Run a shell script that may mount; `$PYTHON` is this one."""
    done = subprocess.run(
        [*_ALONE, script, *map(str, arguments)],
        check=False,
        cwd=cwd,
        env=pivot.environment | {"PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Done(done.returncode, done.stdout, done.stderr)
