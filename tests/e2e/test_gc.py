"""`pivot gc`: what nobody needs goes into the trash, and can come back."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import Command, Done
from tests.e2e.cleaning import NOW, Place, Start, digests, make_place
from tests.e2e.test_report import everything
from tests.e2e.test_terminal import complete
from tests.projects import ProjectBuilder, digest
from tests.servers import S3Server


@pytest.fixture(name="place")
def _place(tmp_path: Path, start: Start) -> Place:
    return make_place(tmp_path, start)


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
    kept = done["trash"]["objects"]
    undone = place.gc("--undo", receipt, code=3)

    assert (young["gone"], young["plan"]["young"]["objects"]) == ([], 1)
    assert digests(young["back"]) == {needed}
    assert digests(planned["plan"]["out"]) == digests(done["gone"]) == {gone}
    assert needed in place.cached
    assert kept == 1  # a copy of what is in use stays for an hour
    assert not (place.root / ".pivot/cache/trash").exists()
    assert [problem["digest"] for problem in undone["problems"]] == [gone]


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
