"""What `repro` believes: the files as they are, and what is there in part."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.places import (
    LONG_AGO,
    Clone,
    during,
    lose,
    sh,
    slow,
)
from tests.e2e.ugly import Place, stage
from tests.projects import ProjectBuilder, digest, objects

# Stages of the real Pivot


def theirs(place: Place) -> Path:
    lock = ProjectBuilder(place.root).stage("theirs", {"table": b"theirs\n"}, place=True)
    place.write(
        theirs={"python": "stages.theirs"}, ours=stage("cat table > ours", "ours", deps=["table"])
    )
    return lock


@pytest.mark.parametrize("options", [(), ("--force",), ("theirs",)])
def test_a_stage_of_the_real_pivot_is_never_run(options: tuple[str, ...], place: Place) -> None:
    lock = theirs(place)
    before = lock.read_bytes()
    (place.root / "table").write_text("edited\n")

    told = place("repro", "--dry-run", *options)
    done = place("repro", *options)

    assert (told.code, done.code) == (0, 0), (told, done)
    assert "Unchanged theirs: needs the real Pivot" in told.out
    assert "Unchanged: theirs" in done.out
    assert place.text("table") == "edited\n"
    assert lock.read_bytes() == before
    if "theirs" not in options:
        assert place.text("ours") == "edited\n"


def test_a_lost_output_of_the_real_pivot_fails_who_reads_it(place: Place) -> None:
    lock = theirs(place)
    before = lock.read_bytes()
    (place.root / "table").unlink()
    restored = place.states()
    (place.root / "table").unlink()
    (place.root / "ours").unlink()
    lose(place, b"theirs\n")

    done = place("repro")

    assert restored == {"theirs": "restored", "ours": "ran"}
    assert done.code == 1, done
    assert "Error: table, which stage ours reads, is not there" in done.err
    assert lock.read_bytes() == before


def test_a_stage_of_the_real_pivot_without_a_lock_is_said_to_need_it(place: Place) -> None:
    place.write(theirs={"python": "stages.theirs"})

    done = place("repro")

    assert done.code == 1, done
    assert "stage theirs needs the real Pivot, and has no lock file yet" in done.err


# Files whose times say nothing


@pytest.mark.parametrize("mode", ["hardlink", "symlink", "copy"])
@pytest.mark.parametrize("cached", [True, False])
def test_an_output_unpacked_with_its_old_time_is_noticed(
    cached: bool, mode: str, place: Place
) -> None:
    (place.root / ".pivot/config.yaml").write_text(f"cache:\n  checkout_mode: [{mode}]\n")
    place.write(a=stage("echo made > out", {"out": {"cache": cached}}))
    first = [place.states(), place.states()]
    time_stamp = (place.root / "out").stat().st_mtime_ns
    other = place.root.parent / "other"
    other.mkdir()
    (other / "out").write_text("fake\n")
    os.utime(other / "out", ns=(time_stamp, time_stamp))
    sh(place, "tar --format=posix -C ../other -cf ../a.tar out; tar -xf ../a.tar")
    found = (place.root / "out").stat()

    told = place("repro", "--dry-run")
    done = place("repro")

    assert first == [{"a": "ran"}, {"a": "unchanged"}]
    assert (found.st_mtime_ns, found.st_size) == (time_stamp, 5)
    assert "out was changed" in told.out
    assert "out was there and is replaced; it is kept as object" in done.out
    assert ("Restored a" in done.out) == cached
    assert place.text("out") == "made\n"
    assert objects(place.root / ".pivot/cache")[digest(b"fake\n")] == b"fake\n"


def test_a_source_replaced_by_a_copy_of_equal_time_is_noticed(place: Place) -> None:
    place.write(a=stage("cat src > out", "out", deps=["src"]))
    for name, text in (("src", "1\n"), ("other", "2\n")):
        (place.root / name).write_text(text)
        os.utime(place.root / name, ns=LONG_AGO)
    first = [place.states(), place.states()]
    sh(place, "cp -p other src")
    second = place.states()

    assert (place.root / "src").stat().st_mtime_ns == LONG_AGO[1]
    assert first == [{"a": "ran"}, {"a": "unchanged"}]
    assert second == {"a": "ran"}
    assert place.text("out") == "2\n"


@pytest.mark.parametrize("path", ["out", "d/f"])
@pytest.mark.parametrize("options", [(), ("--pull",)])
def test_an_object_changed_through_a_hard_link_is_not_restored(
    path: str, options: tuple[str, ...], place: Place, clone: Clone
) -> None:
    """It has its name and its size, and is read-only: only its bytes tell."""
    (place.root / ".pivot/config.yaml").write_text("cache:\n  checkout_mode: [hardlink]\n")
    whole = path.partition("/")[0]
    place.write(a=stage(f"mkdir -p d; echo made > {path}", whole))
    place("repro")
    clone("other")
    sh(place, f"chmod u+w {path}; printf fake | dd of={path} conv=notrunc; chmod a-w {path}")
    spoilt = objects(place.root / ".pivot/cache")[digest(b"made\n")]

    told = place("repro", "--dry-run", *options)
    done = place("repro", *options)

    assert spoilt == b"fake\n"
    assert ("Would restore a" if options else "Would run a") in told.out
    assert done.code == 0, done
    assert ("Restored a" if options else "Running a") in done.out
    assert "Note: 1 object(s) in the cache are damaged" in told.out
    assert "Note: 1 object(s) in the cache are damaged" in done.out
    assert place.text(path) == "made\n"
    held = objects(place.root / ".pivot/cache")
    assert held == {digest(b"made\n"): b"made\n", digest(b"fake\n"): b"fake\n"}


# Tracked data that is there in part


def tracked(place: Place, **commands: str) -> None:
    (place.root / "d").mkdir()
    for name in ("a", "b"):
        (place.root / "d" / name).write_text(f"{name}\n")
    assert place("track", "d").code == 0
    place.write(**{name: stage(text, name, deps=["d"]) for name, text in commands.items()})


@pytest.mark.parametrize("edited", [False, True])
def test_tracked_data_there_in_part_is_completed(edited: bool, place: Place, clone: Clone) -> None:
    tracked(place, all="cat d/* > all")
    there = clone("there")
    pulled = there("pull", "d/a")
    part = sorted(os.listdir(there.root / "d"))
    if edited:
        (there.root / "d/a").unlink()
        (there.root / "d/a").write_text("mine\n")

    done = there("repro", "--pull")

    assert pulled.code == 0, pulled
    assert part == ["a"]
    assert done.code == 0, done
    assert there.text("all") == ("mine\nb\n" if edited else "a\nb\n")
    assert there.text("d/a") == ("mine\n" if edited else "a\n")


def test_a_part_that_was_placed_for_one_stage_is_completed_for_another(
    place: Place, clone: Clone
) -> None:
    tracked(place, all="cat d/* > all")
    part = stage("cat d/a > part", "part", deps=["d/a"])
    place.write(part=part, all=stage("cat d/* > all", "all", deps=["d"]))
    there = clone("there")
    first = there("repro", "--pull", "--allow-missing", "part")
    listed = sorted(os.listdir(there.root / "d"))

    second = there("repro", "--pull", "--allow-missing", "all")

    assert (first.code, second.code) == (0, 0), (first, second)
    assert listed == ["a"]
    assert there.text("all") == "a\nb\n"


@pytest.mark.parametrize("options", [(), ("--pull",)])
def test_a_part_that_is_nowhere_is_named_with_the_cure(
    options: tuple[str, ...], place: Place, clone: Clone
) -> None:
    tracked(place, all="cat d/* > all")
    there = clone("there")
    assert there("pull").code == 0
    (there.root / "d/b").unlink()
    lose(there, b"b\n")
    name = digest(b"b\n")
    (place.root.parent / "remote/files" / name[:2] / name[2:]).unlink()

    done = there("repro", *options)
    cured = there("track", "--force", "d")
    after = there("repro", *options)

    assert done.code == 1, done
    assert "d/b, which d.pvt records, is not there" in done.err
    assert "'pivot track --force d'" in done.err
    assert (cured.code, after.code) == (0, 0), (cured, after)
    assert there.text("all") == "a\n"


def test_a_part_of_an_output_that_is_nowhere_is_named_with_its_stage(place: Place) -> None:
    make = stage("mkdir d; echo a > d/a; echo b > d/b", "d")
    place.write(make=make, use=stage("cat d/* > use", "use", deps=["d"]))
    place("repro")
    for path in ("d/b", "use"):
        (place.root / path).unlink()
    lose(place, b"b\n")

    done = place("repro", "--single", "use")

    assert done.code == 1, done
    assert "d/b, which .pivot/stages/make.lock records, is not there" in done.err
    assert "'pivot pull d', or 'pivot repro make' to make it again" in done.err


# Sources that change while stages run


@pytest.mark.parametrize("same", [True, False], ids=["same output", "other output"])
def test_a_source_edited_while_an_earlier_stage_runs_is_seen(same: bool, place: Place) -> None:
    slow(place, late=stage("cat out more > late", "late", deps=["out", "more"]))
    if same:
        wait = ": ; cat src > out; touch began; until [ -e go ]; do sleep 0.01; done"
        place.write(
            slow=stage(wait, "out", deps=["src"]),
            late=stage("cat out more > late", "late", deps=["out", "more"]),
        )
    else:
        (place.root / "src").write_text("2\n")

    during(place, lambda: (place.root / "more").write_text("edited\n"))

    assert place.text("late") == ("1" if same else "2") + "\nedited\n"
    assert place.states() == {"slow": "unchanged", "late": "unchanged"}


def test_a_source_edited_before_its_stage_begins_is_seen(place: Place) -> None:
    slow(place, late=stage("cat more > late", "late", deps=["more"]))
    for name in ("src", "more"):
        (place.root / name).write_text("2\n")

    during(place, lambda: (place.root / "more").write_text("3\n"), "-j1")

    assert place.text("late") == "3\n"
    assert place.states() == {"slow": "unchanged", "late": "unchanged"}


def test_data_tracked_while_stages_run_stays_out_of_git(place: Place) -> None:
    slow(place)
    (place.root / "src").write_text("2\n")

    during(place, lambda: place("track", "more"))

    assert "/more\n" in place.text(".gitignore")
    assert "/out\n" in place.text(".gitignore")


def test_what_lies_beside_that_which_is_made_anew_is_put_in_place(place: Place) -> None:
    make = stage("cat src > d/made", "d/made", deps=["src"])
    (place.root / "d").mkdir()
    (place.root / "d/raw").write_text("raw\n")
    (place.root / "src").write_text("1\n")
    assert place("track", "d/raw").code == 0
    place.write(make=make, join=stage("cat d/made d/raw > all", "all", deps=["d"]))
    assert place("repro").code == 0
    (place.root / "d/raw").unlink()
    (place.root / "src").write_text("2\n")
    place.write(make=make, join=stage("cat d/raw d/made > all", "all", deps=["d"]))

    done = place("repro")

    assert done.code == 0, done
    assert place.text("all") == "raw\n2\n"
