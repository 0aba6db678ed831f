"""Which paths are data: those that stay inside, and are neither git's nor Pivot's own anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.errors import UnsafePath
from pivot.paths import data_path, find_clashes, is_reserved, related


@pytest.mark.parametrize(
    "path",
    [
        *("a", "a/b", "a/b/", "..a", "a..b", ".gitignore", "café\n", "a\\b", "a:b", "...", "a ."),
        *(".github/x", "git", "pivot", "git~2", "x.git", ".git~1", "x/:.git", "*", "~", "\u200c"),
    ],
)
def test_a_path_inside_the_project_is_data(path: str) -> None:
    assert data_path(path, "x.lock") == path.removesuffix("/")


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "/a", ".", "..", "a/..", "a/./b", "a//b", "a/b//", "\0", "a/\0"),
        *(".git", "a/.git/b", ".pivot/config.yaml", "A/.GIT/b", ".Pivot"),
        *("git~1/x", "GIT~1", "a/PIVOT~1/x", ".git /x", ".git./x", ".git . ./x"),
        *(".git::$INDEX_ALLOCATION/x", ".GIT:x", ".g\u200cit/x", "\ufeff.pivot/x", ".git\u200d"),
        *("a\\.git\\x", ".pivot\\config.yaml", "a\\.GIT"),
    ],
)
def test_a_path_that_leaves_the_data_is_unsafe(path: str) -> None:
    with pytest.raises(UnsafePath, match=r"^x\.lock: unsafe path"):
        data_path(path, "x.lock")


@given(st.text(st.sampled_from("ab./\0~"), max_size=9))
def test_whatever_is_accepted_stays_below_the_root(text: str) -> None:
    try:
        path = data_path(text, "x.lock")
    except UnsafePath:
        return

    place = Path("/project") / path
    assert Path("/project") in place.parents
    assert str(place) == f"/project/{path}"


@given(st.text(st.sampled_from(".gitGIT~1: \u200c\\/"), min_size=1, max_size=9))
def test_no_way_is_faster_than_it_is_careful(text: str) -> None:
    try:
        path = data_path(text, "x.lock")
    except UnsafePath:
        return

    assert not any(is_reserved(name) for part in path.split("/") for name in part.split("\\"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a", "A"),
        ("dir/a", "DIR/a"),
        ("stra\u00dfe", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("CAFE\u0301", "caf\u00e9"),
    ],
)
def test_names_that_some_file_systems_have_for_one(one: str, other: str) -> None:
    assert find_clashes(["b", one, "c", other]) == {one: other, other: one}


def test_names_that_differ_anywhere() -> None:
    assert find_clashes(["a", "a/b", "b", "a b", "\u00e9", "e"]) == {}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a", ["a", "a/b", "a/b/c"]),
        ("a/b", ["a", "a/b", "a/b/c"]),
        ("a/b/c/d", ["a", "a/b", "a/b/c"]),
        ("ab", ["ab"]),
        ("a/bc", ["a"]),
        ("b", []),
    ],
)
def test_a_path_is_related_to_what_is_in_it_or_around_it(path: str, found: list[str]) -> None:
    assert related(path, ["a", "a/b", "a/b/c", "ab"]) == found
