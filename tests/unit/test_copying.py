"""Copies: the same bytes whichever way they take, a new file or none."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pivot.copying import copy_file

SIZES = [0, 1, 4096, 3 * 1024 * 1024 + 17]


@pytest.fixture(name="no_umask", autouse=True)
def _no_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize("size", SIZES)
def test_a_copy_has_the_bytes_and_the_mode_and_is_a_file_of_its_own(
    size: int, tmp_path: Path
) -> None:
    content = os.urandom(size)
    (tmp_path / "source").write_bytes(content)
    (tmp_path / "source").chmod(0o444)

    copy_file(tmp_path / "source", str(tmp_path / "target"), mode=0o755)

    target = (tmp_path / "target").stat()
    assert (tmp_path / "target").read_bytes() == content
    assert stat.S_IMODE(target.st_mode) == 0o755
    assert target.st_nlink == 1
    assert target.st_ino != (tmp_path / "source").stat().st_ino


def test_a_copy_may_be_named_from_an_open_directory(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"x")
    (tmp_path / "below").mkdir()
    directory = os.open(tmp_path / "below", os.O_RDONLY)
    try:
        copy_file(tmp_path / "source", "target", mode=0o644, directory=directory)
    finally:
        os.close(directory)

    assert (tmp_path / "below" / "target").read_bytes() == b"x"


def test_a_file_with_holes_is_copied_whole(tmp_path: Path) -> None:
    with (tmp_path / "source").open("wb") as file:
        file.seek(5 * 1024 * 1024)
        file.write(b"middle")
        file.truncate(9 * 1024 * 1024)

    copy_file(tmp_path / "source", str(tmp_path / "target"), mode=0o644)

    assert (tmp_path / "target").read_bytes() == (tmp_path / "source").read_bytes()


def test_a_file_that_the_kernel_will_not_copy_is_read_and_written(tmp_path: Path) -> None:
    """The size of what is in /proc is 0 until it is read, so copy_file_range gives nothing."""
    copy_file(Path("/proc/self/environ"), str(tmp_path / "target"), mode=0o644)

    assert (tmp_path / "target").read_bytes() == Path("/proc/self/environ").read_bytes() != b""


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system")
def test_a_copy_reaches_another_file_system(tmp_path: Path) -> None:
    content = os.urandom(2 * 1024 * 1024 + 3)
    (tmp_path / "source").write_bytes(content)
    target = Path(f"/dev/shm/pivot-test-{os.getpid()}")
    try:
        copy_file(tmp_path / "source", str(target), mode=0o644)

        assert target.read_bytes() == content
    finally:
        target.unlink(missing_ok=True)


@pytest.mark.parametrize("kind", ["file", "symlink", "dangling"])
def test_what_is_there_already_is_never_written_over(kind: str, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"new")
    (tmp_path / "kept").write_bytes(b"old")
    target = tmp_path / ("kept" if kind == "file" else "link")
    if kind != "file":
        target.symlink_to("kept" if kind == "symlink" else "absent")

    with pytest.raises(FileExistsError):
        copy_file(tmp_path / "source", str(target), mode=0o644)

    assert (tmp_path / "kept").read_bytes() == b"old"
    assert not (tmp_path / "absent").exists()


def test_a_source_that_is_not_there_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        copy_file(tmp_path / "absent", str(tmp_path / "target"), mode=0o644)

    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_fails_in_the_middle_leaves_nothing_and_nothing_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))

    with pytest.raises(IsADirectoryError):
        copy_file(tmp_path, str(tmp_path / "target"), mode=0o644)

    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == before
