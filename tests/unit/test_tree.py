"""Reaching into a directory: never through a symlink, and nothing left open."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pivot.errors import LocalError, UnsafePath
from pivot.tree import Blocked, Tree, folds_names
from tests.unit.values import write


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Iterator[Path]:
    before = descriptors()
    root = tmp_path / "root"
    root.mkdir()
    yield root
    assert descriptors() == before, "a descriptor is left open"


def listing(descriptor: int | None) -> list[str]:
    assert descriptor is not None
    return sorted(os.listdir(descriptor))


def test_directories_open_by_path(root: Path) -> None:
    write(root, "a/b/file")

    with Tree(root) as tree:
        assert listing(tree.open("")) == ["a"]
        assert listing(tree.open("a/b")) == ["file"]
        assert listing(tree.open("a")) == ["b"]
        assert tree.open("a/absent/deeper") is None


def test_what_is_not_there_is_made_on_demand(root: Path) -> None:
    with Tree(root) as tree:
        above, name = tree.parent("x/y/z", make=True)
        assert (listing(above), name) == ([], "z")

    assert (root / "x" / "y").is_dir()
    assert not (root / "x" / "y" / "z").exists()


def test_neighbours_share_the_open_directories_above_them(root: Path) -> None:
    names = [f"{a}/{b}" for a in "abc" for b in "xyz"]
    for name in names:
        write(root, f"{name}/file")

    with Tree(root) as tree:
        before = descriptors()
        first = tree.open("a")
        for name in names:
            tree.open(name)
            assert descriptors() <= before + 2
        assert tree.open("c/z") == tree.open("c/z")
        assert first is not None


def test_a_descriptor_stays_the_same_while_its_path_is_asked_for(root: Path) -> None:
    (root / "a").mkdir()

    with Tree(root) as tree:
        first = tree.open("a")
        (root / "a").rename(root / "moved")
        (root / "a").mkdir()
        write(root, "moved/file")

        assert tree.open("a") == first
        assert listing(tree.open("a")) == ["file"]


@pytest.mark.parametrize("make", [False, True])
@pytest.mark.parametrize("path", ["link", "link/below", "a/link", "a/link/x/y"])
def test_nothing_is_reached_through_a_symlink(root: Path, path: str, make: bool) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "a").mkdir()
    (root / "link").symlink_to(outside)
    (root / "a" / "link").symlink_to("../../outside")

    with Tree(root) as tree, pytest.raises(UnsafePath, match="link is a symlink"):
        tree.open(path, make=make)

    assert list(outside.iterdir()) == []


def test_not_even_through_one_that_leads_nowhere(root: Path) -> None:
    (root / "link").symlink_to("absent")

    with Tree(root) as tree, pytest.raises(UnsafePath):
        tree.open("link/x", make=True)

    assert not (root / "absent").exists()


def test_a_file_in_the_way_is_named(root: Path) -> None:
    write(root, "a/file")

    with Tree(root) as tree, pytest.raises(Blocked, match="a/file is a file where a directory"):
        tree.open("a/file/x", make=True)


def test_after_a_failure_the_tree_can_be_used(root: Path) -> None:
    write(root, "a/file")
    write(root, "b/c/d")

    with Tree(root) as tree:
        with pytest.raises(Blocked):
            tree.open("a/file/x")
        assert tree.open("a/none/x") is None
        assert listing(tree.open("b/c")) == ["d"]
        assert listing(tree.open("a")) == ["file"]


def test_what_stands_at_a_path_is_looked_at_and_not_followed(root: Path) -> None:
    write(root, "a/file", b"12345")
    (root / "a" / "link").symlink_to("file")

    with Tree(root) as tree:
        file, link = tree.lstat("a/file"), tree.lstat("a/link")
        assert file is not None
        assert link is not None
        assert (file.st_size, stat.S_ISLNK(link.st_mode)) == (5, True)
        assert tree.lstat("a/absent") is None
        assert tree.lstat("absent/x") is None


def test_a_root_may_itself_be_behind_a_symlink(root: Path) -> None:
    write(root, "file")
    (root.parent / "link").symlink_to("root")

    with Tree(root.parent / "link") as tree:
        assert listing(tree.open("")) == ["file"]


def test_a_root_that_is_not_there_is_a_local_error(root: Path) -> None:
    with pytest.raises(LocalError, match="absent: No such file"), Tree(root / "absent"):
        pass


def test_a_name_that_is_too_long_is_a_local_error(root: Path) -> None:
    with Tree(root) as tree:
        with pytest.raises(LocalError, match="File name too long"):
            tree.open("n" * 300, make=True)
        with pytest.raises(LocalError, match="File name too long"):
            tree.lstat("n" * 300)


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)


@settings(max_examples=40, deadline=None)
@given(paths=st.lists(st.tuples(PATHS, st.booleans())))
def test_any_order_of_paths_gives_what_the_file_system_has(
    paths: list[tuple[str, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("tree")
    before = descriptors()
    with Tree(root) as tree:
        for path, make in paths:
            opened = tree.open(path, make=make)
            assert (opened is not None) == (root / path).is_dir()
            if opened is not None:
                assert os.path.samestat(os.fstat(opened), (root / path).stat())

    assert descriptors() == before


def test_what_is_removed_may_be_anything_or_nothing(root: Path) -> None:
    write(root, "a/file")
    write(root, "d/e/file")
    (root / "link").symlink_to("d")

    with Tree(root) as tree:
        for path in ("a/file", "link", "d", "absent", "absent/deeper"):
            tree.remove(path)

    assert sorted(path.name for path in root.rglob("*")) == ["a"]


def test_a_read_only_directory_is_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may remove everything; see below")
    write(tmp_path, "d/e/file")
    (tmp_path / "d/e").chmod(0o555)
    (tmp_path / "d").chmod(0o555)

    with Tree(tmp_path) as tree:
        tree.remove("d")

    assert not (tmp_path / "d").exists()


def test_a_project_whose_names_are_told_apart_folds_none(tmp_path: Path) -> None:
    (tmp_path / ".pivot").mkdir()
    assert not folds_names(tmp_path)
    (tmp_path / ".PIVOT").mkdir()
    assert not folds_names(tmp_path)


def test_a_project_that_is_found_by_another_case_folds_names(tmp_path: Path) -> None:
    (tmp_path / ".pivot").mkdir()
    (tmp_path / ".PIVOT").symlink_to(".pivot")
    assert folds_names(tmp_path)


def test_what_is_below_nothing_is_not_looked_for_elsewhere(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name without its directory would be one in the current directory."""
    mine = write(tmp_path / "current", "mine")
    monkeypatch.chdir(tmp_path / "current")

    with Tree(root) as tree:
        tree.remove("absent/mine")
        assert tree.lstat("absent/mine") is None

    assert mine.exists()


