"""Files that a stage wrote and does not declare."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from pivot.repro.strays import find_strays
from tests.unit.values import write


@pytest.fixture(name="since")
def _since(tmp_path: Path) -> int:
    """Note the time of the file system after a first file, and before all others."""
    write(tmp_path, "old", b"")
    now = (tmp_path / "old").stat().st_ctime_ns
    mark = tmp_path / ".pivot" / "mark"
    mark.parent.mkdir()
    while True:
        mark.write_bytes(b"")
        if (since := mark.stat().st_ctime_ns) > now:
            return since


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)


def test_files_that_are_new_or_changed_are_found(tmp_path: Path, since: int) -> None:
    before = find_strays(tmp_path, since, ())
    write(tmp_path, "new")
    write(tmp_path, "deep/er/new")
    write(tmp_path, "old", b"changed")

    assert before == []
    assert find_strays(tmp_path, since, ()) == ["deep/er/new", "new", "old"]


def test_a_file_with_an_old_time_stamp_is_new_all_the_same(tmp_path: Path, since: int) -> None:
    os.utime(write(tmp_path, "new"), ns=(1, 1))

    assert find_strays(tmp_path, since, ()) == ["new"]


@pytest.mark.parametrize("mode", [0o444, 0o555])
def test_an_object_that_is_linked_elsewhere_was_not_written(
    mode: int, tmp_path: Path, since: int
) -> None:
    (tmp_path / "old").chmod(mode)
    os.utime(tmp_path / "old", ns=(1, 1))
    (tmp_path / ".pivot/link").hardlink_to(tmp_path / "old")

    assert find_strays(tmp_path, since, ()) == []


def test_a_link_to_what_may_be_written_is_new(tmp_path: Path, since: int) -> None:
    (tmp_path / "new").hardlink_to(tmp_path / "old")

    assert find_strays(tmp_path, since, ()) == ["new", "old"]


@pytest.mark.parametrize("name", ["a b", "é", "*", "\n", "-x", "a\\b"])
def test_names_may_be_odd(tmp_path: Path, since: int, name: str) -> None:
    write(tmp_path, f"d/{name}")

    assert find_strays(tmp_path, since, ()) == [f"d/{name}"]


def test_links_are_files_and_not_followed(tmp_path: Path, since: int) -> None:
    (tmp_path / "nowhere").symlink_to("absent")
    (tmp_path / "around").symlink_to(".")
    (tmp_path / "file").symlink_to("old")

    assert find_strays(tmp_path, since, ()) == ["around", "file", "nowhere"]


def test_what_is_known_is_left_out_with_all_below_it(tmp_path: Path, since: int) -> None:
    for path in ("out/a", "out/b/c", "file", "outer", "more/file"):
        write(tmp_path, path)

    assert find_strays(tmp_path, since, {"out", "file"}) == ["more/file", "outer"]


@pytest.mark.parametrize(
    "path", [".git/x", ".pivot/x", "a/__pycache__/x", "venv/x", "b/node_modules/c/x", ".venv"]
)
def test_what_tools_keep_for_themselves_is_left_out(tmp_path: Path, since: int, path: str) -> None:
    write(tmp_path, path)

    assert find_strays(tmp_path, since, ()) == []


def test_what_git_ignores_is_left_out(tmp_path: Path, since: int) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, ".gitignore", b"*.log\n/logs/\n")
    for path in ("a.log", "logs/x", "deep/b.log", "é.log", "stray"):
        write(tmp_path, path)

    assert find_strays(tmp_path, since, {".gitignore"}) == ["stray"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_cannot_be_read_has_nothing_to_say(tmp_path: Path, since: int) -> None:
    write(tmp_path, "closed/x")
    write(tmp_path, "open/x")
    (tmp_path / "closed").chmod(0)
    try:
        seen = find_strays(tmp_path, since, ())
    finally:
        (tmp_path / "closed").chmod(0o755)

    assert seen == ["open/x"]


def test_files_that_come_and_go_hide_no_others(tmp_path: Path, since: int) -> None:
    """Another process may remove what a directory has just listed."""
    kept = {f"d/{number}" for number in range(300)}
    for path in kept:
        write(tmp_path, path)
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            for number in range(20):
                (tmp_path / "d" / f"temporary{number}").touch()
            for number in range(20):
                (tmp_path / "d" / f"temporary{number}").unlink()

    other = threading.Thread(target=churn)
    other.start()
    try:
        seen = [set(find_strays(tmp_path, since, ())) for _ in range(40)]
    finally:
        stop.set()
        other.join()

    assert all(found >= kept for found in seen)
