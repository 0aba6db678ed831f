"""What other commits refer to: fetched, pulled, exported and pushed, with real git and S3."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import Command, Done
from tests.projects import ProjectBuilder, digest, objects
from tests.servers import S3Server

MODEL, TREE, RAW = "model/bäst 1.bin", "data/tree", "raw/é.csv"
OLD = {"a.csv": b"old a", "sub/b.csv": b"old b", "c.txt": b"same"}
NEW = {"a.csv": b"new a", "c.txt": b"same"}


def git(where: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=where, check=True, capture_output=True)
    return done.stdout.decode().strip()


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "More")


def key(content: bytes) -> str:
    name = digest(content)
    return f"cache/files/{name[:2]}/{name[2:]}"


def files(root: Path) -> dict[str, bytes]:
    """Read the outputs below *root*, and whatever else is no file of git's or of ours."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not {".git", ".pivot"} & set(path.relative_to(root).parts)
    }


def planned(done: Done) -> set[str]:
    assert done.code == 0, done
    (transfer,) = json.loads(done.out)["transfers"]
    return {row["path"] for row in transfer["plan"]["transfer"]}


@pytest.fixture(name="template", scope="module")
def _template(
    tmp_path_factory: pytest.TempPathFactory, new_bucket: Callable[[], str], server: S3Server
) -> Path:
    """A project with a tag, and a branch that was merged nowhere; all of it is in a bucket.

    The workspace has no output yet, and the cache nothing.
    """
    root, bucket = tmp_path_factory.mktemp("template") / "project", new_bucket()
    built = ProjectBuilder(root)
    git(root, "init", "--quiet", "--initial-branch=main")
    (root / ".gitignore").write_text(".pivot/cache\n")
    built.config(f"remotes:\n  origin: s3://{bucket}/cache\n")
    built.stage("train", {MODEL: b"old"})
    built.stage("split", {TREE: OLD})
    built.tracked(RAW, b"raw")
    commit(root)
    git(root, "tag", "--annotate", "--message", "First", "v1")
    git(root, "checkout", "--quiet", "-b", "ünder/way")
    built.stage("train", {MODEL: b"branch"})
    commit(root)
    git(root, "checkout", "--quiet", "main")
    built.stage("train", {MODEL: b"new"})
    built.stage("split", {TREE: NEW})
    commit(root)
    for content in objects(root / ".pivot/cache").values():
        buckets.put(server, bucket, key(content), content)
    shutil.rmtree(root / ".pivot/cache")
    return root


@pytest.fixture(name="root")
def _root(template: Path, tmp_path: Path) -> Path:
    return shutil.copytree(template, tmp_path / "project")


@contextmanager
def without(server: S3Server, root: Path, *contents: bytes) -> Iterator[str]:
    """Take objects out of the bucket for a while; it says what that is called."""
    bucket = (root / ".pivot/config.yaml").read_text().split("//")[1].split("/")[0]
    for content in contents:
        buckets.delete(server, bucket, key(content))
    try:
        yield bucket
    finally:
        for content in contents:
            buckets.put(server, bucket, key(content), content)


def lose(root: Path, content: bytes) -> None:
    name = digest(content)
    (root / ".pivot/cache/files" / name[:2] / name[2:]).unlink()


def test_fetch_goes_by_the_lock_files_of_a_commit(root: Path, pivot: Command) -> None:
    before = files(root)

    planning = pivot("fetch", "--rev", "v1", "--json", "--dry-run", cwd=root)
    done = pivot("fetch", "--rev", "v1", cwd=root)

    assert planned(planning) == {MODEL, RAW, *(f"{TREE}/{name}" for name in OLD)}
    assert (done.code, done.out) == (
        0,
        "Fetched from 'origin': 5 transferred, 0 skipped, 0 failed\n",
    )
    assert set(objects(root / ".pivot/cache").values()) == {b"old", b"raw", *OLD.values()}
    assert files(root) == before


def test_pull_of_a_commit_replaces_only_what_is_safe(root: Path, pivot: Command) -> None:
    assert pivot("pull", cwd=root).code == 0
    ProjectBuilder(root).stage("inside", {f"{TREE}/inside": b"of another"}, place=True)
    (root / MODEL).unlink()
    (root / MODEL).write_bytes(b"mine")

    done = pivot("pull", "--rev", "v1", cwd=root)

    assert done.code == 1
    assert done.out.splitlines() == [
        "Fetched from 'origin': 3 transferred, 2 skipped, 0 failed",
        "Restored 2 file(s)",
        "Skipped 2 file(s) (already exist)",
    ]
    assert f"'{MODEL}' already exists with different content" in done.err
    assert (root / MODEL).read_bytes() == b"mine"
    assert {p: c for p, c in files(root).items() if p.startswith(TREE)} == {
        f"{TREE}/{name}": content for name, content in (OLD | {"inside": b"of another"}).items()
    }
    assert git(root, "diff", "--stat", ".pivot/stages") == ""


