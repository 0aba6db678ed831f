"""What counts as a change of a parameter or metric, and how values inside others are called."""

from __future__ import annotations

import math

import pytest

from pivot.compare import ABSENT, Cell, Row, Side, choose, compare, flatten
from pivot.errors import UsageError
from pivot.values import Typed


def side(values: dict[str, dict[str, Typed]], *unknown: str) -> Side:
    return Side("x", "", values, frozenset(unknown))


def changes(old: Side, new: Side) -> list[tuple[str, Cell, Cell]]:
    return [(f"{row.path}:{row.key}", row.old, row.new) for row in compare(old, new)]


@pytest.mark.parametrize(
    ("tree", "flat"),
    [
        ({"a": {"b": 1, "c": [2, {"d": 3}]}}, {"a.b": 1, "a.c[0]": 2, "a.c[1].d": 3}),
        ([[1], [2, 3]], {"[0][0]": 1, "[1][0]": 2, "[1][1]": 3}),
        ({"a": [], "b": {}, "c": None}, {"a": [], "b": {}, "c": None}),
        ({"mAP@0.5": 1, "é": {"ü": True}}, {"mAP@0.5": 1, "é.ü": True}),
        ({}, {}),
        ([], {}),
        (0.9, {"": 0.9}),
        ("text", {"": "text"}),
    ],
)
def test_values_inside_others_get_dotted_names(tree: Typed, flat: dict[str, Typed]) -> None:
    assert list(flatten(tree).items()) == list(flat.items())


def test_the_key_of_a_part_stands_before_its_names() -> None:
    assert flatten({"b": [1]}, "a[0]") == {"a[0].b[0]": 1}
    assert flatten(7, "a") == {"a": 7}
    assert flatten([], "a") == {"a": []}


@pytest.mark.parametrize(
    ("tree", "flat"),
    [
        ({"a.b": 1, "a": {"b": 2}}, {'"a.b"': 1, "a.b": 2}),
        ({"a[0]": 1, "a": [2]}, {'"a[0]"': 1, "a[0]": 2}),
        ({"": {"x": 1}, "x": 2}, {'"".x': 1, "x": 2}),
        ({'"a.b"': 0, "a.b": 1, "a": {"b": 2}}, {'"\\"a.b\\""': 0, '"a.b"': 1, "a.b": 2}),
    ],
)
def test_no_value_hides_behind_another_of_the_same_name(
    tree: Typed, flat: dict[str, Typed]
) -> None:
    assert flatten(tree) == flat


def test_a_deep_document_and_an_endless_number_do_no_harm() -> None:
    deep: Typed = 1
    for _ in range(3000):
        deep = [deep]

    (name,) = flatten(deep)
    huge = int("f" * 10_000, 16)  # which Python does not write with decimal digits

    assert name == "[0]" * 3000
    assert flatten({"a": huge}) == {"a": "0x" + "f" * 10_000}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (1, 1, False),
        (1, 2, True),
        (1, 1.0, True),
        (1, True, True),
        (0, False, True),
        ("1", 1, True),
        (None, ABSENT, True),
        (None, None, False),
        (math.nan, math.nan, False),
        (math.nan, 1.0, True),
        (0.1 + 0.2, 0.3, True),
        ([], {}, True),
        ([], [], False),
        ("é", "e\u0301", True),
    ],
)
def test_a_change_is_one_of_value_or_type(old: Cell, new: Cell, changed: bool) -> None:
    assert Row("p", "k", old, new).changed is changed


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        (3, 5, 2),
        (5, 3.5, -1.5),
        (2**70, 2**70 + 1, 1),
        (True, 2, None),
        ("3", 5, None),
        (ABSENT, 5, None),
        (5, ABSENT, None),
        (None, 5, None),
        (math.inf, math.inf, None),
        (math.nan, 1, None),
        (1.0, 10**400, None),
    ],
)
def test_only_numbers_have_a_difference(old: Cell, new: Cell, change: float | None) -> None:
    assert Row("p", "k", old, new).change == change


def test_what_is_on_one_side_only_is_absent_on_the_other() -> None:
    old = side({"a": {"x": 1, "y": 2}, "gone": {"z": 1}})
    new = side({"a": {"x": 1, "w": None}, "new": {"z": 1}})

    assert changes(old, new) == [
        ("a:w", ABSENT, None),
        ("a:y", 2, ABSENT),
        ("gone:z", 1, ABSENT),
        ("new:z", ABSENT, 1),
    ]


def test_a_file_that_one_side_could_not_read_is_left_out() -> None:
    old = side({"b": {"x": 1}}, "a")
    new = side({"a": {"x": 1}, "b": {"x": 2}})

    assert changes(old, new) == [("b:x", 1, 2)]
    assert [row.path for row in compare(new, old, every=True)] == ["b"]


def test_all_values_are_listed_in_an_order_that_counts() -> None:
    values: dict[str, dict[str, Typed]] = {"f": {f"a[{n}]": n for n in (10, 2, 1)} | {"B": 0}}

    rows = compare(side(values), side(values), every=True)

    assert [row.key for row in rows] == ["B", "a[1]", "a[2]", "a[10]"]


OWNERS = {
    "m.json": "eval",
    "nlp/m.json": "nlp/train",
    "nlp/out/tree.json": "nlp/fit@tree",
    "nlp/out/line.json": "nlp/fit@line",
}


@pytest.mark.parametrize(
    ("target", "here", "files"),
    [
        ("m.json", "", ["m.json"]),
        ("m.json", "nlp", ["nlp/m.json"]),
        ("../m.json", "nlp", ["m.json"]),
        ("nlp/out/", "", ["nlp/out/line.json", "nlp/out/tree.json"]),
        (".", "nlp/out", ["nlp/out/line.json", "nlp/out/tree.json"]),
        (".", "", sorted(OWNERS)),
        ("/srv/m.json", "nlp", ["m.json"]),
        ("eval", "nlp", ["m.json"]),
        ("train", "", ["nlp/m.json"]),
        ("fit", "", ["nlp/out/line.json", "nlp/out/tree.json"]),
        ("nlp/fit@tree", "", ["nlp/out/tree.json"]),
        ("nlp/fit@*", "", ["nlp/out/line.json", "nlp/out/tree.json"]),
        ("fit@t*", "nlp", ["nlp/out/tree.json"]),
        ("nlp/*", "", ["nlp/m.json", "nlp/out/line.json", "nlp/out/tree.json"]),
        ("*@[kl]*", "", ["nlp/out/line.json"]),
    ],
)
def test_targets_are_stages_files_and_directories(target: str, here: str, files: list[str]) -> None:
    assert sorted(choose(OWNERS, [target], here=f"/srv/{here}", root="/srv")) == files


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("evla", "did you mean 'eval'?"),
        ("m.jsn", "did you mean 'm.json'?"),
        ("../../etc", "'pivot metrics show' lists all; --rev takes a revision of git"),
        ("in", "'pivot metrics show' lists all; --rev takes a revision of git"),
        ("x@*", "'pivot metrics show' lists all; --rev takes a revision of git"),
    ],
)
def test_a_target_that_names_no_metric_is_refused(target: str, hint: str) -> None:
    with pytest.raises(UsageError, match="is no metric and no stage with metrics") as caught:
        choose(OWNERS, ["eval", target], here="/srv", root="/srv")

    assert caught.value.hint == hint
