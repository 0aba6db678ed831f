"""Targets: what a user's words mean, and contradictions between documents."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.errors import IntegrityError, UsageError
from pivot.objects import Digest, Directory, File, files_of
from pivot.targets import Reference, References, select
from tests.unit.values import (
    directory_of,
    file_of,
    references_of,
    stage_output,
    tracked_output,
)

MODEL = stage_output("demo/train", file_of("data/demo/train/model.bin", b"model"))
PARTS = stage_output(
    "demo/train",
    directory_of(
        "data/demo/train/parts", {"a": b"a", "sub/b": b"b", "sub/c": b"c"}, empty=("e/f",)
    ),
)
CLEAN = stage_output("demo/clean", file_of("data/demo/clean.csv", b"clean"))
OTHER = stage_output("other/clean", file_of("data/other/clean.csv", b"other"))
RAW = tracked_output(file_of("raw/x.csv", b"raw"))
ALL = references_of(MODEL, PARTS, CLEAN, OTHER, RAW, uncached={"metrics/demo/s.json": "demo/train"})


def paths(chosen: tuple[Reference, ...]) -> set[str]:
    return {file.path for entry in chosen for file in files_of(entry.output)}


def outputs(chosen: tuple[Reference, ...]) -> set[str]:
    return {entry.output.path for entry in chosen}


def test_without_targets_everything_is_meant() -> None:
    assert select(ALL, ()) == ALL.entries


@pytest.mark.parametrize(
    ("target", "here", "meant"),
    [
        ("demo/train", "", {MODEL.output.path, PARTS.output.path}),
        ("train", "", {MODEL.output.path, PARTS.output.path}),
        ("demo/train", "raw", {MODEL.output.path, PARTS.output.path}),
        ("demo/clean", "", {CLEAN.output.path}),
        ("data/demo/clean.csv", "", {CLEAN.output.path}),
        ("./data//demo/../demo/clean.csv/", "", {CLEAN.output.path}),
        ("clean.csv", "data/demo", {CLEAN.output.path}),
        ("../raw", "data", {RAW.output.path}),
        ("raw/x.csv", "", {RAW.output.path}),
        ("raw/x.csv.pvt", "", {RAW.output.path}),
        ("x.csv.pvt", "raw", {RAW.output.path}),
        (".pivot/stages/demo/clean.lock", "", {CLEAN.output.path}),
        ("data/demo", "", {MODEL.output.path, PARTS.output.path, CLEAN.output.path}),
        (".", "", {entry.output.path for entry in ALL.entries}),
        (".", "raw", {RAW.output.path}),
        ("data/demo/train/parts", "", {"data/demo/train/parts"}),
        ("data/demo/train/parts/sub", "", {"data/demo/train/parts/sub"}),
        ("data/demo/train/parts/sub/b", "", {"data/demo/train/parts/sub/b"}),
        ("data/demo/train/parts/e", "", {"data/demo/train/parts/e"}),
    ],
)
def test_a_target_is_a_stage_or_a_path(target: str, here: str, meant: set[str]) -> None:
    assert outputs(select(ALL, [target], here=here)) == meant


@pytest.mark.parametrize("here", ["", "raw"])
def test_an_absolute_path_inside_the_project_is_a_target(here: str) -> None:
    assert select(ALL, ["/home/ana/project/raw/x.csv"], here=here, root="/home/ana/project") == (
        RAW,
    )


def test_an_absolute_path_elsewhere_is_refused() -> None:
    with pytest.raises(UsageError, match="outside project root"):
        select(ALL, ["/home/ana/other/raw/x.csv"], root="/home/ana/project")


def test_a_directory_inside_an_output_has_its_files_and_empty_directories_alone() -> None:
    (part,) = select(ALL, ["data/demo/train/parts/sub"])
    (empty,) = select(ALL, ["data/demo/train/parts/e"])

    assert paths((part,)) == {"data/demo/train/parts/sub/b", "data/demo/train/parts/sub/c"}
    assert isinstance(empty.output, Directory)
    assert (empty.output.files, empty.output.empty) == ((), ("data/demo/train/parts/e/f",))
    assert part.owner == "demo/train"


@pytest.mark.parametrize("target", ["demo/fit", "fit"])
def test_the_name_of_a_matrix_means_all_its_stages(target: str) -> None:
    one = stage_output("demo/fit@a", file_of("a.bin", b"a"))
    other = stage_output("demo/fit@b_1", file_of("b.bin", b"b"))
    last = stage_output("demo/fitted@a", file_of("c.bin", b"c"))

    assert outputs(select(references_of(one, other, last), [target])) == {"a.bin", "b.bin"}


def test_a_stage_wins_over_a_path_of_the_same_name() -> None:
    same = stage_output("x", file_of("elsewhere", b"1"))
    there = stage_output("y", file_of("x", b"2"))

    assert select(references_of(same, there), ["x"]) == (same,)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("", "may not be empty"),
        ("..", "outside project root"),
        ("../x", "outside project root"),
        ("/etc/passwd", "outside project root"),
        ("clean", "may be any of the stages demo/clean, other/clean"),
        ("metrics/demo/s.json", "not cached: git keeps it"),
        ("nowhere", "not a tracked file or stage output"),
        ("data/demo/clean.csv/inside", "not a tracked file or stage output"),
        ("data/demo/train/parts/absent", "not a tracked file or stage output"),
        ("rai", "not a tracked file or stage output"),
    ],
)
def test_a_target_that_means_nothing_is_refused_with_the_reason(target: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        select(ALL, [target])


def test_every_wrong_target_is_named_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        select(ALL, ["nowhere", "demo/train", "", "clean"])

    assert "'nowhere'" in caught.value.message
    assert "may not be empty" in caught.value.message
    assert "any of the stages" in caught.value.message


@pytest.mark.parametrize(
    ("target", "meant"),
    [("demo/trian", "demo/train"), ("trian", "demo/train"), ("raw/y.csv", "raw/x.csv")],
)
def test_a_misspelt_target_is_answered_with_the_near_ones(target: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean .*'{meant}'"):
        select(ALL, [target])


def test_a_directory_and_its_parts_are_the_directory_once() -> None:
    chosen = select(ALL, ["data/demo/train/parts/sub", "data/demo/train/parts", "train"])

    assert outputs(chosen) == {MODEL.output.path, PARTS.output.path}


def conflicting(one: File | Directory, other: File | Directory) -> References:
    return references_of(stage_output("first", one), stage_output("second", other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (file_of("x", b"1"), file_of("x", b"2")),
        (file_of("d/a", b"1"), directory_of("d", {"a": b"2"})),
        (directory_of("d", {"a": b"1"}), directory_of("d", {"a": b"2"})),
        (directory_of("d", {"a": b"1"}), directory_of("d", {"b": b"1"})),
        (directory_of("d", {"a": b"1"}), directory_of("d", {})),
        (file_of("d", b"1"), directory_of("d", {"a": b"1"})),
        (file_of("d", b"1"), directory_of("d", {}, empty=("e",))),
        (file_of("d/a", b"1"), directory_of("d", {"a/b": b"1"})),
    ],
    ids=str,
)
def test_two_documents_that_contradict_each_other_are_an_error_that_names_both(
    one: File | Directory, other: File | Directory
) -> None:
    with pytest.raises(IntegrityError) as caught:
        select(conflicting(one, other), ())

    assert ".pivot/stages/first.lock" in caught.value.message
    assert ".pivot/stages/second.lock" in caught.value.message


def test_two_documents_may_say_the_same_in_different_detail() -> None:
    bare = File("x", file_of("x", b"1").digest)
    chosen = select(conflicting(bare, file_of("x", b"1")), ())

    assert outputs(chosen) == {"x"}


def test_a_directory_of_two_generations_is_one() -> None:
    new = directory_of("d", {"a": b"1"})
    old = replace(new, skips_ignored=True)

    assert outputs(select(conflicting(new, old), ())) == {"d"}


def test_a_contradiction_that_is_not_meant_stops_nobody() -> None:
    entries = references_of(
        stage_output("first", file_of("x", b"1")),
        stage_output("second", file_of("x", b"2")),
        RAW,
    )

    assert select(entries, ["raw"]) == (RAW,)


NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@st.composite
def projects(draw: st.DrawFn) -> References:
    """Draw stages whose outputs lie beside each other, as a pipeline's do."""
    entries = []
    for number, name in enumerate(sorted(draw(st.sets(PATHS, min_size=1, max_size=5)))):
        place = f"out{number}/{name}"
        contents = draw(st.dictionaries(NAMES, st.binary(max_size=2), max_size=3))
        whole = directory_of(place, contents, empty=("empty",))
        entries.append(stage_output(f"s/{name}", whole if contents else file_of(place, b"")))
    return references_of(*entries)