def test_what_the_file_system_refuses_is_a_local_error(root: Path) -> None:
    with Tree(root) as tree:
        for act in (tree.lstat, tree.remove, tree.open):
            with pytest.raises(LocalError, match="too long"):
                act("x" * 300)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_another_user_than_root_removes_read_only_directories(tmp_path: Path) -> None:
    write(tmp_path, "own/d/e/file")
    (tmp_path / "own/d/link").symlink_to("e")
    for path in (tmp_path / "own", *(tmp_path / "own").rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    (tmp_path / "own/d/e").chmod(0o555)
    (tmp_path / "own/d").chmod(0o555)

    with Tree(tmp_path / "own") as tree:
        os.seteuid(65534)
        try:
            tree.remove("d")
        finally:
            os.seteuid(0)

    assert list((tmp_path / "own").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_what_a_link_in_a_read_only_directory_leads_to_keeps_its_mode(tmp_path: Path) -> None:
    outside = write(tmp_path, "own/outside/file").parent
    write(tmp_path, "own/d/file")
    (tmp_path / "own/d/link").symlink_to("../outside")
    for path in (tmp_path / "own", *(tmp_path / "own").rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    outside.chmod(0o755)
    (tmp_path / "own/d").chmod(0o555)

    with Tree(tmp_path / "own") as tree:
        os.seteuid(65534)
        try:
            tree.remove("d")
        finally:
            os.seteuid(0)

    assert not (tmp_path / "own/d").exists()
    assert outside.stat().st_mode & 0o777 == 0o755
