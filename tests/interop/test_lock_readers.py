"""The locks that we write, every release of the real Pivot reads with its own reader."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.conftest import clean_environment
from tests.interop.conftest import RELEASES
from tests.interop.locks import DEPENDENCIES, OUTPUTS, recorded, write_locks

PROGRAM = Path(__file__).with_name("read_lock.py")
WITHOUT_EMPTY_DIRS = {"0.1.0", "0.2.4"}

Read: TypeAlias = Callable[[Path], dict[str, Any]]


@pytest.fixture(name="release", params=RELEASES, scope="module")
def _release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(name="read")
def _read(release: str, real_venv: Callable[[str], Path], tmp_path: Path) -> Read:
    """Read the locks of a project as the release does: by stage, what each says."""
    python = real_venv(release) / "bin" / "python"

    def read(root: Path) -> dict[str, Any]:
        done = subprocess.run(
            [python, PROGRAM],
            check=False,
            cwd=root,
            env=clean_environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return read


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Path:
    write_locks(root := tmp_path / "project")
    return root


def part(seen: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One part of what was read; a lock that was not read stays as what the reader made of it."""
    return {stage: lock[name] if isinstance(lock, dict) else lock for stage, lock in seen.items()}


def test_every_release_reads_our_outputs(project: Path, release: str, read: Read) -> None:
    seen = read(project)

    assert part(seen, "outs") == recorded(OUTPUTS, empty_dirs=release not in WITHOUT_EMPTY_DIRS)


def test_every_release_reads_our_dependencies(project: Path, release: str, read: Read) -> None:
    seen = read(project)

    assert part(seen, "deps") == recorded(
        DEPENDENCIES, empty_dirs=release not in WITHOUT_EMPTY_DIRS
    )


def test_every_release_reads_our_parameters(project: Path, read: Read) -> None:
    seen = read(project)

    assert part(seen, "params") == {stage: {} for stage in OUTPUTS} | {"train": {"train.lr": 0.01}}


def test_no_release_reads_a_lock_that_does_not_say_what_ran(project: Path, read: Read) -> None:
    lock = project / ".pivot" / "stages" / "train.lock"
    lock.write_text(lock.read_text().replace("code_manifest:", "something_else:"))

    seen = read(project)

    assert {stage for stage, said in seen.items() if said is None} == {"train"}
