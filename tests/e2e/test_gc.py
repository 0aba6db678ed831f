"""`pivot gc`: what nobody needs goes into the trash, and can come back."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import buckets
from tests.conftest import Command, Done
from tests.e2e.test_report import everything, valid
from tests.e2e.test_terminal import complete
from tests.projects import ProjectBuilder, digest, objects
from tests.servers import S3Server
from tests.torture.forks import Forks

NOW = ("--min-age", "0")


@dataclass(frozen=True)
class Place:
    """A project in a repository, with a folder or a bucket as its remote."""

    root: Path
    forks: Forks
    environment: dict[str, str]

    def git(self, *words: str, cwd: Path | None = None, given: str | None = None) -> str:
        return subprocess.run(
            ["git", *words],
            cwd=cwd or self.root,
            env=self.environment,
            input=given,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def pivot(self, *words: str, cwd: Path | None = None) -> Done:
        child = self.forks.start(*words, cwd=cwd or self.root)
        code = child.wait()
        return Done(code, *child.said)

    def gc(self, *words: str, code: int = 0, cwd: Path | None = None) -> Any:
        """Clean up, and read the answer."""
        done = self.pivot("gc", *words, "--json", cwd=cwd)
        assert done.code == code, done
        return valid(done.out, "report" if code in {1, 2, 8} else "gc")

    def make(self, text: str, path: str = "data/a.bin", root: Path | None = None) -> str:
        """Leave what a stage with this content leaves; the answer is its digest."""
        ProjectBuilder(root or self.root).stage(f"make/{Path(path).stem}", {path: text.encode()})
        return digest(text.encode())

    def commit(self, *words: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "made", *words)

    @property
    def cached(self) -> set[str]:
        return set(objects(self.root / ".pivot/cache/files"))


@pytest.fixture(name="forks", scope="module")
def _forks(
    server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Forks, dict[str, str]]]:
    pivot = Command(tmp_path_factory.mktemp("home"), server.environment())
    with Forks(pivot.environment, tmp_path_factory.mktemp("forks") / "said") as forks:
        yield forks, pivot.environment


@pytest.fixture(name="place")
def _place(tmp_path: Path, forks: tuple[Forks, dict[str, str]]) -> Place:
    place = Place(tmp_path / "prøject", *forks)
    (tmp_path / "remote").mkdir()
    builder = ProjectBuilder(place.root)
    builder.config(f"folders:\n  origin: {(tmp_path / 'remote').as_uri()}\n")
    (place.root / ".gitignore").write_text("/.pivot/cache/\n/data/\n")
    place.git("init", "--quiet", "--initial-branch=main")
    return place


def digests(rows: list[dict[str, Any]]) -> set[str]:
    return {row["digest"] for row in rows}


def test_without_yes_nothing_is_changed_and_all_is_listed_by_path(place: Place) -> None:
    old = place.make("old", "data/ä b.bin")
    place.commit()
    place.make("new version", "data/ä b.bin")
    place.commit("--amend")
    lost = ProjectBuilder(place.root).store(b"of nobody")
    before = everything(place.root)

    young = place.pivot("gc")
    done = place.pivot("gc", *NOW)

    assert everything(place.root) == before
    assert done == Done(
        0,
        f"  data/ä b.bin ({old})  3 B\n"
        f"  object {lost}  9 B\n"
        f"Would put 2 object(s) (12 B) of the local cache into its trash\n"
        "Kept: 1 object(s) (11 B) that 2 ref(s), 1 commit(s), 1 worktree(s) refer to\n"
        "Nothing was changed. To do it: pivot gc --min-age 0 --yes\n",
        "",
    )
    assert "Would put 0 object(s)" in young.out
    assert "2 object(s) (12 B) younger than 1 day" in young.out


def test_all_that_anything_refers_to_is_kept(place: Place, tmp_path: Path) -> None:
    kept = {place.make("first commit")}
    place.commit()
    gone = {place.make("dropped", "data/m.bin")}
    place.commit()
    place.git("reset", "--quiet", "--hard", "HEAD~1")
    for number in range(2):  # stashes, the older one only in a log
        kept.add(place.make(f"stash {number}"))
        kept.add(place.make(f"staged {number}", "data/s.bin"))
        place.git("add", "--all")
        kept.add(place.make(f"changed {number}", "data/s.bin"))
        kept.add(place.make(f"untracked {number}", "data/u.bin"))
        place.git("stash", "push", "--quiet", "--include-untracked")
    for name, words in (("light", ()), ("annotated", ("-a", "-m", "x"))):
        kept.add(place.make(name))
        place.commit()
        place.git("tag", *words, name)
        place.git("reset", "--quiet", "--hard", "HEAD~1")
    place.git("tag", "-a", "-m", "x", "nested", "annotated")
    place.git("tag", "a-file", "HEAD:.gitignore")
    kept.add(place.make("tagged tree"))
    place.commit()
    place.git("tag", "a-tree", "HEAD^{tree}")
    place.git("reset", "--quiet", "--hard", "HEAD~1")
    place.git("checkout", "--quiet", "-b", "other")
    kept.add(place.make("branch"))
    place.commit()
    place.git("checkout", "--quiet", "main")
    place.git("update-ref", "refs/remotes/team/theirs", "other")
    place.git("update-ref", "-d", "refs/heads/other")
    kept.add(place.make("detached"))
    place.commit()
    tree = tmp_path / "other tree"
    place.git("worktree", "add", "--quiet", "--detach", str(tree))
    place.git("reset", "--quiet", "--hard", "HEAD~1")
    kept.add(place.make("in a file of a worktree", "data/w.bin", tree))
    place.git("add", "--all", cwd=tree)
    (tree / ".pivot/stages/make/w.lock").unlink()  # is staged there
    kept.add(place.make("in a file of a worktree", "data/v.bin", tree))
    kept.add(place.make("before a run", "data/r.bin"))
    (place.root / ".pivot/cache/unfinished").mkdir()
    lock = place.root / ".pivot/stages/make/r.lock"
    lock.rename(place.root / ".pivot/cache/unfinished/r.before")
    kept.add(place.make("staged here", "data/i.bin"))
    place.git("add", "--all")
    kept.add(place.make("changed here", "data/i.bin"))
    ProjectBuilder(place.root).tracked("data/t", {"x": b"tracked", "y": b"too"})
    kept |= {digest(b"tracked"), digest(b"too")}
    ProjectBuilder(place.root).store(b"in a file of a worktree")

    found = place.gc(*NOW)

    assert digests(found["plan"]["out"]) == gone
    assert [row["paths"] for row in found["plan"]["out"]] == [["data/m.bin"]]
    assert found["plan"]["referenced"]["objects"] == len(kept)


def test_the_last_commits_alone_may_be_kept(place: Place) -> None:
    names = []
    for number in range(5):
        names.append(place.make(f"version {number}"))
        place.commit()
    place.git("tag", "v0", "HEAD~4")

    plans = {n: digests(place.gc("--commits", str(n), *NOW)["plan"]["out"]) for n in (1, 2, 9)}

    assert plans == {1: set(names[1:4]), 2: set(names[1:3]), 9: set()}
    assert place.gc("--all-commits", *NOW)["plan"]["out"] == []


@pytest.mark.parametrize("where", ["cache", "folder", "bucket"])
def test_what_went_comes_back_by_its_receipt(
    where: str, place: Place, bucket: str, server: S3Server, tmp_path: Path
) -> None:
    if where == "bucket":
        ProjectBuilder(place.root).config(f"remotes:\n  origin: s3://{bucket}/ä/p\n")
    for number in range(3):
        place.make(f"version {number}")
        place.commit()
        assert place.pivot("push").code == 0
    remote = () if where == "cache" else ("-r",)

    def contents() -> dict[str, bytes]:
        if where == "bucket":
            return buckets.contents(server, bucket)
        root = place.root / ".pivot/cache" if where == "cache" else tmp_path / "remote"
        return buckets.folder_contents(root)

    def live() -> dict[str, bytes]:
        return {name: body for name, body in contents().items() if "trash/" not in name}

    if remote:
        assert place.gc(*remote, "--claim")["projects"] == ["prøject"]
    before = {name: body for name, body in live().items() if "files/" in name}
    planned = place.gc(*remote, "--commits", "1", *NOW)
    done = place.gc(*remote, "--commits", "1", *NOW, "--yes")
    during = {name: body for name, body in live().items() if "files/" in name}
    undone = place.gc(*remote, "--undo", done["receipt"])
    again = place.gc(*remote, "--undo", done["receipt"], code=2)

    assert digests(planned["plan"]["out"]) == digests(done["gone"])
    assert len(done["gone"]) == len(before) - len(during) == 2
    assert digests(undone["back"]) == digests(done["gone"])
    assert {name: body for name, body in live().items() if "files/" in name} == before
    assert not [name for name in contents() if "trash/" in name]
    assert "no receipt" in again["problems"][0]["message"]


@pytest.mark.parametrize("remote", ["", "-r origin "])
def test_receipts_are_completed(remote: str, place: Place, bare_pivot: Command) -> None:
    place.make("one")
    place.commit()
    for root in (place.root / ".pivot/cache", place.root.parent / "remote"):
        (root / "trash/20260302T101500Z-1a2b3c4d").mkdir(parents=True)
        (root / "trash/20260302T101500Z-1a2b3c4d/receipt.json").write_text("{}")

    done = complete(bare_pivot, f"pivot gc {remote}--undo 2026", place.root)

    assert done.out == "plain,20260302T101500Z-1a2b3c4d\n"


def test_what_is_needed_again_comes_back_by_itself(place: Place) -> None:
    place.make("one")
    place.commit()
    place.git("checkout", "--quiet", "-b", "side")
    name = place.make("two")
    place.commit()
    place.git("checkout", "--quiet", "main")
    place.git("branch", "--quiet", "-m", "side", "hidden")
    commit = place.git("rev-parse", "hidden").strip()
    place.git("branch", "--quiet", "-D", "hidden")
    assert digests(place.gc(*NOW, "--yes")["gone"]) == {name}
    assert name not in place.cached

    place.git("branch", "side", commit)
    done = place.gc("--yes")

    assert digests(done["back"]) == {name}
    assert name in place.cached


def test_the_trash_is_emptied_when_it_is_old_and_never_of_what_is_needed(place: Place) -> None:
    gone = place.make("gone")
    place.commit()
    needed = place.make("needed")
    place.commit("--amend")
    commit = place.git("rev-parse", "HEAD").strip()
    place.make("now")
    place.commit("--amend")
    receipt = place.gc(*NOW, "--yes")["receipt"]
    place.git("branch", "again", commit)

    young = place.gc("--empty-trash", "--yes")
    planned = place.gc("--empty-trash", *NOW)
    done = place.gc("--empty-trash", *NOW, "--yes")
    undone = place.gc("--undo", receipt, code=2)

    assert (young["gone"], young["plan"]["young"]["objects"]) == ([], 1)
    assert digests(young["back"]) == {needed}
    assert digests(planned["plan"]["out"]) == digests(done["gone"]) == {gone, needed}
    assert needed in place.cached
    assert not (place.root / ".pivot/cache/trash").exists()
    assert undone["problems"][0]["code"] == 2


def test_an_undo_says_what_was_deleted_for_good(place: Place) -> None:
    names = {place.make("one")}
    place.commit()
    names.add(place.make("two"))
    place.commit("--amend")
    place.make("three")
    place.commit("--amend")
    receipt = place.gc(*NOW, "--yes")["receipt"]
    lost = min(names)
    (place.root / f".pivot/cache/trash/{receipt}/files/{lost[:2]}/{lost[2:]}").unlink()

    done = place.gc("--undo", receipt, code=3)

    assert digests(done["back"]) == names - {lost}
    assert [problem["digest"] for problem in done["problems"]] == [lost]
    assert names - {lost} <= place.cached


def sentence(done: Done, code: int, *words: str) -> None:
    assert done.code == code, done
    assert all(word in done.err for word in words), done
    assert "Traceback" not in done.err


def test_what_cannot_be_read_ends_it_before_anything_goes(place: Place, tmp_path: Path) -> None:
    place.make("one")
    place.commit()
    place.make("two")
    place.commit("--amend")
    before = place.cached
    ask = ("gc", *NOW, "--yes")
    heads, lock = place.root / ".git/refs/heads", place.root / ".pivot/stages/make/a.lock"
    for broken in ("no name of a commit", "1" * 40):
        (heads / "broken").write_text(broken)
        sentence(place.pivot(*ask), 1, "refs/heads/broken", "git fsck")
    (heads / "broken").unlink()

    tree = tmp_path / "tree"
    place.git("worktree", "add", "--quiet", str(tree))
    (tree / ".pivot/stages/make/a.lock").write_text("<<<<<<< HEAD\n")
    sentence(place.pivot(*ask), 8, str(tree), "make/a.lock")
    tree.rename(tmp_path / "away")
    sentence(place.pivot(*ask), 1, "worktree", str(tree), "git worktree prune")
    place.git("worktree", "prune")
    place.git("branch", "-D", "tree")

    good = lock.read_bytes()
    lock.write_text("<<<<<<< HEAD\n")
    sentence(place.pivot(*ask), 8, ".pivot/stages/make/a.lock")
    place.commit()
    lock.write_bytes(good)
    place.commit()
    told = place.pivot(*ask)
    sentence(told, 8, "refs/heads/main", ".pivot/stages/make/a.lock", "--skip-unreadable")

    assert place.cached == before
    assert place.pivot("gc", *NOW, "--commits", "1").code == 0
    skipped = place.pivot("gc", *NOW, "--skip-unreadable", "--yes")
    assert skipped.code == 0
    assert "Warning: taken for empty: commit" in skipped.err
    assert len(place.cached) == 1


def test_where_history_is_not_known_it_has_to_be_told_so(place: Place, tmp_path: Path) -> None:
    place.make("one")
    place.commit()
    place.make("two")
    place.commit()
    clone = tmp_path / "shallow"
    place.git("clone", "--quiet", "--depth=1", place.root.as_uri(), str(clone))
    plain = tmp_path / "plain"
    ProjectBuilder(plain).stage("make/a", {"data/a": b"one"})
    ProjectBuilder(plain).store(b"of nobody")

    sentence(place.pivot("gc", cwd=clone), 2, "shallow", "git fetch --unshallow")
    sentence(place.pivot("gc", "-r", "--shallow", cwd=clone), 2, "git fetch --unshallow")
    sentence(place.pivot("gc", cwd=plain), 2, "not in a git repository", "--workspace-only")
    sentence(place.pivot("gc", "-r", "--workspace-only"), 2, "for the local cache")

    assert place.gc("--shallow", cwd=clone)["plan"]["out"] == []
    done = place.gc("--workspace-only", *NOW, "--yes", cwd=plain)
    assert digests(done["gone"]) == {digest(b"of nobody")}


def test_a_remote_is_cleaned_by_the_project_that_claims_it(place: Place, tmp_path: Path) -> None:
    place.make("one")
    place.commit()
    other = tmp_path / "stranger"
    ProjectBuilder(other).config((place.root / ".pivot/config.yaml").read_text())
    place.git("init", "--quiet", cwd=other)
    sentence(place.pivot("gc", "-r", "--claim", cwd=other), 2, "has no commits")
    place.git("commit", "--quiet", "--allow-empty", "--message", "other", cwd=other)

    sentence(place.pivot("gc", "-r", "origin"), 2, "other projects", "pivot gc -r origin --claim")
    claimed = place.gc("-r", "--claim")
    assert place.gc("-r", "--claim") == claimed
    for words in ((), ("--claim",), ("--yes",), ("--empty-trash",)):
        sentence(place.pivot("gc", "-r", *words, cwd=other), 2, "another project", "prøject")
    assert place.gc("-r")["plan"]["out"] == []
    (tmp_path / "remote/pivot-gc.json").write_text("{}")
    sentence(place.pivot("gc", "-r"), 8, "pivot-gc.json")


def test_a_cache_that_others_may_use_needs_a_claim_as_well(place: Place, tmp_path: Path) -> None:
    place.make("one")
    place.commit()
    (place.root / ".pivot/cache").rename(tmp_path / "cache")
    (place.root / ".pivot/cache").symlink_to(tmp_path / "cache")

    sentence(place.pivot("gc"), 2, "pivot gc --claim")
    place.gc("--claim")
    assert place.gc(*NOW)["plan"]["referenced"]["objects"] == 1


def test_a_clone_that_lacks_branches_is_refused(place: Place, tmp_path: Path) -> None:
    place.make("one")
    place.commit()
    place.gc("-r", "--claim")
    clone = tmp_path / "clone"
    place.git("clone", "--quiet", str(place.root), str(clone))
    place.git("checkout", "--quiet", "-b", "new")
    name = place.make("two")
    place.commit()
    place.pivot("push")

    sentence(place.pivot("gc", "-r", *NOW, "--yes", cwd=clone), 1, "refs/heads/new", "git fetch")
    offline = place.gc("-r", "--offline", *NOW, cwd=clone)
    place.git("fetch", "--quiet", cwd=clone)
    after = place.gc("-r", *NOW, cwd=clone)
    place.git("remote", "set-url", "origin", str(tmp_path / "nowhere"), cwd=clone)
    sentence(place.pivot("gc", "-r", cwd=clone), 1, "'origin'", "--offline")

    assert digests(offline["plan"]["out"]) == {name}
    assert after["plan"]["out"] == []


def test_hints_and_rests_of_what_is_gone_go_too(place: Place) -> None:
    gone = digest(b"old")
    (place.root / "x.txt").write_text("old")
    time.sleep(0.05)  # what changed just now is not remembered
    assert place.pivot("track", "x.txt").code == 0
    place.commit()
    place.make("new")
    (place.root / "x.txt").unlink()
    (place.root / "x.txt.pvt").unlink()
    place.commit("--amend")
    cache = place.root / ".pivot/cache"
    dead = f"{os.uname().nodename}-{os.stat('/proc/self/ns/pid').st_ino}-{2**22 + 1}-00000000"
    (cache / "partial").mkdir()
    (cache / f"partial/{gone}.{dead}").write_bytes(b"begun")
    kept = cache / f"partial/{digest(b'new')[::-1]}.of-another-machine-1-00000000"
    kept.write_bytes(b"begun")
    checked = json.loads((cache / "checked.json").read_text())
    assert gone in checked["objects"]

    place.gc(*NOW, "--yes")

    assert gone not in json.loads((cache / "checked.json").read_text())["objects"]
    assert json.loads((cache / "remembered.json").read_text())["files"] == {}
    assert list((cache / "partial").iterdir()) == [kept]


def test_a_file_that_is_a_symlink_to_an_object_keeps_it(place: Place) -> None:
    name = place.make("linked")
    place.commit()
    assert place.pivot("checkout", "--checkout-mode", "symlink").code == 0
    place.make("another")
    place.commit("--amend")

    assert place.gc(*NOW, "--yes")["gone"] == []
    (place.root / "data/a.bin").unlink()
    assert digests(place.gc(*NOW, "--yes")["gone"]) == {name}


def test_it_waits_for_a_run_of_stages(place: Place) -> None:
    place.make("one")
    place.commit()
    with open(place.root / ".pivot/cache/repro.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        json.dump({"process": 7, "host": "here", "since": "noon"}, lock)
        lock.flush()
        dry = place.pivot("gc")
        child = place.forks.start("gc", "--yes", cwd=place.root)
        while "Waiting" not in child.said[1]:
            pass
    assert child.wait() == 0
    assert dry.code == 0
    assert child.said[1] == "Waiting for process 7 on here, since noon\n"


def test_three_hundred_commits_are_read_without_a_checkout(place: Place) -> None:
    stages, commits = 40, 300
    lines = ["feature done"]
    locks = {n: _lock(f"stage {n}, first") for n in range(stages)}
    for number in range(commits):
        changed = locks if not number else {number % (stages - 1): _lock(f"commit {number}")}
        lines += ["commit refs/heads/main", "committer Ana <a@b.c> 1700000000 +0000", "data 1", "x"]
        for n, text in changed.items():
            lines += [f"M 100644 inline .pivot/stages/make/s{n}.lock", f"data {len(text)}", text]
        (locks.update(changed), lines.append(""))
    place.git("fast-import", "--quiet", given="\n".join([*lines, "done", ""]))
    builder = ProjectBuilder(place.root)
    kept = {builder.store(b"commit 299"), builder.store(b"stage 39, first")}
    old = builder.store(b"commit 3")
    lost = builder.store(b"commit 300")

    whole = place.gc(*NOW)
    last = place.gc("--commits", "1", *NOW)

    assert "300 commit(s)" in whole["looked_at"]
    assert digests(whole["plan"]["out"]) == {lost}
    assert digests(last["plan"]["out"]) == {lost, old}
    assert last["plan"]["referenced"]["objects"] == len(kept)
    named = {row["digest"]: row["paths"] for row in last["plan"]["out"]}
    assert named[old] == ["data/s"]


def _lock(content: str) -> str:
    name = digest(content.encode())
    return (
        "schema_version: 2\ncode_manifest: {}\nparams: {}\ndeps: []\n"
        f"outs:\n- path: data/s\n  hash: '{name}'\n  key: null\n"
    )


def test_what_makes_no_sense_is_refused(place: Place) -> None:
    place.make("one")
    place.commit()

    for words in (
        ("--commits", "0"),
        ("--commits", "2", "--all-commits"),
        ("--undo", "x", "--claim"),
        ("--undo", "../../x"),
        ("--min-age", "soon"),
        ("-r", "nosuch"),
    ):
        assert place.gc(*words, code=2)["command"] == "gc", words
