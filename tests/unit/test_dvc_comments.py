"""YAML that is written anew with its comments."""

from __future__ import annotations

from pathlib import Path

import pytest

from pivot.config_file import set_key
from pivot.dvc.comments import rewrite
from pivot.values import Typed, parse_values

BEFORE = b"""\
# The pipeline.
stages:
  # First of all.
  one:
    cmd: x   # it is quick
    deps: [a, 'b']
  two:
    cmd: y
    outs:
      - c:
          cache: false   # small
"""


def tree() -> dict[str, Typed]:
    value = parse_values(BEFORE, "dvc.yaml").value
    assert isinstance(value, dict)
    return value


def test_what_does_not_change_is_kept_to_the_letter() -> None:
    assert rewrite(BEFORE, tree(), "pivot.yaml") == BEFORE


def test_a_long_line_is_not_folded_neither_here_nor_in_a_configuration(tmp_path: Path) -> None:
    value = " ".join(["word"] * 500)
    before = f"a: {value}\nb: '1'   # one\n"
    file = tmp_path / "config.yaml"
    file.write_text(before)

    set_key(file, "remote.jobs", 7)

    tree: Typed = {"a": value, "b": "1", "remote": {"jobs": 7}}
    after = f"{before}remote:\n  jobs: 7\n"
    assert rewrite(before.encode(), tree, "pivot.yaml").decode() == after
    assert file.read_text() == after


def test_comments_stay_where_values_change() -> None:
    wanted = tree()
    wanted["stages"]["one"]["cmd"] = "z"  # type: ignore[index,call-overload]

    text = rewrite(BEFORE, wanted, "pivot.yaml").decode()

    assert text == BEFORE.decode().replace("cmd: x ", "cmd: z ")


def test_an_entry_is_replaced_in_its_place() -> None:
    stages = tree()["stages"]
    assert isinstance(stages, dict)
    wanted: Typed = {"stages": {"one@a": {"cmd": "x"}, "one@b": {"cmd": "y"}, "two": stages["two"]}}

    text = rewrite(BEFORE, wanted, "pivot.yaml").decode()

    assert list(parse_values(text.encode(), "pivot.yaml").value["stages"]) == [  # type: ignore[index,call-overload,arg-type]
        "one@a",
        "one@b",
        "two",
    ]
    assert "cache: false   # small" in text


@pytest.mark.parametrize(
    "value",
    ["1e5", "0123", "yes", "no", "~", "", "2020-01-01", "a: b", "- x", "true", "${x}", "*a", "0x1f",
     "two\nlines", "1_000", ".5", "caf\u00e9", "null"],
)  # fmt: skip
def test_text_stays_text(value: str) -> None:
    wanted: Typed = {"stages": {value or "x": {"cmd": [value, f"{value} {value}"]}}}

    text = rewrite(BEFORE, wanted, "pivot.yaml")

    assert parse_values(text, "pivot.yaml").value == wanted


@pytest.mark.parametrize("value", [1, 1.5, 1e-9, True, None, [], {}, [1, [2]], {"a": [{}]}])
def test_other_values_keep_their_type(value: Typed) -> None:
    text = rewrite(BEFORE, {"vars": [{"x": value}]}, "pivot.yaml")

    assert repr(parse_values(text, "pivot.yaml").value) == repr({"vars": [{"x": value}]})


def test_a_node_that_stands_twice_is_written_out() -> None:
    before = b"stages:\n  one: &one\n    cmd: x\n  two: *one\n"
    wanted: Typed = {"stages": {"one": {"cmd": "x"}, "two": {"cmd": "y"}}}

    text = rewrite(before, wanted, "pivot.yaml")

    assert parse_values(text, "pivot.yaml").value == wanted
