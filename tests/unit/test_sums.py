"""Ledgers brought up to date: from what was read, from the cache, or from the workspace."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pivot.cache import Cache
from pivot.ledger import Section, load_ledger, write_ledger
from pivot.objects import Digest, Directory, Output, Sha256, digest_bytes
from pivot.sums import stale_warnings, update_ledgers
from pivot.targets import Reference
from tests.unit.values import directory_of, file_of, put_object, stage_output, write

X = file_of("d/x", b"x")
PARTS = directory_of("parts", {"a": b"a", "b": b"b"})
LEDGER = ".pivot/digests/s.sha256"


def sum_of(content: bytes) -> Sha256:
    return Sha256(hashlib.sha256(content).hexdigest())


def update(
    root: Path,
    *outputs: Output,
    known: Mapping[Digest, Sha256] | None = None,
    every: tuple[Reference, ...] = (),
) -> tuple[str, ...]:
    """Update the ledger of one stage with *outputs*, of which it has what it has."""
    has = load_ledger(root, LEDGER)
    chosen = []
    for output in outputs:
        section = has.get(output.path)
        right = section is not None and section.digest == output.digest
        sums = section.sums if section is not None and right else {}
        chosen.append(replace(stage_output("s", output), sums=sums, ledger=LEDGER))
    with Cache(root / "cache") as cache:
        return update_ledgers(root, cache, chosen, every or chosen, known=known or {})


def test_sums_are_of_the_objects_in_the_cache(tmp_path: Path) -> None:
    for content in (b"x", b"a", b"b"):
        put_object(tmp_path / "cache", content)

    assert update(tmp_path, X, PARTS) == (LEDGER,)
    assert load_ledger(tmp_path, LEDGER) == {
        "d/x": Section(X.digest, {"d/x": sum_of(b"x")}),
        "parts": Section(PARTS.digest, {"parts/a": sum_of(b"a"), "parts/b": sum_of(b"b")}),
    }
    assert update(tmp_path, X, PARTS) == ()


def test_what_was_read_before_is_not_read_again(tmp_path: Path) -> None:
    assert update(tmp_path, X, known={X.digest: sum_of(b"x")}) == (LEDGER,)
    assert load_ledger(tmp_path, LEDGER)["d/x"].sums == {"d/x": sum_of(b"x")}


def test_what_the_cache_lacks_is_read_in_the_workspace(tmp_path: Path) -> None:
    write(tmp_path, "d/x", b"x")

    assert update(tmp_path, X) == (LEDGER,)
    assert load_ledger(tmp_path, LEDGER)["d/x"].sums == {"d/x": sum_of(b"x")}


@pytest.mark.parametrize("kind", ["nothing", "other bytes", "directory", "symlink", "below a link"])
def test_what_is_nowhere_has_no_sum(kind: str, tmp_path: Path) -> None:
    elsewhere = write(tmp_path, "elsewhere/x", b"x")
    if kind == "other bytes":
        write(tmp_path, "d/x", b"y")
    elif kind == "directory":
        (tmp_path / "d/x").mkdir(parents=True)
    elif kind == "symlink":
        (tmp_path / "d").mkdir()
        (tmp_path / "d/x").symlink_to(elsewhere)
    elif kind == "below a link":
        (tmp_path / "d").symlink_to("elsewhere")

    assert update(tmp_path, X) == ()
    assert not (tmp_path / LEDGER).exists()


def test_the_same_content_elsewhere_will_do(tmp_path: Path) -> None:
    """The first of two files with one content was changed, the second was not."""
    both = directory_of("parts", {"a": b"same", "b": b"same"})
    write(tmp_path, "parts/a", b"changed")
    write(tmp_path, "parts/b", b"same")

    assert update(tmp_path, both) == (LEDGER,)
    assert set(load_ledger(tmp_path, LEDGER)["parts"].sums) == {"parts/a", "parts/b"}


def test_what_is_known_of_a_part_is_written_and_the_rest_added_later(tmp_path: Path) -> None:
    put_object(tmp_path / "cache", b"a")
    assert update(tmp_path, PARTS) == (LEDGER,)
    assert set(load_ledger(tmp_path, LEDGER)["parts"].sums) == {"parts/a"}

    put_object(tmp_path / "cache", b"b")
    assert update(tmp_path, PARTS) == (LEDGER,)
    assert set(load_ledger(tmp_path, LEDGER)["parts"].sums) == {"parts/a", "parts/b"}


def test_an_output_of_another_digest_is_written_anew(tmp_path: Path) -> None:
    stale = Section(
        digest_bytes(b"old"), {"parts/a": sum_of(b"old"), "parts/gone": sum_of(b"gone")}
    )
    write_ledger(tmp_path, LEDGER, {"parts": stale})
    put_object(tmp_path / "cache", b"b")

    assert update(tmp_path, PARTS) == (LEDGER,)
    assert load_ledger(tmp_path, LEDGER) == {
        "parts": Section(PARTS.digest, {"parts/b": sum_of(b"b")})
    }


def test_what_the_document_lists_no_longer_goes_and_what_was_not_chosen_stays(
    tmp_path: Path,
) -> None:
    put_object(tmp_path / "cache", b"x")
    kept = Section(digest_bytes(b"old"), {"parts/a": sum_of(b"old")})
    write_ledger(
        tmp_path, LEDGER, {"gone": Section(X.digest, {"gone": sum_of(b"x")}), "parts": kept}
    )
    every = (stage_output("s", X), stage_output("s", PARTS), stage_output("t", file_of("t", b"t")))

    assert update(tmp_path, X, every=every) == (LEDGER,)
    assert load_ledger(tmp_path, LEDGER) == {
        "d/x": Section(X.digest, {"d/x": sum_of(b"x")}),
        "parts": kept,
    }
    assert os.listdir(tmp_path / ".pivot/digests") == ["s.sha256"]


A_PART = replace(PARTS, digest=Digest(""), files=PARTS.files[:1])


@pytest.mark.parametrize("part", [A_PART, PARTS.files[0]], ids=["directory", "file"])
def test_of_a_directory_only_the_part_that_was_chosen_gets_sums(
    tmp_path: Path, part: Output
) -> None:
    known = {digest_bytes(content): sum_of(content) for content in (b"x", b"a", b"b")}
    every = (stage_output("s", PARTS), stage_output("s", X))

    assert update(tmp_path, part, known=known, every=every) == (LEDGER,)
    assert load_ledger(tmp_path, LEDGER) == {
        "parts": Section(PARTS.digest, {"parts/a": sum_of(b"a")})
    }


def test_a_part_that_is_an_output_of_its_own_as_well_gets_a_sum_in_both(tmp_path: Path) -> None:
    file = PARTS.files[0]
    known = {file.digest: sum_of(b"a")}
    every = (stage_output("s", PARTS), stage_output("s", file))

    assert update(tmp_path, file, known=known, every=every) == (LEDGER,)
    assert load_ledger(tmp_path, LEDGER) == {
        "parts": Section(PARTS.digest, {"parts/a": sum_of(b"a")}),
        "parts/a": Section(file.digest, {"parts/a": sum_of(b"a")}),
    }


def test_an_output_inside_of_one_that_was_chosen_gets_its_sum_too(tmp_path: Path) -> None:
    file = PARTS.files[0]
    known = {digest_bytes(content): sum_of(content) for content in (b"a", b"b")}
    every = (stage_output("s", PARTS), stage_output("s", file))

    assert update(tmp_path, PARTS, known=known, every=every) == (LEDGER,)
    assert set(load_ledger(tmp_path, LEDGER)) == {"parts", "parts/a"}


def test_a_stale_ledger_is_named_where_its_objects_are_moved(tmp_path: Path) -> None:
    stale = replace(stage_output("s", PARTS), stale=True, ledger=LEDGER)
    sound = replace(stage_output("s", X), ledger=LEDGER)
    assert isinstance(PARTS, Directory)
    last = PARTS.files[-1].digest

    (warning,) = stale_warnings(tmp_path, [stale, sound], {last, X.digest})

    assert warning.startswith(f"parts: {LEDGER} is of another content than .pivot/stages/s.lock,")
    assert stale_warnings(tmp_path, [stale, sound], {X.digest}) == ()
