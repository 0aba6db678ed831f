"""A directory of a run's own: there when needed, gone at the end, also those of dead runs."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from pathlib import Path

import pytest

from pivot.errors import LocalError, PivotError
from pivot.owner import is_abandoned, own_name
from pivot.scratch import Scratch

DEAD = f"{own_name().rpartition('-')[0].rpartition('-')[0]}-4194999-00000000"
"""A process id that Linux does not give."""


def test_a_name_tells_whether_its_process_runs() -> None:
    assert not is_abandoned(own_name())
    assert is_abandoned(DEAD)
    assert not is_abandoned(f"elsewhere-{DEAD}")
    assert not is_abandoned("4194999")
    assert own_name() != own_name()


def test_a_run_has_one_directory_which_is_empty(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "tmp")
    first, again = scratch.directory(), scratch.directory()

    assert first == again
    assert first.parent == tmp_path / "tmp"
    assert list(first.iterdir()) == []


def test_a_file_stays_when_all_is_well_and_goes_when_not(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "tmp")
    with scratch.file() as (kept, descriptor):
        os.write(descriptor, b"bytes")
    with pytest.raises(RuntimeError), scratch.file() as (lost, _):
        raise RuntimeError

    assert Path(kept).read_bytes() == b"bytes"
    assert os.stat(kept).st_mode & 0o777 == 0o600
    assert not os.path.exists(lost)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_while_all_is_removed_no_other_thread_makes_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = Scratch(tmp_path / "tmp")
    scratch.directory()
    remove, errors = shutil.rmtree, []

    def write() -> None:
        try:
            scratch.write([b"late"], 0o444)
        except PivotError as error:
            errors.append(error.message)

    late = threading.Thread(target=write)

    def remove_slowly(path: Path, *, ignore_errors: bool) -> None:
        if not late.ident:
            late.start()
            late.join(0.2)
        remove(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", remove_slowly)
    scratch.remove()
    late.join()

    assert errors == ["the run is over"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o444, 0o555])
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o777])
def test_a_file_that_is_written_at_once_has_its_mode_whatever_the_umask(
    tmp_path: Path, mode: int, umask: int
) -> None:
    scratch = Scratch(tmp_path / "tmp")
    scratch.directory()
    before = os.umask(umask)
    try:
        path, found = scratch.write([b"by", b"", b"tes"], mode)
    finally:
        os.umask(before)

    assert Path(path).read_bytes() == b"bytes"
    assert os.stat(path).st_mode & 0o777 == mode
    assert (found.st_size, found.st_ino) == (5, os.stat(path).st_ino)


def test_a_file_that_cannot_be_written_at_once_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = Scratch(tmp_path / "tmp")
    write = os.write

    def fill(descriptor: int, data: bytes) -> int:
        if len(data) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(LocalError, match="No space left on device"):
        scratch.write([b"bytes"], 0o444)

    assert list(scratch.directory().iterdir()) == []


def test_at_the_end_nothing_is_left(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "tmp")
    with scratch.file():
        pass
    scratch.remove()

    assert list(tmp_path.iterdir()) == []
    with pytest.raises(PivotError, match="the run is over"):
        scratch.directory()


@pytest.mark.parametrize("when", ["at the start", "at the end"])
def test_what_a_dead_run_left_is_removed_and_what_others_use_is_not(
    when: str, tmp_path: Path
) -> None:
    other = own_name()
    for name in (DEAD, other):
        (tmp_path / "tmp" / name).mkdir(parents=True)
        (tmp_path / "tmp" / name / "file").write_text("bytes")
    scratch = Scratch(tmp_path / "tmp")
    if when == "at the start":
        scratch.directory()
    else:
        scratch.remove()

    assert not (tmp_path / "tmp" / DEAD).exists()
    assert (tmp_path / "tmp" / other / "file").read_text() == "bytes"


def test_a_place_that_is_no_directory_is_a_local_error(tmp_path: Path) -> None:
    (tmp_path / "tmp").write_text("a file")

    with pytest.raises(LocalError):
        Scratch(tmp_path / "tmp").directory()


def test_a_directory_whose_parent_others_remove_is_made_all_the_same(tmp_path: Path) -> None:
    over = threading.Event()

    def remove() -> None:
        while not over.is_set():
            Scratch(tmp_path / "tmp").remove()

    thread = threading.Thread(target=remove)
    thread.start()
    try:
        for _ in range(100):
            scratch = Scratch(tmp_path / "tmp")
            assert scratch.directory().is_dir()
            scratch.remove()
    finally:
        over.set()
        thread.join()


def test_a_directory_that_somebody_removed_is_a_local_error(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "tmp")
    scratch.directory().rmdir()

    with pytest.raises(LocalError), scratch.file():
        pass


def test_a_file_that_is_gone_does_not_hide_what_went_wrong(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Scratch(tmp_path / "tmp").file() as (path, _):
        os.unlink(path)
        raise RuntimeError
