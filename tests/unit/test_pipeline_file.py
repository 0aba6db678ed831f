"""One pivot.yaml file: every form of a stage, and every problem with its line."""

from __future__ import annotations

import json

import pytest

from pivot.stage import DeclaredOutput, ParameterKey, Role, Stage
from tests.unit.pipelines import PARAMS, parse, problems, stage, stages


def test_a_stage_needs_a_command_and_no_more() -> None:
    assert stages("stages:\n  train: {cmd: python train.py}\n") == [
        Stage("train", "train", "pivot.yaml", 2, ("python train.py",))
    ]


def test_a_stage_may_say_everything() -> None:
    seen = stage(
        "cmd: [a, b]",
        "deps: [in.csv, lib/]",
        "outs: [out, {kept: {persist: true}}, {code: {cache: false, desc: mine}}]",
        "metrics: [m.json, {n.json: {cache: true}}]",
        "plots: [{p.csv: {x: a, y: b, title: T}}]",
        "params: [lr]",
        "env: {A: 1, B: 'x y', C: true, D: 1e-3}",
        "desc: what it does",
        "frozen: true",
        "always: true",
    )

    assert seen == Stage(
        "t",
        "t",
        "pivot.yaml",
        2,
        ("a", "b"),
        "",
        ("in.csv", "lib"),
        (
            DeclaredOutput("out"),
            DeclaredOutput("kept", persist=True),
            DeclaredOutput("code", cached=False),
            DeclaredOutput("m.json", Role.METRIC, cached=False),
            DeclaredOutput("n.json", Role.METRIC),
            DeclaredOutput("p.csv", Role.PLOT),
        ),
        (ParameterKey("lr", "params.yaml", "lr"),),
        {},
        {"A": "1", "B": "x y", "C": "true", "D": "0.001"},
        "what it does",
        frozen=True,
        always=True,
    )


@pytest.mark.parametrize("text", ["", "stages:\n", "stages: {}\n", "vars:\n", "pipeline: demo\n"])
def test_a_file_without_stages_has_none(text: str) -> None:
    assert parse(text) == ((), ())


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("true", ("true",)),
        ("5", ("5",)),
        ("[a, true, 1.5]", ("a", "true", "1.5")),
        ("'a; b'", ("a; b",)),
        ("|\n      a\n      b\n", ("a\nb\n",)),
        (">-\n      a\n      b\n", ("a b",)),
        ("echo $HOME '\\${a}'", ("echo $HOME '${a}'",)),
    ],
)
def test_a_command_is_text(text: str, commands: tuple[str, ...]) -> None:
    assert stage(f"cmd: {text}").commands == commands


@pytest.mark.parametrize(
    ("form", "paths"),
    [
        ("[b, a]", ("b", "a")),
        ("[a, ./a, a/, b/../a]", ("a",)),
        ("{one: a, two: [b, c]}", ("a", "b", "c")),
        ("['é ü', '*?[x]', '#a', '!b', 'c ', '1e5', \"a\\nb\", '~', '-x']",
         ("é ü", "*?[x]", "#a", "!b", "c ", "1e5", "a\nb", "~", "-x")),
        ("[]", ()),
        ("{}", ()),
    ],
)  # fmt: skip
def test_dependencies_have_two_forms(form: str, paths: tuple[str, ...]) -> None:
    assert stage(f"deps: {form}").dependencies == paths


@pytest.mark.parametrize(
    ("form", "outputs"),
    [
        ("[a, {b: {}}, {c: }]", ["a", "b", "c"]),
        ("{x: a, y: [b, c], z: {path: d}, w: {path: [e, f], cache: true}}", list("abcdef")),
    ],
)
@pytest.mark.parametrize(("key", "cached"), [("outs", True), ("metrics", False), ("plots", True)])
def test_outputs_have_two_forms(form: str, outputs: list[str], key: str, cached: bool) -> None:
    seen = stage(f"{key}: {form}").outputs

    assert [each.path for each in seen] == outputs
    plain = {each.cached for each in seen if each.path not in "ef"}
    assert plain == {cached}


def test_options_of_a_named_output_are_those_of_all_its_paths() -> None:
    seen = stage("outs: {x: {path: [a, b], cache: false, persist: true, desc: d}}").outputs

    assert seen == tuple(DeclaredOutput(path, cached=False, persist=True) for path in "ab")


