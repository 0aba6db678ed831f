"""How values read in a table, and that no text of a document has an effect in it."""

from __future__ import annotations

import math

import pytest

from pivot.compare import ABSENT, Cell
from pivot.tables import Word, change_of, markdown_table, text_table, word_of, words_of


def verbatim(*texts: str) -> list[Word]:
    return [Word(text, verbatim=True) for text in texts]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456789, "0.12346"),
        (0.01, "0.01"),
        (1e-7, "1e-07"),
        (123456.7, "1.2346e+05"),
        (123456, "123456"),
        (2.0, "2"),
        (-0.5, "-0.5"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (True, "true"),
        (None, "null"),
        (ABSENT, "-"),
        ([], "[]"),
        ({}, "{}"),
        ("adam", "adam"),
        ("two words", "two words"),
        ("2024-01-01", "2024-01-01"),
        ("1", '"1"'),
        ("1e-3", '"1e-3"'),
        ("NaN", '"NaN"'),
        ("true", '"true"'),
        ("-", '"-"'),
        ("", '""'),
        (" x", '" x"'),
        ("x\n", '"x\\n"'),
    ],
)
def test_values_read_as_what_they_are(value: Cell, text: str) -> None:
    assert word_of(value, 5).text == text


@pytest.mark.parametrize(
    ("precision", "text"), [(0, "0.1"), (1, "0.1"), (3, "0.123"), (17, "0.12345678901234566")]
)
def test_precision_counts_significant_digits(precision: int, text: str) -> None:
    assert word_of(0.12345678901234566, precision).text == text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (3, "+3"),
        (-3, "-3"),
        (0, "0"),
        (0.25, "+0.25"),
        (0.1 + 0.2 - 0.3, "+5.5511e-17"),
        (-1e-7, "-1e-07"),
        (0.0, "0"),
        (None, "-"),
    ],
)
def test_a_change_has_a_sign(change: float | None, text: str) -> None:
    assert change_of(change, 5).text == text


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        (0.1234561, 0.1234569, ("0.1234561", "0.1234569")),
        (0.1234561, 0.2, ("0.12346", "0.2")),
        ("a" * 100 + "b", "a" * 100 + "c", ("…" + "a" * 59 + "b", "…" + "a" * 59 + "c")),
        ("b" + "a" * 100, "c" + "a" * 100, ("b" + "a" * 59 + "…", "c" + "a" * 59 + "…")),
        ("a" * 100, "b", ("a" * 60 + "…", "b")),
        ("a" * 100, ABSENT, ("a" * 60 + "…", "-")),
        ("a" * 100, "a" * 100, ("a" * 60 + "…", "a" * 60 + "…")),
    ],
)
def test_a_difference_can_be_seen(old: Cell, new: Cell, shown: tuple[str, str]) -> None:
    assert tuple(word.text for word in words_of(old, new, 5)) == shown


def test_a_difference_in_the_middle_of_long_texts_is_in_sight() -> None:
    one, other = words_of("x" * 200 + "A" + "y" * 200, "x" * 200 + "B" + "y" * 200, 5)

    assert one.text == "…" + "x" * 12 + "A" + "y" * 47 + "…"
    assert other.text == "…" + "x" * 12 + "B" + "y" * 47 + "…"


def test_columns_are_aligned_and_lines_do_not_end_in_blanks() -> None:
    rows = [
        verbatim("a", "long text", "1"),
        verbatim("日本", "x", ""),
        verbatim("e\u0301", "", "2"),
    ]

    assert text_table([Word("P"), Word("Key"), Word("V")], rows) == [
        "P     Key        V",
        "a     long text  1",
        "日本  x",
        "e\u0301                2",
    ]


def test_control_characters_do_not_reach_the_terminal() -> None:
    table = text_table([Word("P")], [verbatim("\x1b[2Ja\nb\u202ec\udcff")])

    assert table == ["P", "\\x1b[2Ja\\nb\\u202ec\\udcff"]


def test_a_markdown_table_has_code_for_texts_and_plain_numbers() -> None:
    rows = [[*verbatim("params.yaml", "train.lr"), Word("0.1")]]

    assert markdown_table([Word("Path"), Word("Key"), Word("HEAD", verbatim=True)], rows) == [
        "| Path | Key | `HEAD` |",
        "| --- | --- | --- |",
        "| `params.yaml` | `train.lr` | 0.1 |",
    ]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("a|b", "<code>a&#124;b</code>"),
        ("`a` @ana", "<code>&#96;a&#96; &#64;ana</code>"),
        ("a\\|b", "<code>a&#92;&#124;b</code>"),
        ("|</code><b>", "<code>&#124;&#60;&#47;code&#62;&#60;b&#62;</code>"),
        ("a\nb", "`a\\nb`"),
        ("a\r\nb", "`a\\r\\nb`"),
        ("\x1b[2J", "`\\x1b[2J`"),
        ("@ana", "`@ana`"),
        ("<img src=x>", "`<img src=x>`"),
        ("[x](https://example.org)", "`[x](https://example.org)`"),
        ("a\\", "`a\\`"),
        (" a ", "<code> a </code>"),
        ("", ""),
    ],
)
def test_no_text_has_an_effect_in_markdown(text: str, cell: str) -> None:
    assert markdown_table([Word("K")], [verbatim(text)])[2] == f"| {cell} |"
