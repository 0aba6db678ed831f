"""Lock files that are written: what they record reads back, to the byte the same each time."""

from __future__ import annotations

import math
import os
import random
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pivot.documents import parse_yaml
from pivot.errors import LocalError
from pivot.fingerprint import fingerprint
from pivot.lock_writer import Record, as_text, lock_path, render_lock, write_lock
from pivot.lockfile import StageLock, load_lock, parse_lock
from pivot.objects import Digest, Directory, File, Output, tree_digest
from pivot.stage import DeclaredOutput, Stage
from pivot.values import Typed
from tests.unit.values import directory_of, file_of

T = TypeVar("T")
LIKE_NUMBERS = [
    "4083673417683763", "0312326610214333", "0438815433690687", "58145e3962511143",
    "1234567890123456", "0000000000000000", "12345678901234e5", "0e00000000000000",
]  # fmt: skip
"""Digests that readers of YAML may take for numbers."""


def stage(*outputs: DeclaredOutput, dependencies: tuple[str, ...] = ()) -> Stage:
    return Stage("t", "t", "pivot.yaml", 2, ("run",), outputs=outputs, dependencies=dependencies)


def running(*commands: str, directory: str = "") -> Stage:
    return Stage("t", "t", "pivot.yaml", commands=commands, directory=directory)


def read(data: bytes, name: str = "t") -> StageLock:
    return parse_lock(parse_yaml(data, "t.lock"), lock_path(name), dependencies=True)


def test_a_lock_looks_like_that_of_the_documentation() -> None:
    record = Record(
        stage(DeclaredOutput("out/clean.txt"), dependencies=("data/raw.csv",)),
        {"seed": 7, "lr": 0.5},
        (file_of("data/raw.csv", b"x"),),
        (file_of("out/clean.txt", b""),),
    )

    assert render_lock(record).decode() == (
        "schema_version: 2\n"
        "code_manifest:\n"
        f"  cmd: {fingerprint(record.stage, {})['cmd']}\n"
        f"  params: {fingerprint(record.stage, record.parameters)['params']}\n"
        "params:\n"
        "  lr: 0.5\n"
        "  seed: 7\n"
        "deps:\n"
        "- path: data/raw.csv\n"
        "  hash: 5c80c09683041123\n"
        "  producer: data/raw.csv\n"
        "  key: null\n"
        "  size: 1\n"
        "outs:\n"
        "- path: out/clean.txt\n"
        "  hash: ef46db3751d8e999\n"
        "  key: null\n"
        "  size: 0\n"
    )


def test_of_several_outputs_each_has_its_path_for_a_key() -> None:
    outputs = (file_of("b", b"b"), file_of("a", b"a"))
    record = Record(stage(*map(DeclaredOutput, "ba")), {}, (), outputs)

    seen = yaml.safe_load(render_lock(record))["outs"]

    assert [(entry["path"], entry["key"]) for entry in seen] == [("a", "a"), ("b", "b")]


def test_what_is_left_to_git_says_so() -> None:
    record = Record(stage(DeclaredOutput("m", cached=False)), {}, (), (file_of("m", b""),))

    seen = yaml.safe_load(render_lock(record))["outs"]

    assert seen[0]["cached"] is False
    assert read(render_lock(record)).uncached == (file_of("m", b""),)


@pytest.mark.parametrize("digest", LIKE_NUMBERS)
def test_a_digest_that_looks_like_a_number_is_text(digest: str) -> None:
    file = File("x", Digest(digest), 1, executable=True)
    inside = File("d/1e5", Digest(digest), 1, executable=False)
    whole = Directory("d", tree_digest([inside], [], above="d"), (inside,))
    record = Record(stage(DeclaredOutput("x"), DeclaredOutput("d")), {}, (), (file, whole))

    assert read(render_lock(record)).outputs == (whole, file)
    assert yaml.safe_load(render_lock(record))["outs"][1]["hash"] == digest


def test_a_producer_has_no_colon() -> None:
    record = Record(stage(dependencies=("a:b",)), {}, (file_of("a:b", b""),), ())

    (entry,) = yaml.safe_load(render_lock(record))["deps"]

    assert (entry["path"], entry["producer"]) == ("a:b", "a%3Ab")


