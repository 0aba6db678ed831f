"""Run commands on a small file system of their own, which needs no privilege."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.conftest import Command, Done
from tests.torture.programme import CannotRunError

_ON_A_DISK = """
mount -t tmpfs -o "$1,mode=755" none "$0"
cp -a "$2/." "$0"
cd "$0/$4"
kept=$3
shift 4
code=0
"$PYTHON" -m pivot "$@" || code=$?
cp -a "$0/." "$kept"
exit $code
"""
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


def on_a_disk(
    size: str, place: Path, *words: str, pivot: Command, below: str = "."
) -> tuple[Done, Path]:
    """Run a command on a copy of *place* on a file system of that *size*, a mount option.

    The command runs in the directory *below* the copy. The answer has also what was there at last,
    beside *place*.
    """
    disk, kept = (place.with_name(f"{place.name}-{name}") for name in ("disk", "kept"))
    for each in (disk, kept):
        each.mkdir()
    done = in_namespace(_ON_A_DISK, disk, size, place, kept, below, *words, pivot=pivot, cwd=kept)
    return done, kept
