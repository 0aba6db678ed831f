"""Which documents `repro` and its sisters believe, and what they say of those they do not."""

from __future__ import annotations

import json
import os
import socket

import pytest

from tests.e2e.places import (
    Clone,
    git,
    sh,
)
from tests.e2e.ugly import Place, stage
from tests.projects import Document, digest, dump, objects

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


def test_a_remote_that_nobody_needs_is_not_asked(place: Place, clone: Clone) -> None:
    place.write(a=stage("echo made > out", "out"))
    place("repro")
    there = clone("there")
    imported(there, "far", "s3://elsewhere/cache")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}

        done = there("repro", "--pull", AWS_ENDPOINT_URL=endpoint, **keys)

        assert done.code == 0, done
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_an_input_that_cannot_be_put_in_place_is_named(place: Place) -> None:
    place.write(use=stage("cat far/data > out", "out", deps=["far/data"]))
    (place.root / "far").mkdir()
    (place.root / "far/data").write_text("1")
    place("track", "far/data")
    place("repro")
    (place.root / "far/data").unlink()
    (place.root / "far").rename(place.root / "near")
    (place.root / "near/data.pvt").unlink()
    document = {"path": "far/data", "hash": digest(b"1"), "size": 1}
    (place.root / "root.pvt").write_text(dump(document))
    (place.root / "far").symlink_to("near")

    done = place("repro")

    assert "Note: far/data could not be put in place: far/data: far is a symlink" in done.out


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


# Dependencies through symlinks


def test_a_detour_to_an_output_is_refused(place: Place) -> None:
    (place.root / "link").symlink_to("data")
    place.write(
        make=stage("mkdir -p data; echo 1 > data/x", "data/x"),
        use=stage("cat link/x > y", "y", deps=["link/x"]),
    )

    done = place("repro")

    assert done.code == 8
    assert "stage use: link/x leads to data/x, which a stage makes" in done.err


def test_a_detour_to_a_source_is_as_good_as_the_straight_way(place: Place) -> None:
    (place.root / "far").mkdir()
    (place.root / "far/x").write_text("1")
    (place.root / "link").symlink_to("far")
    place.write(use=stage("cat link/x > y", "y", deps=["link/x"]))

    first = place("repro")
    (place.root / "far/x").write_text("2")
    second = place("repro")

    assert "Running use: never ran" in first.out
    assert "Running use: link/x changed" in second.out