def test_an_empty_directory_is_one() -> None:
    empty = directory_of("d", {})
    nested = directory_of("e", {}, empty=("a/b", "c"))
    record = Record(stage(DeclaredOutput("d"), DeclaredOutput("e")), {}, (nested,), (empty, nested))

    seen = read(render_lock(record))

    assert [(o.path, o.digest) for o in seen.outputs] == [
        (o.path, o.digest) for o in (empty, nested)
    ]
    assert seen.dependencies == (nested,)


@pytest.mark.parametrize("name", ["t", "nlp/t@a_1", "a.b/1e5"])
def test_a_lock_is_named_after_its_stage(tmp_path: Path, name: str) -> None:
    path = write_lock(tmp_path, Record(Stage(name, name, "pivot.yaml", 1, ("x",)), {}, (), ()))

    assert path == tmp_path / f".pivot/stages/{name}.lock"
    assert load_lock(path, tmp_path).stage == name


def test_a_lock_that_says_the_same_is_not_touched(tmp_path: Path) -> None:
    record = Record(stage(DeclaredOutput("o")), {}, (), (file_of("o", b""),))
    path = write_lock(tmp_path, record)
    os.utime(path, ns=(1, 1))
    before = path.stat()
    write_lock(tmp_path, record)

    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_lock_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = write_lock(tmp_path, Record(stage(), {}, (), ()))
    path.chmod(0o640)
    with path.open("rb") as old:
        write_lock(tmp_path, Record(stage(), {"a": 1}, (), ()))

        assert read(old.read()).parameters == {}
    assert load_lock(path, tmp_path).parameters == {"a": "1"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(path.parent) == ["t.lock"]


def test_a_lock_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".pivot").write_text("in the way")

    with pytest.raises(LocalError, match=r"\.pivot"):
        write_lock(tmp_path, Record(stage(), {}, (), ()))


