"""What git tracks, asked of real repositories."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pivot.documents import MAX_BYTES
from pivot.errors import InvalidDocument, PivotError, UsageError
from pivot.git import tracked_paths
from pivot.snapshot import Snapshot
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


def commit(root: Path, *files: str) -> None:
    """Commit *files*, each with its name as its content."""
    for name in files:
        write(root, name, name.encode())
    git(root, "add", "--all")
    git(root, "commit", "--allow-empty", "--message", "x")


@pytest.mark.parametrize("name", ODD)
def test_files_of_a_revision_are_read_whatever_their_name(repository: Path, name: str) -> None:
    commit(repository, name, "other/x")
    write(repository, name, b"changed")

    with Snapshot(repository, "HEAD") as snapshot:
        seen = snapshot.read(name), snapshot.read("other/x"), snapshot.read("other")

    assert seen == (name.encode(), b"other/x", None)
    assert snapshot.files.keys() == {name, "other/x"}


def test_the_files_of_a_project_below_the_root_have_paths_from_the_project(
    repository: Path,
) -> None:
    commit(repository, "a/x", "b/x")

    with Snapshot(repository / "a", "HEAD") as snapshot:
        assert snapshot.files.keys() == {"x"}
        assert snapshot.read("x") == b"a/x"


def test_branches_tags_and_commits_before_are_revisions(repository: Path) -> None:
    commit(repository, "one")
    git(repository, "tag", "--annotate", "v1", "--message", "first")
    commit(repository, "two")
    git(repository, "branch", "side")
    git(repository, "checkout", "--detach")

    found = {name: set(Snapshot(repository, name).files) for name in ("v1", "HEAD~1", "side", "@")}

    assert found == {"v1": {"one"}, "HEAD~1": {"one"}, "side": {"one", "two"}, "@": {"one", "two"}}


def test_links_and_submodules_are_no_files_and_are_not_taken_for_absent(repository: Path) -> None:
    commit(repository, "real/x")
    (repository / "link").symlink_to("real/x")
    (repository / "way").symlink_to("real")
    git(repository, "add", "link", "way")
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=repository, text=True)
    entry = f"160000,{head.strip()},module"
    git(repository, "update-index", "--add", "--cacheinfo", entry)
    git(repository, "commit", "--message", "links")

    with Snapshot(repository, "HEAD") as snapshot:
        for path in ("link", "way/x", "module", "module/y"):
            with pytest.raises(InvalidDocument, match="is a symlink or submodule"):
                snapshot.read(path)

        assert snapshot.files.keys() == {"real/x"}
        assert snapshot.others == {"link", "way", "module"}


def test_empty_and_binary_files_are_read_as_they_are(repository: Path) -> None:
    contents = {"empty": b"", "lines": b"\n\r\n\n", "zero": b"\0" * 100_000, "last": b"x"}
    for name, content in contents.items():
        write(repository, name, content)
    commit(repository)

    with Snapshot(repository, "HEAD") as snapshot:
        assert {name: snapshot.read(name) for name in contents} == contents


def test_a_huge_file_is_refused_and_the_next_one_is_read(repository: Path) -> None:
    write(repository, "huge", b"\0" * (MAX_BYTES + 3_000_000))
    commit(repository, "small")

    with Snapshot(repository, "HEAD") as snapshot:
        with pytest.raises(InvalidDocument, match="huge: is larger than 64 MiB"):
            snapshot.read("huge")

        assert snapshot.read("small") == b"small"


@pytest.mark.parametrize(
    ("revision", "message", "hint"),
    [
        ("HAED", "Unknown revision 'HAED'", "did you mean 'HEAD'?"),
        ("feature/nw", "Unknown revision 'feature/nw'", "did you mean 'feature/new'?"),
        ("HEAD~7", "Unknown revision 'HEAD~7'", "'git log --all' shows what there is"),
        ("0" * 40, f"Unknown revision '{'0' * 40}'", "'git log --all' shows what there is"),
        ("HEAD:x", "Unknown revision 'HEAD:x'", "'git log --all' shows what there is"),
        ("-x", "'-x' cannot be a revision", ""),
        ("--all", "'--all' cannot be a revision", ""),
        ("", "'' cannot be a revision", ""),
        ("HEAD..HEAD", "'HEAD..HEAD' is not one revision", "name two of them: A B"),
    ],
)
def test_an_unknown_revision_is_named_with_what_may_be_meant(
    repository: Path, revision: str, message: str, hint: str
) -> None:
    commit(repository, "y")
    git(repository, "branch", "feature/new")

    with pytest.raises(UsageError) as caught:
        Snapshot(repository, revision)

    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_before_the_first_commit_there_is_nothing_to_compare_with(repository: Path) -> None:
    with pytest.raises(UsageError, match="There is no commit yet"):
        Snapshot(repository, "HEAD")


def test_outside_a_repository_there_are_no_revisions(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not in a git repository"):
        Snapshot(tmp_path, "HEAD")


def test_a_shallow_clone_says_how_to_get_the_other_commits(
    repository: Path, tmp_path: Path
) -> None:
    commit(repository, "one")
    commit(repository, "two")
    git(tmp_path, "clone", "--depth=1", f"file://{repository}", "clone")

    with pytest.raises(UsageError) as caught:
        Snapshot(tmp_path / "clone", "v1.0")

    assert "git fetch --unshallow" in caught.value.hint


def test_a_revision_whose_commit_is_damaged_is_not_unknown(repository: Path) -> None:
    commit(repository, "x")
    for path in (repository / ".git/objects").glob("??/*"):
        path.unlink()

    with pytest.raises(PivotError, match="git has no commit for 'HEAD'") as caught:
        Snapshot(repository, "HEAD")

    assert not isinstance(caught.value, UsageError)


def test_a_broken_repository_has_no_unknown_revisions(repository: Path) -> None:
    commit(repository, "x")
    (repository / ".git" / "HEAD").unlink()

    with pytest.raises(PivotError, match=r"git cannot look up 'HEAD.*: fatal: ") as caught:
        Snapshot(repository, "HEAD")

    assert not isinstance(caught.value, UsageError)


@pytest.mark.parametrize("damage", [None, b"no object"])
def test_a_file_that_git_cannot_give_is_not_taken_for_absent(
    repository: Path, damage: bytes | None
) -> None:
    commit(repository, "x", "y")
    with Snapshot(repository, "HEAD") as snapshot:
        name = snapshot.files["x"]
        place = repository / ".git/objects" / name[:2] / name[2:]
        place.unlink()
        if damage is not None:
            place.write_bytes(damage)

        with pytest.raises(PivotError, match="git cannot give x of "):
            snapshot.read("x")

        assert snapshot.read("y") == b"y"


def test_a_snapshot_needs_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(repository, "x")
    monkeypatch.setenv("PATH", str(repository))

    with pytest.raises(PivotError, match="git is not installed"):
        Snapshot(repository, "HEAD")


def test_a_hook_of_another_repository_does_not_lead_astray(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(repository, "x")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))

    with Snapshot(repository, "HEAD") as snapshot:
        assert snapshot.read("x") == b"x"
