"""Is there room for what is to come? Asked before the first byte."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from pivot.errors import LocalError
from pivot.room import check_room

MIB = 1 << 20


@pytest.fixture(name="disk")
def _disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A file system with 1,000 MiB and 50 inodes free."""
    disk = SimpleNamespace(f_bavail=1000, f_frsize=MIB, f_files=100, f_favail=50)
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    return disk


@pytest.mark.usefixtures("disk")
def test_what_fits_exactly_may_begin(tmp_path: Path) -> None:
    check_room(tmp_path / "not/there/yet", size=1000 * MIB, files=50, hint="")


@pytest.mark.usefixtures("disk")
def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=f"{1001 * MIB} bytes are needed, {1000 * MIB} are free"):
        check_room(tmp_path, size=1001 * MIB, files=1, hint="buy another")
    with pytest.raises(LocalError, match="51 files are to come, 50 inodes are free") as caught:
        check_room(tmp_path, size=0, files=51, hint="buy another")
    assert caught.value.hint == "remove some files, or buy another"


@pytest.mark.usefixtures("disk")
def test_a_job_leaves_some_room_for_its_other_steps(tmp_path: Path) -> None:
    check_room(tmp_path, size=700 * MIB, files=1, hint="", spare=True)
    with pytest.raises(LocalError, match=r"with 5 % and 256 MiB to spare"):
        check_room(tmp_path, size=710 * MIB, files=1, hint="", spare=True)


def test_a_file_system_without_a_table_of_inodes_has_room(
    tmp_path: Path, disk: SimpleNamespace
) -> None:
    disk.f_files = disk.f_favail = 0
    check_room(tmp_path, size=1, files=10**6, hint="")


def test_nothing_always_fits(tmp_path: Path, disk: SimpleNamespace) -> None:
    disk.f_bavail = 0
    check_room(tmp_path, size=0, files=0, hint="", spare=True)
