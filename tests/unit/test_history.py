"""The documents of commits, of real repositories, against those of a checkout."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pivot.errors import InvalidDocument, PivotError, UsageError
from pivot.history import History
from pivot.ledger import Section, render_ledger
from pivot.lock_writer import Record, write_lock
from pivot.objects import File, Sha256
from pivot.project import Project
from pivot.references import load_documents
from pivot.refs import list_refs
from pivot.stage import DeclaredOutput, Stage
from pivot.targets import References
from pivot.tracked import write_tracked
from tests.unit.values import directory_of, file_of, write

OLDEST = "code_manifest: {}\nparams: {}\ndeps: []\nouts:\n"


def git(where: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=where, check=True, capture_output=True)
    return done.stdout.decode().strip()


def commit(root: Path, message: str = "More") -> str:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)
    return git(root, "rev-parse", "HEAD")


def lock(root: Path, stage: str, path: str, content: bytes) -> File:
    """Write the lock of a stage that reads `in` and makes *path*."""
    declared = Stage(stage, stage, "pivot.yaml", outputs=(DeclaredOutput(path),))
    output = file_of(path, content)
    write_lock(root, Record(declared, {}, (file_of("in", b""),), (output,)))
    return output


def project(root: Path) -> Project:
    return Project(root, root, root)


def union(root: Path, *commits: str) -> References:
    with History(project(root)) as history:
        return history.union(commits, [])


def seen(references: References) -> set[tuple[str, str]]:
    return {(entry.output.path, entry.output.digest) for entry in references.entries}


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    return root


def full(root: Path) -> None:
    """Documents of every kind, at every odd place, and some that are none."""
    lock(root, "train", "model/ü ber\n.bin", b"1")
    lock(root, "a/b", "x", b"2")
    write_tracked(root, directory_of("raw", {"é.csv": b"3", "sub/b": b"4"}, empty=("none",)))
    write(root, "sub/.pivot/stages/deep/er.lock", (OLDEST + _out("sub/k", "5")).encode())
    write(root, ".pivot/stages/old.lock", (OLDEST + _out("m.json", "6") + _out("o", "7")).encode())
    write(root, "m.json", b"{}")
    write(root, "venv/pyvenv.cfg")
    write(root, "venv/x.pvt", b"no: yaml: at all")
    write(root, "node_modules/x.pvt", b"no: yaml: at all")
    write(root, "poetry.lock", b"no: yaml: at all")
    write(root, "in/pivot.yaml", b"stages: {}\n")
    sums = {"x": Sha256("a" * 64)}
    ledger = render_ledger({"x": Section(file_of("x", b"2").digest, sums)})
    write(root, ".pivot/digests/a/b.sha256", ledger)


def _out(path: str, number: str) -> str:
    return f"- path: {path}\n  hash: '{number:0>16}'\n"


@pytest.mark.parametrize("inside", ["", "deep/ér"])
def test_a_commit_has_the_documents_that_its_checkout_has(root: Path, inside: str) -> None:
    place = root / inside
    full(place)
    made = commit(root)
    git(root, "tag", "then")
    expected = load_documents(project(place), dependencies=True, sums=True)
    shutil.rmtree(place / ".pivot")
    write(place, "pivot.yaml", b"stages: {}\n")
    commit(root)

    with History(project(place)) as history:
        found = history.documents("then", dependencies=True, sums=True)
        joined = history.union([made], [])

    assert found == expected
    assert found.in_git == {"m.json"}
    assert joined.entries == expected.references.entries
    assert joined.uncached == expected.references.uncached
    assert [e.sums for e in joined.entries if e.output.path == "x"] == [{"x": "a" * 64}]


def test_of_locks_that_disagree_the_one_counts_that_the_pipeline_of_then_has(root: Path) -> None:
    write(root, "pivot.yaml", b"stages: {new: {cmd: x}}\n")
    lock(root, "old", "x", b"1")
    new = lock(root, "new", "x", b"2")
    commit(root)
    write(root, "pivot.yaml", b"stages: {old: {cmd: x}}\n")

    with History(project(root)) as history:
        found = history.documents("HEAD").references

    assert seen(found) == {("x", new.digest)}


def test_all_that_any_of_many_commits_refers_to_is_joined_once(root: Path) -> None:
    lock(root, "same", "same", b"")
    outputs = [(lock(root, "train", "model", f"{n}".encode()), commit(root)) for n in range(8)]
    branch = git(root, "rev-parse", "HEAD~4")

    found = union(root, *(name for _, name in outputs), branch)

    expected = {("model", output.digest) for output, _ in outputs}
    assert seen(found) == expected | {("same", file_of("same", b"").digest)}
    assert len(found.entries) == len(expected) + 1


def test_whether_git_keeps_an_output_is_asked_of_each_commit(root: Path) -> None:
    write(root, ".pivot/stages/old.lock", (OLDEST + _out("m.json", "6")).encode())
    write(root, "m.json", b"{}")
    kept = commit(root)
    git(root, "rm", "--quiet", "--cached", "m.json")
    (root / "m.json").unlink()
    cached = commit(root)

    assert seen(union(root, kept)) == set()
    assert seen(union(root, kept, cached)) == {("m.json", f"{6:016}")}
    assert seen(union(root, cached, kept)) == {("m.json", f"{6:016}")}


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (".pivot/stages/train.lock", b"<<<<<<< HEAD\na: 1\n=======\n"),
        (".pivot/stages/train.lock", b"outs: 3\n"),
        (".pivot/stages/train.lock", b"a: \xff\n"),
        ("data.pvt", b"path: ../../etc\nhash: '0000000000000000'\nsize: 1\n"),
    ],
)
def test_a_broken_document_is_named_with_its_commit(root: Path, path: str, content: bytes) -> None:
    good = lock(root, "good", "x", b"1")
    write(root, path, content)
    made = commit(root)
    broken: list[InvalidDocument] = []

    with History(project(root)) as history:
        with pytest.raises(InvalidDocument, match=f"{path} of HEAD: "):
            history.documents("HEAD")
        found = history.union([made, made], broken)

    assert seen(found) == {("x", good.digest)}
    assert [error.message.partition(": ")[0] for error in broken] == [f"{path} of {made[:12]}"]


def test_a_symlink_is_not_followed(root: Path) -> None:
    (root / ".pivot/stages").mkdir(parents=True)
    (root / ".pivot/stages/a.lock").symlink_to("/etc/passwd")
    commit(root)

    with History(project(root)) as history, pytest.raises(InvalidDocument, match="is a symlink"):
        history.documents("HEAD")


def test_a_commit_from_before_the_project_has_no_documents(root: Path) -> None:
    write(root, "README")
    made = commit(root)
    (root / "inside").mkdir()

    with History(project(root / "inside")) as history:
        found = history.documents(made)

    assert (found.locks, found.tracked) == ((), ())


def test_a_revision_that_is_not_there_is_a_mistake(root: Path) -> None:
    lock(root, "train", "x", b"1")
    commit(root)

    with History(project(root)) as history, pytest.raises(UsageError, match="Unknown revision"):
        history.documents("mian")


def test_what_git_cannot_give_is_not_taken_for_absent(root: Path) -> None:
    lock(root, "train", "x", b"1")
    made = commit(root)
    blob = git(root, "rev-parse", "HEAD:.pivot/stages/train.lock")
    (root / ".git/objects" / blob[:2] / blob[2:]).unlink()

    with History(project(root)) as history, pytest.raises(PivotError, match="cannot give"):
        history.union([made], [])


def test_branches_and_tags_are_listed_with_their_commits(root: Path) -> None:
    write(root, "a", b"1")
    first = commit(root)
    git(root, "tag", "--annotate", "--message", "x", "v1")
    git(root, "tag", "--annotate", "--message", "x", "v1-again", "v1")
    git(root, "tag", "tree", "HEAD^{tree}")
    git(root, "branch", "ü/b")
    write(root, "a", b"2")
    second = commit(root)
    git(root, "update-ref", "refs/remotes/origin/theirs", first)
    git(root, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/theirs")

    branches = {ref.name: ref.commit for ref in list_refs(root, branches=True, tags=False)}
    tags = {ref.name: ref.commit for ref in list_refs(root, branches=False, tags=True)}

    assert branches == {"main": second, "ü/b": first, "origin/theirs": first}
    assert tags == {"v1": first, "v1-again": first}


def test_a_branch_that_git_cannot_read_is_an_error(root: Path) -> None:
    write(root, "a")
    commit(root)
    write(root, ".git/refs/heads/broken", b"nothing\n")

    with pytest.raises(PivotError, match="broken"):
        list_refs(root, branches=True, tags=False)