@pytest.mark.parametrize(
    ("form", "keys"),
    [
        ("[lr, a.b, 'l[0].w']", [("lr", "params.yaml", "lr"), ("a.b", "params.yaml", "a.b"),
                                 ("l[0].w", "params.yaml", "l[0].w")]),
        ("[{params.yaml: [lr]}, lr]", [("lr", "params.yaml", "lr")]),
        ("[{./params.yaml: [lr]}]", [("lr", "params.yaml", "lr")]),
        ("[{c/m.toml: [d, e]}]", [("c/m.toml:d", "c/m.toml", "d"),
                                  ("c/m.toml:e", "c/m.toml", "e")]),
        ("[{a.json: }]", [("a.json", "a.json", "")]),
        ("[{params.yaml: }]", [("params.yaml", "params.yaml", "")]),
        ("[{a.json: , b.json: [x]}]", [("a.json", "a.json", ""), ("b.json:x", "b.json", "x")]),
        ("[{a.json: []}]", []),
        ("[1e5, '0123']", None),
    ],
)  # fmt: skip
def test_parameters_are_keys_of_files(form: str, keys: list[tuple[str, str, str]] | None) -> None:
    if keys is None:
        assert problems(f"params: {form}") == [
            "line 3: stages.t.params[0] must be text or a mapping, not 100000.0"
        ]
        return
    seen = stage(f"params: {form}")

    assert [(key.name, key.path, key.key) for key in seen.keys] == keys
    assert seen.values == {}


def test_parameters_may_stand_in_the_pipeline() -> None:
    seen = stage("params: {seed: 7, '0123': 0123, deep: {a: [1, ~]}}")

    assert seen.values == {"seed": 7, "0123": 123, "deep": {"a": [1, None]}}
    assert seen.keys == ()


@pytest.mark.parametrize(
    ("document", "wdir", "directory"),
    [
        ("pivot.yaml", "sub", "sub"),
        ("pivot.yaml", "sub/", "sub"),
        ("pivot.yaml", ".", ""),
        ("pivot.yaml", "''", ""),
        ("nlp/pivot.yaml", "sub", "nlp/sub"),
        ("nlp/pivot.yaml", ".", "nlp"),
        ("nlp/pivot.yaml", "''", "nlp"),
        ("nlp/pivot.yaml", "..", ""),
        ("nlp/pivot.yaml", "../x", "x"),
    ],
)
def test_the_working_directory_is_seen_from_the_file(
    document: str, wdir: str, directory: str
) -> None:
    assert stage(f"wdir: {wdir}", document=document).directory == directory


def test_paths_are_seen_from_the_working_directory() -> None:
    seen = stage(
        "wdir: sub",
        "deps: [a, ../b, ../../c]",
        "outs: [d]",
        "params: [lr, {../p.json: [x]}]",
        document="nlp/pivot.yaml",
    )

    assert (seen.name, seen.group) == ("nlp/t", "nlp/t")
    assert seen.dependencies == ("nlp/sub/a", "nlp/b", "c")
    assert seen.outputs == (DeclaredOutput("nlp/sub/d"),)
    assert seen.keys == (
        ParameterKey("lr", "nlp/sub/params.yaml", "lr"),
        ParameterKey("nlp/p.json:x", "nlp/p.json", "x"),
    )
    assert seen.reads == (*seen.dependencies, "nlp/sub/params.yaml", "nlp/p.json")


def test_without_working_directory_it_is_that_of_the_file() -> None:
    assert stage("deps: [a]", document="nlp/pivot.yaml").dependencies == ("nlp/a",)
    assert stage("deps: [a]", document="nlp/pivot.yaml").directory == "nlp"


def test_a_python_stage_is_taken_as_it_is() -> None:
    text = "stages:\n  t:\n    python: m.f\n    anything: {at: all}\n    deps: ${x}\n"

    (seen,) = stages(text)

    assert seen == Stage("t", "t", "pivot.yaml", 2)
    assert seen.foreign


def test_a_python_stage_may_have_a_matrix_with_values_of_its_own() -> None:
    text = "stages:\n  t:\n    python: m.f\n    matrix: {a: {x: {deps: [b]}, y: }, n: [1]}\n"

    assert [each.name for each in stages(text)] == ["t@x_1", "t@y_1"]


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("run ${lr}", "run 0.01"),
        ("run ${ lr }", "run 0.01"),
        ("${lr}${lr}", "0.010.01"),
        ("${on} ${none} ${name}", "true null é"),
        ("${deep.a.b[1]} ${models.0}", "y linear"),
        ("\\${lr} ${lr}", "${lr} 0.01"),
        ("$lr $ {lr} $(lr) %lr {lr}", "$lr $ {lr} $(lr) %lr {lr}"),
        ("${lr", "${lr"),
        ("'${lr}'", "'0.01'"),
        ("$${lr}", "$0.01"),
    ],
)
def test_values_stand_in_a_text(command: str, text: str) -> None:
    seen = stage(f"cmd: {json.dumps('x ' + command)}", files={"params.yaml": PARAMS})

    assert seen.commands == (f"x {text}",)