def test_pull_exports_a_commit_and_leaves_the_workspace(root: Path, pivot: Command) -> None:
    assert pivot("pull", "train", cwd=root).code == 0
    before = files(root)
    out = root.parent / "öut" / "v1"

    dry = pivot("pull", "--rev", "v1", "-o", out, "--dry-run", cwd=root)
    seen = out.exists()
    done = pivot("pull", "--rev", "v1", "-o", out, "split", "train", cwd=root)

    assert (dry.code, dry.out.splitlines()[-1], seen) == (0, "Would restore 5 file(s)", False)
    assert (done.code, done.out.splitlines()[-1]) == (0, "Restored 4 file(s)")
    assert files(out) == {MODEL: b"old"} | {f"{TREE}/{n}": data for n, data in OLD.items()}
    assert {path.name for path in out.iterdir()} == {"model", "data"}
    assert not any(path.is_symlink() for path in out.rglob("*"))
    assert (out / MODEL).stat().st_mode & 0o200
    assert files(root) == before
    again = pivot("pull", "--rev", "v1", "-o", out, cwd=root)
    assert (again.code, again.err.splitlines()[0]) == (
        2,
        f"Error: -o {out}: the directory is not empty",
    )
    (out / MODEL).write_bytes(b"mine")
    forced = pivot("checkout", "--rev", "v1", "-o", out, "--force", cwd=root)
    assert (forced.code, (out / MODEL).read_bytes()) == (3, b"old")  # raw is not in the cache


def test_an_export_that_was_not_complete_is_completed(
    root: Path, pivot: Command, server: S3Server
) -> None:
    out = root.parent / "out"
    words = ("pull", "--rev", "v1", "-o", "../out")

    with without(server, root, b"old"):
        first = pivot(*words, cwd=root)
    then = pivot(*words, cwd=root)

    assert (first.code, then.code) == (3, 0)
    assert files(out).keys() == {MODEL, RAW, *(f"{TREE}/{name}" for name in OLD)}


def test_a_broken_workspace_does_not_keep_from_an_older_commit(root: Path, pivot: Command) -> None:
    (root / ".pivot/stages/train.lock").write_text("<<<<<<< HEAD\n")

    done = pivot("pull", "--rev", "HEAD", "-o", "../out", "train", cwd=root)

    assert done.code == 0
    assert (root.parent / "out" / MODEL).read_bytes() == b"new"


def test_a_commit_with_a_broken_lock_file_is_named(root: Path, pivot: Command) -> None:
    (root / ".pivot/stages/train.lock").write_text("<<<<<<< HEAD\na: 1\n")
    commit(root)
    git(root, "tag", "broken")
    git(root, "reset", "--quiet", "--hard", "HEAD~1")

    one = pivot("fetch", "--rev", "broken", cwd=root)
    all_ = pivot("fetch", "--all-tags", cwd=root)

    assert one.code == 8
    assert one.err.startswith("Error: .pivot/stages/train.lock of broken: ")
    assert all_.code == 0
    assert "Warning: left out: .pivot/stages/train.lock of " in all_.err


