"""Stages known by their lock alone: dependencies of all releases compared with what is there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pivot import api
from pivot.errors import ExitCode
from pivot.stage_states import State
from tests.projects import clone, unpack
from tests.unit.bench import Bench, session_at

HIT, CHANGED, UNKNOWN, WAITING, MISSING = (
    *(State.HIT, State.CHANGED, State.UNKNOWN),
    *(State.WAITING, State.MISSING),
)


@pytest.fixture(name="bench")
def _bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "a project")


def test_stages_known_by_lock_alone_are_compared_by_their_dependencies(bench: Bench) -> None:
    build = bench.builder
    build.stage("a", {"a.txt": b"a"})
    build.stage("b", {"b.txt": b"b"}, after=["a"])
    build.stage("c", {"c.txt": b"c"}, after=["b"])
    before = bench.status()
    build.stage("a", {"a.txt": b"A"})  # somebody ran a alone
    after = bench.status()

    assert [stage.state for stage in before.stages] == [UNKNOWN] * 3
    assert before.ready == ("a",)
    assert [(s.name, s.state, s.needs) for s in after.stages] == [
        ("a", UNKNOWN, ()),
        ("b", CHANGED, ("a",)),
        ("c", WAITING, ("b",)),
    ]
    assert after.stages[1].reason == "a.txt changed"
    assert after.ready == ("a", "b")
    assert after.problems == ()


def test_a_changed_input_is_seen_at_its_path(bench: Bench) -> None:
    bench.builder.workspace("raw.csv", b"raw")
    bench.builder.stage("a", {"a.txt": b"a"})
    bench.reads("a", **{"raw.csv": b"raw"})
    assert bench.states() == {"a": UNKNOWN}

    bench.builder.workspace("raw.csv", b"other")
    (seen,) = bench.status().stages

    assert (seen.state, seen.reason) == (CHANGED, "raw.csv changed")


@pytest.mark.parametrize("version", ["0.1.0", "0.2.4", "0.3.11", "0.5.11"])
def test_a_changed_input_of_the_real_pivot_is_seen(version: str, tmp_path: Path) -> None:
    fixture = unpack(version, tmp_path / "fixture")
    root = clone(fixture, tmp_path / "clone")
    shutil.copytree(fixture.cache, root / ".pivot/cache", dirs_exist_ok=True)
    session = session_at(root)
    before = api.status(session, online=False)
    place = root / ("data/raw.csv" if version == "0.1.0" else "data/raw/raw.txt")
    assert place.exists()
    place.write_bytes(b"other")
    after = api.status(session, online=False)

    stages = {stage.name.rpartition("/")[2]: stage for stage in after.stages}
    assert all(s.state in {UNKNOWN, HIT} for s in before.stages)
    assert {s.state for s in before.stages if s.lock.endswith(".lock")} == {UNKNOWN}
    assert stages["prep"].state is CHANGED
    assert {n for n, s in stages.items() if s.state is WAITING} >= {"train", "fit@a_b", "fit@c.d"}
    assert stages["nodeps"].state is UNKNOWN
    assert stages["prep"].name in after.ready
    assert stages["train"].name not in after.ready


def test_an_input_that_can_be_had_nowhere_keeps_its_stage_from_running(bench: Bench) -> None:
    bench.builder.tracked("raw.csv", b"raw")
    bench.builder.stage("a", {"a.txt": b"a"})
    bench.reads("a", **{"raw.csv": b"raw"})
    bench.share()
    assert bench.status().ready == ("a",)

    bench.lose(b"raw", also_on_remote=False)
    assert bench.status().ready == ("a",)

    bench.lose(b"raw")
    seen = bench.status()
    assert [(s.state, s.reason) for s in seen.stages] == [
        (UNKNOWN, "raw.csv is not there"),
        (MISSING, "1 of 1 objects can be had nowhere"),
    ]
    assert (seen.to_run, seen.ready) == (("a",), ())
    assert [(p.code, p.owner) for p in seen.problems] == [(ExitCode.MISSING, "raw.csv")]


def test_an_input_that_nobody_records_and_that_is_gone_has_changed(bench: Bench) -> None:
    bench.builder.stage("a", {"a.txt": b"a"})
    bench.reads("a", **{"raw.csv": b"raw"})
    (seen,) = bench.status().stages

    assert (seen.state, seen.reason) == (CHANGED, "raw.csv is not there")
    assert bench.status().ready == ()


def test_a_lost_input_that_was_another_before_has_changed(bench: Bench) -> None:
    bench.builder.tracked("raw.csv", b"new")
    bench.builder.stage("a", {"a.txt": b"a"})
    bench.reads("a", **{"raw.csv": b"old"})
    bench.lose(b"new")

    assert bench.states() == {"a": CHANGED, "raw.csv": MISSING}
    assert bench.status().ready == ()


def test_one_file_of_a_recorded_directory_is_compared(bench: Bench) -> None:
    bench.builder.stage("split", {"parts": {"a": b"a", "b": b"b"}})
    bench.builder.stage("same", {"s": b"s"})
    bench.builder.stage("stale", {"t": b"t"})
    bench.reads("same", **{"parts/a": b"a"})
    bench.reads("stale", **{"parts/b": b"old"})

    assert bench.states() == {"split": UNKNOWN, "same": UNKNOWN, "stale": CHANGED}


def test_a_directory_that_is_there_in_part_is_no_change(bench: Bench) -> None:
    bench.builder.stage("split", {"parts": {"a": b"a", "b": b"b"}})
    bench.builder.stage("read", {"r": b"r"})
    bench.reads("read", parts={"a": b"a", "b": b"b"})
    bench.builder.workspace("parts/b", b"b")
    assert bench.states()["read"] is UNKNOWN

    bench.builder.workspace("parts/b", b"edited")
    assert bench.states()["read"] is CHANGED


def test_a_directory_that_holds_what_stages_make_is_compared_with_it(bench: Bench) -> None:
    bench.builder.stage("a", {"data/a": b"a"})
    bench.builder.workspace("data/own", b"own")
    bench.builder.stage("read", {"r": b"r"})
    bench.reads("read", data={"a": b"a", "own": b"own"})
    assert bench.states() == {"a": UNKNOWN, "read": UNKNOWN}

    bench.builder.stage("a", {"data/a": b"A"})
    assert bench.states() == {"a": UNKNOWN, "read": CHANGED}


def test_what_a_stage_that_waits_reads_is_not_compared(bench: Bench) -> None:
    bench.builder.workspace("raw.csv", b"new")
    bench.builder.stage("a", {"a.txt": b"a"})
    bench.builder.stage("b", {"b.txt": b"b"})
    bench.reads("a", **{"raw.csv": b"old"})
    bench.reads("b", **{"a.txt": b"before"})

    assert bench.states() == {"a": CHANGED, "b": WAITING}


def test_names_that_old_releases_left_out_count_where_they_are_recorded(bench: Bench) -> None:
    bench.builder.workspace("src/a.swp", b"a")
    bench.builder.stage("a", {"a.txt": b"a"})
    bench.reads("a", src={"a.swp": b"a", "b": b"b"})
    assert bench.states() == {"a": CHANGED}

    bench.builder.workspace("src/b", b"b")
    assert bench.states() == {"a": UNKNOWN}

    bench.builder.workspace("src/c.swp", b"c")
    assert bench.states() == {"a": CHANGED}


def test_names_that_old_releases_left_out_are_no_change(bench: Bench) -> None:
    bench.builder.workspace("src/a.py", b"a")
    bench.builder.stage("a", {"a.txt": b"a"})
    bench.reads("a", src={"a.py": b"a"})
    bench.builder.workspace("src/__pycache__/a.pyc", b"compiled")
    bench.builder.workspace("src/a.py.swp", b"being edited")
    (bench.root / "src/empty").mkdir()

    assert bench.states() == {"a": UNKNOWN}


def test_what_stands_in_the_place_of_data_is_told(bench: Bench) -> None:
    """A loop of symlinks, a pipe: the rest is told all the same."""
    bench.builder.tracked("loop", b"loop")
    bench.builder.stage("a", {"a.txt": b"a"})
    bench.builder.stage("b", {"b.txt": b"b"})
    bench.reads("a", pipe=b"p")
    (bench.root / "loop").symlink_to("loop")
    (bench.root / "a.txt").symlink_to("a.txt")
    os.mkfifo(bench.root / "pipe")

    seen = bench.status()

    assert {stage.name: stage.state for stage in seen.stages} == {
        "a": UNKNOWN,
        "b": UNKNOWN,
        "loop": UNKNOWN,
    }
    assert {(problem.owner, problem.code) for problem in seen.problems} == {
        ("a", ExitCode.LOCAL),
        ("loop", ExitCode.LOCAL),
    }
    assert seen.ready == ("b",)