def test_a_reference_alone_is_the_value_itself() -> None:
    seen = stage(
        "cmd: ${models}",
        "frozen: ${on}",
        "params: {all: '${deep}', one: '${lr}', text: '${lr} '}",
        "deps: ${models}",
        "env: {V: '${none}x'}",
        files={"params.yaml": PARAMS},
    )

    assert seen.commands == ("linear", "tree")
    assert seen.frozen
    assert seen.values == {"all": {"a": {"b": ["x", "y"]}}, "one": 0.01, "text": "0.01 "}
    assert seen.dependencies == ("linear", "tree")


def test_names_are_filled_in_too() -> None:
    seen = stage("outs: ['${name}': {cache: false}]", files={"params.yaml": PARAMS})

    assert seen.outputs == (DeclaredOutput("é", cached=False),)


def test_what_was_filled_in_is_not_looked_at_again() -> None:
    seen = stage("cmd: echo ${a}", files={"params.yaml": "a: ${b}\nb: 1\n"})

    assert seen.commands == ("echo ${b}",)


def test_variables_stand_over_the_parameters() -> None:
    text = (
        "vars: [more.json, conf.toml, {deep: {a: {b: mine}}}]\n"
        "stages:\n  t: {cmd: '${lr} ${deep.a.b} ${deep.a.c} ${x}'}\n"
    )
    files = {
        "params.yaml": PARAMS,
        "more.json": '{"lr": 5, "deep": {"a": {"c": "theirs"}}}',
        "conf.toml": "x = 1979-05-27\n",
    }

    (seen,) = stages(text, files)

    assert seen.commands == ("5 mine theirs 1979-05-27",)


def test_parameters_stand_beside_the_file_and_not_in_the_working_directory() -> None:
    files = {"nlp/params.yaml": "a: beside\n", "nlp/sub/params.yaml": "a: inside\n"}

    seen = stage("wdir: sub", "cmd: run ${a}", files=files, document="nlp/pivot.yaml")

    assert seen.commands == ("run beside",)


def test_a_list_of_parameters_has_no_names() -> None:
    assert problems("cmd: run ${a}", files={"params.yaml": "[1]"}) == [
        "line 3: stages.t.cmd: ${a} is no parameter; write \\${a} or $a to leave it to the shell"
    ]


MATRIX = """\
stages:
  t:
    matrix:
      model: [linear, tree]
      seed: [1, 2]
    cmd: run ${model} ${item.seed}
    outs: ["${model}-${seed}.json"]
"""


def test_a_matrix_makes_a_stage_of_each_combination() -> None:
    seen = stages(MATRIX)

    assert [each.name for each in seen] == ["t@linear_1", "t@linear_2", "t@tree_1", "t@tree_2"]
    assert {each.group for each in seen} == {"t"}
    assert {each.line for each in seen} == {2}
    assert seen[2].commands == ("run tree 1",)
    assert seen[2].outputs == (DeclaredOutput("tree-1.json"),)


@pytest.mark.parametrize(
    ("choices", "names"),
    [
        ("[1.5, true, ~, '']", ["t@1.5", "t@true", "t@null", "t@-"]),
        ("['a b/c', é, a_b]", ["t@a-b-c", "t@-", "t@a-b"]),
        ("[{lr: 1}, [1, 2], x]", ["t@m0", "t@m1", "t@x"]),
        ("[1e5, 0x10, '0123']", ["t@100000.0", "t@16", "t@0123"]),
        ("'${models}'", ["t@linear", "t@tree"]),
        ("['${lr}', x]", ["t@0.01", "t@x"]),
    ],
)
def test_a_value_of_a_matrix_names_its_stage(choices: str, names: list[str]) -> None:
    text = f"stages:\n  t:\n    matrix: {{m: {choices}}}\n    cmd: run\n"

    assert [each.name for each in stages(text, {"params.yaml": PARAMS})] == names


def test_mappings_of_a_matrix_are_reached_inside() -> None:
    text = (
        "stages:\n  t:\n    matrix: {m: [{lr: 1, w: [7]}]}\n    cmd: run ${m.lr} ${item.m.w[0]}\n"
    )

    assert stages(text)[0].commands == ("run 1 7",)


def test_a_whole_matrix_may_be_a_parameter() -> None:
    text = "stages:\n  t:\n    matrix: ${grid}\n    cmd: run ${a}\n"

    seen = stages(text, {"params.yaml": "grid: {a: [1, 2]}"})

    assert [each.name for each in seen] == ["t@1", "t@2"]


def test_a_dimension_hides_a_parameter_of_the_same_name() -> None:
    text = "stages:\n  t:\n    matrix: {lr: [1]}\n    cmd: run ${lr}\n"

    assert stages(text, {"params.yaml": PARAMS})[0].commands == ("run 1",)
