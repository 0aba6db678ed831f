"""Documents that people write: types, lines, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.errors import InvalidDocument, LocalError, PivotError
from pivot.values import Typed, Values, load_values, parse_values

BOMB = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGE_BOMB = "a: &a {}\n" + "".join(
    f"{name}: &{name} {{{', '.join([f'<<: *{before}'] * 10)}}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def yaml_of(text: str) -> Typed:
    return parse_values(text.encode(), "params.yaml").value


def json_of(text: str) -> Typed:
    return parse_values(text.encode(), "params.json").value


def toml_of(text: str) -> Typed:
    return parse_values(text.encode(), "params.toml").value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None), ("null", None), ("Null", None), ("NULL", None), ("", None), ("nULL", "nULL"),
        ("true", True), ("True", True), ("FALSE", False), ("tRue", "tRue"),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"), ("N", "N"),
        ("7", 7), ("-7", -7), ("+7", 7), ("0123", 123), ("0o17", 15), ("0x1F", 31),
        ("0b11", "0b11"), ("0O17", "0O17"), ("0X1F", "0X1F"), ("-0x1", "-0x1"), ("1_000", "1_000"),
        ("1:30", "1:30"), ("0438815433690687", 438815433690687), ("٣", "٣"),
        ("1e5", 100000.0), ("1e-3", 0.001), ("1.", 1.0), (".5", 0.5), ("-.5e+1", -5.0),
        ("1e", "1e"), (".", "."), ("+", "+"), ("1.2.3", "1.2.3"), ("58145e3962511143", math.inf),
        (".inf", math.inf), ("-.INF", -math.inf), ("+.Inf", math.inf), ("-.nan", "-.nan"),
        ("inf", "inf"), ("nan", "nan"), ("2026-01-01", "2026-01-01"), ("=", "="), ("<<", "<<"),
        ("'7'", "7"), ('"true"', "true"), ("''", ""), ("|\n  7\n", "7\n"), (">-\n  7\n", "7"),
        ("!!str 7", "7"), ("!!str ''", ""), ("&a 7", 7),
    ],
)  # fmt: skip
def test_a_scalar_has_the_type_that_yaml_1_2_gives_it(text: str, value: Typed) -> None:
    seen = yaml_of(f"key: {text}")

    assert seen == {"key": value}
    assert isinstance(seen, dict)
    assert type(seen["key"]) is type(value)


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_what_is_not_a_number_is_a_number(text: str) -> None:
    seen = yaml_of(f"[{text}]")

    assert isinstance(seen, list)
    assert isinstance(seen[0], float)
    assert math.isnan(seen[0])


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "~", "null\n", "\ufeff"])
def test_an_empty_document_is_an_empty_mapping(text: str) -> None:
    assert yaml_of(text) == {}


def test_keys_are_text_as_they_are_written() -> None:
    seen = yaml_of("1: a\n0x1: b\ntrue: c\n~: d\n1e5: e\n'': f\n")

    assert seen == {"1": "a", "0x1": "b", "true": "c", "~": "d", "1e5": "e", "": "f"}


def test_lists_and_mappings_keep_their_order() -> None:
    seen = yaml_of("b: [2, {z: 1, a: 2}]\na:\n- 1\n")

    assert json.dumps(seen) == '{"b": [2, {"z": 1, "a": 2}], "a": [1]}'


def test_aliases_stand_for_what_they_name() -> None:
    seen = yaml_of("a: &x {lr: 0.1}\nb: *x\nc: [*x]\n")

    assert seen == {"a": {"lr": 0.1}, "b": {"lr": 0.1}, "c": [{"lr": 0.1}]}


def test_merge_keys_bring_what_is_not_there() -> None:
    base = "base: &b {x: 1, y: 1}\nother: &o {y: 2, z: 2}\n"

    seen = yaml_of(f"{base}one: {{y: 9, <<: *b}}\ntwo: {{<<: [*b, *o], x: 9}}\n")

    assert isinstance(seen, dict)
    assert seen["one"] == {"x": 1, "y": 9}
    assert seen["two"] == {"x": 9, "y": 1, "z": 2}


def test_a_quoted_merge_key_is_a_name() -> None:
    assert yaml_of("'<<': {a: 1}") == {"<<": {"a": 1}}


def test_a_value_says_on_which_line_its_key_stands() -> None:
    text = "base: &b\n  x: 1\n  y: 2\nmore:\n  y: 3\n  <<: *b\nlist:\n  - a\n  -\n    b: 1\n"

    seen = parse_values(text.encode(), "pivot.yaml")

    assert seen.line(()) == 1
    assert seen.line(("base", "y")) == 3
    assert seen.line(("more", "y")) == 5
    assert seen.line(("more", "x")) == 2
    assert seen.line(("list", 1, "b")) == 10


def test_of_what_is_not_there_the_line_is_that_of_what_is_around_it() -> None:
    seen = parse_values(b"\na:\n  b: 1\n", "pivot.yaml")

    assert seen.line(("a", "b", 3, "c")) == 3
    assert seen.line(("a", "z")) == 2
    assert Values({}, {}).line(("a",)) is None


WRONG_YAML = {
    "a key twice": ("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' stands twice"),
    "a key twice, once quoted": ("1: 1\n'1': 2\n", "line 2: the key '1' stands twice"),
    "a key that is a list": ("? [a]\n: 1\n", "line 1: a key must be text"),
    "a key that is a mapping": ("{a: 1}: 1\n", "line 1: a key must be text"),
    "an explicit number": ("a: !!int 5\n", "line 1: the tag 'tag:yaml.org,2002:int' is not"),
    "a date": ("a: !!timestamp 2026-01-01\n", "the tag 'tag:yaml.org,2002:timestamp' is not"),
    "bytes": ("a: !!binary eHg=\n", "the tag 'tag:yaml.org,2002:binary' is not allowed"),
    "a set": ("a:\n  !!set {x, y}\n", "line 2: the tag 'tag:yaml.org,2002:set' is not allowed"),
    "code": ("a: !!python/object/apply:os.system [ls]\n", "python/object/apply:os.system' is not"),
    "a tag of one's own": ("a: !ours x\n", "line 1: the tag '!ours' is not allowed"),
    "a tag of a mapping": ("a: !ours {x: 1}\n", "line 1: the tag '!ours' is not allowed"),
    "two documents": ("a: 1\n---\nb: 2\n", "line 2: "),
    "an alias to nothing": ("a: *x\n", "line 1: found undefined alias"),
    "a tabulator": ("a:\n\t- b\n", "line 2: found character that cannot start any token"),
    "a bracket left open": ("a: [1,\n", "line 2: "),
    "a control character": ("a: 1\nb: \x01\n", "line 2: unacceptable character #x0001"),
    "a long number": (f"\na: {'1' * 5000}\n", "line 2: the number is too long"),
    "a long number to the base 16": (f"a: 0x{'f' * 5000}\n", "line 1: the number is too long"),
    "a merge of text": ("a: 1\n<<: b\n", "line 2: only a mapping can be merged with '<<'"),
    "a merge of texts": ("<<: [{a: 1}, b]\n", "line 1: only a mapping can be merged with '<<'"),
    "a list in itself": ("a: &a [*a]\n", "nested deeper than 50"),
    "a mapping in itself": ("a: &a {b: *a}\n", "nested deeper than 50"),
    "a mapping merged into itself": ("a: &a {<<: *a}\n", "is nested too deep"),
    "a deep list": ("[" * 60 + "]" * 60, "line 1: nested deeper than 50"),
    "a list that would kill the parser": ("[" * 100_000, "line 1: nested deeper than 100"),
    "deep by aliases": (
        f"a: &a {'[' * 40}{']' * 40}\nb: {'[' * 40}*a{']' * 40}\n", "nested deeper than 50",
    ),
    "an alias bomb": (BOMB, "has more than 100000 values"),
    "a merge bomb": (MERGE_BOMB, "has more than 100000 values"),
    "many aliases": ("a: &a 1\nb: [" + "*a, " * 2000 + "]\n", "line 2: too many aliases"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_YAML)
def test_yaml_that_is_refused(name: str) -> None:
    text, problem = WRONG_YAML[name]

    with pytest.raises(InvalidDocument) as caught:
        yaml_of(text)

    assert caught.value.message.startswith("params.yaml: ")
    assert problem in caught.value.message


@pytest.mark.parametrize("document", ["a.yaml", "a.json", "a.toml"])
def test_what_is_not_utf_8_is_refused(document: str) -> None:
    with pytest.raises(InvalidDocument, match=f"^{document}: is not UTF-8 text \\(byte 5\\)$"):
        parse_values(b'a = "\xff"', document)


def test_every_problem_is_said_at_once() -> None:
    with pytest.raises(InvalidDocument) as caught:
        yaml_of("a: !x 1\na: 2\n[b]: 3\n")

    assert caught.value.problems == (
        "line 1: the tag '!x' is not allowed",
        "line 2: the key 'a' stands twice",
        "line 3: a key must be text",
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, "b": 1.0, "c": true, "d": null}', {"a": 1, "b": 1.0, "c": True, "d": None}),
        ('{"a": "1e5", "": []}', {"a": "1e5", "": []}),
        ("[Infinity, -Infinity, 1e999]", [math.inf, -math.inf, math.inf]),
        ('\ufeff"\\ud83d\\ude00"', "😀"),
    ],
)
def test_json_says_what_json_says(text: str, value: Typed) -> None:
    seen = json_of(text)

    assert repr(seen) == repr(value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' stands twice"),
        ('{"a": 1,\n}', "line 2: "),
        ("", "line 1: Expecting value"),
        ("// a\n{}", "line 1: "),
        ('"\\ud800"', "the text '\\ud800' is not Unicode"),
        ('{"\\udc80": 1}', "the text '\\udc80' is not Unicode"),
        ("1" * 5000, "a number is too long"),
        ("[" * 60 + "]" * 60, "is nested deeper than 50"),
        ("[" * 100_000, "is nested too deep"),
    ],
)
def test_json_that_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        json_of(text)

    assert caught.value.message.startswith(f"params.json: {problem}")


def test_a_key_that_stands_twice_among_many_is_found_at_once() -> None:
    keys = ", ".join(f'"k{number}": 1' for number in range(100_000))

    with pytest.raises(InvalidDocument, match="the key 'k99999' stands twice"):
        json_of(f'{{{keys}, "k99999": 2}}')


def test_dates_of_toml_become_text() -> None:
    seen = toml_of("a = 1979-05-27T07:32:00Z\nb = 1979-05-27\nc = [07:32:00]\n")

    assert seen == {"a": "1979-05-27T07:32:00+00:00", "b": "1979-05-27", "c": ["07:32:00"]}


def test_toml_says_what_toml_says() -> None:
    seen = toml_of('a.b = 0x1F\n[[t]]\nx = inf\n[[t]]\n"k.k" = true\n')

    assert seen == {"a": {"b": 31}, "t": [{"x": math.inf}, {"k.k": True}]}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = 1\na = 2\n", "Cannot overwrite a value (at line 2, column 6)"),
        ("a = \n", "Invalid value (at line 1, column 5)"),
        ("a = null", "Invalid value (at line 1"),
        (f"a = 0x{'f' * 5000}", "a number is too long"),
        (f"a = {'1' * 5000}", "a number is too long"),
        (".".join(["a"] * 900) + " = 1", "is nested deeper than 50"),
        ("a = " + "[" * 100_000, "is nested too deep"),
    ],
)
def test_toml_that_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        toml_of(text)

    assert caught.value.message.startswith(f"params.toml: {problem}")


def test_the_ending_says_the_format(tmp_path: Path) -> None:
    seen = []
    for name in ("a.json", "a.yaml", "a.yml", "a"):
        (tmp_path / name).write_text("[1e-3]")
        seen.append(load_values(tmp_path / name, name).value)

    assert seen == [[0.001]] * 4


def test_a_link_to_a_file_of_values_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("a: 1")
    (tmp_path / "params.yaml").symlink_to("real")

    assert load_values(tmp_path / "params.yaml", "params.yaml").value == {"a": 1}


def test_what_is_no_file_has_no_values(tmp_path: Path) -> None:
    with pytest.raises(LocalError):
        load_values(tmp_path / "absent.yaml", "absent.yaml")
    with pytest.raises(PivotError):
        load_values(tmp_path, "a.yaml")


# YAML has no pairs of surrogates, by which JSON escapes what is beyond
NAMES = st.text(st.characters(max_codepoint=0xFFFF, codec="utf-8"), max_size=6) | st.sampled_from(
    ["1e5", "0123", "null", "<<", "true", "~", "a b: c"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | NAMES
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=12
)


@given(TREES)
def test_json_reads_back_as_it_was(tree: Typed) -> None:
    seen = json_of(json.dumps(tree))

    assert repr(seen) == repr(tree)


@given(st.dictionaries(NAMES, TREES))
def test_what_yaml_writes_with_quotes_reads_back_as_it_was(tree: dict[str, Typed]) -> None:
    text = json.dumps(tree).replace("Infinity", ".inf")

    seen = yaml_of(text)

    assert repr(seen) == repr(tree)


@given(st.text(st.sampled_from("ab:-[]{},&*!<'\"#|>\n \t~10e.?%@`\\${}é\0\x85\ufeff")) | st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for document in ("a.yaml", "a.json", "a.toml"):
        try:
            value = parse_values(text.encode(), document).value
        except InvalidDocument:
            continue
        assert isinstance(value, dict | list | str | int | float | bool | None)


def test_many_values_are_no_bomb_because_a_text_has_the_signs_of_aliases() -> None:
    text = "cmd: rm *.tmp && make &\nmany: [" + "1," * 150_000 + "]\n"

    values = yaml_of(text)

    assert isinstance(values, dict)
    assert values["many"] == [1] * 150_000