def test_a_revision_that_is_not_there_is_a_mistake(
    root: Path, pivot: Command, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{root}", "shallow")
    old = git(root, "rev-parse", "v1^{commit}")

    unknown = pivot("fetch", "--rev", "mian", cwd=root)
    shallow = pivot("fetch", "--rev", old, cwd=tmp_path / "shallow")
    tip = pivot("fetch", "--rev", "main", cwd=tmp_path / "shallow")

    assert (unknown.code, unknown.err) == (
        2,
        "Error: Unknown revision 'mian'\nTip: did you mean 'main'?\n",
    )
    assert shallow.code == 2
    assert "this clone is shallow: 'git fetch --unshallow'" in shallow.err
    assert tip.code == 0


def test_fetch_of_all_branches_and_tags_joins_them(root: Path, pivot: Command) -> None:
    branches = pivot("fetch", "--all-branches", "--dry-run", "--json", cwd=root)
    limited = pivot("fetch", "--all-branches", "--max-size", "5", cwd=root)
    models = pivot("fetch", "--all-branches", "--all-tags", "model/*", cwd=root)

    assert planned(branches) == {MODEL, RAW, *(f"{TREE}/{name}" for name in OLD)}
    assert json.loads(branches.out)["transfers"][0]["plan"]["bytes"] == sum(
        len(content) for content in {b"branch", b"new", b"raw", *NEW.values(), *OLD.values()}
    )
    assert limited.code == 7
    assert models.code == 0
    assert "Read 3 ref(s) of git, 3 commit(s)\n" in models.err
    assert set(objects(root / ".pivot/cache").values()) == {b"old", b"branch", b"new"}


def test_push_of_all_branches_sends_what_is_here_and_counts_what_is_lost(
    root: Path, pivot: Command, server: S3Server
) -> None:
    assert pivot("fetch", "--all-branches", "--all-tags", cwd=root).code == 0
    lose(root, b"old")

    with without(server, root, b"old", b"branch", b"new") as bucket:
        done = pivot("push", "--all-branches", "--all-tags", cwd=root)
        there = set(buckets.keys(server, bucket))
        buckets.delete(server, bucket, key(b"new"))
        lose(root, b"new")
        own = pivot("push", "--all-branches", cwd=root)

    assert (done.code, done.out) == (0, "Pushed to 'origin': 2 transferred, 5 skipped, 0 failed\n")
    assert (
        f"Warning: 1 object(s) of other commits are neither here nor on the remote: {MODEL}\n"
        in done.err
    )
    assert {key(b"branch"), key(b"new")} <= there
    assert own.code == 3  # what this commit refers to is missing as ever


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fetch", "--rev", "v1", "--all-tags"), "are mutually exclusive"),
        (("pull", "--rev", "v1", "--needed-by", "train"), "are mutually exclusive"),
        (("pull", "--needed-by", "train", "split"), "--needed-by takes no targets"),
        (("pull", "--needed-by", "trian"), "'trian'"),
        (("fetch", "--all-tags", "nosuch*"), "'nosuch*' matches no output"),
        (("pull", "-o", "raw/é.csv.pvt"), "it is not a directory"),
    ],
)
def test_mistakes_are_named(words: tuple[str, ...], said: str, root: Path, pivot: Command) -> None:
    done = pivot(*words, cwd=root)

    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_outside_of_git_there_are_no_commits(root: Path, pivot: Command) -> None:
    shutil.rmtree(root / ".git")

    for words in (("fetch", "--rev", "v1"), ("push", "--all-tags")):
        done = pivot(*words, cwd=root)

        assert done.code == 2
        assert "is not in a git repository" in done.err


def test_a_part_of_a_directory_leaves_the_rest(root: Path, pivot: Command) -> None:
    (root / TREE).mkdir(parents=True)
    (root / TREE / "mine").write_bytes(b"mine")
    (root / TREE / "c.txt").write_bytes(b"mine too")

    one = pivot("pull", f"{TREE}/a.csv", cwd=root)
    pattern = pivot("pull", f"{TREE}/*.csv", "model/**", cwd=root)
    status = pivot("status", "data/*", "--json", cwd=root)
    verify = pivot("verify", f"{TREE}/*.txt", cwd=root)

    assert (one.code, one.out.splitlines()[-1]) == (0, "Restored 1 file(s)")
    assert (pattern.code, pattern.out.splitlines()[-2:]) == (
        0,
        ["Restored 1 file(s)", "Skipped 1 file(s) (already exist)"],
    )
    assert {p: c for p, c in files(root).items() if p.startswith(TREE)} == {
        f"{TREE}/a.csv": b"new a",
        f"{TREE}/c.txt": b"mine too",
        f"{TREE}/mine": b"mine",
    }
    assert [row["name"] for row in json.loads(status.out)["stages"]] == ["split"]
    assert (verify.code, verify.out) == (0, "Verified 'origin': 1 of 1 object(s) are there\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pivot fetch --rev ", {"HEAD", "main", "ünder/way", "v1"}),
        ("pivot pull --rev ü", {"ünder/way"}),
        ("pivot pull --needed-by t", {"train"}),
    ],
)
def test_completion_offers_revisions_and_stages(
    words: str, expected: set[str], root: Path, pivot: Command
) -> None:
    variables = {
        "_PIVOT_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }

    done = pivot(cwd=root, **variables)

    assert (done.err, {line.partition(",")[2] for line in done.out.splitlines()}) == ("", expected)
