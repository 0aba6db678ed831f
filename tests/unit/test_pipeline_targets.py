"""Which stages the user means: names, ends, patterns, outputs, files, and what is unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.errors import UsageError
from pivot.pipeline import Pipeline
from pivot.pipeline.targets import Reach, choose_stages
from pivot.stage import DeclaredOutput, Stage

NEEDS = {
    "clean": (),
    "train@a_1": ("clean",),
    "train@b_1": ("clean",),
    "report": ("train@a_1", "train@b_1"),
    "nlp/clean": (),
    "nlp/fit": ("nlp/clean",),
    "cv/fit": (),
    "cv/only": (),
    "odd[x]": (),
}
OUTPUTS = {"clean": "data/clean.csv", "nlp/fit": "nlp/model", "report": "fit", "cv/only": "clean"}


def stage(name: str) -> Stage:
    above = name.rpartition("/")[0]
    outputs = (DeclaredOutput(OUTPUTS[name]),) if name in OUTPUTS else ()
    document = f"{above}/pivot.yaml" if above else "pivot.yaml"
    return Stage(name, name.partition("@")[0], document, 1, ("x",), outputs=outputs)


PIPELINE = Pipeline({name: stage(name) for name in NEEDS}, NEEDS)


def chosen(*targets: str, here: str = "") -> set[str]:
    return set(choose_stages(PIPELINE, targets, here=here, root="/srv/project", reach=Reach.SINGLE))


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("clean", {"clean"}),
        ("nlp/fit", {"nlp/fit"}),
        ("train", {"train@a_1", "train@b_1"}),
        ("train@a_1", {"train@a_1"}),
        ("train@*", {"train@a_1", "train@b_1"}),
        ("*_1", {"train@a_1", "train@b_1"}),
        ("nlp/*", {"nlp/clean", "nlp/fit"}),
        ("*/fit", {"nlp/fit", "cv/fit"}),
        ("[cn]l*", {"clean", "nlp/clean", "nlp/fit"}),
        ("odd[x]", {"odd[x]"}),
        ("only", {"cv/only"}),
        ("data/clean.csv", {"clean"}),
        ("./data/../data/clean.csv", {"clean"}),
        ("nlp/model", {"nlp/fit"}),
        ("pivot.yaml", {"clean", "train@a_1", "train@b_1", "report", "odd[x]"}),
        ("nlp/pivot.yaml", {"nlp/clean", "nlp/fit"}),
        ("/srv/project/nlp/pivot.yaml", {"nlp/clean", "nlp/fit"}),
        ("/srv/project/data/clean.csv", {"clean"}),
        ("fit", {"report"}),
    ],
)
def test_a_target_means_stages(target: str, names: set[str]) -> None:
    assert chosen(target) == names


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("clean", {"nlp/clean"}),
        ("fit", {"nlp/fit"}),
        ("*", {"nlp/clean", "nlp/fit"}),
        ("train", {"train@a_1", "train@b_1"}),
        ("report", {"report"}),
        ("model", {"nlp/fit"}),
        ("pivot.yaml", {"nlp/clean", "nlp/fit"}),
        ("../data/clean.csv", {"clean"}),
        ("cv/fit", {"cv/fit"}),
    ],
)
def test_from_a_directory_its_own_stages_come_first(target: str, names: set[str]) -> None:
    assert chosen(target, here="nlp") == names


def test_several_targets_are_put_together() -> None:
    assert chosen("only", "nlp/*") == {"cv/only", "nlp/clean", "nlp/fit"}


def test_no_target_means_everything() -> None:
    assert chosen() == set(NEEDS)


@pytest.mark.parametrize(
    ("reach", "names"),
    [
        (Reach.SINGLE, {"train@a_1"}),
        (Reach.UPSTREAM, {"clean", "train@a_1"}),
        (Reach.DOWNSTREAM, {"train@a_1", "report"}),
    ],
)
def test_a_stage_brings_others_along(reach: Reach, names: set[str]) -> None:
    assert choose_stages(PIPELINE, ["train@a_1"], reach=reach) == names


def test_what_it_depends_on_comes_along_unless_told_otherwise() -> None:
    assert choose_stages(PIPELINE, ["nlp/fit"]) == {"nlp/clean", "nlp/fit"}


@pytest.mark.parametrize(
    ("targets", "problem"),
    [
        (["claen"], "'claen' is no stage (did you mean 'clean'?)"),
        (["xyzzy"], "'xyzzy' is no stage"),
        ([""], "'' is no stage"),
        (["zz*"], "'zz*' is no stage"),
        (["/etc/passwd"], "'/etc/passwd' is no stage"),
        (["../pivot.yaml"], "'../pivot.yaml' is no stage"),
        (["clean", "xyzzy", "reprot"],
         "'xyzzy' is no stage; 'reprot' is no stage (did you mean 'report'?)"),
    ],
)  # fmt: skip
def test_every_unknown_target_is_named_with_the_nearest(targets: list[str], problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(*targets)

    assert caught.value.message == problem
    assert caught.value.hint == "'pivot list' shows all stages"


def test_an_end_that_several_have_is_not_guessed() -> None:
    only = {name: stage(name) for name in ("nlp/fit", "cv/fit")}
    pipeline = Pipeline(only, dict.fromkeys(only, ()))

    with pytest.raises(UsageError, match="'fit' may be any of the stages cv/fit, nlp/fit"):
        choose_stages(pipeline, ["fit"])


def test_the_end_of_a_name_may_be_that_of_a_matrix() -> None:
    names = ("nlp/fit@a", "nlp/fit@b", "nlp/refit")
    pipeline = Pipeline({name: stage(name) for name in names}, dict.fromkeys(names, ()))

    assert choose_stages(pipeline, ["fit"]) == {"nlp/fit@a", "nlp/fit@b"}
    assert choose_stages(pipeline, ["fit@a"]) == {"nlp/fit@a"}


@given(st.text(st.sampled_from("cleantrifp/.@*?[]_1 é\\")), st.sampled_from(["", "nlp", "x/y"]))
def test_any_target_means_stages_or_is_refused(target: str, here: str) -> None:
    try:
        names = chosen(target, here=here)
    except UsageError as error:
        assert repr(target)[1:-1] in error.message or target in error.message
    else:
        assert names
        assert names <= NEEDS.keys()
