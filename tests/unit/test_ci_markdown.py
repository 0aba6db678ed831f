"""Texts of strangers in Markdown stay text."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pivot.ci.markdown import folded, plain, table
from pivot.report import printable
from tests.unit.rendered import Page
from tests.unit.telling import HOSTILE, NAMES

HEAD = ("One", "Two")


def shown(text: str) -> str:
    """Say how *text* is to look."""
    text = printable(text)
    return text.strip() if len(text) <= 200 else f"{text[:199]}…".strip()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_one_cell(text: str) -> None:
    page = Page("\n".join(table(HEAD, [(plain(text), "1"), (plain(text), plain(text))])))

    assert page.tables == [[["One", "Two"], [shown(text), "1"], [shown(text), shown(text)]]]
    assert page.texts == []


@given(NAMES | st.text("\\|`\n@", min_size=1))
@example("a" * 300)
@example("\\" * 300)
def test_any_text_is_text(text: str) -> None:
    page = Page("\n".join([*table(HEAD, [(plain(text), "1")]), "", f"- a: {plain(text)}"]))

    assert page.tables == [[["One", "Two"], [shown(text), "1"]]]
    assert page.items == [f"a: {shown(text)}".strip()]


@given(NAMES.filter(shown))
@example("1. a")
@example("- a")
@example("    a")
def test_any_text_is_one_item_of_a_list(text: str) -> None:
    page = Page(f"- {plain(text)}")

    assert page.items == [shown(text)]
    assert page.texts == []


@given(NAMES.filter(shown))
def test_any_text_is_a_paragraph(text: str) -> None:
    assert Page(plain(text)).texts == [shown(text)]


@pytest.mark.parametrize(
    "text", ["data/train-1.csv: object 00ff is not on s3://bucket/p", "train@linear_1", "a/b@c-d"]
)
def test_what_is_no_mention_can_be_copied(text: str) -> None:
    assert "\u200b" not in plain(text)


@pytest.mark.parametrize(("longest", "seen"), [(5, "abcd…"), (6, "abcdef")])
def test_a_long_text_is_cut(longest: int, seen: str) -> None:
    assert plain("abcdef", longest=longest) == seen


def test_what_is_folded_is_markdown() -> None:
    page = Page("\n".join(folded("Files (1)", table(HEAD, [("a", "b")]))))

    assert page.tables == [[["One", "Two"], ["a", "b"]]]