TEXTS = (
    st.text(max_size=8)
    | st.sampled_from(LIKE_NUMBERS)
    | st.sampled_from([
        "", "null", "~", "true", "No", "1e5", "0123", "0x1F", "1:30", "1_000", ".inf", "<<", "=",
        "a: b", "- a", "#a", "a #b", "'", '"', "|", "%", "@", "`", "&a", "*a", "!a", "? a", "{",
        "[", " a ", "a\n", "\n", "\ta", "a\r", "\x00", "\x85", "\u2028", "\ufeff", "\ufffe", "😀",
        "a" * 200,
        "manifest:", "- relpath: a", "2026-01-01",
    ])
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
PARAMETERS = st.dictionaries(TEXTS, TREES, max_size=5)
DIGESTS = st.integers(0, 2**64 - 1).map(lambda number: f"{number:016x}") | st.sampled_from(
    LIKE_NUMBERS
)
NAMES = st.sampled_from([
    "a", "b", "1e5", "0123", "null", "~", "é", "日本", "a b", " a", "a ", "a:b", "a\nb", "#x", "-",
    "'", '"', "*", "&a", "a.lock", "x" * 120, "\u0301", "e\u0301",
])  # fmt: skip


@st.composite
def contents(draw: st.DrawFn, path: str) -> Output:
    size = st.integers(0, 2**50)
    if draw(st.booleans()):
        executable = draw(st.sampled_from([None, True]))
        return File(path, Digest(draw(DIGESTS)), draw(size), executable)
    names = draw(st.lists(NAMES, unique=True, max_size=5))
    above = draw(st.sampled_from(["", "sub/"]))
    files = tuple(
        File(f"{path}/{above}{name}", Digest(draw(DIGESTS)), draw(size), draw(st.booleans()))
        for name in sorted(names)
    )
    empty = tuple(f"{path}/{name}" for name in sorted(draw(st.lists(NAMES, unique=True))))
    return Directory(path, tree_digest(files, empty, above=path), files, empty)


@st.composite
def records(draw: st.DrawFn) -> Record:
    paths = draw(st.lists(NAMES, unique=True, max_size=6))
    cut = draw(st.integers(0, len(paths)))
    declared = tuple(DeclaredOutput(path, cached=draw(st.booleans())) for path in paths[:cut])
    return Record(
        stage(*declared, dependencies=tuple(paths[cut:])),
        draw(PARAMETERS),
        tuple(draw(contents(path)) for path in paths[cut:]),
        tuple(draw(contents(path)) for path in paths[:cut]),
    )


@given(records())
def test_what_is_recorded_reads_back(record: Record) -> None:
    seen = read(render_lock(record))

    cached = {each.path for each in record.stage.outputs if each.cached}
    by_path = sorted(record.outputs, key=lambda each: each.path)
    assert list(seen.outputs) == [o for o in by_path if o.path in cached]
    assert list(seen.uncached) == [o for o in by_path if o.path not in cached]
    assert seen.undecided == ()
    assert list(seen.dependencies) == sorted(record.dependencies, key=lambda each: each.path)
    assert seen.manifest == fingerprint(record.stage, record.parameters)
    assert seen.parameters == as_text(record.parameters)


@given(records(), st.randoms())
def test_the_order_of_what_is_declared_does_not_matter(
    record: Record, chance: random.Random
) -> None:
    names = _shuffled(record.parameters, chance)
    other = Record(
        record.stage,
        {name: record.parameters[name] for name in names},
        tuple(_shuffled(record.dependencies, chance)),
        tuple(_shuffled(record.outputs, chance)),
    )

    assert render_lock(other) == render_lock(record)


def _shuffled(items: Iterable[T], chance: random.Random) -> list[T]:
    listed = list(items)
    chance.shuffle(listed)
    return listed


@given(records())
def test_other_readers_of_yaml_see_the_same_digests(record: Record) -> None:
    seen = yaml.safe_load(render_lock(record))

    paths = {entry["path"]: entry["hash"] for entry in (*seen["deps"], *seen["outs"])}
    assert paths == {o.path: o.digest for o in (*record.dependencies, *record.outputs)}
    for entry in seen["outs"]:
        for item in entry.get("manifest", ()):
            assert isinstance(item["relpath"], str)
            assert len(item["hash"]) == 16


@given(PARAMETERS)
@example({"files": [{"relpath": "a", "hash": "5c80c09683041123", "size": 1, "isexec": True}] * 3})
@example({"manifest": [{"relpath": "a", "hash": "1e5", "size": "1", "isexec": "no"}]})
@example(
    {"outs": "manifest:\n- relpath: a\n  hash: 5c80c09683041123\n  size: 1\n  isexec: false\n"}
)
@example({"same": ["x"] * 3, "again": [{"a": 1}] * 3})
@example({"n": -0.0, "big": 10**400, "inf": math.inf, "nan": math.nan})
def test_parameters_read_back_as_their_text(parameters: dict[str, Typed]) -> None:
    record = Record(stage(), parameters, (), ())

    assert read(render_lock(record)).parameters == as_text(parameters)


def test_the_deepest_parameters_that_can_be_read_can_be_recorded() -> None:
    tree: Typed = "x"
    for _ in range(97):  # 50 of a file, put into 47 of pivot.yaml
        tree = [tree]
    record = Record(stage(), {"deep": tree}, (), ())

    assert read(render_lock(record)).parameters == {"deep": as_text({"a": tree})["a"]}


@given(TREES, TREES)
def test_other_values_have_another_fingerprint(one: Typed, other: Typed) -> None:
    same = repr(_sorted(one)) == repr(_sorted(other))

    seen = [fingerprint(stage(), {"a": value})["params"] for value in (one, other)]

    assert (seen[0] == seen[1]) == same


def _sorted(tree: Typed) -> Typed:
    match tree:
        case dict():
            return {key: _sorted(tree[key]) for key in sorted(tree)}
        case list():
            return [_sorted(inner) for inner in tree]
    return tree


def test_what_a_stage_does_not_have_has_no_fingerprint() -> None:
    assert fingerprint(stage(), {}).keys() == {"cmd"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (running("a", "b"), running("a\nb")),
        (running("a", "b"), running("b", "a")),
        (running("a"), running("a", directory="d")),
        (running("d", "a"), running("a", directory="d")),
    ],
)
def test_other_commands_have_another_fingerprint(one: Stage, other: Stage) -> None:
    assert fingerprint(one, {}) != fingerprint(other, {})


def test_the_order_of_variables_does_not_matter() -> None:
    one = Stage("t", "t", "p", commands=("a",), environment={"A": "1", "B": "2"})
    other = Stage("t", "t", "p", commands=("a",), environment={"B": "2", "A": "1"})

    assert fingerprint(one, {}) == fingerprint(other, {})
    assert fingerprint(one, {}).keys() == {"cmd", *(f"env:{name}" for name in one.environment)}
