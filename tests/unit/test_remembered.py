"""Digests that are remembered: only of a file that has certainly not changed since."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.objects import Digest, digest_bytes
from pivot.remembered import Remembered, margin, settle
from tests.unit.values import digest, write

SECOND = 1_000_000_000
LONG_AGO = 1_700_000_000 * SECOND + 5


def aged(path: Path, mtime: int = LONG_AGO) -> os.stat_result:
    os.utime(path, ns=(mtime, mtime))
    return path.stat()


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    return write(tmp_path, "data", b"content")


@pytest.fixture(name="state")
def _state(tmp_path: Path) -> Path:
    return tmp_path / ".pivot" / "cache" / "remembered.json"


def noted(state: Path, file: Path, *, mtime: int = LONG_AGO) -> Remembered:
    remembered = Remembered(state)
    remembered.note("data", aged(file, mtime), digest(1), read_at=time.time_ns())
    return remembered


def test_a_file_that_was_read_is_known_by_its_path(state: Path, file: Path) -> None:
    remembered = noted(state, file)

    assert remembered.recall("data", file.stat()) == digest(1)
    assert remembered.recall("other", file.stat()) is None


def test_what_was_never_read_is_not_known(state: Path, file: Path) -> None:
    assert Remembered(state).recall("data", file.stat()) is None


def test_another_time_size_or_inode_is_another_file(state: Path, file: Path) -> None:
    remembered = noted(state, file)
    older = aged(file, LONG_AGO - 1)
    file.write_bytes(b"content!")
    larger = aged(file)
    file.write_bytes(b"content")
    (file.parent / "new").write_bytes(b"content")
    os.replace(file.parent / "new", file)
    replaced = aged(file)

    assert [remembered.recall("data", each) for each in (older, larger, replaced)] == [None] * 3


def test_a_mode_is_no_content(state: Path, file: Path) -> None:
    remembered = noted(state, file)
    file.chmod(0o755)

    assert remembered.recall("data", file.stat()) == digest(1)


@pytest.mark.parametrize(
    ("mtime", "read_at", "known"),
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
    state: Path, file: Path, mtime: int, read_at: int, known: bool
) -> None:
    remembered = Remembered(state)
    found = aged(file, mtime)
    remembered.note("data", found, digest(1), read_at=read_at)

    assert remembered.recall("data", found) == (digest(1) if known else None)


def test_a_file_of_the_future_is_not_believed(state: Path, file: Path) -> None:
    later = time.time_ns() + 3600 * SECOND
    remembered = noted(state, file, mtime=later)

    assert remembered.recall("data", file.stat()) is None


def test_what_is_saved_is_known_the_next_time(state: Path, file: Path) -> None:
    noted(state, file).save(complete=False)

    assert Remembered(state).recall("data", file.stat()) == digest(1)
    assert os.listdir(state.parent) == [state.name]


@pytest.mark.parametrize("path", ["é", "a\nb", '"', "😀", "日本/x", "1e5"])
def test_any_path_may_be_remembered(state: Path, file: Path, path: str) -> None:
    remembered = Remembered(state)
    remembered.note(path, aged(file), digest(1), read_at=time.time_ns())
    remembered.save(complete=True)

    assert Remembered(state).recall(path, file.stat()) == digest(1)


def test_after_a_complete_look_what_was_not_seen_is_forgotten(state: Path, file: Path) -> None:
    first = noted(state, file)
    first.note("gone", file.stat(), digest(2), read_at=time.time_ns())
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
    second.note("more", file.stat(), digest(2), read_at=time.time_ns())
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
    b'{"version": 2, "files": {"data": [1, 2, 3, "0123456789abcdef"]}}',
    b'{"version": 1, "files": []}', b'{"version": 1, "files": {"data": 5}}',
    b'{"version": 1, "files": {"data": [1, 2, 3]}}',
    b'{"version": 1, "files": {"data": [1, 2, 3, "short"]}}',
    b'{"version": 1, "files": {"data": [1, 2, 3, null]}}',
    b'{"version": 1, "files": {"data": [[], {}, "x", "0123456789abcdef"]}}',
    b'{"version": 1, "files": {"data": [' + b"9" * 5000 + b"]}}", b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
def test_a_file_that_is_broken_is_no_memory(state: Path, file: Path, content: bytes) -> None:
    state.parent.mkdir(parents=True)
    state.write_bytes(content)
    remembered = Remembered(state)
    before = remembered.recall("data", file.stat())
    remembered.note("data", aged(file), digest(1), read_at=time.time_ns())
    remembered.save(complete=True)

    assert before is None
    assert Remembered(state).recall("data", file.stat()) == digest(1)


def test_a_damaged_digest_does_not_spoil_the_others(state: Path, file: Path) -> None:
    noted(state, file).save(complete=True)
    tree = json.loads(state.read_bytes())
    tree["files"]["bad"] = [1, 2, 3, "0123"]
    state.write_text(json.dumps(tree))

    assert Remembered(state).recall("data", file.stat()) == digest(1)


@given(st.integers(0, 2**62))
def test_the_margin_is_that_of_the_clock_that_made_the_time(mtime: int) -> None:
    assert margin(mtime) == (2 * SECOND if mtime % SECOND == 0 else 20_000_000)


def test_after_settling_a_new_file_is_believed(state: Path, file: Path) -> None:
    file.write_bytes(b"fresh")
    found = file.stat()
    settle([found.st_mtime_ns])
    remembered = Remembered(state)
    remembered.note("data", found, Digest(digest_bytes(b"fresh")), read_at=time.time_ns())

    assert remembered.recall("data", found) == digest_bytes(b"fresh")


def test_nothing_has_to_settle_that_is_old_or_of_the_future() -> None:
    settle([])
    settle([LONG_AGO, 0, time.time_ns() + 3600 * SECOND, LONG_AGO - LONG_AGO % SECOND])
