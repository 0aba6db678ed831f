"""How files are placed: as links to the objects of the cache, or as copies."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.e2e.built import DIRECTORY, FILE, FILES, NEW
from tests.projects import ProjectBuilder, digest


def inode(path: Path) -> int:
    return path.lstat().st_ino


def mode_of(path: Path) -> int:
    return path.lstat().st_mode & 0o777


def object_of(built: ProjectBuilder, content: bytes) -> Path:
    return built.root / ".pivot/cache/files" / digest(content)[:2] / digest(content)[2:]


def test_hardlinks_are_the_objects_themselves(built: ProjectBuilder, bare_pivot: Command) -> None:
    bare_pivot("checkout", "--checkout-mode", "hardlink", cwd=built.root)

    for path, content in ((FILE, NEW), (f"{DIRECTORY}/a.txt", FILES["a.txt"])):
        assert inode(built.root / path) == inode(object_of(built, content))
        assert mode_of(built.root / path) == 0o444


def test_copies_are_files_of_their_own(built: ProjectBuilder, bare_pivot: Command) -> None:
    bare_pivot("checkout", "--checkout-mode", "copy", cwd=built.root)

    for path, content in ((FILE, NEW), (f"{DIRECTORY}/a.txt", FILES["a.txt"])):
        assert inode(built.root / path) != inode(object_of(built, content))
        assert mode_of(built.root / path) == 0o644


def test_symlinks_are_absolute(built: ProjectBuilder, bare_pivot: Command) -> None:
    bare_pivot("checkout", "--checkout-mode", "symlink", cwd=built.root)

    for path, content in ((FILE, NEW), (f"{DIRECTORY}/sub/b.txt", FILES["sub/b.txt"])):
        assert (built.root / path).readlink() == object_of(built, content)


@pytest.mark.parametrize("mode", ["hardlink", "symlink", "copy"])
def test_files_placed_in_any_mode_are_in_place_the_next_time(
    mode: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    bare_pivot("checkout", "--checkout-mode", mode, cwd=built.root)

    done = bare_pivot("checkout", cwd=built.root)

    assert (done.code, done.out) == (0, "Skipped 3 file(s) (already exist)\n")


@pytest.mark.parametrize("mode", ["hardlink", "symlink", "copy"])
@pytest.mark.parametrize("stored", [0o444, 0o555])
def test_the_recorded_executable_bit_is_placed_whatever_the_object_has(
    mode: str, stored: int, built: ProjectBuilder, bare_pivot: Command
) -> None:
    content = b"#!/bin/sh\n"
    built.stage("scripts", {"data/bin": {"run.sh": (content, True), "copy.txt": content}})
    object_of(built, content).chmod(stored)

    done = bare_pivot("checkout", "scripts", "--checkout-mode", mode, cwd=built.root)

    assert done.code == 0, done
    assert (built.root / "data/bin/run.sh").stat().st_mode & 0o100
    assert not (built.root / "data/bin/copy.txt").stat().st_mode & 0o111
    assert mode_of(object_of(built, content)) == stored, "an object is never changed"


@pytest.mark.parametrize("command", ["checkout", "pull"])
def test_a_lost_executable_bit_is_put_right(
    command: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    built.stage("scripts", {"data/bin": {"run.sh": (b"#!/bin/sh\n", True)}})
    (built.root / ".pivot/stages/split.lock").unlink()
    (built.root / ".pivot/stages/train.lock").unlink()
    built.workspace("data/bin/run.sh", b"#!/bin/sh\n")

    done = bare_pivot(command, cwd=built.root)

    assert done.code == 0, done
    assert (built.root / "data/bin/run.sh").stat().st_mode & 0o100


@pytest.fixture(name="elsewhere")
def _elsewhere(built: ProjectBuilder) -> Iterator[Path]:
    """The project's cache, on another file system."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == built.root.stat().st_dev:
        pytest.skip("/dev/shm is not a file system of its own")
    place = memory / f"pivot-test-{os.getpid()}"
    shutil.move(built.root / ".pivot/cache", place)
    yield place
    shutil.rmtree(place)


@pytest.mark.parametrize(
    ("configured", "is_link"),
    [("hardlink, symlink, copy", True), ("hardlink, copy", False), ("symlink", True)],
)
def test_a_cache_on_another_file_system_falls_back_as_configured(
    configured: str, is_link: bool, built: ProjectBuilder, elsewhere: Path, bare_pivot: Command
) -> None:
    bare_pivot("config", "set", "cache.dir", str(elsewhere), cwd=built.root)
    bare_pivot("config", "set", "cache.checkout_mode", configured, cwd=built.root)

    done = bare_pivot("checkout", cwd=built.root)

    assert (done.code, done.out) == (0, "Restored 3 file(s)\n"), done
    for path, content in ((FILE, NEW), (f"{DIRECTORY}/a.txt", FILES["a.txt"])):
        assert (built.root / path).is_symlink() == is_link
        assert (built.root / path).read_bytes() == content


def test_a_hardlink_that_cannot_be_made_is_an_error_that_says_so(
    built: ProjectBuilder, elsewhere: Path, bare_pivot: Command
) -> None:
    done = bare_pivot(
        "checkout", "--checkout-mode", "hardlink", cwd=built.root, PIVOT_CACHE_DIR=str(elsewhere)
    )

    assert done.code == 7, done
    assert "Traceback" not in done.err
    assert f"{FILE}: " in done.err
    assert "hardlink" in done.err
    assert "file system" in done.err
    assert not (built.root / FILE).exists()
    assert not (built.root / DIRECTORY).exists()


@pytest.fixture(name="reflinks")
def _reflinks(tmp_path: Path) -> Iterator[Path]:
    """A file system that can share blocks between files, mounted from a file."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount an xfs")
    if shutil.which("mkfs.xfs") is None:
        pytest.skip("mkfs.xfs is not installed")
    image, mounted = tmp_path / "xfs.image", tmp_path / "xfs"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(400 * 1024 * 1024)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
    tried = subprocess.run(
        ["mount", "-o", "loop", image, mounted], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        pytest.skip(f"an xfs cannot be mounted here: {tried.stderr.strip()}")
    yield mounted
    subprocess.run(["umount", mounted], check=True)


def test_a_copy_shares_its_blocks_where_the_file_system_can(
    reflinks: Path, bare_pivot: Command
) -> None:
    size = 32 * 1024 * 1024
    built = ProjectBuilder(reflinks / "project")
    built.stage("train", {FILE: os.urandom(size)})
    os.sync()
    before = shutil.disk_usage(reflinks).free

    done = bare_pivot("checkout", "--checkout-mode", "copy", cwd=built.root)

    assert done.code == 0, done
    os.sync()
    assert before - shutil.disk_usage(reflinks).free < size // 4
    with (built.root / FILE).open("r+b") as file:
        file.write(b"changed")
    content = next((built.root / ".pivot/cache/files").glob("*/*")).read_bytes()
    assert digest(content) in (built.root / ".pivot/stages/train.lock").read_text()
