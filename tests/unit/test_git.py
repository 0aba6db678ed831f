"""What git tracks, asked of real repositories."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pivot.errors import PivotError
from pivot.git import tracked_paths
from tests.unit.values import write

ODD = [
    "with space",
    "café",
    "a\nb",
    'quo"te',
    "*.txt",
    "[ab]",
    ":(top)x",
    "-n",
    "tab\t",
    "back\\slash",
]


def git(where: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=where, check=True, capture_output=True)


@pytest.fixture(name="repository")
def _repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init")
    return root


def test_tracked_files_and_directories_with_tracked_files_are_named(repository: Path) -> None:
    for name in ("m.json", "dir/sub/a", "new", "other/b"):
        write(repository, name)
    git(repository, "add", "m.json", "dir/sub/a")

    tracked = tracked_paths(
        repository, ["m.json", "dir", "dir/sub", "new", "other", "absent", "di"]
    )

    assert tracked == {"m.json", "dir", "dir/sub"}


def test_what_is_tracked_and_not_there_is_named_too(repository: Path) -> None:
    write(repository, "gone").touch()
    git(repository, "add", "gone")
    (repository / "gone").unlink()

    assert tracked_paths(repository, ["gone"]) == {"gone"}


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_taken_as_they_stand(repository: Path, name: str) -> None:
    write(repository, name)
    write(repository, "a.txt")
    git(repository, "--literal-pathspecs", "add", "--", name)

    assert tracked_paths(repository, [name, "a.txt", "a"]) == {name}


def test_a_project_below_the_root_of_its_repository(repository: Path) -> None:
    write(repository, "project/x")
    git(repository, "add", "project")

    assert tracked_paths(repository / "project", ["x", "project/x"]) == {"x"}


def test_more_paths_than_fit_on_one_command_line(repository: Path) -> None:
    names = [f"d{number % 7}/{number}" for number in range(1200)]
    for name in names[::2]:
        write(repository, name)
    git(repository, "add", ".")

    assert tracked_paths(repository, names) == set(names[::2])


def test_outside_a_repository_nothing_is_tracked(tmp_path: Path) -> None:
    write(tmp_path, "x")

    assert tracked_paths(tmp_path, ["x"]) == set()


def test_without_a_question_git_is_not_asked(repository: Path) -> None:
    shutil.rmtree(repository / ".git" / "objects")

    assert tracked_paths(repository, []) == set()


def test_a_broken_repository_is_an_error_and_never_means_untracked(repository: Path) -> None:
    (repository / ".git" / "HEAD").unlink()

    with pytest.raises(PivotError, match=r"git cannot list its files in .*: fatal: "):
        tracked_paths(repository, ["x"])


def test_a_machine_without_git_is_told_so(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(repository))

    with pytest.raises(PivotError, match="git is not installed"):
        tracked_paths(repository, ["x"])
