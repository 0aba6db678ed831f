"""What is wrong with a document, said from its schema: place, key, and what may be meant."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from pivot.schema import explain, kind_of, place, schema_text
from pivot.values import Position, Typed, Values, parse_values


def said(text: str) -> list[str]:
    return explain(parse_values(text.encode(), "pivot.yaml"), "pipeline")


def of_stage(*lines: str) -> list[str]:
    """Say what is wrong with a stage `t` that has a command; its lines begin with the fourth."""
    return said("stages:\n  t:\n    cmd: x\n" + "".join(f"    {line}\n" for line in lines))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json.loads(schema_text("pipeline")))


def test_of_what_is_right_nothing_is_said() -> None:
    assert said("stages:\n  t:\n    cmd: x\n") == []


WRONG = {
    "a list": ("- a\n", ["line 1: the document must be a mapping, not a list"]),
    "a text": ("hello\n", ["line 1: the document must be a mapping, not 'hello'"]),
    "an unknown key": (
        "stages: {}\nstagse: {}\n",
        ["line 2: the document: unknown key 'stagse' (did you mean 'stages'?)"],
    ),
    "a key that is like no other": ("xyz: 1\n", ["line 1: the document: unknown key 'xyz'"]),
    "stages that are a list": ("stages: []\n", ["line 1: stages must be a mapping, not a list"]),
    "a name with a blank": (
        "stages:\n  ok: {cmd: x}\n  a b: {cmd: x}\n",
        ["line 3: stages: 'a b' has not the form that is expected here"],
    ),
    "a name with a slash": (
        "stages:\n  a/b: {cmd: x}\n",
        ["line 2: stages: 'a/b' has not the form that is expected here"],
    ),
    "a name with a line end": (
        'stages:\n  "a\\n": {cmd: x}\n',
        ["line 2: stages: 'a\\n' has not the form that is expected here"],
    ),
    "a stage that is text": ("stages:\n  t: x\n", ["line 2: stages.t must be a mapping, not 'x'"]),
    "a stage that is nothing": (
        "stages:\n  t:\n", ["line 2: stages.t must be a mapping, not nothing"],
    ),
    "no command": ("stages:\n  t:\n    deps: []\n", ["line 2: stages.t: 'cmd' is missing"]),
    "another name of the command": (
        "stages:\n  t:\n    cmds: x\n",
        [
            "line 3: stages.t: unknown key 'cmds' (did you mean 'cmd'?)",
        ],
    ),
    "vars that are a mapping": ("vars: {a: 1}\n", ["line 1: vars must be a list, not a mapping"]),
    "a number among vars": (
        "vars:\n- a.yaml\n- 5\n", ["line 3: vars[1] must be text or a mapping, not 5"],
    ),
    "a pipeline's name that is a list": (
        "pipeline: []\n", ["line 1: pipeline must be text, not a list"],
    ),
    "a function that is a number": (
        "stages:\n  t:\n    python: 5\n", ["line 3: stages.t.python must be text, not 5"],
    ),
    "several": (
        "stages:\n  b: 5\n  a: 5\n",
        ["line 2: stages.b must be a mapping, not 5", "line 3: stages.a must be a mapping, not 5"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_pipeline(name: str) -> None:
    text, problems = WRONG[name]

    assert said(text) == problems


STAGE = {
    "an unknown key": ("dep: [a]", "unknown key 'dep' (did you mean 'deps'?)"),
    "no commands": ("params: 5", ".params must be a list or a mapping, not 5"),
    "deps that are text": ("deps: a.csv", ".deps must be a list or a mapping, not 'a.csv'"),
    "deps that are nothing": ("deps:", ".deps must be a list or a mapping, not nothing"),
    "a dep with options": ("deps: [{a: {}}]", ".deps[0] must be text, not a mapping"),
    "a dep that is a number": ("deps: [a, 5]", ".deps[1] must be text, not 5"),
    "a dep that is a date": ("deps: {x: true}", ".deps.x must be text or a list, not true"),
    "outs that are text": ("outs: a", ".outs must be a list or a mapping, not 'a'"),
    "an out that is nothing": ("outs: [~]", ".outs[0] must be text or a mapping, not nothing"),
    "an out of no path": ("outs: [{}]", ".outs[0] must not be empty"),
    "two paths in an item": (
        "outs: [{a: {}, b: {}}]",
        ".outs[0]: one path with its options is expected in each item",
    ),
    "options that are text": ("outs: [{a: cached}]", ".outs[0].a must be a mapping, not 'cached'"),
    "an unknown option": (
        "outs: [{a: {cached: true}}]",
        ".outs[0].a: unknown key 'cached' (did you mean 'cache'?)",
    ),
    "an option that is text": (
        "metrics: [{a: {cache: no}}]", ".metrics[0].a.cache must be true or false, not 'no'",
    ),
    "an option that is a number": (
        "outs: [{a: {persist: 1}}]", ".outs[0].a.persist must be true or false, not 1",
    ),
    "an option that is nothing": (
        "outs: [{a: {persist: }}]", ".outs[0].a.persist must be true or false, not nothing",
    ),
    "drawing of what is no plot": ("metrics: [{a: {x: b}}]", ".metrics[0].a: unknown key 'x'"),
    "named outs without path": ("outs: {a: {cache: true}}", ".outs.a: 'path' is missing"),
    "an unknown option of a named out": (
        "outs: {a: {path: b, cached: true}}",
        ".outs.a: unknown key 'cached' (did you mean 'cache'?)",
    ),
    "a parameter that is a number": ("params: [5]", ".params[0] must be text or a mapping, not 5"),
    "keys that are text": (
        "params: [{a.yaml: lr}]", ".params[0].a.yaml must be a list, not 'lr'",
    ),
    "a key that is a number": (
        "params: [{a.yaml: [1]}]", ".params[0].a.yaml[0] must be text, not 1",
    ),
    "a directory that is a list": ("wdir: [a]", ".wdir must be text, not a list"),
    "variables that are a list": ("env: [A=1]", ".env must be a mapping, not a list"),
    "a variable that is a list": (
        "env: {A: [1]}", ".env.A must be text or a number or true or false, not a list",
    ),
    "a variable that is nothing": (
        "env: {A: }", ".env.A must be text or a number or true or false, not nothing",
    ),
    "a description that is a number": ("desc: 5", ".desc must be text, not 5"),
    "no that is a word": ("frozen: no", ".frozen must be true or false, not 'no'"),
    "a flag that is a number": ("always: 1", ".always must be true or false, not 1"),
    "a matrix that is a list": ("matrix: [a]", ".matrix must be a mapping, not a list"),
    "an empty matrix": ("matrix: {}", ".matrix must not be empty"),
    "an empty dimension": ("matrix: {a: []}", ".matrix.a must not be empty"),
    "a dimension that is a number": (
        "matrix: {a: 5}", ".matrix.a must be a list or text, not 5",
    ),
    "a dimension that is text": (
        "matrix: {a: b}", ".matrix.a: 'b' has not the form that is expected here",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STAGE)
def test_what_is_wrong_with_a_stage(name: str) -> None:
    line, problem = STAGE[name]

    seen = of_stage("desc: before" if not line.startswith("desc") else "wdir: before", line)

    joint = "" if problem.startswith(".") else ": "
    assert f"line 5: stages.t{joint}{problem}" in seen


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("cmd:", ".cmd must be text or true or false or a number or a list, not nothing"),
        ("cmd: []", ".cmd must not be empty"),
        (
            "cmd: {a: b}",
            ".cmd must be text or true or false or a number or a list, not a mapping",
        ),
        ("cmd: [a, ~]", ".cmd[1] must be text or true or false or a number, not nothing"),
    ],
)
def test_what_is_wrong_with_a_command(line: str, problem: str) -> None:
    assert said(f"stages:\n  t:\n    {line}\n") == [f"line 3: stages.t{problem}"]


@pytest.mark.parametrize(
    "line",
    ["deps: '${deps}'", "frozen: ${cold}", "outs: [a: {cache: '${kept}'}]", "matrix: {a: '${m}'}"],
)
def test_nothing_is_said_of_a_value_that_is_not_known_yet(line: str) -> None:
    assert of_stage(line) == []


def test_problems_come_in_the_order_of_lines_and_keys() -> None:
    lines = ["zz: 1", "outs: 5", "{b: 1, a: 2, c: 3}"]
    text = f"stages:\n  t:\n    cmd: x\n    {lines[0]}\n    {lines[1]}\n  u: {lines[2]}\n"

    assert said(text) == [
        "line 4: stages.t: unknown key 'zz'",
        "line 5: stages.t.outs must be a list or a mapping, not 5",
        "line 6: stages.u: unknown key 'a'",
        "line 6: stages.u: unknown key 'b'",
        "line 6: stages.u: unknown key 'c'",
        "line 6: stages.u: 'cmd' is missing",
    ]


def test_where_lines_are_not_known_none_is_named() -> None:
    assert explain(Values({"stages": []}, {}), "pipeline") == [
        "stages must be a mapping, not a list"
    ]


@pytest.mark.parametrize(
    ("position", "text"),
    [
        ((), "the document"),
        (("stages", "train", "outs", 0), "stages.train.outs[0]"),
        ((0, "a"), "[0].a"),
    ],
)
def test_a_place_is_written_as_people_do(position: Position, text: str) -> None:
    assert place(position) == text


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "nothing"),
        ({}, "a mapping"),
        ([], "a list"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (0.5, "0.5"),
        ("a", "'a'"),
        ("x" * 100, "'" + "x" * 59),
    ],
)
def test_a_value_is_named_by_its_kind(value: Typed, name: str) -> None:
    assert kind_of(value) == name
