"""Objects placed in a workspace from a real cache: how, and what failures leave behind."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pivot import placement
from pivot.cache import Cache
from pivot.errors import LocalError, UnsafePath
from pivot.exchange import Shared
from pivot.keys import Link
from pivot.objects import Directory, File, Output, files_of, object_name
from pivot.placement import Placed, place
from pivot.plan import Existing, plan_checkout
from pivot.scratch import Scratch
from pivot.tree import Blocked
from pivot.workspace import Workspace
from tests.projects import tree
from tests.unit.values import directory_of, file_of, paths_of, put_object, stage_output, write

ANY = (Link.HARDLINK, Link.SYMLINK, Link.COPY)


@dataclass(frozen=True)
class Place:
    """A project on disk with a cache."""

    root: Path

    @property
    def cache(self) -> Path:
        return self.root / ".pivot" / "cache"

    def hold(self, *contents: bytes, mode: int = 0o444) -> None:
        for content in contents:
            put_object(self.cache, content, mode=mode)

    def object(self, file: File) -> Path:
        return self.cache / object_name(file.digest)

    def check_out(
        self,
        *outputs: Output,
        existing: Existing = Existing.REFUSE,
        links: Sequence[Link] = ANY,
    ) -> list[Placed]:
        entries = [stage_output("s", output) for output in outputs]
        cache = Cache(self.cache)
        workspace = Workspace(self.root, cache, known=paths_of(*outputs))
        found = workspace.observe(entries, existing=existing)
        held = cache.stat({file.digest for output in outputs for file in files_of(output)})
        plan = plan_checkout(entries, cached=held, workspace=found, existing=existing)
        scratch = Scratch(self.root / ".pivot" / "cache" / "tmp")
        try:
            placed = place(plan, self.root, cache=cache, scratch=scratch, links=links)
            if all(one.error is None for one in placed):
                assert list(scratch.directory().iterdir()) == []
            return placed
        finally:
            scratch.remove()
            assert not (self.cache / "tmp").exists()

    def files(self) -> dict[str, bytes | None]:
        nodes = tree(self.root)
        return {name: bytes(n[0]) for name, n in nodes.items() if isinstance(n[0], bytes)}


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Iterator[Place]:
    before = os.umask(0o022)
    root = tmp_path / "project"
    (root / ".pivot").mkdir(parents=True)
    yield Place(root)
    os.umask(before)


X = file_of("out/x", b"x")
PARTS = directory_of("out/parts", {"a": b"a", "sub/b": b"b"}, empty=("e/f",))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


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


def test_what_the_lock_lists_no_longer_is_removed_and_counted(project: Place) -> None:
    project.hold(b"a", b"b", b"old")
    write(project.root, "out/parts/a", b"a")
    write(project.root, "out/parts/old/deep/one", b"old")
    write(project.root, "out/parts/two", b"old")

    placed = project.check_out(PARTS, existing=Existing.UPDATE)

    assert placed == [Placed("out/parts", 1, 2)]
    assert project.files() == {"out/parts/a": b"a", "out/parts/sub/b": b"b"}
    assert not (project.root / "out/parts/old").exists()


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


def test_an_update_that_cannot_be_made_ready_changes_nothing(project: Place) -> None:
    """The last object of the directory is gone between the plan and its execution."""
    project.hold(b"a", b"b", b"old a", b"old b")
    write(project.root, "out/parts/a", b"old a")
    write(project.root, "out/parts/sub/b", b"old b")
    cache = Cache(project.cache)
    workspace = Workspace(project.root, cache, known=paths_of(PARTS))
    entry = stage_output("s", PARTS)
    plan = plan_checkout(
        [entry],
        cached={file.digest for file in PARTS.files},
        workspace=workspace.observe([entry], existing=Existing.UPDATE),
        existing=Existing.UPDATE,
    )
    project.object(PARTS.files[-1]).unlink()

    (placed,) = place(
        plan, project.root, cache=cache, scratch=Scratch(project.cache / "tmp"), links=ANY
    )

    assert placed.error is not None
    assert (placed.files, placed.removed) == (0, 0)
    assert project.files() == {"out/parts/a": b"old a", "out/parts/sub/b": b"old b"}


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


def test_an_update_keeps_the_inodes_of_what_has_not_changed(project: Place) -> None:
    new = directory_of("out/parts", {"a": b"a", "sub/b": b"B", "sub/c": b"c"})
    project.hold(b"a", b"b", b"B", b"c")
    project.check_out(PARTS, links=[Link.COPY])
    (project.root / "out/parts/e/mine").symlink_to("nowhere")
    before = (project.root / "out/parts/a").stat().st_ino

    (placed,) = project.check_out(new, existing=Existing.UPDATE, links=[Link.COPY])

    assert placed == Placed("out/parts", 2)
    assert (project.root / "out/parts/a").stat().st_ino == before
    assert (project.root / "out/parts/sub/b").read_bytes() == b"B"
    assert os.readlink(project.root / "out/parts/e/mine") == "nowhere"


def test_what_comes_during_an_update_stays(project: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    new = directory_of("out/parts", {"a": b"A", "sub/b": b"B"})
    project.hold(b"a", b"b", b"A", b"B")
    project.check_out(PARTS, links=[Link.COPY])
    real = placement.exchange

    def late(aside: Path, name: str, above: int | None) -> bool:
        (project.root / "out/parts/sub/notes").write_text("mine")
        return real(aside, name, above)

    monkeypatch.setattr(placement, "exchange", late)
    project.check_out(new, existing=Existing.UPDATE, links=[Link.COPY])

    assert project.files()["out/parts/a"] == b"A"
    assert project.files()["out/parts/sub/notes"] == b"mine"


def test_an_update_without_exchange_is_the_same(
    project: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = directory_of("out/parts", {"a": b"A", "sub/b": b"B"})
    project.hold(b"a", b"b", b"A", b"B")
    project.check_out(PARTS, links=[Link.COPY])
    monkeypatch.setattr(placement, "exchange", lambda *_: False)

    write(project.root, "out/parts/old/deep/one", b"a")
    write(project.root, "out/parts/sub/two", b"b")

    (placed,) = project.check_out(new, existing=Existing.UPDATE, links=[Link.COPY])

    assert placed == Placed("out/parts", 2, 2)
    assert project.files() == {"out/parts/a": b"A", "out/parts/sub/b": b"B"}
    assert not (project.root / "out/parts/old").exists()


def test_a_symlink_that_appears_where_an_update_belongs_is_not_followed(
    project: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = directory_of("out/parts", {"a": b"A", "sub/b": b"B"})
    project.hold(b"a", b"b", b"A", b"B")
    project.check_out(PARTS, links=[Link.COPY])
    (tmp_path / "outside").mkdir()
    real = placement.share_directory

    def late(source: int, target: Path, leave_out: Collection[str]) -> Shared | None:
        shutil.rmtree(project.root / "out/parts/sub")
        (project.root / "out/parts/sub").symlink_to(tmp_path / "outside")
        return real(source, target, leave_out)

    monkeypatch.setattr(placement, "share_directory", late)
    (placed,) = project.check_out(new, existing=Existing.UPDATE, links=[Link.COPY])

    assert isinstance(placed.error, UnsafePath)
    assert list((tmp_path / "outside").iterdir()) == []
    assert (project.root / "out/parts/a").read_bytes() == b"a"


def test_a_symlink_that_takes_the_place_of_an_update_stays_what_it_is(
    project: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = directory_of("out/parts", {"a": b"A", "sub/b": b"B"})
    project.hold(b"a", b"b", b"A", b"B")
    project.check_out(PARTS, links=[Link.COPY])
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/precious").touch()
    place, real, times = project.root / "out/parts", placement.exchange, itertools.count()

    def late(aside: Path, name: str, above: int | None) -> bool:
        if not next(times):
            shutil.rmtree(place)
            place.symlink_to(tmp_path / "outside")
        return real(aside, name, above)

    monkeypatch.setattr(placement, "exchange", late)
    (placed,) = project.check_out(new, existing=Existing.UPDATE, links=[Link.COPY])

    assert isinstance(placed.error, UnsafePath)
    assert os.readlink(place) == str(tmp_path / "outside")
    assert (tmp_path / "outside/precious").exists()


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


def test_a_file_that_goes_takes_the_directories_with_it_that_are_empty_then(
    project: Place,
) -> None:
    project.hold(b"a", b"b")
    project.check_out(PARTS)
    write(project.root, "out/parts/sub/old/deep/one", b"a")

    (placed,) = project.check_out(PARTS, existing=Existing.UPDATE)

    assert placed == Placed("out/parts", 0, 1)
    assert not (project.root / "out/parts/sub/old").exists()
    assert project.files() == {"out/parts/a": b"a", "out/parts/sub/b": b"b"}


def test_an_empty_directory_is_a_directory_and_stays_one(project: Place) -> None:
    project.hold(b"a")
    empty = directory_of("out/parts", {})

    assert project.check_out(empty) == [Placed("out/parts", 0)]
    assert (project.root / "out/parts").is_dir()

    write(project.root, "out/parts/old", b"a")
    assert project.check_out(empty, existing=Existing.UPDATE) == [Placed("out/parts", 0, 1)]
    assert list((project.root / "out/parts").iterdir()) == []


def test_each_output_counts_what_was_removed_of_it(project: Place) -> None:
    project.hold(b"a", b"b", b"x")
    others = [directory_of(f"out/{name}", {"x": b"x"}) for name in ("p", "q")]
    for name in ("p/1", "p/2", "q/1", "q/2", "q/3"):
        write(project.root, f"out/{name}", b"a")

    placed = project.check_out(*others, existing=Existing.UPDATE)

    assert placed == [Placed("out/p", 1, 2), Placed("out/q", 1, 3)]


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system")
def test_an_update_from_a_cache_on_another_file_system_is_the_same(project: Place) -> None:
    new = directory_of("out/parts", {"a": b"A", "sub/b": b"B"})
    far = Path(f"/dev/shm/pivot-test-update-{os.getpid()}")
    far.mkdir()
    try:
        (project.root / ".pivot" / "cache").symlink_to(far)
        project.hold(b"a", b"b", b"A", b"B")
        project.check_out(PARTS)
        write(project.root, "out/parts/old", b"a")

        (placed,) = project.check_out(new, existing=Existing.UPDATE, links=[Link.COPY])

        assert placed == Placed("out/parts", 2, 1)
        assert project.files() == {"out/parts/a": b"A", "out/parts/sub/b": b"B"}
    finally:
        shutil.rmtree(far)


@pytest.mark.parametrize("times", [1, 100])
def test_a_directory_that_takes_the_place_of_an_update_is_updated_itself(
    times: int, project: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else replaces the directory, once or without end."""
    new = directory_of("out/parts", {"a": b"A", "sub/b": b"B"})
    project.hold(b"a", b"b", b"A", b"B")
    project.check_out(PARTS, links=[Link.COPY])
    real, left = placement.exchange, iter(range(times))

    def late(aside: Path, name: str, above: int | None) -> bool:
        if name == "parts" and aside.name != "mine" and next(left, None) is not None:
            write(project.root, "mine/note", b"mine")
            (project.root / "out/parts").rename(project.root / f"was-{len(os.listdir('.'))}")
            (project.root / "mine").rename(project.root / "out/parts")
        return real(aside, name, above)

    monkeypatch.chdir(project.root)
    monkeypatch.setattr(placement, "exchange", late)
    (placed,) = project.check_out(new, existing=Existing.UPDATE, links=[Link.COPY])

    seen = {path.name for path in (project.root / "out/parts").rglob("*") if path.is_file()}
    if times == 1:
        assert placed == Placed("out/parts", 2)
        assert seen == {"a", "b", "note"}
    else:
        assert isinstance(placed.error, LocalError)
        assert "out/parts keeps changing" in placed.error.message
        assert (placed.files, seen) == (0, {"note"})


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
