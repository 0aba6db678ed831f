"""The real Pivot: each release once in a virtual environment of its own, run as a user would."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, Done, clean_environment
from tests.servers import S3Server

NEWEST = "0.5.11"
_UV = Path(sys.executable).parent / "uv"
RELEASES = ("0.1.0", "0.2.4", "0.3.11", "0.4.1", NEWEST)


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


def install(python: Path, release: str = NEWEST) -> Path:
    """Install what the release's requirements pin, unless it is there; return where."""
    suffix = "" if release == NEWEST else f"-{release}"
    venv = ROOT / f".venv-upstream{suffix}"
    requirements = ROOT / "requirements" / f"upstream{suffix}.txt"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    ready = venv / "requirements.sha256"
    venv.mkdir(exist_ok=True)
    lock = os.open(venv, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once make it once
        if not ready.exists() or ready.read_text() != wanted:
            _fill(python, venv, ["--quiet", "--require-hashes", "--no-deps", "-r", requirements])
            ready.write_text(wanted)
    finally:
        os.close(lock)
    return venv


def _fill(python: Path, venv: Path, options: list[str | Path]) -> None:
    """Install by uv, in seconds, or where it finds no packages, by pip, in a minute."""
    inside = venv / "bin" / "python"
    if _uv_finds_packages():
        subprocess.run([python, "-m", "venv", "--clear", "--without-pip", venv], check=True)
        quick = [_UV, "pip", "install", "--python", inside, *options]
        if subprocess.run(quick, check=False, timeout=300).returncode == 0:
            return
    subprocess.run([python, "-m", "venv", "--clear", venv], check=True, timeout=120)
    subprocess.run([inside, "-m", "pip", "install", *options], check=True, timeout=900)


@functools.lru_cache
def _uv_finds_packages() -> bool:
    """Ask once: uv does not read what pip is told of indexes."""
    probe = ["pip", "install", "--dry-run", "--no-deps", "--python", sys.executable, "six==1.16.0"]
    try:
        return subprocess.run([_UV, *probe], check=False, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.fixture(name="real_venv", scope="session")
def _real_venv() -> Callable[[str], Path]:
    """Give the virtual environment of a release of the real Pivot."""
    python = find_python()

    def venv(release: str) -> Path:
        if python is None:
            pytest.skip(
                f"the real Pivot {release} needs Python 3.13: no python3.13 that runs was found"
            )
        return install(python, release)

    return venv


@pytest.fixture(name="real_release", scope="session")
def _real_release(
    real_venv: Callable[[str], Path], server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], RealPivot]:
    """Run a release of the real Pivot with credentials for the server, and a home of its own."""

    def real(release: str) -> RealPivot:
        program = real_venv(release) / "bin" / "pivot"
        home = tmp_path_factory.mktemp(f"home-{release}")
        return RealPivot(program, home, server.environment())

    return real


@pytest.fixture(name="real", scope="session")
def _real(real_release: Callable[[str], RealPivot]) -> RealPivot:
    """Run the newest release."""
    return real_release(NEWEST)
