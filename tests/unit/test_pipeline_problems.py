"""What is wrong with a pipeline file is said with line and key, and schema and parser agree."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pivot.pipeline.file import parse_pipeline, stage_names
from pivot.schema import explain
from pivot.stage import Stage
from pivot.values import Typed, parse_values
from tests.unit.pipelines import PARAMS, parse, problems, stages

OUTSIDE = "it must stay inside the project"
OURS = ".git and .pivot are not data"


@pytest.mark.parametrize(
    ("line", "where", "path", "given", "why"),
    [
        ("deps: [a, ../b]", "deps[1]", "'../b'", "'../b'", OUTSIDE),
        ("deps: [/etc/passwd]", "deps[0]", "'/etc/passwd'", "'/etc/passwd'", OUTSIDE),
        ("deps: ['']", "deps[0]", "''", "''", OUTSIDE),
        ("outs: [.]", "outs[0]", "'.'", "'.'", OUTSIDE),
        ("outs: {x: .git/config}", "outs.x", "'.git/config'", "'.git/config'", OURS),
        ("outs: [a/../.PIVOT/x]", "outs[0]", "'.PIVOT/x'", "'a/../.PIVOT/x'", OURS),
        ('deps: ["a\\0b"]', "deps[0]", "'a\\x00b'", "'a\\x00b'", OUTSIDE),
        ("wdir: ../x", "wdir", "'../x'", "'../x'", OUTSIDE),
        ("wdir: /tmp", "wdir", "'/tmp'", "'/tmp'", OUTSIDE),
        ("params: [{../p: [a]}]", "params[0].../p", "'../p'", "'../p'", OUTSIDE),
    ],
)  # fmt: skip
def test_a_path_that_is_not_data_is_a_problem(
    line: str, where: str, path: str, given: str, why: str
) -> None:
    assert problems(line) == [
        f"line 3: stages.t.{where}: unsafe path {path}: {why} (it is given as {given})"
    ]


def not_known(key: str) -> str:
    return f"{key} is no parameter; write \\{key} or ${key[2:-1]} to leave it to the shell"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("plots: ['a\\b']", "plots[0]: a path must not hold a backslash: 'a\\\\b'"),
        ("params: ['']", "params[0]: a key must not be empty"),
        ("params: [a, {b.yaml: ['']}]", "params[1]: a key must not be empty"),
        ("cmd: ''", "cmd: a command must not be empty or hold a NUL"),
        ("cmd: [a, ' ']", "cmd: a command must not be empty or hold a NUL"),
        ('cmd: "a\\0"', "cmd: a command must not be empty or hold a NUL"),
        ("env: {'A=B': x}", "env.A=B: cannot be a variable"),
        ("env: {'': x}", "env.: cannot be a variable"),
        ('env: {A: "a\\0"}', "env.A: cannot be a variable"),
        ("deps: ['${lrr}']", "deps: ${lrr} is no parameter; did you mean 'lr'?"),
        (
            "deps: ['x${deep.a}']",
            "deps: ${deep.a} is no single value, so it cannot stand in a text",
        ),
        (
            "cmd: echo ${HOME:-x}",
            "cmd: " + not_known("${HOME:-x}"),
        ),
        ("cmd: echo ${}", "cmd: " + not_known("${}")),
        (
            "matrix: {a: ['${zzzz}']}",
            "matrix: " + not_known("${zzzz}"),
        ),
        ("deps: ${lr}", "deps must be a list or a mapping"),
        ("frozen: ${name}", "frozen must be true or false"),
        ("outs: [a: {cache: '${name}'}]", "outs[0] has options that are not true or false"),
        ("outs: [a: {persist: '${lr}'}]", "outs[0] has options that are not true or false"),
        ("outs: [a: {desc: '${lr}'}]", "outs[0] has a description that is not text"),
        ("outs: [a: '${lr}']", "outs[0] has options that are no mapping"),
        ("outs: ['${lr}']", "outs[0] must be a path"),
        ("outs: {a: '${lr}'}", "outs.a must be a path"),
        ("params: ['${lr}']", "params[0] must be a key"),
        ("params: ${lr}", "params must be a list or a mapping"),
        ("params: [{a: '${lr}'}]", "params[0].a must be a list"),
        ("params: [{a: ['${lr}']}]", "params[0].a must list keys"),
        ("wdir: ${lr}", "wdir must be text"),
        ("env: ${lr}", "env must be a mapping"),
        ("env: {A: '${models}'}", "env.A must be text"),
        ("cmd: ${deep}", "cmd must be text or a list"),
        ("cmd: ${none}", "cmd must be text or a list"),
        ("desc: ${lr}", "desc must be text"),
        ("matrix: {a: '${lr}'}", "matrix.a must be a list"),
        ("matrix: ${lr}", "matrix must be a mapping"),
    ],
)
def test_a_problem_names_line_and_key(line: str, problem: str) -> None:
    assert problems(line, files={"params.yaml": PARAMS}) == [f"line 3: stages.t.{problem}"]


def test_a_wrong_directory_is_said_once() -> None:
    seen = problems("wdir: ../x", "deps: [a]", "outs: [b]", "params: [c]")

    assert [text.partition(": unsafe")[0] for text in seen] == ["line 3: stages.t.wdir"]


def test_the_problems_of_all_stages_are_said() -> None:
    text = "stages:\n  a:\n    cmd: ''\n  b:\n    cmd: x\n  c:\n    cmd: x\n    deps: [/x, /y]\n"

    found, told = parse(text)

    assert [each.name for each in found] == ["b"]
    assert [text.partition(": ")[0] for text in told] == ["line 3", "line 8", "line 8"]


def test_a_problem_of_every_combination_is_said_once() -> None:
    text = "stages:\n  t:\n    matrix: {a: [1, 2]}\n    cmd: run ${b}\n"

    (told,) = parse(text)[1]
    assert told.startswith("line 4: stages.t.cmd: ${b} is no parameter; ")


def test_names_that_meet_are_said() -> None:
    text = "stages:\n  t@1: {cmd: x}\n  t:\n    matrix: {a: [1, '1', 1]}\n    cmd: x\n"

    assert parse(text)[1] == (
        "line 3: t and t@1 both make a stage t@1",
        "line 3: t and t both make a stage t@1",
    )


def test_a_name_may_have_200_characters_with_its_directory() -> None:
    text = f"stages:\n  {'x' * 196}: {{cmd: x}}\n"

    assert len(stages(text, document="nlp/pivot.yaml")[0].name) == 200
    assert parse(text, document="nlpp/pivot.yaml")[1] == (
        f"line 2: {'x' * 40}… is a name of more than 200 characters",
    )


@pytest.mark.parametrize("name", ["a b", "a/b", "", ".a", "-a", "é", "a:b", "a%b", "@a"])
def test_a_name_of_odd_characters_is_refused(name: str) -> None:
    assert parse(f"stages:\n  '{name}': {{cmd: x}}\n")[1] == (
        f"line 2: stages: {name!r} has not the form that is expected here",
    )


def test_what_vars_name_must_be_there() -> None:
    text = "vars:\n- a.yaml\n- ../b.yaml\n- /etc/passwd\n"

    assert parse(text, document="nlp/pivot.yaml")[1] == (
        "line 2: vars[0]: nlp/a.yaml is not there",
        "line 3: vars[1]: b.yaml is not there",
        "line 4: vars[2]: /etc/passwd is not there",
    )


def test_nothing_outside_of_the_project_is_read() -> None:
    asked = []

    def read(path: str) -> bytes | None:
        asked.append(path)
        return b"a: 1"

    parse_pipeline(b"vars: [../../x.yaml, /etc/x.yaml, ../y.yaml]\n", "nlp/pivot.yaml", read)

    assert asked == ["nlp/params.yaml", "y.yaml"]


def test_a_problem_of_another_file_names_it() -> None:
    text = "stages: {t: {cmd: x}}\n"

    assert parse(text, {"params.yaml": "a: 1\na: 2\n"}) == (
        (),
        ("params.yaml: line 2: the key 'a' stands twice",),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("stages:\n  t: {cmd: x}\n  t: {cmd: y}\n", "line 3: the key 't' stands twice"),
        ("stages:\n\tt: {cmd: x}\n", "line 2: found character that cannot start any token"),
        ("stages:\n  t: !x {cmd: x}\n", "line 2: the tag '!x' is not allowed"),
        ("- a\n", "line 1: the document must be a mapping, not a list"),
        ("hello", "line 1: the document must be a mapping, not 'hello'"),
    ],
)
def test_what_is_no_pipeline_at_all_is_said(text: str, problem: str) -> None:
    assert parse(text) == ((), (problem,))


@pytest.mark.parametrize("persist", ["[]", "{}", "1", "0", "1.0", "~", "''"])
def test_persist_is_true_or_false(persist: str) -> None:
    (told,) = problems(f"outs: [a: {{persist: {persist}}}]")

    assert told.startswith("line 3: stages.t.outs[0].a.persist must be true or false, not ")


def test_names_of_stages_are_had_from_a_file_that_is_wrong() -> None:
    text = b"stages:\n  a: 5\n  b: {cmd: '${x}'}\nwhat: 1\n"

    assert stage_names(text, "nlp/pivot.yaml") == {"nlp/a", "nlp/b"}


@pytest.mark.parametrize("text", [b"a: [", b"- a", b"stages: [a]", b"", b"\xff"])
def test_a_file_that_says_nothing_names_no_stages(text: bytes) -> None:
    assert stage_names(text, "pivot.yaml") == frozenset()


SAMPLE: Typed = {
    "pipeline": "demo",
    "vars": ["more.yaml", {"x": 1}],
    "stages": {
        "a": {
            "cmd": "run",
            "deps": ["in", "lib"],
            "outs": ["o", {"p": {"cache": False, "persist": True, "desc": "d"}}],
            "metrics": {"m": "m.json", "n": {"path": ["n.json"], "cache": True}},
            "plots": [{"q": {"x": "a", "title": 5}}],
            "params": ["lr", {"c.json": ["d"]}, {"all.toml": None}],
            "wdir": "sub",
            "env": {"A": 1},
            "desc": "text",
            "frozen": False,
            "always": True,
        },
        "b": {"cmd": ["x", 5], "matrix": {"k": [1, {"z": 2}]}, "params": {"seed": 7}, "deps": {}},
        "c": {"python": "m.f", "matrix": {"k": {"v": None}}},
    },
}
WORDS = st.sampled_from([
    "cmd", "deps", "outs", "metrics", "plots", "params", "wdir", "env", "desc", "matrix", "frozen",
    "always", "python", "cache", "persist", "path", "x", "stages", "vars", "pipeline", "a", "b",
    "", ".", "..", "/", "a/b", "a b", "é", "a\n", "1e5", "=",
])  # fmt: skip
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from([0.5, 1.0]) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
FILES = {"more.yaml": b"lr: 1", "sub/params.yaml": b"lr: 1", "params.yaml": b"{}"}


@st.composite
def documents(draw: st.DrawFn) -> Typed:
    """Change a few places of a pipeline to something else."""
    tree: Typed = copy.deepcopy(SAMPLE)
    for _ in range(draw(st.integers(1, 3))):
        node: Any = tree
        while isinstance(node, dict | list) and node:
            places = list(node) if isinstance(node, dict) else list(range(len(node)))
            place = draw(st.sampled_from(places))
            inner = node[place]
            if not isinstance(inner, dict | list) or not inner or draw(st.integers(0, 2)) == 0:
                change = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
                if change == "remove":
                    del node[place]
                elif change == "add" and isinstance(node, dict):
                    node[draw(WORDS)] = draw(JUNK)
                else:
                    node[place] = draw(JUNK)
                break
            node = inner
    return tree


def check(text: str) -> None:
    found, told = parse_pipeline(text.encode(), "pivot.yaml", FILES.get)
    values = parse_values(text.encode(), "pivot.yaml")
    explained = explain(values, "pipeline")

    if explained:
        assert told, f"the schema alone says {explained}"
    fallen_back = [each for each in told if any(each.endswith(end) for end in FALL_BACK)]
    assert not fallen_back, f"the schema is silent: {fallen_back}"
    assert all(isinstance(each, Stage) for each in found)


FALL_BACK = (
    "must be a mapping with 'stages'",
    "stages must be a mapping",
    "must be a name of a stage and a mapping",
    "pipeline must be text",
    "vars must be a list",
    "must be a file or a mapping",
    "matrix must be a mapping",
    "must be a list",
    "is not known",
    "cmd must be text or a list",
    "must be text",
    "has options that are not true or false",
    "has options that are no mapping",
    "has a description that is not text",
    "must be a path",
    "must be a list or a mapping",
    "must be a key",
    "must list keys",
    "env must be a mapping",
    "must be true or false",
)


@given(documents())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_parser_and_schema_agree_on_a_changed_pipeline(tree: Typed) -> None:
    check(json.dumps(tree, ensure_ascii=False))


@given(JUNK | st.fixed_dictionaries({"stages": st.dictionaries(WORDS, JUNK, max_size=2)}))
@settings(max_examples=200, deadline=None)
def test_parser_and_schema_agree_on_anything(tree: Typed) -> None:
    check(json.dumps(tree, ensure_ascii=False))


@given(
    st.text(st.sampled_from("stagecmdpruov: \n-[]{}'\"$\\.@?&*!|>#,1e"), max_size=60)
    | st.sampled_from(["${", "}", "\\${a}", "${a", "${${a}}", "${a}}"]).map(
        lambda piece: f"stages:\n  t:\n    cmd: '{piece}'\n    deps: ['{piece}']\n"
    )
)
def test_any_text_gives_stages_or_problems(text: str) -> None:
    found, told = parse(text, {"params.yaml": "a: x"})

    assert all(isinstance(each, Stage) for each in found)
    assert all(told)
