"""Values are equal when their fields are, and say what they are."""

from __future__ import annotations

import dataclasses

from pivot.frozen import frozen


@frozen
class Pair:
    """Two fields, and one that does not count."""

    left: int
    right: str = "right"
    note: str = dataclasses.field(default="", compare=False, repr=False)


@frozen
class Single:
    """One field."""

    left: int


@frozen
class Empty:
    """No field."""


def test_values_are_equal_when_all_fields_are_that_count() -> None:
    assert Pair(1) == Pair(1, note="other")
    assert hash(Pair(1)) == hash(Pair(1, note="other"))
    assert Pair(1) != Pair(2)
    assert Pair(1) != Pair(1, "left")
    assert len({Pair(1), Pair(1), Pair(2), Single(1), Single(1)}) == 3


def test_values_of_two_classes_are_never_equal() -> None:
    assert Single(1) != Pair(1)
    assert Single(1) != 1
    assert (Single(1) == 1) is False
    assert Empty() == Empty()
    assert Empty() != Single(1)


def test_a_value_says_what_it_is() -> None:
    assert repr(Pair(1, "x", note="hidden")) == "Pair(left=1, right='x')"
    assert repr(Empty()) == "Empty()"


def test_a_value_has_no_other_fields() -> None:
    assert not hasattr(Pair(1), "__dict__")
    assert dataclasses.replace(Pair(1), right="y") == Pair(1, "y")
