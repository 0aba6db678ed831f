"""Dotted keys: what they find, what they do not, and how values stand in a command."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.parameters import leaves, look_up, nearest, to_text
from pivot.values import Typed

TREE: Typed = {
    "train": {"lr": 0.1, "layers": [{"width": 8}, {"width": 4}], "none": None},
    "0": "zero",
    "a b": {"é": "ü", "-1": "minus"},
    "grid": [[1, 2], [3, 4]],
    "1e5": True,
    "": "nameless",
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.lr", 0.1),
        ("train.layers[1].width", 4),
        ("train.layers[-1].width", 4),
        ("train.layers.0.width", 8),
        ("train.layers.-2.width", 8),
        ("train.none", None),
        ("0", "zero"),
        ("a b.é", "ü"),
        ("a b.-1", "minus"),
        ("grid[1][0]", 3),
        ("grid[0]", [1, 2]),
        ("1e5", True),
    ],
)
def test_a_key_finds_its_value(key: str, value: Typed) -> None:
    assert look_up(TREE, key) == value


def test_an_index_may_come_first() -> None:
    assert look_up([{"a": 1}], "[0].a") == 1


@pytest.mark.parametrize(
    "key",
    [
        "", ".", "train.", ".train", "train..lr", "train.lr.x", "train[0]", "train.layers[2]",
        "train.layers[-3]", "train.layers[]", "train.layers[x]", "train.layers[0", "train.layers]",
        "train.layers[1]width", "train.layers.[1]", "train.layers[1.0]", "[0]train", "nothing",
        "grid[1][2]", "grid.x", "grid.²", "grid.99999999999999999999", "grid." + "9" * 5000,
        "grid[9999999999]", "grid.--1", "grid.-", "train.layers[ 0]",
    ],
)  # fmt: skip
def test_a_key_that_leads_nowhere_is_no_key(key: str) -> None:
    with pytest.raises(KeyError):
        look_up(TREE, key)


@pytest.mark.parametrize("tree", [None, 5, "text", True, [], {}])
def test_in_a_single_value_there_is_nothing_to_find(tree: Typed) -> None:
    with pytest.raises(KeyError):
        look_up(tree, "a")


def test_every_single_value_has_its_key() -> None:
    seen = dict(leaves({"a": {"b": [1, {"c": 2}], "d": {}}, "e": [], "f": None}))

    assert seen == {"a.b[0]": 1, "a.b[1].c": 2, "a.d": {}, "e": [], "f": None}


NAMES = st.text(st.characters(exclude_characters=".[]", codec="utf-8"), min_size=1, max_size=4)
TREES = st.dictionaries(
    NAMES,
    st.recursive(
        st.integers(), lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=9
    ),
    min_size=1,
)


@given(TREES)
def test_every_key_of_a_single_value_finds_it(tree: dict[str, Typed]) -> None:
    seen = [(key, look_up(tree, key)) for key, _ in leaves(tree)]

    assert seen == list(leaves(tree))


@given(st.text(st.sampled_from("ab.[]-01²٣ \n")) | st.text())
def test_any_text_is_a_key_or_none(key: str) -> None:
    try:
        look_up({"a": [[1]], "b": {"0": {}}}, key)
    except KeyError as error:
        assert error.args == (key,)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("train.lrr", "did you mean 'train.lr'?"),
        ("trian", "did you mean 'train'?"),
        ("train.layer", "did you mean 'train.layers'?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_the_nearest_key_is_named(key: str, said: str) -> None:
    assert nearest(TREE, key) == said


@pytest.mark.parametrize("tree", [None, [], {}, 5])
def test_where_there_are_no_keys_none_is_near(tree: Typed) -> None:
    assert nearest(tree, "a") == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"), (True, "true"), (False, "false"), (1, "1"), (-0.0, "-0.0"), (0.01, "0.01"),
        (1e-5, "1e-05"), (1e100, "1e+100"), (10**30, "1" + "0" * 30), (math.inf, "Infinity"),
        ("", ""), (" a\n", " a\n"), ("true", "true"), ("é", "é"),
        ([1, "é", None], '[1, "é", null]'), ({"a": [True]}, '{"a": [true]}'),
    ],
)  # fmt: skip
def test_a_value_stands_in_a_command_as_json_has_it(value: Typed, text: str) -> None:
    assert to_text(value) == text
