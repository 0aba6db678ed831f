"""Outputs kept out of git, judged by git itself: the block of `.gitignore` and its lines."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pivot.errors import LocalError
from pivot.gitignore import pattern, render_gitignore, update_gitignore

BEGIN = "# Outputs in Pivot's cache; 'pivot repro' and 'pivot track' keep this block up to date\n"
END = "# End of Pivot's outputs\n"


def init(root: Path) -> Path:
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return root


def ignored(root: Path, paths: Iterable[str]) -> set[str]:
    """Ask git which of *paths*, none of which needs to exist, it ignores."""
    done = subprocess.run(
        ["git", "check-ignore", "-z", "--stdin", "--no-index"],
        cwd=root,
        input="\0".join(paths).encode("utf-8", "surrogateescape"),
        capture_output=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    return {name for name in done.stdout.decode("utf-8", "surrogateescape").split("\0") if name}


@pytest.fixture(name="repository")
def _repository(tmp_path: Path) -> Path:
    return init(tmp_path)


ODD = [
    "a*b", "a?b", "[ab]", "a[!b]c", "!a", "#a", "\\a", "a\\", "a\\*", "a ", "a  ", " a", "a b",
    "a\t", "\ta", "é", "日本", "e\u0301", "-a", "**", "**/a", "a/**/b", "a/!b", "a/#b", "a]",
    "{a,b}",
    "a\r", "a\rb", "a\nb", "a\n", "\n", "~", "$HOME", "'a'", '"a"', "a/b ", "a /b", "1e5", "\x7f",
    "a\\ ", "\\", "]", "[", "[[:alpha:]]", "a\\n",
]  # fmt: skip


@pytest.mark.parametrize("path", ODD, ids=repr)
def test_a_line_means_its_path_and_nothing_else(repository: Path, path: str) -> None:
    others = [
        "a", "ab", "aXb", "b", "aXc", "x/a", "a/b", "a/x/b", "h", f"x/{path}", f"{path}x",
        f"x{path}", path.strip(), path.replace("\\", ""), "\\" + path, path.replace("\n", "")
    ]  # fmt: skip
    others = [each for each in others if each and not _is_in(each, path)]
    update_gitignore(repository, [path])

    assert ignored(repository, [path, *others]) == {path}


def _is_in(path: str, above: str) -> bool:
    return path == above or path.startswith(f"{above}/")


@pytest.mark.parametrize("path", ["d", "d e ", "*", "[d]"])
def test_a_directory_is_ignored_with_all_in_it(repository: Path, path: str) -> None:
    update_gitignore(repository, [path])

    assert ignored(repository, [path, f"{path}/x", f"{path}/x/y", f"x/{path}"]) == {
        path,
        f"{path}/x",
        f"{path}/x/y",
    }


NAMES = st.text(st.sampled_from("ab*?[]\\!# -^.\r\t~é{}$'\""), min_size=1, max_size=6).filter(
    lambda name: name not in {".", ".."}
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@given(st.lists(PATHS, unique=True, max_size=4), st.lists(PATHS, unique=True, max_size=8))
@settings(max_examples=120, deadline=None)
def test_git_ignores_what_is_named_and_nothing_else(paths: list[str], others: list[str]) -> None:
    with TemporaryDirectory() as name:
        repository = init(Path(name))
        update_gitignore(repository, paths)
        asked = {*paths, *others}

        seen = ignored(repository, sorted(asked))

        expected = {each for each in asked if any(_is_in(each, path) for path in paths)}
        assert seen == expected


def test_the_block_stands_after_what_there_is(repository: Path) -> None:
    file = repository / ".gitignore"
    file.write_text("*.log\n/build")

    assert update_gitignore(repository, ["b", "a"])
    assert file.read_text() == f"*.log\n/build\n\n{BEGIN}/a\n/b\n{END}"


def test_without_a_file_one_is_made(repository: Path) -> None:
    update_gitignore(repository, ["a"])

    assert (repository / ".gitignore").read_text() == f"{BEGIN}/a\n{END}"


@pytest.mark.parametrize("content", ["", "x\n"])
def test_without_outputs_nothing_is_written(repository: Path, content: str) -> None:
    file = repository / ".gitignore"
    if content:
        file.write_text(content)

    assert not update_gitignore(repository, [])
    assert file.exists() == bool(content)


def test_a_file_that_says_it_already_is_not_touched(repository: Path) -> None:
    update_gitignore(repository, ["a", "b"])
    before = (repository / ".gitignore").stat()

    assert not update_gitignore(repository, ["b", "a", "b"])
    after = (repository / ".gitignore").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_block_is_brought_up_to_date_where_it_stands() -> None:
    text = f"before\n{BEGIN}/old\n/kept\n{END}after\n"

    seen = render_gitignore(text, ["kept", "new"])

    assert seen == f"before\n{BEGIN}/kept\n/new\n{END}after\n"


def test_a_block_without_outputs_goes() -> None:
    assert render_gitignore(f"before\n{BEGIN}/old\n{END}after\n", []) == "before\nafter\n"


def test_of_two_blocks_that_a_merge_left_one_stays() -> None:
    text = f"a\n{BEGIN}/x\n{END}b\n{BEGIN}/y\n{END}c\n"

    assert render_gitignore(text, ["z"]) == f"a\n{BEGIN}/z\n{END}b\nc\n"


def test_a_begin_without_end_swallows_nothing() -> None:
    text = f"{BEGIN}/x\nmine\n"
    once = render_gitignore(text, ["z"])

    assert once == f"{BEGIN}/x\nmine\n\n{BEGIN}/z\n{END}"
    assert render_gitignore(once, ["y"]) == f"{BEGIN}/x\nmine\n\n{BEGIN}/y\n{END}"


@pytest.mark.parametrize("text", [END, f"a\n{END}b\n", f"{END}{BEGIN}"])
def test_marks_that_make_no_block_are_left_alone(text: str) -> None:
    assert render_gitignore(text, []) == text
    assert text in render_gitignore(text, ["a"])


def test_a_block_at_the_end_needs_no_last_line_end() -> None:
    assert render_gitignore(f"{BEGIN}/x\n{END}".rstrip(), ["x"]) == f"{BEGIN}/x\n{END}"


def test_a_block_with_line_ends_of_windows_is_found_and_the_rest_stays(repository: Path) -> None:
    file = repository / ".gitignore"
    text = f"*.log\r\n{BEGIN}/x\n{END}more\r\n".replace("\r", "").replace("\n", "\r\n")
    file.write_bytes(text.encode())
    update_gitignore(repository, ["y"])

    assert file.read_bytes().decode() == f"*.log\r\n{BEGIN}/y\n{END}more\r\n"


def test_bytes_that_are_no_text_stay_as_they_are(repository: Path) -> None:
    file = repository / ".gitignore"
    file.write_bytes(b"caf\xe9\rx\n\x00\n")
    update_gitignore(repository, ["y"])

    assert file.read_bytes().startswith(b"caf\xe9\rx\n\x00\n\n# Outputs")


@given(st.text(st.sampled_from(f"a\n#/{END[0]}")) | st.text(), st.lists(PATHS), st.lists(PATHS))
def test_what_others_wrote_stays(text: str, first: list[str], second: list[str]) -> None:
    once = render_gitignore(text, first)
    twice = render_gitignore(once, second)

    assert once.startswith(text)
    assert twice.startswith(text)
    assert render_gitignore(twice, second) == twice


def test_a_project_in_a_subdirectory_of_a_repository_has_its_own_file(repository: Path) -> None:
    project = repository / "sub" / "project"
    project.mkdir(parents=True)
    update_gitignore(project, ["out"])

    assert ignored(repository, ["sub/project/out", "out", "sub/out"]) == {"sub/project/out"}


def test_outside_of_a_repository_nothing_is_written(tmp_path: Path) -> None:
    assert not update_gitignore(tmp_path, ["a"])
    assert list(tmp_path.iterdir()) == []


def test_a_worktree_of_git_is_a_repository_too(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: elsewhere\n")

    assert update_gitignore(tmp_path, ["a"])


def test_a_directory_in_the_way_is_an_error(repository: Path) -> None:
    (repository / ".gitignore").mkdir()

    with pytest.raises(LocalError, match=r"\.gitignore"):
        update_gitignore(repository, ["a"])


def test_a_pattern_begins_at_the_root() -> None:
    assert pattern("data/x") == "/data/x"
