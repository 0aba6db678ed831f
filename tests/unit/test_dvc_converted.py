"""What a `dvc.yaml` becomes."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from pivot.dvc.converted import Converted, convert
from pivot.dvc.declared import read_declared
from pivot.dvc.settings import Settings
from pivot.errors import InvalidDocument
from pivot.stage import Role

FILES = {
    "params.yaml": b"lr: 0.1\nmodels: [linear, tree]\nregions: {us: {x: 1}, eu: {x: 2}}\n",
    "nlp/params.yaml": b"lr: 0.2\n",
    "common.yaml": b"label: a\nother: b\n",
}


def converted(text: str, document: str = "dvc.yaml") -> Converted:
    data = dedent(text).encode()
    file = read_declared(data, document, FILES.get, Settings(Path("/nowhere")))
    return convert(file, FILES.get)


def stages_of(text: str) -> object:
    return converted(text).tree["stages"]


def yaml_of(text: str) -> object:
    return yaml.safe_load(dedent(text))


def test_a_stage_keeps_its_keys_and_templates() -> None:
    text = """
        stages:
          train:
            desc: Train
            cmd: ["train --lr ${lr}", "echo \\\\${HOME}"]
            wdir: sub
            deps: [in.txt, ../raw]
            params: [lr, {conf.json: [a.b]}, {all.toml: null}]
            outs: [model.bin, log: {persist: true}]
            frozen: true
        """

    assert stages_of(text) == yaml_of(text)["stages"]  # type: ignore[index]
    (match,) = converted(text).matches
    assert match.stage.commands == ("train --lr 0.1", "echo ${HOME}")
    assert match.stage.dependencies == ("sub/in.txt", "raw")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("outs: [a]", "outs: [a]"),
        ("outs: [a: {cache: false}]", "outs: [a: {cache: false}]"),
        ("outs: [a: {cache: true, persist: false}]", "outs: [a]"),
        ("metrics: [a]", "metrics: [a: {cache: true}]"),
        ("metrics: [a: {cache: false}]", "metrics: [a]"),
        ("plots: [a: {x: step, cache: false}]", "plots: [a: {cache: false, x: step}]"),
        ("outs: [a: {remote: r, push: false, type: t}]", "outs: [a]"),
        ("outs: [a]\n    always_changed: true", "outs: [a]\n    always: true"),
        ("outs: [a]\n    locked: true", "outs: [a]\n    frozen: true"),
        ("outs: [a]\n    meta: 1", "outs: [a]"),
        ("deps: []", "always: true"),
        ("deps: [s3://b/x, /etc/x, ../x, ds://d, a]", "deps: [a]"),
        ("params: [code.py: [a], lr]", "params: [lr]"),
    ],
)
def test_options_are_translated(theirs: str, ours: str) -> None:
    seen = stages_of(f"stages:\n  s:\n    cmd: x\n    {theirs}\n")

    assert seen == yaml.safe_load(f"s:\n    cmd: x\n    {ours}\n")


def test_metrics_are_cached_as_in_dvc() -> None:
    (match,) = converted("stages: {s: {cmd: x, metrics: [a, b: {cache: false}]}}").matches

    assert [(out.path, out.cached) for out in match.stage.outputs] == [("a", True), ("b", False)]
    assert {out.role for out in match.stage.outputs} == {Role.METRIC}


def test_a_matrix_stays_one_where_ours_makes_the_same_stages() -> None:
    text = """
        stages:
          train:
            matrix: {model: "${models}", seed: [1, 2]}
            cmd: train ${item.model} ${item.seed}
            outs: ["${item.model}-${item.seed}"]
        """

    seen = converted(text)

    assert list(seen.tree["stages"]) == ["train"]  # type: ignore[arg-type]
    names = {match.theirs: match.stage.name for match in seen.matches}
    assert names["train@linear-2"] == "train@linear_2"
    assert [note.what for note in seen.notes] == [
        "stage train@linear-1 is called train@linear_1 here, and 3 more like it"
    ]


def test_a_matrix_that_uses_its_key_is_written_out() -> None:
    text = "stages: {s: {matrix: {a: [1, 2], b: [3]}, cmd: 'x ${key}', outs: ['${key}.txt']}}"

    assert stages_of(text) == {
        "s@1-3": {"cmd": "x 1-3", "outs": ["1-3.txt"]},
        "s@2-3": {"cmd": "x 2-3", "outs": ["2-3.txt"]},
    }


@pytest.mark.parametrize(
    ("foreach", "commands"),
    [
        ("[a, true, 1.5]", {"s@a": "x a", "s@true": "x true", "s@1.5": "x 1.5"}),
        ("${models}", {"s@linear": "x linear", "s@tree": "x tree"}),
        ("[data/a.csv]", {"s@data-a.csv": "x data/a.csv"}),
    ],
)
def test_foreach_over_values_makes_a_stage_for_each(foreach: str, commands: dict[str, str]) -> None:
    items = foreach if foreach.startswith("[") else f"'{foreach}'"
    do = "{cmd: 'x ${item}', outs: ['o']}"

    seen = converted(f"stages: {{s: {{foreach: {items}, do: {do}}}}}")

    assert {match.stage.name: match.stage.commands[0] for match in seen.matches} == commands


def test_foreach_over_a_mapping_has_key_and_item() -> None:
    seen = converted("stages: {s: {foreach: '${regions}', do: {cmd: 'x ${key} ${item.x}'}}}")

    commands = {match.theirs: match.stage.commands for match in seen.matches}
    assert commands == {"s@us": ("x us 1",), "s@eu": ("x eu 2",)}


def test_foreach_over_mappings_is_numbered() -> None:
    seen = converted("stages: {s: {foreach: [{x: 1}, {x: 2}], do: {cmd: 'x ${item.x}'}}}")

    commands = {match.stage.name: match.stage.commands for match in seen.matches}
    assert commands == {"s@0": ("x 1",), "s@1": ("x 2",)}


def test_variables_of_files_and_of_stages_are_known() -> None:
    text = """
        vars: [common.yaml:label, {more: 1}]
        stages:
          all: {cmd: "x ${label} ${more} ${lr}"}
          one: {vars: [{own: 2}], cmd: "x ${own}"}
        """

    seen = converted(text)

    assert seen.tree["vars"] == ["common.yaml", {"more": 1}]
    assert [match.stage.commands[0] for match in seen.matches] == ["x a 1 0.1", "x 2"]
    assert seen.tree["stages"] == yaml_of(
        """
        all: {cmd: "x ${label} ${more} ${lr}", always: true}
        one: {cmd: "x 2", always: true}
        """
    )


def test_a_file_in_a_subdirectory_has_parameters_and_names_of_its_own() -> None:
    seen = converted("stages: {s: {cmd: 'x ${lr}', deps: [../a]}}", "nlp/dvc.yaml")

    (match,) = seen.matches
    assert (seen.document, match.stage.name) == ("nlp/pivot.yaml", "nlp/s")
    assert match.stage.commands == ("x 0.2",)
    assert match.stage.dependencies == ("a",)


def test_a_mapping_in_a_command_is_written_out_and_noted() -> None:
    seen = converted("stages: {s: {cmd: 'x ${regions.us} $A'}}")

    assert seen.tree["stages"] == {"s": {"cmd": "x --x 1 $A", "always": True}}
    assert "is a mapping" in seen.notes[0].what


def test_what_has_no_counterpart_is_noted_with_its_line() -> None:
    text = """\
        stages:
          s:
            cmd: x
            deps:
              - https://example.org/x
            outs:
              - a:
                  remote: r
            meta: 1
        plots: [a]
        artifacts: {}
        """

    assert [(note.line, note.what) for note in converted(text).notes] == [
        (5, "stage s: the dependency https://example.org/x is not in the project"),
        (8, "stage s: the option 'remote' of a is left out"),
        (9, "stage s: 'meta' is left out"),
        (10, "'plots' is left out"),
    ]


@pytest.mark.parametrize("path", [".git/config", ".pivot/cache/x", "a\\\\b"])
def test_a_stage_with_a_path_that_is_no_data_is_left_out(path: str) -> None:
    seen = converted(f'stages: {{s: {{cmd: x, outs: ["{path}"]}}, t: {{cmd: y}}}}')

    assert list(seen.tree["stages"]) == ["t"]  # type: ignore[arg-type]
    assert seen.notes[0].what.startswith("stage s is not converted: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]", "must be a mapping"),
        ("stages: [a]", "line 1: stages must be a mapping"),
        ("stages:\n  s: x", "line 2: stage s must be a mapping"),
        ("stages:\n  s:\n    cmd: {a: 1}", "line 3: stage s: 'cmd' must be text or a list"),
        ("stages:\n  s:\n    foreach: 1\n    do: {cmd: x}", "'foreach' must be a list"),
        ("stages:\n  s:\n    foreach: [1]", "'do' must be a mapping"),
        ("stages:\n  s:\n    matrix: {a: 1}\n    cmd: x", "line 3: stage s: 'matrix' must be"),
        ("stages:\n  s:\n    cmd: x\n    outs:\n    - 1", "line 5: stage s: outs[0] must be"),
        ("vars: [x.py]", "x.py is a Python file, which is never run"),
        ("vars: [../x.yaml]", "../x.yaml is outside of the project"),
        ("vars: 1", "vars must be a list"),
    ],
)
def test_a_file_that_is_not_valid_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        converted(text)

    assert said in caught.value.message


def test_a_matrix_too_large_is_refused_early() -> None:
    numbers = str(list(range(100)))
    text = f"stages: {{s: {{matrix: {{a: {numbers}, b: {numbers}, c: {numbers}}}, cmd: x}}}}"

    with pytest.raises(InvalidDocument, match="more than 100000 stages"):
        converted(text)
