"""What is the user's is not lost: neither around a stage nor by what `repro` and `track` write."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.conftest import Done
from tests.e2e.places import clone_of, during, git, sh, slow
from tests.e2e.ugly import Place, stage
from tests.projects import digest, objects

REPLACED = ".pivot/cache/replaced.log"


def replace(place: Place, path: str, text: str) -> None:
    """Do as an editor does: what was there may be a read-only link into the cache."""
    (place.root / path).unlink(missing_ok=True)
    (place.root / path).write_text(text)


def held(place: Place) -> set[bytes]:
    return set(objects(place.root / ".pivot/cache").values())


def is_named(done: Done, path: str, text: str) -> bool:
    kept = f"{path} was there and is replaced; it is kept as object {digest(text.encode())}"
    return f"Warning: {kept}\n" in done.out


# What is replaced for a stage


@pytest.mark.parametrize("path", ["made", "d/made"])
def test_an_input_edited_by_hand_is_kept_when_it_is_replaced(path: str, place: Place) -> None:
    whole = path.partition("/")[0]
    make = stage(f"mkdir -p d; echo made > {path}", whole)
    place.write(make=make, use=stage(f"cat {path} > use", "use", deps=[whole]))
    place("repro")
    there = clone_of(place, "there")
    there.write(make=make, use=stage(f": ; cat {path} > use", "use", deps=[whole]))
    (there.root / path).parent.mkdir(exist_ok=True)
    (there.root / path).write_text("hours of work\n")

    done = there("repro", "--pull", "--allow-missing")

    assert done.code == 0, done
    assert is_named(done, path, "hours of work\n"), done
    assert b"hours of work\n" in held(there)
    assert there.text(path) == there.text("use") == "made\n"


@pytest.mark.parametrize("then", ["restored", "run again"])
def test_all_new_files_in_an_output_are_kept_and_listed(then: str, place: Place) -> None:
    place.write(a=stage("mkdir d; echo made > d/f", "d"))
    place("repro")
    mine = {f"d/mine {n}": f"{n}\n" for n in range(5)}
    for path, text in mine.items():
        (place.root / path).write_text(text)
    if then == "run again":
        place.write(a=stage(": ; mkdir d; echo made > d/f", "d"))

    done = place("repro")

    listed = [line.split("\t")[1:] for line in place.text(REPLACED).splitlines()]
    assert done.code == 0, done
    assert sum(is_named(done, path, text) for path, text in mine.items()) == 3
    assert f"Warning: 2 more files below d are kept; {REPLACED} lists them\n" in done.out
    assert listed == [[digest(text.encode()), repr(path)] for path, text in mine.items()]
    assert {text.encode() for text in mine.values()} <= held(place)
    assert os.listdir(place.root / "d") == ["f"]


@pytest.mark.parametrize("options", [(), ("-q",)])
def test_what_is_replaced_is_named_also_when_its_stage_fails(
    options: tuple[str, ...], place: Place
) -> None:
    (place.root / "out").write_text("hours of work\n")
    place.write(a=stage("echo half > out; exit 1", "out"))

    done = place("repro", *options)

    assert done.code == 1, done
    assert is_named(Done(1, done.err if options else done.out, ""), "out", "hours of work\n"), done
    assert b"hours of work\n" in held(place)


def test_what_a_failed_command_left_is_no_loss(place: Place) -> None:
    outs = ["out", "d", {"db": {"persist": True}}, {"m": {"cache": False}}]
    command = "echo half-$n > out; mkdir d; echo half-$n-d > d/f; echo half-$n >> db; cp out m"
    said = []
    for number in (1, 2, 3):
        end = "" if number == 3 else "; exit 1"
        place.write(a=stage(f"n={number}; {command}{end}", *outs))
        said.append(place("repro"))

    assert [done.code for done in said] == [1, 1, 0], said
    assert [done for done in said if "Warning" in done.out + done.err] == []
    assert held(place) == {b"half-3\n", b"half-3-d\n"}
    assert not (place.root / REPLACED).exists()
    assert place.text("db") == "half-3\n"


@pytest.mark.parametrize("path", ["out", "d/f", "d/new"])
def test_what_somebody_made_of_what_a_failed_command_left_is_kept(path: str, place: Place) -> None:
    command = "echo half > out; mkdir d; echo half > d/f"
    place.write(a=stage(f"{command}; exit 1", "out", "d"))
    failed = place("repro")
    replace(place, path, "mended\n")
    place.write(a=stage(command, "out", "d"))

    done = place("repro")

    assert (failed.code, done.code) == (1, 0), (failed, done)
    assert is_named(done, path, "mended\n"), done
    assert b"mended\n" in held(place)
    assert place.text("out") == place.text("d/f") == "half\n"


def test_what_somebody_made_of_what_persists_is_begun_with(place: Place) -> None:
    out = {"db": {"persist": True}}
    (place.root / "db").write_text("old\n")
    place.write(a=stage("echo half >> db; exit 1", out))
    failed = place("repro")
    sh(place, "echo mended >> db")
    place.write(a=stage("echo more >> db", out))

    done = place("repro")

    assert (failed.code, done.code) == (1, 0), (failed, done)
    assert place.text("db") == "old\nhalf\nmended\nmore\n"
    assert {b"old\n", b"old\nhalf\nmended\n"} <= held(place)


@pytest.mark.parametrize("path", ["late", "d/f", "d/new"])
def test_an_edit_while_an_earlier_stage_runs_is_kept(path: str, place: Place) -> None:
    command = "cat out > late; mkdir d; cat out > d/f"
    slow(place, late=stage(command, "late", "d", deps=["out"]))
    (place.root / "src").write_text("2\n")

    out = during(place, lambda: replace(place, path, "hours of work\n"))

    assert is_named(Done(0, out, ""), path, "hours of work\n"), out
    assert b"hours of work\n" in held(place)
    assert place.text("late") == place.text("d/f") == "2\n"


def test_what_is_quiet_says_what_it_replaced(place: Place) -> None:
    place.write(a=stage("echo made > out", "out"))
    (place.root / "out").write_text("mine\n")

    done = place("repro", "-q")

    assert (done.code, done.out) == (0, ""), done
    assert is_named(Done(0, done.err, ""), "out", "mine\n"), done


# What is to persist


def persistent(place: Place) -> dict[str, object]:
    body = stage("cat src >> db", {"db": {"persist": True}}, deps=["src"])
    (place.root / "src").write_text("1\n")
    place.write(a=body)
    assert place("repro").code == 0
    return body


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [(("--pull",), 0, "1\n2\n"), ((), 3, None), (("--force",), 0, "2\n")],
)
def test_what_is_to_persist_in_a_fresh_clone(
    options: tuple[str, ...], code: int, text: str | None, place: Place
) -> None:
    persistent(place)
    there = clone_of(place, "there")
    before = there.lock("a")
    (there.root / "src").write_text("2\n")

    done = there("repro", *options)

    assert done.code == code, done
    if text is None:
        assert "db, to which stage a adds, is not there" in done.err
        assert "--force to begin anew" in done.err
        assert not (there.root / "db").exists()
        assert there.lock("a") == before
    else:
        assert there.text("db") == text


def test_what_is_to_persist_and_was_removed_is_restored_first(place: Place) -> None:
    persistent(place)
    (place.root / "db").unlink()
    (place.root / "src").write_text("2\n")

    done = place("repro")

    assert done.code == 0, done
    assert place.text("db") == "1\n2\n"


@pytest.mark.parametrize("locked", [True, False])
def test_what_is_to_persist_and_was_removed_after_a_failure_is_put_back(
    locked: bool, place: Place
) -> None:
    outs = [{"db": {"persist": True}}, {"log": {"persist": True}}]
    if locked:
        place.write(a=stage("echo 1 >> db; echo 1 >> log", *outs))
        assert place.states() == {"a": "ran"}
    else:
        sh(place, "echo 1 > db; echo 1 > log")
    place.write(a=stage("echo half >> db; echo half >> log; exit 1", *outs))
    failed = place.states()
    (place.root / "db").unlink()
    sh(place, "echo mended > log")
    place.write(a=stage("echo 2 >> db; echo 2 >> log", *outs))

    last = place.states()

    assert [failed, last] == [{"a": "failed"}, {"a": "ran"}]
    assert place.text("db") == "1\n2\n"
    assert place.text("log") == "mended\n2\n"


# What git has


def test_a_directory_with_files_of_gits_is_not_removed(place: Place) -> None:
    (place.root / "d").mkdir()
    (place.root / "d/notes").write_text("hours of work\n")
    git(place, "add", "d")
    place.write(a=stage("mkdir d; echo made > d/f", "d"))

    refused = place("repro")
    there = place.text("d/notes")
    git(place, "rm", "-q", "-r", "--cached", "d")
    done = place("repro")

    assert refused.code == 1, refused
    assert "d, which stage a makes anew, has files that are in git" in refused.err
    assert "git rm --cached" in refused.err
    assert there == "hours of work\n"
    assert done.code == 0, done
    assert b"hours of work\n" in held(place)


def test_a_directory_with_files_of_gits_goes_by_force(place: Place) -> None:
    (place.root / "d").mkdir()
    (place.root / "d/notes").write_text("hours of work\n")
    git(place, "add", "d")
    place.write(a=stage("mkdir d; echo made > d/f", "d"))

    done = place("repro", "--force")

    assert done.code == 0, done
    assert b"hours of work\n" in held(place)
    assert os.listdir(place.root / "d") == ["f"]


def test_a_single_file_of_gits_is_replaced_with_a_word(place: Place) -> None:
    (place.root / "out").write_text("hours of work\n")
    git(place, "add", "out")
    place.write(a=stage("echo made > out", "out"))

    done = place("repro")

    assert done.code == 0, done
    assert is_named(done, "out", "hours of work\n")
    assert "git rm --cached 'out'" in done.out


# What is written outside


@pytest.fixture(name="outside")
def _outside(place: Place) -> Path:
    made = place.root.parent / "outside"
    made.mkdir()
    return made


@pytest.mark.parametrize("link", [".pivot/stages", ".pivot/stages/sub", ".pivot/stages/sub/a.lock"])
def test_no_lock_is_written_through_a_symlink(link: str, place: Place, outside: Path) -> None:
    (place.root / "sub").mkdir()
    (place.root / "sub/pivot.yaml").write_text("stages: {a: {cmd: echo > out, outs: [out]}}\n")
    (place.root / link).parent.mkdir(parents=True, exist_ok=True)
    (place.root / link).symlink_to(outside / "x" if link.endswith(".lock") else outside)

    done = place("repro")

    assert done.code != 0, done
    assert re.search(rf"{re.escape(link)}:? is a symlink", done.err), done
    assert "Traceback" not in done.err
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("there", [True, False])
def test_no_pvt_file_is_written_through_a_symlink(there: bool, place: Place, outside: Path) -> None:
    (place.root / "data").write_text("x")
    (place.root / "data.pvt").symlink_to(outside / "x")
    if there:
        (outside / "x").write_text("theirs\n")

    done = place("track", "data")

    assert done.code != 0, done
    assert "data.pvt" in done.err
    assert "is a symlink" in done.err
    assert [path.read_text() for path in outside.iterdir()] == (["theirs\n"] if there else [])


def test_nothing_below_a_symlinked_directory_is_tracked(place: Place, outside: Path) -> None:
    (outside / "data").write_text("theirs\n")
    (place.root / "link").symlink_to(outside)

    done = place("track", "link/data")

    assert done.code != 0, done
    assert "link is a symlink" in done.err
    assert [path.name for path in outside.iterdir()] == ["data"]
    assert held(place) == set()


@pytest.mark.parametrize("kind", ["symlink", "directory", "read-only"])
@pytest.mark.parametrize("end", ["", "; exit 3"])
def test_a_gitignore_that_cannot_be_written_is_a_note(
    end: str, kind: str, place: Place, outside: Path
) -> None:
    file = place.root / ".gitignore"
    if kind == "symlink":
        file.symlink_to(outside / "x")
    elif kind == "directory":
        file.mkdir()
    else:
        file.write_text("mine\n")
        file.chmod(0)
    place.write(a=stage(f"echo made > out{end}", "out"))

    done = place("repro")

    assert done.code == (1 if end else 0), done
    assert "Note: outputs could not be kept out of git: " in done.out
    assert ("stage a failed: exit code 3" in done.err) == bool(end)
    assert "Traceback" not in done.err
    assert list(outside.iterdir()) == []
    assert (place.lock("a") is None) == bool(end)
