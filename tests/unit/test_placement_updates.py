"""A directory that stands there already: it is the new one at once, whatever happens meanwhile."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from pivot import placement
from pivot.cache import Cache
from pivot.errors import LocalError, UnsafePath
from pivot.exchange import Shared
from pivot.keys import Link
from pivot.placement import Placed, place
from pivot.plan import Existing, plan_checkout
from pivot.scratch import Scratch
from pivot.workspace import Workspace
from tests.unit.placing import ANY, PARTS, Place, new_place
from tests.unit.values import directory_of, paths_of, stage_output, write


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        yield place


def test_what_the_lock_lists_no_longer_is_removed_and_counted(project: Place) -> None:
    project.hold(b"a", b"b", b"old")
    write(project.root, "out/parts/a", b"a")
    write(project.root, "out/parts/old/deep/one", b"old")
    write(project.root, "out/parts/two", b"old")

    placed = project.check_out(PARTS, existing=Existing.UPDATE)

    assert placed == [Placed("out/parts", 1, 2)]
    assert project.files() == {"out/parts/a": b"a", "out/parts/sub/b": b"b"}
    assert not (project.root / "out/parts/old").exists()


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
