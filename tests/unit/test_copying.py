"""Copies: the same bytes whichever way they take, a new file or none."""

from __future__ import annotations

import os
import random
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pivot.copying import copy_file, take
from pivot.objects import Digest, Hasher, digest_bytes

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


@pytest.fixture(name="writer")
def _writer(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "taken", os.O_RDWR | os.O_CREAT | os.O_EXCL)
    yield descriptor
    os.close(descriptor)


def taken_from(source: Path, writer: int) -> tuple[Digest, int]:
    hasher = Hasher()
    take(source, writer, hasher)
    return hasher.digest(), hasher.size


@pytest.mark.parametrize("size", SIZES)
def test_what_is_taken_is_hashed_on_the_way(size: int, tmp_path: Path, writer: int) -> None:
    content = os.urandom(size)
    (tmp_path / "source").write_bytes(content)

    assert taken_from(tmp_path / "source", writer) == (digest_bytes(content), size)
    assert (tmp_path / "taken").read_bytes() == content


def test_a_file_with_holes_is_taken_whole(tmp_path: Path, writer: int) -> None:
    with (tmp_path / "source").open("wb") as file:
        file.truncate(5 * 2**20)

    assert taken_from(tmp_path / "source", writer) == (digest_bytes(bytes(5 * 2**20)), 5 * 2**20)


def test_a_file_that_does_not_say_its_size_is_taken_whole(tmp_path: Path, writer: int) -> None:
    expected = Path("/proc/self/environ").read_bytes()

    assert taken_from(Path("/proc/self/environ"), writer) == (digest_bytes(expected), len(expected))


def test_a_link_is_not_taken(tmp_path: Path, writer: int) -> None:
    (tmp_path / "source").write_bytes(b"x")
    (tmp_path / "link").symlink_to("source")

    with pytest.raises(OSError, match="symbolic link"):
        taken_from(tmp_path / "link", writer)


def test_a_pipe_is_not_taken_and_nobody_waits_for_it(tmp_path: Path, writer: int) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(OSError, match="is not a regular file"):
        taken_from(tmp_path / "pipe", writer)


@pytest.mark.parametrize("kind", ["directory", "absent"])
def test_what_is_no_file_is_not_taken(kind: str, tmp_path: Path, writer: int) -> None:
    (tmp_path / "directory").mkdir()
    before = len(os.listdir("/proc/self/fd"))

    with pytest.raises(OSError, match=kind):
        taken_from(tmp_path / kind, writer)

    assert len(os.listdir("/proc/self/fd")) == before


def test_of_a_file_that_changes_the_copy_is_what_was_hashed(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(8_000_000))
    stop = threading.Event()

    def churn() -> None:
        with source.open("r+b") as file:
            while not stop.is_set():
                file.seek(random.randrange(8_000_000))
                file.write(os.urandom(64))
                file.truncate(8_000_000 + random.randrange(1000))
                file.flush()

    other = threading.Thread(target=churn)
    other.start()
    try:
        for number in range(10):
            with (tmp_path / f"taken{number}").open("w+b") as taken:
                digest, size = taken_from(source, taken.fileno())
                taken.seek(0)
                content = taken.read()

            assert (digest, size) == (digest_bytes(content), len(content))
    finally:
        stop.set()
        other.join()
