"""`pivot gc` refuses where nobody can tell what is needed, and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Done
from tests.e2e.cleaning import NOW, Place, Start, digests, make_place
from tests.projects import ProjectBuilder, digest


@pytest.fixture(name="place")
def _place(tmp_path: Path, start: Start) -> Place:
    return make_place(tmp_path, start)


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
    sentence(place.pivot("gc", "-r", "--workspace-only"), 2, "for a cache of this workspace alone")

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
