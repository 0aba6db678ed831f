"""What `repro` believes: the files as they are, the locks that count, and what a remote has."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.e2e.ugly import Place, make_place, stage
from tests.projects import Document, ProjectBuilder, digest, dump, objects

Clone = Callable[[str], Place]
LONG_AGO = (1_700_000_000_000_000_005, 1_700_000_000_000_000_005)


@pytest.fixture(name="place")
def _place(tmp_path: Path, bare_pivot: Command) -> Place:
    return make_place(tmp_path / "project", bare_pivot)


@pytest.fixture(name="clone")
def _clone(place: Place) -> Clone:
    return lambda name: clone_of(place, name)


def clone_of(place: Place, name: str) -> Place:
    """Push and commit what *place* has, and clone it."""
    remote = place.root.parent / "remote"
    if not remote.exists():
        remote.mkdir()
        done = place("remote", "add", "origin", f"file://{remote}")
        assert done.code == 0, done
    pushed = place("push")
    assert pushed.code == 0, pushed
    git(place, "add", "--all")
    git(place, "commit", "-q", "-m", name)
    git(place, "clone", "-q", ".", f"../{name}")
    return Place(place.root.parent / name, place.pivot, place.prefix)


def git(place: Place, *words: str) -> str:
    done = subprocess.run(
        ["git", *words],
        cwd=place.root,
        env=place.pivot.environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def sh(place: Place, script: str) -> None:
    environment = place.pivot.environment
    subprocess.run(["sh", "-ec", script], cwd=place.root, env=environment, check=True)


def await_file(path: Path) -> None:
    """Wait until a stage has made *path*."""
    for _ in range(3000):
        if path.exists():
            return
        time.sleep(0.01)
    raise AssertionError(f"{path} does not come")


def lose(place: Place, content: bytes) -> None:
    """Take an object out of the cache."""
    name = digest(content)
    (place.root / ".pivot/cache/files" / name[:2] / name[2:]).unlink()


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


def slow(place: Place, **more: Document) -> None:
    """A stage that begins, and ends when it is told to."""
    wait = "cat src > out; touch began; until [ -e go ]; do sleep 0.01; done"
    (place.root / ".gitignore").write_text("began\ngo\n")
    (place.root / "src").write_text("1\n")
    (place.root / "more").write_text("1\n")
    (place.root / "go").touch()
    place.write(slow=stage(wait, "out", deps=["src"]), **more)
    assert place("repro").code == 0
    for name in ("began", "go"):
        (place.root / name).unlink()


def during(place: Place, act: Callable[[], object], *options: str) -> str:
    """Do something while the first stage runs, and let it end; answer with what was said."""
    with place.start("repro", *options) as process:
        await_file(place.root / "began")
        act()
        (place.root / "go").touch()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, (out, err)
    return out.decode()


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


# Repositories and documents inside of what stages make and read


def test_an_output_that_is_a_repository_fails_before_its_lock(place: Place) -> None:
    place.write(a=stage("git init -q out; echo > out/f", "out"))

    done = place("repro")

    assert done.code == 1, done
    assert "out/.git: .git and .pivot are not data, so out cannot be kept with it" in done.err
    assert place.lock("a") is None


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_a_source_that_is_a_repository_counts_without_it(kind: str, place: Place) -> None:
    (place.root / "lib").mkdir()
    (place.root / "lib/code").write_text("1\n")
    if kind == "directory":
        sh(place, "git init -q lib")
    else:
        (place.root / "lib/.git").write_text("gitdir: ../.git/modules/lib\n")
    place.write(a=stage("cat lib/code > out", "out", deps=["lib"]))
    first = place.states()
    if kind == "directory":
        sh(place, "cd lib; git add code; git commit -q -m code")
    else:
        (place.root / "lib/.git").write_text("gitdir: elsewhere\n")
    second = place.states()
    (place.root / "lib/code").write_text("2\n")

    assert (first, second) == ({"a": "ran"}, {"a": "unchanged"})
    assert place.states() == {"a": "ran"}
    assert place.text("out") == "2\n"


def test_a_clone_cannot_be_tracked(place: Place) -> None:
    sh(place, "git init -q lib; echo > lib/code; echo > other")

    done = place("track", "other", "lib")

    assert done.code == 1, done
    assert "lib/.git: .git and .pivot are not data" in done.err
    assert not any((place.root / f"{name}.pvt").exists() for name in ("other", "lib"))
    assert not (place.root / ".gitignore").exists()


@pytest.mark.parametrize("name", ["pivot.yaml", "deep/pivot.yaml", "data.pvt", "deep/data.pvt"])
def test_an_output_that_holds_documents_fails(name: str, place: Place) -> None:
    place.write(a=stage(f"mkdir -p out/deep; echo > out/{name}", "out"))

    done = place("repro")

    assert done.code == 1, done
    assert f"stage a made out/{name}, which Pivot would read as its own" in done.err
    assert place.lock("a") is None


# Documents


def lock_of(text: str) -> Document:
    """Make the lock of a stage of the real Pivot."""
    return {
        "schema_version": 2,
        "code_manifest": {},
        "params": {},
        "deps": [],
        "outs": [
            {"key": None, "path": "sub/out", "hash": digest(text.encode()), "size": len(text)}
        ],
    }


def test_of_two_locks_of_a_stage_the_one_at_the_root_counts(place: Place, clone: Clone) -> None:
    """0.1.0 kept locks beside each `pivot.yaml`."""
    (place.root / "sub/.pivot/stages").mkdir(parents=True)
    (place.root / "sub/.pivot/stages/a.lock").write_text(dump(lock_of("old\n")))
    pipeline = dump({"stages": {"a": stage("echo new > out", "out")}})
    (place.root / "sub/pivot.yaml").write_text(pipeline)

    states = [place.states(), place.states()]
    there = clone("there")
    done = there("repro", "--pull")

    assert states == [{"sub/a": "ran"}, {"sub/a": "unchanged"}]
    assert set(objects(place.root.parent / "remote")) == {digest(b"new\n")}
    assert done.code == 0, done
    assert there.text("sub/out") == "new\n"


def test_another_value_of_a_matrix_does_not_block_push(place: Place, clone: Clone) -> None:
    def write(value: int) -> None:
        body = stage(f"echo {value}${{n}} > out", "out")
        place.write(a=body | {"matrix": {"n": [value]}})

    write(1)
    first = place.states()
    write(2)
    second = place.states()
    there = clone("there")

    assert (first, second) == ({"a@1": "ran"}, {"a@2": "ran"})
    assert there("repro", "--pull").code == 0
    assert there.text("out") == "22\n"


CONFLICT = "<<<<<<< HEAD\n{}=======\n{}>>>>>>> theirs\n"


def test_a_lock_with_the_markers_of_a_merge(place: Place) -> None:
    place.write(a=stage("echo made > out", "out"))
    first = place.states()
    lock = place.root / ".pivot/stages/a.lock"
    head, tail = lock.read_text().split("outs:\n")
    lock.write_text(f"{head}outs:\n{CONFLICT.format(tail, tail)}")
    line = lock.read_text().splitlines().index("<<<<<<< HEAD") + 1

    done = place("repro")
    lock.unlink()
    after = place("repro")

    assert first == {"a": "ran"}
    assert done.code == 8, done
    assert f".pivot/stages/a.lock: line {line}: has the conflict markers of a merge" in done.err
    assert "restore the file from git, or delete it and run the stage again" in done.err
    assert after.code == 0, after
    assert place.states() == {"a": "unchanged"}


# Remotes


def imported(place: Place, path: str, url: str) -> None:
    """Write the `.pvt` file of data from another project."""
    source = dict.fromkeys(("repo", "rev", "rev_lock", "stage", "path"), "x") | {"remote": url}
    document = {"path": path, "hash": digest(b"far"), "size": 3, "source": source}
    (place.root / f"{path}.pvt").write_text(dump(document))


def test_an_import_that_nobody_reads_stops_nobody(place: Place, clone: Clone) -> None:
    place.write(a=stage("echo made > out", "out"))
    place("repro")
    there = clone("there")
    imported(there, "far", "s3://nowhere/at/all")

    done = there("repro", "--pull", AWS_ENDPOINT_URL="http://127.0.0.1:9")

    assert done.code == 0, done
    assert there.text("out") == "made\n"


@pytest.mark.parametrize(
    ("url", "code", "states"),
    [
        ("file:///nowhere/at/all", 1, None),
        ("s3://nowhere/at/all", 6, None),
        ("no url", 2, {"a": "restored", "b": "failed", "c": "ran"}),
    ],
)
def test_an_import_that_is_read_and_cannot_be_had(
    url: str, code: int, states: dict[str, str] | None, place: Place, clone: Clone
) -> None:
    """A remote that fails as a whole ends the run before anything is done."""
    place.write(a=stage("echo made > a", "a"))
    place("repro")
    there = clone("there")
    imported(there, "far", url)
    there.write(
        a=stage("echo made > a", "a"),
        b=stage("cat far > b", "b", deps=["far"]),
        c=stage("cat a > c", "c", deps=["a"]),
    )

    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    done = there(
        "repro", "--pull", "--keep-going", "--json", AWS_ENDPOINT_URL="http://127.0.0.1:9", **keys
    )

    told = json.loads(done.out)
    assert done.code == code, done
    assert any(url in problem["message"] for problem in told["problems"])
    if states is None:
        assert not (there.root / "a").exists()
    else:
        assert {each["name"]: each["state"] for each in told["stages"]} == states


def test_one_damaged_object_on_the_remote_fails_who_needs_it(place: Place, clone: Clone) -> None:
    place.write(
        a=stage("echo one > a", "a"),
        b=stage("echo two > b", "b"),
        use=stage("cat a src > use", "use", deps=["a", "src"]),
        other=stage("cat b src > other", "other", deps=["b", "src"]),
    )
    (place.root / "src").write_text("1\n")
    place("repro")
    there = clone("there")
    name = digest(b"one\n")
    damaged = place.root.parent / "remote/files" / name[:2] / name[2:]
    damaged.chmod(0o644)
    damaged.write_text("ONE\n")
    (there.root / "src").write_text("2\n")

    done = there("repro", "--pull", "--keep-going", "--json")

    states = {each["name"]: each["state"] for each in json.loads(done.out)["stages"]}
    assert done.code == 5, done
    assert states == {"a": "failed", "b": "restored", "use": "blocked", "other": "ran"}
    assert there.text("other") == "two\n2\n"


# What the command says


@pytest.mark.parametrize("out", [".", ".."])
def test_an_output_that_is_where_its_stage_runs_is_refused(out: str, place: Place) -> None:
    place.write(a=stage("echo > ../f", out) | {"wdir": "work/sub"})
    (place.root / "work/sub").mkdir(parents=True)

    done = place("repro")

    assert done.code == 8, done
    assert "is removed before it runs, and it runs there" in done.err
    assert (place.root / "work/sub").is_dir()


def test_a_remote_alone_is_a_mistake(place: Place) -> None:
    place.write(a=stage("echo made > out", "out"))

    done = place("repro", "-r", "origin")

    assert done.code == 2, done
    assert "--remote is for --pull and --allow-missing" in done.err
    assert not (place.root / "out").exists()


@pytest.mark.parametrize("options", [(), ("--json",), ("--dry-run",), ("-q",)])
def test_a_terminal_of_ascii(options: tuple[str, ...], place: Place) -> None:
    (place.root / "params.yaml").write_text("né: 1\n")
    place.write(a=stage("echo é; echo > é; echo > stray-é", "é", params=["né"]))
    place("repro")
    (place.root / "params.yaml").write_text("né: 2\n")

    done = place("repro", *options, PYTHONIOENCODING="ascii", LC_ALL="C")

    assert done.code == 0, done
    assert "Traceback" not in done.err


def test_a_name_that_is_not_utf_8_cannot_be_tracked(place: Place) -> None:
    name = os.fsdecode(b"n\xe9")
    (place.root / name).write_text("x")
    (place.root / "d").mkdir()
    (place.root / "d" / name).write_text("x")

    done = [place("track", name), place("track", "d")]

    assert [each.code for each in done] == [2, 1], done
    for each in done:
        (line,) = [text for text in each.err.splitlines() if text.startswith("Error: ")]
        assert "is not UTF-8, so" in line
        assert "Traceback" not in each.err
    assert list(place.root.rglob("*.pvt")) == []


# --check


def test_check_tells_whether_a_stage_would_run(place: Place) -> None:
    place.write(a=stage("cat src > a", "a", deps=["src"]), b=stage("cat a > b", "b", deps=["a"]))
    (place.root / "src").write_text("1\n")
    codes = [place("repro", "--check").code]
    place("repro")
    codes.append(place("repro", "--check").code)
    (place.root / "a").unlink()
    codes.append(place("repro", "--check").code)  # restored, so nothing has to run
    (place.root / "src").write_text("2\n")
    codes += [place("repro", "--check").code, place("repro", "--dry-run").code]

    assert codes == [1, 0, 0, 1, 0]
    assert not (place.root / "a").exists()


def test_check_in_a_bare_clone(place: Place, clone: Clone) -> None:
    place.write(a=stage("cat src > a", "a", deps=["src"]), b=stage("cat a > b", "b", deps=["a"]))
    (place.root / "src").write_text("1\n")
    place("repro")
    there = clone("there")

    without = there("repro", "--check")
    remote = there("repro", "--check", "--allow-missing")
    fetched = there("repro", "--check", "--pull")
    (there.root / "src").write_text("2\n")
    changed = there("repro", "--check", "--allow-missing")

    assert [d.code for d in (without, remote, fetched, changed)] == [1, 0, 0, 1]
    assert not (there.root / "a").exists()
    assert objects(there.root / ".pivot/cache") == {}


def test_what_is_left_to_git_and_not_there_yet_is_noted(place: Place) -> None:
    place.write(a=stage("echo 1 > m; echo 1 > n", metrics=["m", "n"]))
    git(place, "init", "-q")
    (place.root / "n").write_text("0\n")
    git(place, "add", "n")

    first = place("repro")
    git(place, "add", "m")
    second = place("repro", "--force")

    assert "Note: left to git, which does not have it yet: m; commit it" in first.out
    assert "left to git" not in second.out
