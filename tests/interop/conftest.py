"""The real Pivot: installed once into a virtual environment of its own, run as a user would."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, Done, clean_environment
from tests.servers import S3Server

VENV = ROOT / ".venv-upstream"
REQUIREMENTS = ROOT / "requirements" / "upstream.txt"


@dataclass(frozen=True, slots=True)
class RealPivot:
    """Runs the `pivot` command of the package of that name."""

    program: Path
    home: Path
    variables: Mapping[str, str]

    def __call__(self, *arguments: str | Path, cwd: Path, timeout: float = 180) -> Done:
        """Run one command in *cwd*."""
        done = subprocess.run(
            [self.program, *map(str, arguments)],
            check=False,
            cwd=cwd,
            env=clean_environment(self.home) | dict(self.variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Done(done.returncode, done.stdout, done.stderr)


def find_python() -> Path | None:
    """Find a Python 3.13 that runs: a name on PATH may belong to a shim that does not."""
    named = shutil.which("python3.13")
    managed = Path(os.environ.get("PYENV_ROOT", Path("~/.pyenv").expanduser())) / "versions"
    below = sorted(managed.glob("3.13*/bin/python3.13"), reverse=True)
    for candidate in [*([Path(named)] if named else []), *below]:
        asked = subprocess.run(
            [candidate, "-c", "import sys, venv; print(*sys.version_info[:2])"],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if asked.returncode == 0 and asked.stdout.split() == ["3", "13"]:
            return candidate
    return None


def install(python: Path) -> Path:
    """Install what requirements/upstream.txt pins, unless it is there; return the program."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    ready = VENV / "requirements.sha256"
    VENV.mkdir(exist_ok=True)
    lock = os.open(VENV, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once make it once
        if not ready.exists() or ready.read_text() != wanted:
            subprocess.run([python, "-m", "venv", "--clear", VENV], check=True, timeout=120)
            pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps"]
            pins = ["--require-hashes", "-r", str(REQUIREMENTS)]
            subprocess.run([*pip, *pins], check=True, timeout=900)
            ready.write_text(wanted)
    finally:
        os.close(lock)
    return VENV / "bin" / "pivot"


@pytest.fixture(name="real_program", scope="session")
def _real_program() -> Path:
    python = find_python()
    if python is None:
        pytest.skip("the real Pivot needs Python 3.13: no python3.13 that runs was found")
    return install(python)


@pytest.fixture(name="real", scope="session")
def _real(
    real_program: Path, server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> RealPivot:
    """Run the real Pivot with credentials for the server, and a home of its own."""
    return RealPivot(real_program, tmp_path_factory.mktemp("real-home"), server.environment())
