"""What a target may be, in every form of project that the real Pivot wrote."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import Command, Done
from tests.projects import Document, ProjectBuilder, digest, dump
from tests.servers import S3Server

TREE = {"a.json": b"a", "sub/b.json": b"b", "sub/deep/c.json": b"c"}
TREE_PATHS = {f"data/demo/tree/{name}" for name in TREE}
MODEL, LOG, CLEAN = "data/demo/train/model.bin", "data/demo/train/log.txt", "data/demo/clean.csv"
RAW = "raw/data.csv"


@pytest.fixture(name="built")
def _built(tmp_path: Path) -> ProjectBuilder:
    """Stages of two pipelines, tracked data, and a folder as remote that has nothing yet."""
    (tmp_path / "remote").mkdir()
    built = ProjectBuilder(tmp_path / "project")
    built.config(f"folders:\n  nas: file://{tmp_path}/remote\n")
    built.stage("demo/clean", {CLEAN: b"clean"})
    built.stage(
        "demo/train",
        {MODEL: b"model", LOG: b"log", "metrics/demo/train.json": b"{}"},
        metrics={"metrics/demo/train.json"},
    )
    built.stage("demo/tree", {"data/demo/tree": TREE})
    built.stage("other/clean", {"data/other/clean.csv": b"other"})
    built.tracked(RAW, b"raw")
    return built


def planned(done: Done) -> set[str]:
    assert done.code == 0, done
    rows = json.loads(done.out)["transfers"][0]["plan"]["transfer"]
    return {row["path"] for row in rows}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("demo/train", {MODEL, LOG}),
        ("train", {MODEL, LOG}),
        ("demo/clean", {CLEAN}),
        (MODEL, {MODEL}),
        (f"./data/../{MODEL}", {MODEL}),
        ("data/demo/tree", TREE_PATHS),
        ("data/demo/tree/", TREE_PATHS),
        ("data/demo/tree/a.json", {"data/demo/tree/a.json"}),
        ("data/demo/tree/sub", {p for p in TREE_PATHS if "/sub/" in p}),
        ("data/demo/tree/sub/deep/", {"data/demo/tree/sub/deep/c.json"}),
        ("data/demo/train", {MODEL, LOG}),
        ("data/other/", {"data/other/clean.csv"}),
        ("raw/data.csv", {RAW}),
        ("raw/data.csv.pvt", {RAW}),
        ("raw", {RAW}),
        (".pivot/stages/demo/train.lock", {MODEL, LOG}),
        (".", {MODEL, LOG, CLEAN, RAW, "data/other/clean.csv", *TREE_PATHS}),
    ],
)
def test_a_target_names(
    target: str, expected: set[str], built: ProjectBuilder, bare_pivot: Command
) -> None:
    done = bare_pivot("push", "--dry-run", "--json", target, cwd=built.root)

    assert planned(done) == expected


def test_without_targets_everything_is_meant(built: ProjectBuilder, bare_pivot: Command) -> None:
    done = bare_pivot("push", "--dry-run", "--json", cwd=built.root)

    assert planned(done) == {MODEL, LOG, CLEAN, RAW, "data/other/clean.csv", *TREE_PATHS}


def test_targets_add_up_and_none_counts_twice(built: ProjectBuilder, bare_pivot: Command) -> None:
    targets = ("train", MODEL, "raw", "data/demo/tree/a.json", "data/demo/tree")

    done = bare_pivot("push", *targets, cwd=built.root)

    assert done.out == "Pushed to 'nas': 6 transferred, 0 skipped, 0 failed\n"


@pytest.mark.parametrize(
    ("here", "target", "expected"),
    [
        ("data/demo", "train/model.bin", {MODEL}),
        ("data/demo", "../../raw", {RAW}),
        ("data/demo", "train", {MODEL, LOG}),
        ("data/demo/train", ".", {MODEL, LOG}),
        ("raw", "data.csv.pvt", {RAW}),
    ],
)
def test_a_path_is_relative_to_the_current_directory(
    here: str, target: str, expected: set[str], built: ProjectBuilder, bare_pivot: Command
) -> None:
    (built.root / here).mkdir(parents=True, exist_ok=True)

    done = bare_pivot("push", "--dry-run", "--json", target, cwd=built.root / here)

    assert planned(done) == expected


def test_a_part_of_a_directory_is_placed_alone(built: ProjectBuilder, bare_pivot: Command) -> None:
    done = bare_pivot("checkout", "data/demo/tree/sub", cwd=built.root)

    assert (done.code, done.out) == (0, "Restored 2 file(s)\n")
    placed = {p.name for p in (built.root / "data/demo/tree").rglob("*") if p.is_file()}
    assert placed == {"b.json", "c.json"}


@pytest.mark.parametrize("command", ["push", "fetch", "checkout", "pull"])
def test_unknown_targets_are_all_named_with_the_nearest_known_ones(
    command: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    done = bare_pivot(command, "trian", "train", "zzz", cwd=built.root)

    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[0] == (
        "Error: 'trian' is not a tracked file or stage output (did you mean 'demo/train'?); "
        "'zzz' is not a tracked file or stage output"
    )
    assert not (built.root / MODEL).exists()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("clean", "'clean' may be any of the stages demo/clean, other/clean"),
        ("../x", "Target '../x' resolves outside project root"),
        ("/etc/passwd", "Target '/etc/passwd' resolves outside project root"),
        ("", "a target may not be empty"),
        ("metrics/demo/train.json", "is an output that is not cached: git keeps it"),
        ("data/demo/tree/nosuch", "is not a tracked file or stage output"),
        (f"{MODEL}/inside", "is not a tracked file or stage output"),
    ],
)
def test_what_cannot_be_a_target_is_said(
    target: str, said: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    done = bare_pivot("push", target, cwd=built.root)

    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_an_absolute_path_inside_the_project_is_a_path(
    built: ProjectBuilder, bare_pivot: Command
) -> None:
    done = bare_pivot("push", "--dry-run", "--json", str(built.root / MODEL), cwd=built.root)

    assert planned(done) == {MODEL}


def old_lock(outs: list[Document]) -> bytes:
    head: Document = {"schema_version": 1, "code_manifest": {}, "params": {}, "deps": []}
    return dump(head | {"outs": outs}).encode()


def old_output(built: ProjectBuilder, path: str, content: bytes) -> Document:
    return {"path": path, "hash": built.store(content)}


@pytest.mark.parametrize("target", ["b/make", "make", "b/out/x.txt", "b"])
def test_a_nested_pipeline_of_the_first_release_has_paths_from_the_top(
    target: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    lock = old_lock([old_output(built, "b/out/x.txt", b"nested")])
    built.workspace("b/.pivot/stages/make.lock", lock)

    done = bare_pivot("push", "--dry-run", "--json", target, cwd=built.root)
    inside = bare_pivot("push", "--dry-run", "--json", "out/x.txt", cwd=built.root / "b")

    assert planned(done) == {"b/out/x.txt"}
    assert planned(inside) == {"b/out/x.txt"}


def test_a_metric_that_git_keeps_has_no_object(built: ProjectBuilder, bare_pivot: Command) -> None:
    built.workspace("m/score.json", b"{}")
    outs = [
        {"path": "m/score.json", "hash": digest(b"{}")},
        old_output(built, "m/model.bin", b"old model"),
    ]
    built.workspace(".pivot/stages/old.lock", old_lock(outs))
    for arguments in (["init", "--quiet"], ["add", "--force", "m/score.json"]):
        subprocess.run(["git", *arguments], cwd=built.root, check=True)

    done = bare_pivot("push", "old", cwd=built.root)
    metric = bare_pivot("push", "m/score.json", cwd=built.root)

    assert done.out == "Pushed to 'nas': 1 transferred, 0 skipped, 0 failed\n"
    assert metric.code == 2
    assert "git keeps it" in metric.err


def test_two_locks_that_agree_are_one(built: ProjectBuilder, bare_pivot: Command) -> None:
    lock = old_lock([old_output(built, "b/out/x.txt", b"nested")])
    built.workspace("b/deep/.pivot/stages/deep/make.lock", lock)
    built.workspace("b/deep/.pivot/stages/make.lock", lock)

    done = bare_pivot("push", "b/out/x.txt", cwd=built.root)

    assert done.out == "Pushed to 'nas': 1 transferred, 0 skipped, 0 failed\n"


@pytest.mark.parametrize("command", ["push", "fetch", "checkout", "pull"])
def test_two_locks_that_disagree_are_both_named(
    command: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    for name, content in (("deep/make", b"one"), ("make", b"two")):
        lock = old_lock([old_output(built, "b/out/x.txt", content)])
        built.workspace(f"b/.pivot/stages/{name}.lock", lock)

    done = bare_pivot(command, cwd=built.root)

    assert (done.code, done.out) == (5, "")
    assert "b/out/x.txt: " in done.err
    assert "b/.pivot/stages/deep/make.lock" in done.err
    assert "b/.pivot/stages/make.lock" in done.err


def test_contradicting_locks_do_not_hinder_other_targets(
    built: ProjectBuilder, bare_pivot: Command
) -> None:
    for name, content in (("x", b"one"), ("y", b"two")):
        lock = old_lock([old_output(built, "out.txt", content)])
        built.workspace(f".pivot/stages/{name}.lock", lock)

    done = bare_pivot("push", "train", cwd=built.root)

    assert done.out == "Pushed to 'nas': 2 transferred, 0 skipped, 0 failed\n"


def test_the_lock_of_a_stage_that_is_gone_still_counts(
    built: ProjectBuilder, bare_pivot: Command
) -> None:
    built.workspace("pipeline.py", b"# no stage is left\n")

    done = bare_pivot("checkout", "train", cwd=built.root)

    assert (done.code, done.out) == (0, "Restored 2 file(s)\n")


def test_an_import_comes_from_the_other_projects_remote(
    tmp_path: Path, pivot: Command, new_bucket: Callable[[], str], server: S3Server
) -> None:
    own, other = new_bucket(), new_bucket()
    name = digest(b"imported")
    buckets.put(server, other, f"their/files/{name[:2]}/{name[2:]}", b"imported")
    built = ProjectBuilder(tmp_path).config(f"remotes:\n  origin: s3://{own}/p\n")
    built.stage("make", {"out.txt": b"own"})
    source = dict.fromkeys(("repo", "rev", "rev_lock", "stage", "path"), "x")
    document = {"path": "theirs.bin", "hash": name, "size": 8}
    source["remote"] = f"s3://{other}/their"
    built.workspace("theirs.bin.pvt", dump(document | {"source": source}).encode())

    pushed = pivot("push", cwd=tmp_path)
    pulled = pivot("pull", cwd=tmp_path)

    assert pushed.out == "Pushed to 'origin': 1 transferred, 0 skipped, 0 failed\n"
    assert pulled.out == (
        "Fetched from 'origin': 0 transferred, 1 skipped, 0 failed\n"
        f"Fetched from 's3://{other}/their': 1 transferred, 0 skipped, 0 failed\n"
        "Restored 2 file(s)\n"
    )
    assert (tmp_path / "theirs.bin").read_bytes() == b"imported"


@pytest.mark.parametrize("content", [b"n258", b"n520214", b"n55477", b"n733"])
def test_a_hash_that_looks_like_a_number_stays_what_it_is(
    content: bytes, built: ProjectBuilder, bare_pivot: Command
) -> None:
    built.stage("number", {"n.txt": content})
    bare_pivot("push", "number", cwd=built.root)
    name = built.root / ".pivot/cache/files" / digest(content)[:2] / digest(content)[2:]
    name.unlink()

    done = bare_pivot("pull", "number", cwd=built.root)

    assert done.code == 0, done
    assert (built.root / "n.txt").read_bytes() == content


@pytest.mark.parametrize("name", ["1234e56789012345", "0123456789012345", "1111111111111111"])
def test_a_hash_written_without_quotes_is_read_as_it_stands(
    name: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    lock = f"code_manifest: {{}}\nparams: {{}}\ndeps: []\nouts:\n- path: n\n  hash: {name}\n"
    built.workspace(".pivot/stages/number.lock", lock.encode())

    done = bare_pivot("fetch", "number", cwd=built.root)

    assert done.code == 3
    assert f"object {name} is not on remote 'nas'" in done.err


NAMES = {
    "two\nlines": b"1",
    "'single' \"double\"": b"2",
    "café ☃ 日本": b"3",
    "x" * 120 + " and more": b"4",
    "-dash": b"5",
    "1e5": b"6",
    "true": b"7",
    "colon: #x": b"8",
    "*star[a]?": b"9",
    "back\\slash": b"0",
    "y" * 255: b"long",
    "empty": b"",
    "bare/empty": None,
}


def test_odd_names_travel_and_arrive(
    built: ProjectBuilder, tmp_path: Path, bare_pivot: Command
) -> None:
    built.stage("odd", {"data/odd": NAMES})
    built.stage("dash", {"-dash": b"a file of its own"})
    pushed = bare_pivot("push", "odd", "dash", cwd=built.root)
    clone = tmp_path / "clone"
    subprocess.run(["cp", "-r", built.root, clone], check=True)
    subprocess.run(["rm", "-r", clone / ".pivot/cache"], check=True)

    done = bare_pivot("pull", "--", "odd", "-dash", cwd=clone)

    assert pushed.out == "Pushed to 'nas': 13 transferred, 0 skipped, 0 failed\n"
    assert done.code == 0, done
    files = {name: data for name, data in NAMES.items() if data is not None}
    found = {
        path.relative_to(clone / "data/odd").as_posix(): path.read_bytes()
        for path in (clone / "data/odd").rglob("*")
        if path.is_file()
    }
    assert found == files
    assert list((clone / "data/odd/bare/empty").iterdir()) == []
    assert (clone / "-dash").read_bytes() == b"a file of its own"


def test_an_empty_directory_is_an_output_too(built: ProjectBuilder, bare_pivot: Command) -> None:
    built.stage("nothing", {"data/nothing": {}})

    pushed = bare_pivot("push", "nothing", cwd=built.root)
    done = bare_pivot("pull", "nothing", cwd=built.root)

    assert pushed.code == 0, pushed
    assert done.code == 0, done
    assert list((built.root / "data/nothing").iterdir()) == []


@pytest.mark.parametrize("name", ["z" * 256, "/".join(["d" * 200] * 30)])
def test_a_name_that_no_file_system_takes_spoils_only_its_own_output(
    name: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    built.stage("huge", {"data/huge": {name: b"huge", "small": b"small"}})

    done = bare_pivot("checkout", "huge", "train", cwd=built.root)

    assert done.code == 7, done
    assert "name too long" in done.err
    assert "Traceback" not in done.err
    assert "Restored 2 file(s)" in done.out
    assert not (built.root / "data/huge").exists()
    assert (built.root / MODEL).read_bytes() == b"model"
