"""All pivot.yaml files of a project as one graph: order, circles, and outputs that meet."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.errors import ExitCode, PipelineError
from pivot.pipeline import Pipeline, find_problems, load_pipeline
from pivot.stage import DeclaredOutput, Stage


def load(files: Mapping[str, str]) -> Pipeline:
    """Load a project of these files; those named pivot.yaml have stages."""
    held = {name: content.encode() for name, content in files.items()}
    documents = [name for name in held if posixpath.basename(name) == "pivot.yaml"]
    return load_pipeline(documents, held.get)


def one(**stages: str) -> Pipeline:
    """Load a pipeline whose stages are written in a line: `in.csv lib > out.csv`."""
    return load({"pivot.yaml": text_of(stages)})


def text_of(stages: Mapping[str, str]) -> str:
    lines = ["stages:"]
    for name, arrow in stages.items():
        deps, _, outs = arrow.partition(">")
        lines.append(f"  {name}: {{cmd: x, deps: {_listed(deps)}, outs: {_listed(outs)}}}")
    return "\n".join(lines) + "\n"


def _listed(paths: str) -> str:
    return f"[{', '.join(paths.split())}]"


def problems(files: Mapping[str, str]) -> tuple[str, ...]:
    with pytest.raises(PipelineError) as caught:
        load(files)
    return caught.value.problems


def test_a_stage_comes_after_what_it_reads() -> None:
    seen = one(c="b > c", b="a > b", a="> a")

    assert list(seen.stages) == ["a", "b", "c"]
    assert seen.needs == {"c": ("b",), "b": ("a",), "a": ()}


def test_stages_that_do_not_need_each_other_stay_in_the_order_of_the_file() -> None:
    seen = one(d="> d", b="> b", c="> c", a="d > a")

    assert list(seen.stages) == ["d", "b", "c", "a"]


def test_one_that_reads_inside_of_an_output_needs_its_stage() -> None:
    seen = one(use="dir/a/b >", make="> dir")

    assert seen.needs["use"] == ("make",)


def test_one_that_reads_a_directory_around_outputs_needs_their_stages() -> None:
    seen = one(use="dir >", a="> dir/a", b="> dir/x/b", c="> dirt", d="> dir-c", e="> dir.d")

    assert seen.needs["use"] == ("a", "b")


def test_a_name_that_only_begins_alike_is_another() -> None:
    seen = one(use="ab a-b >", make="> a")

    assert seen.needs["use"] == ()


def test_one_that_takes_parameters_from_a_file_needs_its_stage() -> None:
    text = (
        "stages:\n"
        "  use: {cmd: x, params: [lr, {best.json: [lr]}]}\n"
        "  make: {cmd: x, outs: [best.json]}\n"
        "  tune: {cmd: x, outs: [params.yaml]}\n"
    )

    assert load({"pivot.yaml": text}).needs["use"] == ("tune", "make")


def test_files_of_subdirectories_are_joined_by_paths() -> None:
    seen = load(
        {
            "nlp/pivot.yaml": text_of({"train": "../data/clean.csv > model"}),
            "pivot.yaml": text_of({"train": "nlp/model >", "clean": "> data/clean.csv"}),
        }
    )

    assert list(seen.stages) == ["clean", "nlp/train", "train"]
    assert seen.needs["nlp/train"] == ("clean",)
    assert seen.stages["nlp/train"].document == "nlp/pivot.yaml"


def test_a_file_that_is_gone_has_no_stages() -> None:
    assert load_pipeline(["pivot.yaml"], lambda _: None).stages == {}


def test_a_python_stage_stands_alone() -> None:
    seen = load({"pivot.yaml": "stages:\n  a: {python: m.f}\n  b: {cmd: x, deps: [d]}\n"})

    assert seen.stages["a"].foreign
    assert seen.needs == {"a": (), "b": ()}


def test_upstream_and_downstream_are_all_there_is_on_the_way() -> None:
    seen = one(a="> a", b="a > b", c="b > c", d="a > d", e="> e")

    assert seen.upstream(["c"]) == {"a", "b", "c"}
    assert seen.downstream(["b"]) == {"b", "c"}
    assert seen.downstream(["a", "e"]) == {"a", "b", "c", "d", "e"}
    assert seen.upstream([]) == set()


def test_a_circle_is_said_once_with_its_way() -> None:
    (seen,) = problems({"pivot.yaml": text_of({"a": "c > a", "b": "a > b", "c": "b > c"})})

    head, _, way = seen.partition(" depends on itself: ")
    names = way.split(" → ")
    assert head == f"pivot.yaml: line {'abc'.index(names[0]) + 2}: stage {names[0]}"
    assert names[0] == names[-1]
    assert sorted(names[1:]) == ["a", "b", "c"]


def test_every_circle_is_said() -> None:
    text = text_of({"a": "b > a", "b": "a > b", "c": "d > c", "d": "c > d", "e": "e/x > e"})

    seen = problems({"pivot.yaml": text})

    assert len(seen) == 3
    assert "pivot.yaml: line 6: stage e reads what it makes" in seen


def test_a_circle_is_said_though_an_output_on_it_has_two_stages() -> None:
    text = text_of({"a": "c > a", "c": "a > c", "d": "> a"})

    assert len(problems({"pivot.yaml": text})) == 2


def test_what_a_malformed_stage_makes_is_looked_at_too() -> None:
    text = "stages:\n  a: {cmd: x, outs: [o]}\n  b: {cmd: x, out: 1, outs: [o/p, o], deps: [o]}\n"

    assert problems({"pivot.yaml": text}) == (
        "pivot.yaml: line 3: stages.b: unknown key 'out' (did you mean 'outs'?)",
        "pivot.yaml: line 3: stage b: o is made by a as well",
        "pivot.yaml: line 3: stage b: o/p is inside o, an output of a",
        "pivot.yaml: line 3: stage b reads what it makes",
    )


@pytest.mark.parametrize("arrow", ["a > a", "a/b > a", "a > a/b"])
def test_a_stage_may_not_read_what_it_makes(arrow: str) -> None:
    assert problems({"pivot.yaml": text_of({"t": arrow})}) == (
        "pivot.yaml: line 2: stage t reads what it makes",
    )


def test_an_output_has_one_stage() -> None:
    files = {
        "a/pivot.yaml": text_of({"t": "> ../x"}),
        "pivot.yaml": text_of({"t": "> y", "u": "> x"}),
    }

    assert problems(files) == ("pivot.yaml: line 3: stage u: x is made by a/t as well",)


def test_combinations_of_a_matrix_make_outputs_of_their_own() -> None:
    text = "stages:\n  t: {cmd: x, matrix: {a: [1, 2]}, outs: [o]}\n"

    assert problems({"pivot.yaml": text}) == (
        "pivot.yaml: line 2: stage t@2: o is made by t@1 as well",
    )


def test_an_output_stands_once() -> None:
    text = "stages:\n  t: {cmd: x, outs: [o, ./o], metrics: [o]}\n"

    assert problems({"pivot.yaml": text}) == (
        "pivot.yaml: line 2: stage t: o stands twice among the outputs",
    )


@pytest.mark.parametrize("stages", [{"a": "> d", "b": "> d/x/y"}, {"b": "> d/x/y", "a": "> d"}])
def test_an_output_is_not_inside_of_another(stages: Mapping[str, str]) -> None:
    (seen,) = problems({"pivot.yaml": text_of(stages)})

    assert seen.endswith("stage b: d/x/y is inside d, an output of a")


@pytest.mark.parametrize("out", ["sub", "sub/pivot.yaml"])
def test_an_output_does_not_replace_the_pipeline(out: str) -> None:
    other = "stages: {u: {cmd: x, wdir: .., outs: [u]}}\n"
    seen = problems({"pivot.yaml": text_of({"t": f"> {out}"}), "sub/pivot.yaml": other})

    assert seen == (f"pivot.yaml: line 2: stage t: {out} would replace sub/pivot.yaml",)


@pytest.mark.parametrize("out", [".", "..", "../sub"])
def test_a_stage_does_not_remove_where_it_runs(out: str) -> None:
    stage = f"stages: {{t: {{cmd: x, wdir: work/sub, outs: ['{out}']}}}}\n"
    (seen,) = problems({"pivot.yaml": stage})

    removed = posixpath.normpath(f"work/sub/{out}")
    assert seen.endswith(f"stage t: {removed} is removed before it runs, and it runs there")


def test_the_problems_of_all_files_are_said_with_their_names() -> None:
    files = {
        "a/pivot.yaml": "stages:\n  t: 5\n",
        "b/pivot.yaml": text_of({"t": "> x", "u": "> x"}),
        "b/params.yaml": "a: 1",
        "c/pivot.yaml": "stages: {}\n",
        "c/params.yaml": "a: [",
    }

    assert problems(files) == (
        "a/pivot.yaml: line 2: stages.t must be a mapping, not 5",
        "c/pivot.yaml: c/params.yaml: line 2: did not find expected node content",
        "b/pivot.yaml: line 3: stage b/u: b/x is made by b/t as well",
    )


def test_the_error_leads_to_the_schema() -> None:
    with pytest.raises(PipelineError) as caught:
        load({"pivot.yaml": "a: 1"})

    assert "'pivot schema'" in caught.value.hint
    assert caught.value.code is ExitCode.INVALID


def test_of_very_many_problems_the_first_are_told() -> None:
    wrong = problems({"pivot.yaml": "".join(f"k{n}: 1\n" for n in range(1000))})

    assert wrong[0] == "pivot.yaml: line 1: the document: unknown key 'k0'"
    assert wrong[50:] == ("and 950 more problems",)


def test_thousands_of_stages_in_a_row_are_no_trouble() -> None:
    names = [f"s{number}" for number in range(3000)]
    stages = {
        name: f"{before} > {name}" for before, name in zip(["in", *names], names, strict=False)
    }

    seen = load({"pivot.yaml": text_of(dict(reversed(stages.items())))})

    assert list(seen.stages) == names
    assert len(seen.upstream(["s2999"])) == 3000


PATHS = st.sampled_from(["a", "b", "c", "a/b", "a/b/c", "ab", "a.b", "b/c", "b/a", "c/d", "d"])
GRAPHS = st.dictionaries(
    st.sampled_from("stuvwxyz"),
    st.tuples(st.frozensets(PATHS, max_size=3), st.frozensets(PATHS, max_size=2)),
)


def meet(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


@given(GRAPHS)
def test_a_graph_is_in_order_or_has_problems(graph: dict[str, tuple[set[str], set[str]]]) -> None:
    stages = {
        name: f"{' '.join(sorted(deps))} > {' '.join(sorted(outs))}"
        for name, (deps, outs) in graph.items()
    }
    made = [(name, path) for name, (_, outs) in graph.items() for path in outs]
    clash = any(meet(p, q) and (n, p) != (m, q) for n, p in made for m, q in made)
    needs = {
        name: {maker for maker, path in made if any(meet(path, dep) for dep in deps)}
        for name, (deps, _) in graph.items()
    }

    try:
        seen = load({"pivot.yaml": text_of(stages)})
    except PipelineError:
        assert clash or _has_circle(needs)
        return
    assert not clash
    assert not _has_circle(needs)
    assert {name: set(needed) for name, needed in seen.needs.items()} == needs
    done: set[str] = set()
    for name in seen.stages:
        assert needs[name] <= done
        done.add(name)
    assert done == graph.keys()


def _has_circle(needs: Mapping[str, set[str]]) -> bool:
    left = {name: set(needed) for name, needed in needs.items()}
    while free := [name for name, needed in left.items() if not needed & left.keys()]:
        for name in free:
            del left[name]
    return bool(left)


def test_problems_of_outputs_can_be_had_without_files() -> None:
    stages = [
        Stage(name, name, "pivot.yaml", 2, ("x",), outputs=(DeclaredOutput("o"),)) for name in "ab"
    ]

    assert find_problems(stages) == ["pivot.yaml: line 2: stage b: o is made by a as well"]
