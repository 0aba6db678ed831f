"""Where stages stand, what can run now, and what targets mean."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from pivot.errors import ExitCode, UsageError
from pivot.stage_states import StageState, State
from pivot.status import Status
from tests.projects import dump
from tests.unit.bench import Bench

HIT, CHANGED, UNKNOWN, WAITING, MISSING, PARTIAL = (
    *(State.HIT, State.CHANGED, State.UNKNOWN),
    *(State.WAITING, State.MISSING, State.PARTIAL),
)


@pytest.fixture(name="bench")
def _bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "a project")


def status_of(
    *stages: tuple[str, State, Sequence[str]], stuck: Sequence[str] = (), past: Sequence[str] = ()
) -> Status:
    found = tuple(StageState(n, f"{n}.lock", s, needs=tuple(needs)) for n, s, needs in stages)
    return Status(found, stuck=frozenset(stuck), past=frozenset(past))


@pytest.mark.parametrize(
    ("states", "ready"),
    [
        ({"a": HIT, "b": HIT}, ""),
        ({"a": CHANGED, "b": WAITING}, "a"),
        ({"a": CHANGED, "b": CHANGED}, "a"),
        ({"a": HIT, "b": CHANGED}, "b"),
        ({"a": MISSING, "b": HIT}, "a"),
        ({"a": MISSING, "b": CHANGED}, "a"),
        ({"a": UNKNOWN, "b": UNKNOWN}, "a"),
        ({"a": UNKNOWN, "b": CHANGED}, "ab"),
        ({"a": UNKNOWN, "b": MISSING}, "ab"),
        ({"a": PARTIAL, "b": UNKNOWN}, "a"),
    ],
    ids=str,
)
def test_what_can_run_needs_nothing_that_runs(states: dict[str, State], ready: str) -> None:
    seen = status_of(("a", states["a"], ()), ("b", states["b"], ("a",)))

    assert seen.ready == tuple(ready)
    assert seen.to_run == tuple(name for name, state in states.items() if state is not HIT)


def test_what_is_stuck_cannot_run_and_neither_can_what_needs_it() -> None:
    seen = status_of(("a", UNKNOWN, ()), ("b", CHANGED, ("a",)), ("c", CHANGED, ()), stuck="a")

    assert seen.to_run == ("a", "b", "c")
    assert seen.ready == ("c",)


def test_what_is_past_never_runs_and_holds_nobody_up() -> None:
    seen = status_of(("a", MISSING, ()), ("b", CHANGED, ("a",)), past="a")

    assert (seen.to_run, seen.ready) == (("b",), ("b",))


def test_a_stage_behind_one_of_the_real_pivot_can_run(bench: Bench) -> None:
    bench.builder.stage("py", {"py.txt": b"py"})
    bench.pipeline(
        last={"cmd": "cp mine.txt last.txt", "deps": ["mine.txt"], "outs": ["last.txt"]},
        mine={"cmd": "cp py.txt mine.txt", "deps": ["py.txt"], "outs": ["mine.txt"]},
        py={"python": "stages.py", "outs": ["py.txt"]},
    )
    seen = bench.status()

    assert [(s.name, s.state) for s in seen.stages] == [
        ("py", UNKNOWN),
        ("mine", CHANGED),
        ("last", CHANGED),
    ]
    assert seen.ready == ("py", "mine")


def test_a_stage_of_the_real_pivot_that_never_ran_holds_up_the_rest(bench: Bench) -> None:
    bench.pipeline(
        py={"python": "stages.py", "outs": ["py.txt"]},
        mine={"cmd": "cp py.txt mine.txt", "deps": ["py.txt"], "outs": ["mine.txt"]},
    )
    seen = bench.status()

    assert [stage.state for stage in seen.stages] == [UNKNOWN, CHANGED]
    assert "needs the real Pivot, and has no lock file yet" in seen.stages[0].reason
    assert (seen.to_run, seen.ready) == (("py", "mine"), ())


def test_stages_of_locks_come_before_those_that_read_what_they_made(bench: Bench) -> None:
    bench.builder.stage("z/py", {"py.txt": b"py"})
    bench.pipeline(a={"cmd": "cp py.txt a.txt", "deps": ["py.txt"], "outs": ["a.txt"]})
    bench.run()
    seen = bench.status()

    assert [(s.name, s.state, s.needs) for s in seen.stages] == [
        ("z/py", UNKNOWN, ()),
        ("a", HIT, ("z/py",)),
    ]


def test_a_stage_that_was_renamed_leaves_nothing_to_run(bench: Bench) -> None:
    body = {"cmd": "echo x > x.txt", "outs": ["x.txt"]}
    bench.pipeline(old=body)
    bench.run()
    bench.pipeline(new=body)
    bench.share()
    seen = bench.status()

    assert {stage.name: stage.state for stage in seen.stages} == {"new": CHANGED, "old": HIT}
    assert (seen.to_run, seen.ready, set(seen.past)) == (("new",), ("new",), {"old"})
    (bench.root / "x.txt").unlink()
    bench.lose(b"x\n")
    lost = bench.status()
    assert {stage.name: stage.state for stage in lost.stages} == {"new": CHANGED, "old": MISSING}
    assert (lost.to_run, lost.ready) == (("new",), ("new",))


def test_a_frozen_stage_whose_outputs_are_lost_is_no_hit(bench: Bench) -> None:
    body = {"cmd": "echo x > x.txt && echo y > y.txt", "outs": ["x.txt", "y.txt"]}
    read = {"cmd": "cp x.txt z.txt", "deps": ["x.txt"], "outs": ["z.txt"]}
    bench.pipeline(a=body, z=read)
    bench.run()
    bench.pipeline(a={**body, "frozen": True}, z=read)
    assert bench.states() == {"a": HIT, "z": HIT}

    (bench.root / "x.txt").unlink()
    bench.lose(b"x\n")
    seen = bench.status()
    first = seen.stages[0]

    assert (first.name, first.state, first.objects, first.missing) == ("a", PARTIAL, 2, 1)
    assert "a" in seen.to_run
    assert seen.ready == ()  # it is not run, and the other cannot
    assert ExitCode.MISSING in {problem.code for problem in seen.problems}


def test_an_output_of_a_frozen_stage_that_was_edited_stays(bench: Bench) -> None:
    body = {"cmd": "echo x > x.txt", "outs": ["x.txt"]}
    bench.pipeline(a=body)
    bench.run()
    bench.pipeline(a={**body, "frozen": True})
    (bench.root / "x.txt").unlink()
    (bench.root / "x.txt").write_text("edited")
    bench.lose(b"x\n")

    assert bench.states() == {"a": HIT}


def test_a_frozen_stage_that_never_ran_is_no_hit(bench: Bench) -> None:
    bench.pipeline(a={"cmd": "echo x > x.txt", "outs": ["x.txt"], "frozen": True})
    (seen,) = bench.status().stages

    assert (seen.state, seen.reason) == (UNKNOWN, "is frozen, and has no lock file")
    assert bench.status().ready == ()


def test_a_stage_whose_input_is_not_there_is_told_as_a_problem(bench: Bench) -> None:
    bench.pipeline(
        a={"cmd": "cp raw a", "deps": ["raw"], "outs": ["a"]},
        b={"cmd": "cp a b", "deps": ["a"], "outs": ["b"]},
    )
    seen = bench.status()

    assert seen.stages[0].state is UNKNOWN
    assert seen.ready == ()
    assert [(p.code, p.owner) for p in seen.problems] == [(ExitCode.FAILED, "a")]


def targets_bench(bench: Bench) -> Bench:
    bench.builder.stage("demo/py", {"data/py": {"x": b"x", "y": b"y"}})
    bench.builder.stage("demo/more", {"data/more": b"more"}, after=["demo/py"])
    bench.builder.tracked("raw/big.csv", b"big")
    bench.pipeline(
        make={"cmd": "cp raw/big.csv out/m", "deps": ["raw/big.csv"], "outs": ["out/m"]},
        use={"cmd": "cp out/m out/u", "deps": ["out/m"], "outs": ["out/u"]},
        py={"python": "p.py", "outs": ["py.txt"]},
    )
    bench.builder.stage("py", {"py.txt": b"py"})
    return bench


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        (["use"], ["make", "use"]),
        (["out/u"], ["make", "use"]),
        (["pivot.yaml"], ["make", "use", "py"]),
        (["py"], ["py"]),
        (["py.txt"], ["py"]),
        (["demo/more"], ["demo/py", "demo/more"]),
        (["more"], ["demo/py", "demo/more"]),
        (["data/py/x"], ["demo/py"]),
        (["data"], ["demo/py", "demo/more"]),
        (["raw/big.csv"], ["raw/big.csv"]),
        (["raw/big.csv.pvt"], ["raw/big.csv"]),
        (["raw", "use", "use"], ["make", "use", "raw/big.csv"]),
        ([], ["make", "use", "py", "demo/py", "demo/more", "raw/big.csv"]),
    ],
    ids=str,
)
def test_targets_are_what_repro_and_pull_take(
    targets: list[str], names: list[str], bench: Bench
) -> None:
    assert [stage.name for stage in targets_bench(bench).status(*targets).stages] == names


def test_targets_are_seen_from_where_one_stands(bench: Bench) -> None:
    targets_bench(bench).builder.workspace("raw/notes.txt", b"")
    seen = bench.status("big.csv", here="raw")

    assert [stage.name for stage in seen.stages] == ["raw/big.csv"]


def test_unknown_targets_are_named_with_what_is_near(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"'mke' is no stage \(did you mean 'make'\?\)"):
        targets_bench(bench).status("use", "mke")
    with pytest.raises(UsageError, match="'one' is no stage; 'two' is no stage"):
        bench.status("one", "use", "raw", "two")


def test_without_a_pipeline_unknown_targets_are_named_as_pull_names_them(bench: Bench) -> None:
    bench.builder.stage("a", {"a.txt": b"a"})
    with pytest.raises(UsageError, match="'b' is not a tracked file or stage output"):
        bench.status("b")


def test_data_that_another_project_keeps_is_asked_for_there(bench: Bench, tmp_path: Path) -> None:
    document = bench.builder.tracked("theirs.csv", b"theirs")
    names = ("repo", "rev", "rev_lock", "stage", "path")
    source = dict.fromkeys(names, "x") | {"remote": f"file://{tmp_path}/elsewhere"}
    document.write_text(dump(yaml.safe_load(document.read_text()) | {"source": source}))
    bench.builder.stage("a", {"a.txt": b"a"})
    bench.share()
    bench.lose(b"theirs")
    bench.lose(b"a", also_on_remote=False)

    (stage, theirs) = bench.status().stages

    assert stage.state is UNKNOWN
    assert "code" in stage.reason  # and not that a remote could not be asked
    assert theirs.state is UNKNOWN
    assert [(p.owner, p.code) for p in bench.status().problems] == [("theirs.csv", ExitCode.FAILED)]


def test_a_remote_that_is_gone_leaves_what_is_here(bench: Bench) -> None:
    def copy(one: str, other: str) -> dict[str, Any]:
        return {"cmd": f"cp {one} {other}", "deps": [one], "outs": [other]}

    bench.builder.workspace("raw", b"raw")
    bench.pipeline(
        here=copy("raw", "here.txt"),
        after=copy("here.txt", "after.txt"),
        lost={"cmd": "echo l > l", "outs": ["l"]},
        behind=copy("l", "b"),
    )
    bench.run()
    (bench.root / "l").unlink()
    bench.lose(b"l\n")
    bench.builder.workspace("raw", b"changed")
    shutil.rmtree(bench.nas)
    seen = bench.status()

    assert {stage.name: stage.state for stage in seen.stages} == {
        "here": CHANGED,
        "after": WAITING,
        "lost": UNKNOWN,
        "behind": UNKNOWN,
    }
    assert "'nas' could not be asked" in seen.stages[-1].reason
    assert seen.ready == ("here",)
    assert len(seen.problems) == 1
    assert seen.lost == frozenset()


def test_a_project_without_anything(bench: Bench) -> None:
    assert bench.status() == Status((), remote="nas", url=f"file://{bench.nas}")
    assert bench.status(online=False) == Status(())
