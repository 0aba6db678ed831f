"""Bad days of the local disk: full, read-only, not ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Command, Done
from tests.e2e.weather import OUTPUTS, assert_sentence, leftovers, make_project, without_cache
from tests.projects import Content, ProjectBuilder, digest, objects
from tests.torture.namespace import in_namespace, on_a_disk

PULL_WITH_A_READ_ONLY_PLACE = """
mount --bind "$0" "$0"
mount -o remount,ro,bind "$0"
cd "$1"
exec "$PYTHON" -m pivot pull
"""
MEGABYTE = 1 << 20
FULL = {
    "more than the disk has": {f"data/{n}.bin": MEGABYTE for n in range(6)},
    "room for the cache but not for copies": {f"data/{n}.bin": MEGABYTE for n in range(3)},
    "room for the bytes but not for so many files": {f"data/{n}.bin": 1 + n for n in range(1200)},
}


@pytest.fixture(name="clone")
def _clone(tmp_path: Path, bucket: str, pivot: Command) -> Path:
    project = make_project(tmp_path / "project", bucket)
    done = pivot("push", cwd=project)
    assert done.code == 0, done
    return without_cache(project, tmp_path / "clone")


def one_stage(root: Path, bucket: str, outputs: dict[str, Content]) -> Path:
    """Make a project with one stage that has all *outputs*, since a lock for each takes space."""
    builder = ProjectBuilder(root).config(f"remotes:\n  origin: s3://{bucket}/p\n")
    builder.stage("make", outputs)
    return root


@pytest.mark.usefixtures("can_mount")
@pytest.mark.parametrize("sizes", FULL.values(), ids=FULL)
def test_a_full_disk(sizes: dict[str, int], tmp_path: Path, bucket: str, pivot: Command) -> None:
    big: dict[str, Content] = {path: os.urandom(size) for path, size in sizes.items()}
    project = one_stage(tmp_path / "big", bucket, big)
    clone = without_cache(project, tmp_path / "big-clone")
    pushed = pivot("push", cwd=project)

    done, kept = on_a_disk("size=4m", clone, "pull", "--checkout-mode", "copy", pivot=pivot)
    again = pivot("pull", cwd=kept)

    assert pushed.code == 0, pushed
    assert_sentence(done, 7, "free", "space")
    cached = objects(kept / ".pivot/cache")
    assert all(name == digest(body) for name, body in cached.items())
    assert leftovers(kept) == []
    assert again.code == 0, again
    assert {path: (kept / path).read_bytes() for path in big} == big


@pytest.mark.usefixtures("can_mount")
@pytest.mark.parametrize("what", ["", "data", ".pivot/cache"])
def test_a_place_that_is_read_only(what: str, clone: Path, tmp_path: Path, pivot: Command) -> None:
    (clone / "data").mkdir(exist_ok=True)
    (clone / ".pivot/cache").mkdir()
    done = in_namespace(PULL_WITH_A_READ_ONLY_PLACE, clone / what, clone, pivot=pivot, cwd=tmp_path)
    again = pivot("pull", cwd=clone)

    assert_sentence(done, 7, "ead-only")
    assert again.code == 0, again
    assert (clone / "data/a.bin").read_bytes() == OUTPUTS["data/a.bin"]


def test_a_directory_that_is_not_ours(clone: Path, tmp_path: Path, pivot: Command) -> None:
    (clone / "data").mkdir()
    (clone / "data").chmod(0o555)
    drop: list[str] = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root needs setpriv(1) to lose its power over file modes")
        drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    command = [*drop, sys.executable, "-m", "pivot", "pull"]

    ran = subprocess.run(
        command,
        check=False,
        cwd=clone,
        env=pivot.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    (clone / "data").chmod(0o755)
    again = pivot("pull", cwd=clone)

    assert_sentence(Done(ran.returncode, ran.stdout, ran.stderr), 7, "Permission denied")
    assert len(objects(clone / ".pivot/cache")) == 5
    assert again.code == 0, again
