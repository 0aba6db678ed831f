"""What was checked by SHA-256: remembered for the very file that was read, and for no other."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pivot.objects import Sha256
from pivot.proofs import Proofs
from tests.unit.values import digest

ONE, TWO = Sha256("1" * 64), Sha256("2" * 64)


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "checked.json"


@pytest.fixture(name="held")
def _held(tmp_path: Path) -> Path:
    held = tmp_path / "object"
    held.write_bytes(b"data")
    return held


def test_what_is_noted_is_known_at_once_and_to_the_next_run(file: Path, held: Path) -> None:
    proofs = Proofs(file)
    proofs.note(digest(1), held.stat(), ONE)

    assert proofs.recall(digest(1), held.stat()) == ONE
    assert proofs.recall(digest(2), held.stat()) is None
    proofs.save()
    assert proofs.recall(digest(1), held.stat()) == ONE
    assert Proofs(file).recall(digest(1), held.stat()) == ONE


def test_the_last_word_counts(file: Path, held: Path) -> None:
    for sha256 in (ONE, TWO):
        proofs = Proofs(file)
        proofs.note(digest(1), held.stat(), sha256)
        assert proofs.recall(digest(1), held.stat()) == sha256
        proofs.save()

    assert Proofs(file).recall(digest(1), held.stat()) == TWO


@pytest.mark.parametrize("change", ["time", "size", "file"])
def test_another_file_is_not_the_one_that_was_read(change: str, file: Path, held: Path) -> None:
    proofs = Proofs(file)
    before = held.stat()
    proofs.note(digest(1), before, ONE)
    if change == "time":
        os.utime(held, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    elif change == "size":
        held.write_bytes(b"data and more")
        os.utime(held, ns=(before.st_atime_ns, before.st_mtime_ns))
    else:
        held.with_name("new").write_bytes(b"data")
        os.utime(held.with_name("new"), ns=(before.st_atime_ns, before.st_mtime_ns))
        held.with_name("new").rename(held)

    assert proofs.recall(digest(1), held.stat()) is None


def test_a_hard_link_to_it_is_still_the_one_that_was_read(file: Path, held: Path) -> None:
    proofs = Proofs(file)
    proofs.note(digest(1), held.stat(), ONE)
    os.link(held, held.with_name("link"))

    assert proofs.recall(digest(1), held.stat()) == ONE


def test_what_another_run_wrote_meanwhile_stays(file: Path, held: Path) -> None:
    mine, other = Proofs(file), Proofs(file)
    mine.recall(digest(1), held.stat())
    for proofs, number in ((mine, 1), (other, 2)):
        proofs.note(digest(number), held.stat(), ONE)
        proofs.save()

    assert {Proofs(file).recall(digest(number), held.stat()) for number in (1, 2)} == {ONE}
    assert mine.recall(digest(2), held.stat()) == ONE


def test_nothing_new_writes_nothing(file: Path) -> None:
    Proofs(file).save()

    assert not file.parent.exists()


def test_a_place_that_cannot_be_written_to_is_no_error(tmp_path: Path, held: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    proofs = Proofs(tmp_path / "cache" / "checked.json")
    proofs.note(digest(1), held.stat(), ONE)

    proofs.save()


def test_a_symlink_in_the_place_of_the_file_leads_nowhere(file: Path, held: Path) -> None:
    file.parent.mkdir()
    victim = file.parent / "victim"
    victim.write_text("mine")
    file.symlink_to(victim)
    proofs = Proofs(file)
    proofs.note(digest(1), held.stat(), ONE)
    proofs.save()

    assert victim.read_text() == "mine"
    assert not file.is_symlink()


def test_what_a_killed_run_began_to_write_is_removed(file: Path, held: Path) -> None:
    file.parent.mkdir()
    torn = file.parent / ".checked.json.01234567"
    torn.write_text("{")
    proofs = Proofs(file)
    proofs.note(digest(1), held.stat(), ONE)
    proofs.save()

    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "5",
        '{"objects": {}}',
        '{"version": 1}',
        '{"version": 1, "objects": []}',
        '{"version": 1, "objects": {"a": 5}}',
        '{"version": 1, "objects": {"a": [1, 2, 3]}}',
        "[" * 100_000,
        "\x80",
    ],
)
def test_what_cannot_be_read_vouches_for_nothing(text: str, file: Path, held: Path) -> None:
    file.parent.mkdir()
    file.write_text(text, encoding="latin-1")

    assert Proofs(file).recall(digest(1), held.stat()) is None


@pytest.mark.parametrize("what", ["all is right", "another version", "a sum that is none"])
def test_the_form_of_the_file(what: str, file: Path, held: Path) -> None:
    found = held.stat()
    sha256 = "nonsense" if what == "a sum that is none" else ONE
    known = [found.st_ino, found.st_size, found.st_mtime_ns, sha256]
    tree = {"version": 2 if what == "another version" else 1, "objects": {digest(1): known}}
    file.parent.mkdir()
    file.write_text(json.dumps(tree))

    expected = ONE if what == "all is right" else None
    assert Proofs(file).recall(digest(1), found) == expected
