"""Where a project is, where its documents are, and which paths are data."""

from __future__ import annotations

from pathlib import Path

import pytest

from pivot.errors import LocalError, UsageError
from pivot.project import Project, find_documents, find_project, init_project
from tests.unit.values import write


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    init_project(root)
    return root


def documents(root: Path) -> tuple[set[str], set[str]]:
    found = find_documents(Project(root, root, root))
    locks, tracked = (
        {str(p.relative_to(root)) for p in some} for some in (found.locks, found.tracked)
    )
    return locks, tracked


def test_a_project_is_found_from_anywhere_inside(root: Path) -> None:
    (root / "a" / "b").mkdir(parents=True)

    project = find_project(root / "a" / "b", {"HOME": "/home/ana"})

    assert project == Project(root, root / "a" / "b", Path("/home/ana"))
    assert project.config == root / ".pivot/config.yaml"
    assert project.user_config == Path("/home/ana/.config/pivot/config.yaml")


def test_the_outermost_project_is_the_one(root: Path) -> None:
    (root / "a" / ".pivot").mkdir(parents=True)

    assert find_project(root / "a", {}).root == root


def test_the_environment_may_name_another_root(root: Path) -> None:
    (root / "a" / ".pivot").mkdir(parents=True)

    assert find_project(root, {"PIVOT_ROOT": "a"}).root == root / "a"
    with pytest.raises(UsageError, match=r"PIVOT_ROOT names .*/absent"):
        find_project(root, {"PIVOT_ROOT": "absent"})


def test_outside_a_project_the_user_is_told_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"No \.pivot directory found .*'pivot init'"):
        find_project(tmp_path, {})


def test_a_new_project_keeps_its_cache_out_of_git(tmp_path: Path) -> None:
    made = init_project(tmp_path)

    assert [name for name in made if not (tmp_path / name).exists()] == []
    assert "/cache/\n" in (tmp_path / ".pivot/.gitignore").read_text()


def test_a_project_is_not_made_twice_unless_forced(root: Path) -> None:
    write(root, ".pivot/.gitignore", b"changed")
    with pytest.raises(UsageError, match="already initialized"):
        init_project(root)
    assert (root / ".pivot/.gitignore").read_bytes() == b"changed"

    init_project(root, force=True)
    assert "/cache/" in (root / ".pivot/.gitignore").read_text()


@pytest.mark.parametrize("kind", ["file", "symlink"])
def test_what_is_no_directory_is_not_made_a_project(tmp_path: Path, kind: str) -> None:
    if kind == "file":
        write(tmp_path, ".pivot")
    else:
        (tmp_path / ".pivot").symlink_to("elsewhere")

    with pytest.raises(UsageError, match="not a directory"):
        init_project(tmp_path, force=True)


def test_documents_are_found_everywhere_below_the_root(root: Path) -> None:
    write(root, ".pivot/stages/a.lock")
    write(root, ".pivot/stages/deep/er/b@c.lock")
    write(root, "sub/.pivot/stages/c.lock")
    write(root, "x.pvt")
    write(root, "sub/deep/imgs.pvt")

    locks, tracked = documents(root)

    assert locks == {
        ".pivot/stages/a.lock",
        ".pivot/stages/deep/er/b@c.lock",
        "sub/.pivot/stages/c.lock",
    }
    assert tracked == {"x.pvt", "sub/deep/imgs.pvt"}


@pytest.mark.parametrize(
    "where",
    [
        ".git",
        "node_modules",
        ".pivot/cache",
        "other/deep/__pycache__",
        "linked",
        "repository",
        "env",
    ],
)
def test_other_peoples_directories_are_not_entered(root: Path, where: str) -> None:
    write(root, f"{where}/x.pvt")
    write(root, f"{where}/.pivot/stages/a.lock")
    if where == "linked":
        (root / "linked").rename(root.parent / "linked")
        (root / "linked").symlink_to(root.parent / "linked")
    if where == "repository":
        write(root, "repository/.git", b"gitdir: elsewhere")
    if where == "env":
        write(root, "env/pyvenv.cfg")

    assert documents(root) == (set(), set())


def test_the_root_may_be_a_repository_and_an_environment(root: Path) -> None:
    write(root, ".git/HEAD")
    write(root, "pyvenv.cfg")
    write(root, "x.pvt")

    assert documents(root) == (set(), {"x.pvt"})


@pytest.mark.parametrize("name", [".pvt", "x.pvt.bak", "x.lock"])
def test_other_names_are_no_documents(root: Path, name: str) -> None:
    write(root, name)

    assert documents(root) == (set(), set())


def test_a_directory_that_is_gone_while_looking_is_a_local_error(root: Path) -> None:
    with pytest.raises(LocalError, match="absent"):
        find_documents(Project(root / "absent", root, root))