@given(projects())
def test_all_stages_are_everything(references: References) -> None:
    assert set(select(references, sorted(references.stages))) == set(select(references, ()))


@given(projects(), st.data())
def test_the_order_of_targets_means_nothing(references: References, data: st.DataObject) -> None:
    known = sorted(references.stages | paths(references.entries))
    targets = data.draw(st.lists(st.sampled_from([*known, "."]), min_size=1))
    other = data.draw(st.permutations(targets))

    assert set(select(references, targets)) == set(select(references, other))


@given(projects(), st.data())
def test_targets_together_mean_what_they_mean_one_by_one(
    references: References, data: st.DataObject
) -> None:
    known = sorted(references.stages | paths(references.entries))
    targets = data.draw(st.lists(st.sampled_from(known), min_size=1))

    together = paths(select(references, targets))

    assert together == {path for target in targets for path in paths(select(references, [target]))}


@given(projects())
def test_every_path_above_a_file_means_at_least_that_file(references: References) -> None:
    for path in paths(references.entries):
        above = path
        while above:
            assert path in paths(select(references, [above]))
            above = above.rpartition("/")[0]


def test_a_digest_of_a_part_is_not_that_of_the_whole() -> None:
    (part,) = select(ALL, ["data/demo/train/parts/sub"])

    assert part.output.digest == Digest("")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("data/demo/*.csv", {"data/demo/clean.csv"}),
        ("data/*/clean.csv", {"data/demo/clean.csv", "data/other/clean.csv"}),
        ("**/clean.csv", {"data/demo/clean.csv", "data/other/clean.csv"}),
        ("data/**/clean.csv", {"data/demo/clean.csv", "data/other/clean.csv"}),
        ("*.csv", set()),
        ("raw/?.csv", {"raw/x.csv"}),
        ("raw/[!y].[c]sv", {"raw/x.csv"}),
        ("raw/[z-a].csv", set()),
        ("raw*", {"raw/x.csv"}),  # a directory above outputs, as a shell would name it
        ("data/demo/train/parts/sub/*", {f"data/demo/train/parts/sub/{n}" for n in "bc"}),
        ("data/demo/train/parts/**/b", {"data/demo/train/parts/sub/b"}),
        ("data/demo/train/parts/s*", {"data/demo/train/parts/sub"}),
        ("**/c", {"data/demo/train/parts/sub/c"}),
        ("data/demo/train/*/a", {"data/demo/train/parts/a"}),
        ("data/demo/train/**", {"data/demo/train/model.bin", "data/demo/train/parts"}),
        ("demo/tr*", {"data/demo/train/model.bin", "data/demo/train/parts"}),  # stages, at last
    ],
)
def test_a_pattern_names_what_it_matches(pattern: str, expected: set[str]) -> None:
    if not expected:
        with pytest.raises(UsageError, match="matches no output, nor a file inside of one"):
            select(ALL, [pattern])
        return

    assert outputs(select(ALL, [pattern])) == expected


def test_a_pattern_that_matches_nothing_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"did you mean 'data/demo/clean.csv'"):
        select(ALL, ["data/demo/clean.cvs*"])


def test_a_pattern_of_what_git_keeps_says_so() -> None:
    with pytest.raises(UsageError, match=r"git keeps 'metrics/demo/s.json'"):
        select(ALL, ["metrics/**"])


def test_a_directory_named_like_a_pattern_is_only_a_directory() -> None:
    odd = stage_output("odd", file_of("a[1]/x*.csv", b"1"))
    other = stage_output("other", file_of("a1/xx.csv", b"2"))
    both = references_of(odd, other)

    assert select(both, ["*.csv"], here="a[1]") == (odd,)
    assert select(both, ["x*.csv"], here="a[1]") == (odd,)
    assert select(both, ["a[1]/x*.csv"]) == (odd,)
    assert select(both, ["a?/x*.csv"]) == (other,)
    with pytest.raises(UsageError):
        select(both, ["xx.csv"], here="a[1]")
