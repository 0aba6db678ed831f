"""Which stage needs which: from pivot.yaml, from lock files of all releases, from both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.documents import parse_yaml
from pivot.lockfile import StageLock, parse_lock
from pivot.objects import Digest, files_of
from pivot.pipeline import Pipeline
from pivot.project import find_project
from pivot.stage_needs import inputs_of, join_stages, stage_needs
from tests.projects import VERSIONS, ProjectBuilder, digest, dump, tree_digest, unpack
from tests.unit.test_pipeline import one

SAME = digest(b"x")


def lock(
    name: str,
    outs: Mapping[str | None, str],
    deps: Sequence[Mapping[str, Any]] = (),
    manifest: Mapping[str, str] | None = None,
) -> StageLock:
    """Read a lock whose *outs* are paths by key."""
    made = [{"key": key, "hash": SAME, "path": path} for key, path in outs.items()]
    read = [{"hash": SAME, **entry} for entry in deps]
    tree = {"code_manifest": manifest or {}, "params": {}, "deps": read, "outs": made}
    document = f".pivot/stages/{name}.lock"
    return parse_lock(parse_yaml(dump(tree).encode(), document), document, dependencies=True)


def wire(producer: str, key: str | None = None) -> dict[str, Any]:
    return {"producer": producer, "key": key}


def places(lock_: StageLock, *others: StageLock) -> list[str]:
    return [one.path for one in inputs_of(lock_, {each.stage: each for each in others})]


def test_a_dependency_is_where_its_producer_put_it() -> None:
    make = lock("demo/make", {"model": "data/demo/make/model.bin", "s": "metrics/demo/make/s.json"})
    alone = lock("demo/alone", {None: "data/demo/alone.txt"})
    read = lock("demo/read", {}, [wire("demo/make", "model"), wire("demo/alone")])

    assert places(read, make, alone) == ["data/demo/make/model.bin", "data/demo/alone.txt"]


def test_an_input_is_where_its_wire_says() -> None:
    manifest = {
        "wire:raw": "raw.txt",
        "wire:raw:path": "data/raw/raw.txt",
        "wire:same": "in.csv",
        "wire:same:path": "in.csv",
        "wire:clean": "demo/prep",
    }
    read = lock("demo/read", {}, [wire("raw.txt"), wire("in.csv"), wire("nowhere")], manifest)

    assert places(read) == ["data/raw/raw.txt", "in.csv"]


def test_a_key_may_name_one_file_of_a_directory() -> None:
    many = lock("many", {"a": "data/many/a", "a/b": "data/many/ab"})
    single = lock("single", {None: "data/single"})
    keys = [("many", "a/x.txt"), ("many", "a/b/x.txt"), ("single", "sub/x.txt"), ("many", "c")]
    read = lock("read", {}, [wire(*each) for each in keys])

    assert places(read, many, single) == [
        "data/many/a/x.txt",
        "data/many/ab/x.txt",
        "data/single/sub/x.txt",
    ]


@pytest.mark.parametrize("key", ["../../etc/passwd", "a//b", ".git/config", "a/../../b", "x\0"])
def test_a_key_leads_nowhere_else(key: str) -> None:
    make = lock("make", {None: "data/make"})

    assert places(lock("read", {}, [wire("make", key)]), make) == []


def test_a_directory_comes_with_its_files() -> None:
    files = [{"relpath": "a/b", "hash": SAME, "size": 1, "isexec": False}]
    whole = {"manifest": files, "empty_dirs": ["e"], "hash": tree_digest(files, ["e"])}
    manifest = {"wire:imgs": "imgs", "wire:imgs:path": "data/imgs"}
    (seen,) = inputs_of(lock("read", {}, [wire("imgs") | whole], manifest), {})

    assert seen.digest == Digest(tree_digest(files, ["e"]))
    assert [file.path for file in files_of(seen)] == ["data/imgs/a/b"]
    assert getattr(seen, "empty", None) == ("data/imgs/e",)


@pytest.mark.parametrize(
    "entry",
    [
        {"producer": ["a"], "key": None},
        {"producer": "a", "key": ["b"]},
        {"producer": "a", "key": None, "hash": "nonsense"},
        {"producer": "a", "key": None, "manifest": "none"},
        {"producer": "a", "key": None, "manifest": [{"relpath": "../x"}]},
        {},
    ],
    ids=str,
)
def test_what_is_no_dependency_is_left_out(entry: dict[str, Any]) -> None:
    assert lock("read", {}, [entry]).wires == ()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_graph_of_a_real_project(version: str, tmp_path: Path) -> None:
    fixture = unpack(version, tmp_path)
    needs = stage_needs(find_project(fixture.project, {"HOME": "/nonexistent"}))

    above = "" if version == "0.1.0" else "demo/"
    prep = f"{above}prep"
    behind = {f"{above}{name}" for name in ("train", "fit@a_b", "fit@c.d")}
    assert needs[prep] == ()
    assert {name for name, needed in needs.items() if needed == (prep,)} >= behind
    assert {other for needed in needs.values() for other in needed} == {prep}
    assert list(needs).index(prep) < min(list(needs).index(name) for name in behind)


def test_each_comes_after_what_it_needs_and_otherwise_as_it_was() -> None:
    locks = [
        lock("c", {None: "c"}, [wire("b")]),
        lock("z", {None: "z"}),
        lock("b", {None: "b"}, [wire("a")]),
        lock("a", {None: "a"}),
    ]

    assert join_stages(None, locks) == {"z": (), "a": (), "b": ("a",), "c": ("b",)}
    assert list(join_stages(None, locks)) == ["z", "a", "b", "c"]


def test_one_needs_those_that_make_what_lies_in_and_around_what_it_reads() -> None:
    locks = [
        lock("parts", {"a": "data/a", "b": "data/b"}),
        lock("whole", {None: "out"}),
        lock("reads", {None: "r"}, [{"path": "data"}, {"path": "out/x/y"}, {"path": "database"}]),
    ]

    assert join_stages(None, locks)["reads"] == ("parts", "whole")


def test_one_needs_its_producer_also_when_its_output_is_not_recorded_any_more() -> None:
    locks = [lock("a", {"x": "data/x"}), lock("b", {None: "b"}, [wire("a", "y"), wire("gone")])]

    assert join_stages(None, locks)["b"] == ("a",)


def test_locks_in_a_circle_have_no_edges_rather_than_no_order() -> None:
    locks = [lock("a", {None: "a"}, [wire("b")]), lock("b", {None: "b"}, [wire("a")])]

    assert join_stages(None, locks) == {"a": (), "b": ()}
    assert join_stages(one(c="> c", d="c > d"), locks) == {"a": (), "b": (), "c": (), "d": ("c",)}


def test_a_pipeline_and_locks_are_one_graph() -> None:
    pipeline = one(mine="theirs > mine", last="mine old > last")
    locks = [
        lock("py", {None: "theirs"}, [{"path": "raw"}]),
        lock("renamed", {None: "mine"}),  # the pipeline says who makes it now
        lock("after", {None: "after"}, [{"path": "last"}]),
        lock("mine", {None: "mine"}, [{"path": "after"}]),  # as it was once
    ]

    assert join_stages(pipeline, locks) == {
        "py": (),
        "mine": ("py",),
        "last": ("mine",),
        "renamed": (),
        "after": ("last",),
    }


@pytest.mark.parametrize(
    "text",
    [
        "stages: [",
        "stages: 3",
        "\0",
        "- a",
        "stages: {a: {cmd: x, outs: [o]}, b: {cmd: x, outs: [o]}}",
        "stages: {a: {cmd: x, deps: [o], outs: [o]}}",
        "stages: &a {b: *a}",
        "[" * 5000,
        "\xff\xfe",
        "a: !!python/object:os.system x",
    ],
)
def test_a_pipeline_that_is_wrong_leaves_the_graph_of_the_locks(text: str, tmp_path: Path) -> None:
    builder = ProjectBuilder(tmp_path)
    builder.stage("a", {"a.txt": b"a"})
    builder.stage("b", {"b.txt": b"b"}, after=["a"])
    (tmp_path / "pivot.yaml").write_text(text, encoding="latin-1")

    seen = stage_needs(find_project(tmp_path, {"HOME": "/nonexistent"}))

    assert seen == {"a": (), "b": ("a",)}


def test_a_lock_that_is_wrong_leaves_no_graph(tmp_path: Path) -> None:
    ProjectBuilder(tmp_path).workspace(".pivot/stages/a.lock", b"nonsense")

    assert stage_needs(find_project(tmp_path, {"HOME": "/nonexistent"})) == {}


names = st.sampled_from("abcdef")


@given(st.dictionaries(names, st.lists(st.tuples(names, st.sampled_from(["", "x", "../x"])))))
def test_any_locks_have_an_order(edges: dict[str, list[tuple[str, str]]]) -> None:
    locks = [
        lock(name, {None: f"out/{name}"}, [wire(maker, key) for maker, key in makers])
        for name, makers in edges.items()
    ]
    seen = join_stages(Pipeline({}, {}), locks)

    assert seen.keys() == edges.keys()
    assert all(need in seen and need != name for name, needs in seen.items() for need in needs)
    order = list(seen)
    assert all(order.index(need) < order.index(name) for name in seen for need in seen[name])
