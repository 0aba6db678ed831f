"""`pivot gc` sees all that anybody may need, also where git shows it only if it is asked well."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.cleaning import NOW, Place, Start, digests, make_place
from tests.e2e.weather import assert_sentence
from tests.projects import digest, objects


@pytest.fixture(name="place")
def _place(tmp_path: Path, start: Start) -> Place:
    """Two versions of an output, the older in history alone."""
    place = make_place(tmp_path, start)
    place.make("older")
    place.commit()
    place.make("newer")
    place.commit()
    return place


OLDER, NEWER = digest(b"older"), digest(b"newer")


@pytest.mark.parametrize(
    "name",
    ["GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"],
)
def test_what_git_passes_on_to_hooks_hides_nothing(place: Place, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pivot", "gc", *NOW, "--yes"],
        cwd=place.root,
        env=place.environment | {name: "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done
    assert place.cached == {OLDER, NEWER}


def test_replaced_and_grafted_commits_count_as_they_are_for_others(place: Place) -> None:
    place.git("replace", "--graft", "HEAD")
    replaced = place.gc(*NOW)
    place.git("replace", "--delete", place.git("rev-parse", "HEAD").strip())
    (place.root / ".git/info").mkdir(exist_ok=True)
    (place.root / ".git/info/grafts").write_text(place.git("rev-parse", "HEAD"))
    hidden = place.git("rev-list", "--count", "HEAD").strip()
    grafted = place.gc(*NOW)

    assert hidden == "1"  # git itself shows no more
    assert replaced["plan"]["out"] == grafted["plan"]["out"] == []


def test_a_project_that_was_moved_in_its_repository_is_known_by_both_places(place: Place) -> None:
    inside = place.root / "sub"
    inside.mkdir()
    place.git("mv", ".pivot/stages", ".pivot/config.yaml", ".gitignore", "sub")
    (inside / ".pivot").mkdir()
    for name in ("stages", "config.yaml"):
        (inside / name).rename(inside / ".pivot" / name)
    (place.root / ".pivot/cache").rename(inside / ".pivot/cache")
    shutil.rmtree(place.root / ".pivot")
    place.commit()

    done = place.gc(*NOW, "--yes", cwd=inside)

    assert digests(done["gone"]) == set()
    assert set(objects(inside / ".pivot/cache/files")) == {OLDER, NEWER}


def test_a_damaged_repository_is_not_taken_for_the_one_around_it(place: Place) -> None:
    place.git("init", "--quiet", cwd=place.root.parent)
    (place.root / ".git/HEAD").write_text("")

    done = place.pivot("gc", *NOW, "--yes")

    assert_sentence(done, 1, "git takes", f"{place.root}/.git damaged")
    assert place.cached == {OLDER, NEWER}


def test_what_a_stopped_rebase_put_aside_is_kept(place: Place) -> None:
    place.git("checkout", "--quiet", "-b", "other", "HEAD~1")
    (place.root / "note").write_text("other")
    place.commit()
    place.git("checkout", "--quiet", "main")
    (place.root / "note").write_text("main")
    place.commit()
    place.make("not committed")
    stopped = subprocess.run(
        ["git", "rebase", "--quiet", "--autostash", "other"],
        cwd=place.root,
        env=place.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    done = place.gc(*NOW)

    assert stopped.returncode != 0, stopped
    assert (place.root / ".git/rebase-merge/autostash").exists()
    assert done["plan"]["out"] == []


def test_a_file_that_is_a_link_to_an_object_keeps_it(place: Place) -> None:
    new = place.make("never committed")
    done = place.pivot("checkout", "--checkout-mode", "symlink", "--force")
    assert done.code == 0, done
    place.git("checkout", "--quiet", "HEAD", "--", ".pivot")
    assert os.readlink(place.root / "data/a.bin").endswith(new[2:])

    assert place.gc(*NOW)["plan"]["out"] == []
    (place.root / "data/a.bin").unlink()
    assert digests(place.gc(*NOW)["plan"]["out"]) == {new}


def test_a_broken_document_of_a_neighbour_is_a_warning_and_one_of_ours_ends_it(
    place: Place,
) -> None:
    ours = place.root / "tool ü"
    (ours / ".pivot/stages").mkdir(parents=True)
    (ours / ".pivot/stages/a.lock").write_text(
        (place.root / ".pivot/stages/make/a.lock").read_text()
    )
    (place.root / ".pivot/stages/make/a.lock").write_text("<<<<<<< ours\n")
    (place.root / ".gitignore").write_text("cache\n")
    place.commit()
    shutil.rmtree(place.root / ".pivot")

    beside = place.gc(*NOW, cwd=ours)
    (ours / ".pivot/stages/a.lock").write_text("<<<<<<< ours\n")
    place.git("add", "tool ü")
    staged = place.pivot("gc", *NOW, cwd=ours)

    assert "make/a.lock" in beside["warnings"][0]
    assert_sentence(staged, 8, ".pivot/stages/a.lock")


def test_a_worktree_that_the_repository_names_is_its_own(place: Place, tmp_path: Path) -> None:
    place.git("config", "core.worktree", str(place.root))

    assert place.gc(*NOW)["plan"]["out"] == []


class TestOfSeveralClones:
    """Who shares a place with others cleans up by the rules of a remote."""

    @pytest.fixture(name="clones")
    def _clones(self, place: Place, tmp_path: Path) -> tuple[Place, Place]:
        """Two clones of one project that have one cache."""
        place.git("clone", "--quiet", "--bare", place.root, tmp_path / "team.git")
        clones = []
        for name in ("one", "two"):
            place.git("clone", "--quiet", tmp_path / "team.git", tmp_path / name)
            clone = Place(tmp_path / name, place.forks, place.environment)
            done = clone.pivot("config", "set", "cache.dir", str(tmp_path / "cache"))
            assert done.code == 0, done
            clones.append(clone)
        (place.root / ".pivot/cache/files").rename(_made(tmp_path / "cache") / "files")
        one, two = clones
        return one, two

    def test_a_cache_of_theirs_is_kept_for_long_and_by_all_branches(
        self, clones: tuple[Place, Place], tmp_path: Path
    ) -> None:
        one, two = clones
        unclaimed = one.pivot("gc")
        assert one.pivot("gc", "--claim").code == 0
        alone = one.pivot("gc", "--workspace-only")
        usual = one.pivot("gc", "--commits", "1")
        two.make("of two")
        two.git("checkout", "--quiet", "-b", "more")
        two.commit()
        two.git("push", "--quiet", "origin", "more")
        behind = one.pivot("gc", *NOW, "--yes")
        one.git("fetch", "--quiet")
        done = one.pivot("gc", *NOW, "--commits", "1")

        assert_sentence(unclaimed, 2, "other projects may keep objects there")
        assert_sentence(alone, 2, "for a cache of this workspace alone")
        assert "1 object(s) (5 B) younger than 14 days" in usual.out, usual
        assert_sentence(behind, 1, "does not have refs/heads/more of origin")
        assert f"({OLDER})" in done.out
        assert digest(b"of two") not in done.out
        assert "pivot gc --commits 1 --min-age 0 --yes" in done.out

    def test_what_began_elsewhere_and_was_fetched_or_merged_makes_no_claim(
        self, clones: tuple[Place, Place], tmp_path: Path, start: Start
    ) -> None:
        one, two = clones
        assert one.pivot("gc", "-r", "--claim").code == 0
        two.git("checkout", "--quiet", "--orphan", "new")
        unborn = two.pivot("gc", "-r", cwd=two.root)
        (tmp_path / "another").mkdir()
        other = make_place(tmp_path / "another", start)
        (other.root / ".pivot/config.yaml").write_text(
            f"folders:\n  origin: {(tmp_path / 'remote').as_uri()}\n"
        )
        other.make("of another project")
        other.commit()
        other.git("remote", "add", "upstream", str(tmp_path / "team.git"))
        other.git("fetch", "--quiet", "upstream")

        fetched = other.pivot("gc", "-r", *NOW)
        how = ("--strategy", "ours", "--allow-unrelated-histories", "--no-edit")
        other.git("merge", "--quiet", *how, "upstream/main")
        merged = other.pivot("gc", "-r", *NOW)

        assert unborn.code == 0, unborn
        for done in (fetched, merged):
            assert_sentence(done, 2, "another project keeps objects there")


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def test_a_clock_that_is_ahead_empties_no_trash(place: Place) -> None:
    place.make("gone")
    place.commit()
    place.git("reset", "--quiet", "--hard", "HEAD~1")
    receipt = place.gc(*NOW, "--yes")["receipt"]
    assert receipt
    done = subprocess.run(
        [sys.executable, "-c", AHEAD, "gc", "--empty-trash", "--yes"],
        cwd=place.root,
        env=place.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1, done
    assert "this machine's clock is 2880 minutes ahead" in done.stderr
    assert list((place.root / ".pivot/cache/trash" / receipt).rglob("*"))
    assert not list((place.root / ".pivot/cache/trash").glob("clock*"))


AHEAD = """
import time
now = time.time
time.time = lambda: now() + 2 * 86400
from pivot.cli import main

main()
"""
