"""Digests that are remembered: only of a file that has certainly not changed since."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.objects import Digest, Sha256, digest_bytes
from pivot.remembered import Remembered, margin, settle
from tests.unit.values import digest, write

SECOND = 1_000_000_000
LONG_AGO = 1_700_000_000 * SECOND + 5


def changed_at(path: Path, ctime: int) -> os.stat_result:
    """Say what the file would be like, had it changed at a time that nobody can set."""
    found = path.stat()
    return os.stat_result(tuple(found), {"st_mtime_ns": LONG_AGO, "st_ctime_ns": ctime})


def later(found: os.stat_result) -> int:
    """Say a time at which every clock tells a change from that of *found*."""
    return found.st_ctime_ns + 3 * SECOND


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    return write(tmp_path, "data", b"content")


@pytest.fixture(name="state")
def _state(tmp_path: Path) -> Path:
    return tmp_path / ".pivot" / "cache" / "remembered.json"


def noted(state: Path, file: Path) -> Remembered:
    remembered = Remembered(state)
    remembered.note("data", file.stat(), digest(1), read_at=later(file.stat()))
    return remembered


def test_a_file_that_was_read_is_known_by_its_path(state: Path, file: Path) -> None:
    remembered = noted(state, file)

    assert remembered.recall("data", file.stat()) == digest(1)
    assert remembered.recall("other", file.stat()) is None


def test_what_was_never_read_is_not_known(state: Path, file: Path) -> None:
    assert Remembered(state).recall("data", file.stat()) is None


@pytest.mark.parametrize("change", ["time", "size", "inode", "content", "mode"])
def test_another_time_size_or_inode_is_another_file(state: Path, file: Path, change: str) -> None:
    before = file.stat()
    remembered = noted(state, file)
    while file.stat().st_ctime_ns == before.st_ctime_ns:  # the kernel's clock stands still
        if change == "inode":
            (file.parent / "new").write_bytes(b"content")
            os.replace(file.parent / "new", file)
        elif change == "mode":
            file.chmod(0o755)
        elif change != "time":
            file.write_bytes(b"content!" if change == "size" else b"CONTENT")
        mtime = before.st_mtime_ns - (change == "time")
        os.utime(file, ns=(before.st_atime_ns, mtime))  # as tar and cp -p set it back

    assert remembered.recall("data", file.stat()) is None


@pytest.mark.parametrize(
    ("ctime", "read_at", "known"),
    [
        (LONG_AGO, LONG_AGO, False),
        (LONG_AGO, LONG_AGO - SECOND, False),
        (LONG_AGO, LONG_AGO + 20_000_000, False),
        (LONG_AGO, LONG_AGO + 20_000_001, True),
        (1_700_000_000 * SECOND, 1_700_000_001 * SECOND + 999_999_999, False),
        (1_700_000_000 * SECOND, 1_700_000_002 * SECOND, False),
        (1_700_000_000 * SECOND, 1_700_000_002 * SECOND + 1, True),
        (0, SECOND, False),
        (0, LONG_AGO, True),
    ],
)
def test_a_file_that_changed_just_before_it_was_read_is_not_believed(
    state: Path, file: Path, ctime: int, read_at: int, known: bool
) -> None:
    remembered = Remembered(state)
    found = changed_at(file, ctime)
    remembered.note("data", found, digest(1), read_at=read_at)

    assert remembered.recall("data", found) == (digest(1) if known else None)


def test_a_file_of_the_future_is_not_believed(state: Path, file: Path) -> None:
    now = time.time_ns()
    found = changed_at(file, now + 3600 * SECOND)
    remembered = Remembered(state)
    remembered.note("data", found, digest(1), read_at=now)

    assert remembered.recall("data", found) is None


def test_what_is_saved_is_known_the_next_time(state: Path, file: Path) -> None:
    noted(state, file).save(complete=False)

    assert Remembered(state).recall("data", file.stat()) == digest(1)
    assert os.listdir(state.parent) == [state.name]


@pytest.mark.parametrize("path", ["é", "a\nb", '"', "😀", "日本/x", "1e5"])
def test_any_path_may_be_remembered(state: Path, file: Path, path: str) -> None:
    remembered = Remembered(state)
    remembered.note(path, file.stat(), digest(1), read_at=later(file.stat()))
    remembered.save(complete=True)

    assert Remembered(state).recall(path, file.stat()) == digest(1)


def test_after_a_complete_look_what_was_not_seen_is_forgotten(state: Path, file: Path) -> None:
    first = noted(state, file)
    first.note("gone", file.stat(), digest(2), read_at=later(file.stat()))
    first.save(complete=True)
    second = Remembered(state)
    second.recall("data", file.stat())
    second.save(complete=True)

    third = Remembered(state)
    assert third.recall("data", file.stat()) == digest(1)
    assert third.recall("gone", file.stat()) is None


def test_after_an_incomplete_look_all_stays(state: Path, file: Path) -> None:
    noted(state, file).save(complete=True)
    second = Remembered(state)
    second.note("more", file.stat(), digest(2), read_at=later(file.stat()))
    second.save(complete=False)

    assert Remembered(state).recall("data", file.stat()) == digest(1)


def test_where_nothing_is_new_nothing_is_written(state: Path, file: Path) -> None:
    noted(state, file).save(complete=False)
    state.unlink()
    remembered = Remembered(state)
    remembered.save(complete=True)

    assert not state.exists()


def test_what_cannot_be_written_is_no_error(tmp_path: Path, file: Path) -> None:
    (tmp_path / "blocked").write_text("")

    noted(tmp_path / "blocked" / "state.json", file).save(complete=True)


BROKEN = [
    b"", b"{", b"[]", b"null", b"5", b'"x"', b"\xff\xfe", b"{}", b'{"version": 1}',
    b'{"version": 1, "files": {"data": [1, 2, 3, "0123456789abcdef"]}}',
    b'{"version": 4, "files": {"data": [1, 2, 3, 4, "0123456789abcdef", ""]}}',
    b'{"version": 3, "files": []}', b'{"version": 3, "files": {"data": 5}}',
    b'{"version": 3, "files": {"data": [1, 2, 3, 4, 5]}}',
    b'{"version": 3, "files": {"data": [1, 2, 3, 4, "short", ""]}}',
    b'{"version": 3, "files": {"data": [1, 2, 3, 4, null, null]}}',
    b'{"version": 3, "files": {"data": [[], {}, "x", 4, "0123456789abcdef", ""]}}',
    b'{"version": 3, "files": {"data": [' + b"9" * 5000 + b"]}}", b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
def test_a_file_that_is_broken_is_no_memory(state: Path, file: Path, content: bytes) -> None:
    state.parent.mkdir(parents=True)
    state.write_bytes(content)
    remembered = Remembered(state)
    before = remembered.recall("data", file.stat())
    remembered.note("data", file.stat(), digest(1), read_at=later(file.stat()))
    remembered.save(complete=True)

    assert before is None
    assert Remembered(state).recall("data", file.stat()) == digest(1)


def test_a_damaged_digest_does_not_spoil_the_others(state: Path, file: Path) -> None:
    noted(state, file).save(complete=True)
    tree = json.loads(state.read_bytes())
    tree["files"]["bad"] = [1, 2, 3, 4, "0123", ""]
    tree["files"]["worse"] = [1, 2, 3, 4, str(digest(1)), "short"]
    state.write_text(json.dumps(tree))

    assert Remembered(state).recall("data", file.stat()) == digest(1)


@given(st.integers(0, 2**62))
def test_the_margin_is_that_of_the_clock_that_made_the_time(mtime: int) -> None:
    assert margin(mtime) == (2 * SECOND if mtime % SECOND == 0 else 20_000_000)


def test_after_settling_a_new_file_is_believed(state: Path, file: Path) -> None:
    file.write_bytes(b"fresh")
    found = file.stat()
    settle([found.st_ctime_ns])
    remembered = Remembered(state)
    remembered.note("data", found, Digest(digest_bytes(b"fresh")), read_at=time.time_ns())

    assert remembered.recall("data", found) == digest_bytes(b"fresh")


def test_nothing_has_to_settle_that_is_old_or_of_the_future() -> None:
    settle([])
    settle([LONG_AGO, 0, time.time_ns() + 3600 * SECOND, LONG_AGO - LONG_AGO % SECOND])


def test_the_sha256_is_known_where_it_was_asked_for(state: Path, file: Path) -> None:
    remembered = Remembered(state)
    sha256 = Sha256("ab" * 32)
    found = file.stat()
    remembered.note("data", found, digest(1), read_at=later(found), sha256=sha256)
    remembered.note("other", found, digest(1), read_at=later(found))
    remembered.save(complete=False)

    again = Remembered(state)
    assert again.recall_all("data", found) == (*identity(found), digest(1), sha256)
    assert again.recall_all("other", found) == (*identity(found), digest(1), "")


def identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def test_a_symlink_in_the_place_of_the_file_leads_nowhere(state: Path, file: Path) -> None:
    state.parent.mkdir(parents=True)
    victim = state.parent / "victim"
    victim.write_text("mine")
    state.symlink_to(victim)
    noted(state, file).save(complete=False)

    assert victim.read_text() == "mine"
    assert not state.is_symlink()


def test_what_a_killed_run_began_to_write_is_removed(state: Path, file: Path) -> None:
    state.parent.mkdir(parents=True)
    (state.parent / ".remembered.json.01234567").write_text("{")
    noted(state, file).save(complete=False)

    assert list(state.parent.iterdir()) == [state]
