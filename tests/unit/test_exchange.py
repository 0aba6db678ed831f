"""Update a directory as a whole: what is shared, what is left out, what came meanwhile."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pivot.exchange import exchange, newcomers, share_directory


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.fixture(name="old")
def _old(tmp_path: Path) -> Path:
    old = tmp_path / "old"
    for name, text in {"a": "a", "sub/b": "b", "sub/deep/c": "c", "gone/d": "d"}.items():
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        (old / name).write_text(text)
    (old / "empty").mkdir()
    (old / "link").symlink_to("a")
    old.chmod(0o710)
    (old / "sub").chmod(0o550)
    return old


def names(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*"))


def test_what_stays_is_shared_and_what_goes_is_left_out(old: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"

    with opened(old) as source:
        shared = share_directory(source, new, {"gone/d", "sub/b"})

    assert shared is not None
    assert set(shared) == {"a", "sub/deep/c", "link"}
    assert names(new) == ["a", "empty", "link", "sub", "sub/deep", "sub/deep/c"]
    assert (new / "a").samefile(old / "a")
    assert os.readlink(new / "link") == "a"
    assert stat.S_IMODE(new.stat().st_mode) == 0o710
    assert stat.S_IMODE((new / "sub").stat().st_mode) == 0o750  # what is ours can be changed


def test_the_two_change_places(old: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new/x").touch()

    with opened(tmp_path) as above:
        done = exchange(tmp_path / "new", "old", above)

    assert done
    assert names(old) == ["x"]
    assert "a" in names(tmp_path / "new")


def test_the_place_may_be_named_from_the_current_directory(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path)

    assert exchange(Path("new"), "old", None)
    assert names(old) == []


def test_another_file_system_cannot(old: Path, tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs another file system at /dev/shm")
    target = elsewhere / f"exchange-{os.getpid()}"
    try:
        with opened(old) as source:
            assert share_directory(source, target, ()) is None
        with opened(tmp_path) as above:
            assert not exchange(target, "old", above)
    finally:
        shutil.rmtree(target)


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()

    with opened(tmp_path) as above, pytest.raises(FileNotFoundError):
        exchange(tmp_path / "new", "old", above)


def test_what_came_or_was_replaced_since_is_found(old: Path, tmp_path: Path) -> None:
    with opened(old) as source:
        shared = share_directory(source, tmp_path / "new", {"sub/b"})
        assert shared is not None
        (old / "sub/later").write_text("later")
        (tmp_path / "a").write_text("newer")
        (tmp_path / "a").rename(old / "a")
        (old / "link").unlink()

        before = os.listdir("/proc/self/fd")
        assert sorted(newcomers(source, shared, {"sub/b"})) == ["a", "sub/later"]
        assert os.listdir("/proc/self/fd") == before


def test_nothing_is_left_open(old: Path, tmp_path: Path) -> None:
    with opened(old) as source:
        before = os.listdir("/proc/self/fd")
        share_directory(source, tmp_path / "new", ())
        assert os.listdir("/proc/self/fd") == before


def test_what_is_there_already_is_no_place_for_a_new_directory(old: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()

    with opened(old) as source, pytest.raises(FileExistsError):
        share_directory(source, tmp_path / "new", ())
