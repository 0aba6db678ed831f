"""Objects placed in a workspace from a real cache: how, and what failures leave behind."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pivot import placement
from pivot.cache import Cache
from pivot.keys import Link
from pivot.objects import Directory, Output, files_of
from pivot.placement import Placed, place
from pivot.plan import Existing, plan_checkout
from pivot.scratch import Scratch
from pivot.tree import Blocked
from pivot.workspace import Workspace
from tests.unit.placing import ANY, PARTS, Place, X, mode_of, new_place
from tests.unit.values import directory_of, file_of, put_object, stage_output, write


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        yield place


def test_a_hard_link_is_the_object_itself(project: Place) -> None:
    project.hold(b"x")

    placed = project.check_out(X, links=[Link.HARDLINK])

    assert placed == [Placed("out/x", 1)]
    assert (project.root / "out/x").samefile(project.object(X))
    assert not (project.root / "out/x").is_symlink()


def test_a_symlink_is_absolute_and_leads_to_the_object(project: Place) -> None:
    project.hold(b"x")

    project.check_out(X, links=[Link.SYMLINK])

    assert os.readlink(project.root / "out/x") == str(project.object(X))


@pytest.mark.parametrize(("recorded", "mode"), [(None, 0o644), (False, 0o644), (True, 0o755)])
def test_a_copy_is_writable_and_has_the_recorded_bit(
    project: Place, recorded: bool | None, mode: int
) -> None:
    project.hold(b"x")

    project.check_out(replace(X, executable=recorded), links=[Link.COPY])

    assert mode_of(project.root / "out/x") == mode
    assert (project.root / "out/x").stat().st_nlink == 1


@pytest.mark.parametrize("link", [Link.HARDLINK, Link.SYMLINK])
@pytest.mark.parametrize(
    ("recorded", "object_mode", "linked"),
    [(True, 0o555, True), (True, 0o444, False), (False, 0o444, True), (False, 0o555, False)],
)
def test_what_has_the_wrong_bit_is_copied_instead_of_linked(
    project: Place, link: Link, recorded: bool, object_mode: int, linked: bool
) -> None:
    project.hold(b"x", mode=object_mode)

    project.check_out(replace(X, executable=recorded), links=[link])

    target = project.root / "out/x"
    assert target.samefile(project.object(X)) == linked
    assert bool(target.stat().st_mode & 0o100) == recorded


def test_the_oldest_outputs_are_linked_whatever_the_bit(project: Place) -> None:
    project.hold(b"x")

    project.check_out(replace(X, executable=True, lenient=True), links=[Link.HARDLINK])

    assert (project.root / "out/x").samefile(project.object(X))


@pytest.mark.parametrize("link", Link)
def test_a_directory_appears_whole_with_its_empty_directories(project: Place, link: Link) -> None:
    project.hold(b"a", b"b")

    placed = project.check_out(PARTS, links=[link])

    assert placed == [Placed("out/parts", 2)]
    assert (project.root / "out/parts/a").read_bytes() == b"a"
    assert (project.root / "out/parts/sub/b").read_bytes() == b"b"
    assert (project.root / "out/parts/e/f").is_dir()


def test_a_directory_of_which_an_object_is_missing_does_not_appear(project: Place) -> None:
    project.hold(b"a")

    project.check_out(PARTS)

    assert not (project.root / "out").exists()


def test_what_is_there_already_is_completed_and_not_built_anew(project: Place) -> None:
    project.hold(b"a", b"b")
    kept = write(project.root, "out/parts/a", b"a").stat().st_ino

    placed = project.check_out(PARTS)

    assert placed == [Placed("out/parts", 1)]
    assert (project.root / "out/parts/a").stat().st_ino == kept
    assert (project.root / "out/parts/e/f").is_dir()


def test_a_changed_file_and_its_directory_are_left_alone(project: Place) -> None:
    project.hold(b"a", b"b")
    write(project.root, "out/parts/a", b"mine")

    placed = project.check_out(PARTS, existing=Existing.UPDATE)

    assert placed == []
    assert project.files() == {"out/parts/a": b"mine"}


@pytest.mark.parametrize("link", Link)
def test_force_gives_exactly_what_the_lock_says(project: Place, link: Link) -> None:
    project.hold(b"a", b"b")
    write(project.root, "out/parts/a", b"mine")
    write(project.root, "out/parts/old/deep/extra", b"mine")
    write(project.root, "out/parts/sub/b/a directory", b"mine")

    project.check_out(PARTS, existing=Existing.OVERWRITE, links=[link])

    found = {
        str(path.relative_to(project.root / "out/parts"))
        for path in (project.root / "out/parts").rglob("*")
    }
    assert found == {"a", "sub", "sub/b", "e", "e/f"}
    assert (project.root / "out/parts/a").read_bytes() == b"a"
    assert (project.root / "out/parts/sub/b").read_bytes() == b"b"


@pytest.mark.parametrize("kind", ["file", "symlink"])
def test_force_swaps_what_stands_where_a_directory_belongs(project: Place, kind: str) -> None:
    project.hold(b"a", b"b")
    elsewhere = write(project.root, "elsewhere/kept", b"kept").parent
    (project.root / "out").mkdir()
    if kind == "file":
        write(project.root, "out/parts", b"mine")
    else:
        (project.root / "out/parts").symlink_to(elsewhere)

    project.check_out(PARTS, existing=Existing.OVERWRITE)

    assert (project.root / "out/parts/a").read_bytes() == b"a"
    assert not (project.root / "out/parts").is_symlink()
    assert (elsewhere / "kept").read_bytes() == b"kept"


def test_force_replaces_a_directory_where_a_file_belongs(project: Place) -> None:
    project.hold(b"x")
    write(project.root, "out/x/inside", b"mine")

    placed = project.check_out(X, existing=Existing.OVERWRITE)

    assert placed == [Placed("out/x", 1)]
    assert (project.root / "out/x").read_bytes() == b"x"


def test_a_file_that_is_replaced_does_not_change_those_who_share_its_bytes(project: Place) -> None:
    project.hold(b"old", b"x")
    old = file_of("out/x", b"old")
    project.check_out(old, links=[Link.HARDLINK])

    project.check_out(X, existing=Existing.UPDATE, links=[Link.HARDLINK])

    assert (project.root / "out/x").read_bytes() == b"x"
    assert project.object(old).read_bytes() == b"old"


def test_only_the_bit_is_wrong_and_the_file_is_made_anew(project: Place) -> None:
    project.hold(b"x")
    write(project.root, "out/x", b"x").chmod(0o644)

    project.check_out(replace(X, executable=True))

    assert mode_of(project.root / "out/x") == 0o755
    assert mode_of(project.object(X)) == 0o444


INNER = file_of("out/parts/inner", b"inner")


BELOW = directory_of("out/parts/sub/below", {"c": b"c"})


@pytest.mark.parametrize("outputs", list(itertools.permutations([PARTS, INNER, BELOW])))
def test_outputs_inside_another_are_placed_in_any_order(
    project: Place, outputs: tuple[Output, ...]
) -> None:
    project.hold(b"a", b"b", b"inner", b"c")

    placed = project.check_out(*outputs)

    assert sum(one.files for one in placed) == 4
    assert [one.error for one in placed] == [None] * 3
    assert project.files() == {
        "out/parts/a": b"a",
        "out/parts/sub/b": b"b",
        "out/parts/inner": b"inner",
        "out/parts/sub/below/c": b"c",
    }
    assert (project.root / "out/parts/e/f").is_dir()


def test_an_output_below_a_symlink_is_not_written(project: Place) -> None:
    project.hold(b"x")
    outside = project.root.parent / "outside"
    outside.mkdir()
    (project.root / "out").symlink_to(outside)

    assert project.check_out(X, existing=Existing.OVERWRITE) == []
    assert list(outside.iterdir()) == []


def test_the_failure_of_one_output_stops_no_other(project: Place) -> None:
    """The object is gone between the plan and its execution."""
    project.hold(b"x", b"y")
    other = file_of("out/y", b"y")
    entries = [stage_output("s", X), stage_output("s", other)]
    cache = Cache(project.cache)
    plan = plan_checkout(
        entries,
        cached={X.digest, other.digest},
        workspace=Workspace(project.root, cache).observe(entries, existing=Existing.REFUSE),
        existing=Existing.REFUSE,
    )
    project.object(X).unlink()

    first, second = place(
        plan, project.root, cache=cache, scratch=Scratch(project.cache / "tmp"), links=ANY
    )

    assert first.error is not None
    assert "out/x: No such file" in first.error.message
    assert second == Placed("out/y", 1)
    assert project.files() == {"out/y": b"y"}


def test_a_place_that_became_a_file_is_an_error_of_that_output(project: Place) -> None:
    project.hold(b"x")
    cache = Cache(project.cache)
    entry = stage_output("s", X)
    found = Workspace(project.root, cache).observe([entry], existing=Existing.REFUSE)
    plan = plan_checkout([entry], cached={X.digest}, workspace=found, existing=Existing.REFUSE)
    write(project.root, "out", b"mine")

    (placed,) = place(
        plan, project.root, cache=cache, scratch=Scratch(project.cache / "tmp"), links=ANY
    )

    assert isinstance(placed.error, Blocked)
    assert (project.root / "out").read_bytes() == b"mine"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system")
@pytest.mark.parametrize("output", [X, PARTS], ids=["file", "directory"])
@pytest.mark.parametrize("links", [ANY, (Link.HARDLINK, Link.COPY)], ids=["any", "no symlinks"])
def test_a_cache_on_another_file_system_is_copied_from_or_linked_to(
    project: Place, output: Output, links: tuple[Link, ...]
) -> None:
    far = Path(f"/dev/shm/pivot-test-{os.getpid()}")
    far.mkdir()
    try:
        (project.root / ".pivot" / "cache").symlink_to(far)
        project.hold(b"x", b"a", b"b")

        placed = project.check_out(output, links=links)

        assert [one.error for one in placed] == [None]
        for file in files_of(output):
            target = project.root / file.path
            assert target.is_file()
            assert target.is_symlink() == (Link.SYMLINK in links)
        if isinstance(output, Directory):
            assert all((project.root / path).is_dir() for path in output.empty)
    finally:
        shutil.rmtree(far)


def test_where_no_allowed_link_works_the_output_fails_with_the_reason(project: Place) -> None:
    project.hold(b"x")
    if not Path("/dev/shm").is_dir():
        pytest.skip("no second file system")
    far = Path(f"/dev/shm/pivot-test-far-{os.getpid()}")
    far.mkdir()
    try:
        (project.cache / "files").rename(project.cache / "unused")
        put_object(far, b"x")
        (project.cache / "files").symlink_to(far / "files")

        (placed,) = project.check_out(X, links=[Link.HARDLINK])

        assert placed.error is not None
        assert "out/x: " in placed.error.message
        assert "another file system" in placed.error.message
        assert not (project.root / "out/x").exists()
    finally:
        shutil.rmtree(far)


def test_a_new_directory_appears_with_one_rename(
    project: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.hold(b"a", b"b")
    real, count = os.rename, itertools.count()

    def rename(*words: object, **options: object) -> None:
        if next(count):
            raise OSError(errno.EIO, "the disk is gone")
        real(*words, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(placement.os, "rename", rename)
    (placed,) = project.check_out(PARTS)

    assert placed == Placed("out/parts", 2)
    assert project.files() == {"out/parts/a": b"a", "out/parts/sub/b": b"b"}


def test_an_empty_directory_is_a_directory_and_stays_one(project: Place) -> None:
    project.hold(b"a")
    empty = directory_of("out/parts", {})

    assert project.check_out(empty) == [Placed("out/parts", 0)]
    assert (project.root / "out/parts").is_dir()

    write(project.root, "out/parts/old", b"a")
    assert project.check_out(empty, existing=Existing.UPDATE) == [Placed("out/parts", 0, 1)]
    assert list((project.root / "out/parts").iterdir()) == []


def test_a_full_disk_ends_it_at_once(project: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    project.hold(b"x", b"y")
    tried = []

    def full(*words: object, **options: object) -> None:
        tried.append(words)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(placement.os, "link", full)
    (placed,) = project.check_out(X, file_of("out/y", b"y"))

    assert placed.error is not None
    assert "out/x: No space left" in placed.error.message
    assert len(tried) == 1
    assert project.files() == {}
