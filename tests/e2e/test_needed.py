"""`--needed-by`: what the stages read that are to run, and nothing of what comes before it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Command, Done
from tests.e2e.places import Clone
from tests.e2e.ugly import Place, stage
from tests.projects import ProjectBuilder, objects


def planned(done: Done) -> set[str]:
    assert done.code == 0, done
    (transfer,) = json.loads(done.out)["transfers"]
    return {row["path"] for row in transfer["plan"]["transfer"]}


@pytest.fixture(name="fresh")
def _fresh(place: Place, clone: Clone) -> Place:
    """A clone of a pipeline that ran: it has neither data nor outputs."""
    (place.root / "raw").mkdir()
    (place.root / "raw/é.csv").write_text("1\n")
    (place.root / "raw/big").write_text("2\n")
    assert place("track", "raw").code == 0
    (place.root / "params.yaml").write_text("lr: 1\n")
    place.write(
        prep=stage(
            "mkdir -p clean/sub && cp raw/* clean && echo x > clean/sub/x", "clean", deps=["raw"]
        ),
        train=stage("cat clean/sub/x > model; echo ${lr} >> model", "model", deps=["clean/sub"]),
        other=stage("cp raw/big other", "other", deps=["raw/big"]),
        eval=stage("cat model other > scores", "scores", deps=["model", "other"]),
    )
    done = place("repro")
    assert done.code == 0, done
    return clone("clone")


def test_nothing_is_needed_by_what_is_not_to_run(fresh: Place) -> None:
    done = fresh("pull", "--needed-by", "eval")

    assert (done.code, done.err) == (0, "Nothing is to run, so nothing is needed\n")
    assert objects(fresh.root / ".pivot/cache") == {}


def test_what_is_to_run_gets_its_inputs_alone(fresh: Place) -> None:
    (fresh.root / "params.yaml").write_text("lr: 2\n")

    dry = fresh("fetch", "--needed-by", "eval", "--dry-run", "--json")
    one = fresh("fetch", "--needed-by", "prep", "--dry-run", "--json")
    limited = fresh("pull", "--needed-by", "eval", "--max-size", "1")
    done = fresh("pull", "--needed-by", "eval")
    there = sorted(p.name for p in fresh.root.iterdir() if p.name[0] != ".")
    ran = fresh("repro", "--json", "--allow-missing", "eval")

    # eval reads what train makes anew; train reads a part of what prep made
    assert planned(dry) == {"clean/sub/x", "other"}
    assert planned(one) == set()
    assert limited.code == 7
    assert (done.code, done.err.splitlines()[0]) == (0, "To run: train, eval")
    assert there == ["clean", "other", "params.yaml", "pivot.yaml", "raw.pvt"]
    states = {each["name"]: each["state"] for each in json.loads(ran.out)["stages"]}
    assert (states["train"], states["eval"]) == ("ran", "ran"), ran


def test_data_that_was_edited_is_never_overwritten(fresh: Place) -> None:
    (fresh.root / "raw").mkdir()
    (fresh.root / "raw/é.csv").write_text("mine\n")

    refused = fresh("pull", "--needed-by", "prep")
    done = fresh("pull", "--needed-by", "prep", "--only-missing")

    assert (refused.code, refused.err.splitlines()[0]) == (1, "To run: prep")
    assert "'raw' has local changes that are not in the cache: é.csv" in refused.err
    assert done.code == 0
    assert (fresh.root / "raw/é.csv").read_text() == "mine\n"
    assert (fresh.root / "raw/big").read_text() == "2\n"


def test_a_remote_that_does_not_answer_is_no_reason_to_guess(fresh: Place) -> None:
    config = fresh.root / ".pivot/config.yaml"
    config.write_text(f"folders:\n  origin: file://{fresh.root}/nowhere\n")

    done = fresh("pull", "--needed-by", "eval")

    assert (done.code, done.out) == (1, "")
    assert "nowhere" in done.err


def test_by_locks_alone_it_is_the_named_stage_that_runs(
    tmp_path: Path, bare_pivot: Command
) -> None:
    built = ProjectBuilder(tmp_path / "project")
    built.config(f"folders:\n  nas: file://{tmp_path}/remote\n")
    built.tracked("raw.csv", b"raw")
    built.stage("prep", {"clean": {"a": b"a", "b": b"b"}, "log": b"log"})
    built.stage("train", {"model": b"model"}, after=["prep"])
    (built.root / ".pivot/cache").rename(tmp_path / "remote")

    done = bare_pivot("fetch", "--needed-by", "train", "--dry-run", "--json", cwd=built.root)
    unknown = bare_pivot("fetch", "--needed-by", "raw.csv", cwd=built.root)

    assert planned(done) == {"clean/a", "clean/b", "log"}
    assert (unknown.code, unknown.err.splitlines()[0]) == (
        2,
        "Error: 'raw.csv' is no stage, so nothing is needed for it",
    )
