"""What a deep verification remembers: only of a run that was cut off, and only what was right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pivot.deep import choose
from pivot.journal import Journal
from pivot.objects import Digest, Promise, Sha256
from pivot.remembered import version_of

ONE, TWO = Digest("1" * 16), Digest("2" * 16)
SUM, OTHER = Sha256("a" * 64), Sha256("b" * 64)
NOW = 1_000_000.0


def journal(place: Path, about: str = "x", *, seed: int | None = None, now: float = NOW) -> Journal:
    return Journal(place / "verify", about, seed=seed, now=lambda: now)


def cut_off(place: Path) -> Journal:
    first = journal(place)
    first.note(ONE, "v1", SUM)
    first.note(TWO, "v2", None)
    first.close(over=False)
    return first


def test_what_was_read_before_a_cut_is_known(tmp_path: Path) -> None:
    first = cut_off(tmp_path)
    again = journal(tmp_path, now=NOW + 3600)

    assert (again.seed, again.began) == (first.seed, NOW)
    assert (again.known(Promise(ONE)), again.known(Promise(ONE, sha256=SUM))) == ("v1", "v1")
    assert again.known(Promise(ONE, sha256=OTHER)) == ""
    assert again.known(Promise(TWO)) == "v2"
    assert again.known(Promise(TWO, sha256=SUM)) == ""


def test_another_run_knows_nothing(tmp_path: Path) -> None:
    cut_off(tmp_path)

    assert journal(tmp_path, "y").known(Promise(ONE)) == ""
    assert journal(tmp_path, now=NOW + 25 * 3600).known(Promise(ONE)) == ""
    cut_off(tmp_path)
    assert journal(tmp_path, now=NOW - 1).known(Promise(ONE)) == ""
    first = cut_off(tmp_path)
    assert journal(tmp_path, seed=first.seed).known(Promise(ONE)) == "v1"
    assert journal(tmp_path, seed=first.seed + 1).known(Promise(ONE)) == ""


def test_a_run_that_ends_leaves_nothing(tmp_path: Path) -> None:
    cut_off(tmp_path)
    journal(tmp_path).close(over=True)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", ['["111', "[1, 2, 3]\n", '"x"\n', "\n", "[[[[\n", "\xff\n"])
def test_a_line_that_is_torn_costs_only_itself(end: str, tmp_path: Path) -> None:
    cut_off(tmp_path)
    (file,) = (tmp_path / "verify").iterdir()
    with file.open("a", encoding="latin-1") as text:
        text.write(end)

    assert journal(tmp_path).known(Promise(TWO)) == "v2"


@pytest.mark.parametrize("text", ["", "x", "[]", '{"version": 9}', "{}\n[]"])
def test_what_is_no_journal_is_begun_anew(text: str, tmp_path: Path) -> None:
    cut_off(tmp_path)
    (file,) = (tmp_path / "verify").iterdir()
    file.write_text(text)
    again = journal(tmp_path)
    again.note(ONE, "v3", None)
    again.close(over=False)

    assert journal(tmp_path).known(Promise(ONE)) == "v3"


def test_where_nothing_can_be_written_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / "verify").write_text("a file")
    blind = journal(tmp_path)
    blind.note(ONE, "v1", None)
    blind.close(over=True)

    assert blind.known(Promise(ONE)) == ""


def test_a_version_tells_every_change_and_doubts_what_is_young(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"one")
    found = file.stat()
    later = found.st_ctime_ns + 10**9
    before = version_of(found, read_at=later)
    file.write_bytes(b"two")
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))

    assert version_of(found, read_at=found.st_ctime_ns + 1) == ""
    assert before != version_of(file.stat(), read_at=later + 10**12)


def test_a_sample_is_a_part_that_its_seed_repeats() -> None:
    digests = [Digest(f"{number:016x}") for number in range(250)]
    some = choose(digests, 1, 7)

    assert len(some) == len(set(some)) == 3
    assert some == choose(digests[::-1], 1, 7) != choose(digests, 1, 8)
    assert choose(digests, 100, 7) == digests
    assert choose([], 1, 7) == []
