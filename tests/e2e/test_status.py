"""`pivot status`: the decisions of `repro`, where the objects are, and what can run now."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pivot.schema import schema_text
from tests import buckets
from tests.conftest import Command
from tests.e2e.weather import assert_sentence, through
from tests.projects import ProjectBuilder, digest, unpack
from tests.projects import clone as clone_fixture
from tests.servers import S3Server

PIPELINE = """\
stages:
  clean:
    cmd: mkdir -p data && sort raw.txt > data/clean.txt
    deps: [raw.txt]
    outs: [data/clean.txt]
  train:
    cmd: cat data/clean.txt > model.txt && echo ${lr} >> model.txt
    deps: [data/clean.txt]
    params: [lr]
    outs: [model.txt]
  plot:
    cmd: wc -l < data/clean.txt > plot.txt
    deps: [data/clean.txt]
    outs: [plot.txt]
  report:
    cmd: cat model.txt plot.txt > report.txt
    deps: [model.txt, plot.txt]
    outs: [report.txt]
"""
READS = """
import os, sys

log = open(sys.argv.pop(1), "w")
sys.addaudithook(lambda event, given: event == "open" and print(given[0], file=log, flush=True))
from pivot.cli import main

main()
"""
OUTPUTS = {
    "clean": "data/clean.txt",
    "train": "model.txt",
    "plot": "plot.txt",
    "report": "report.txt",
}


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str, pivot: Command) -> Path:
    """A pipeline that ran once, with nothing pushed."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "pivot.yaml").write_text(PIPELINE)
    (root / "params.yaml").write_text("lr: 1\n")
    (root / "raw.txt").write_text("two\none\n")
    pivot("init", cwd=root)
    (root / ".pivot/config.yaml").write_text(
        f"remotes:\n  origin: s3://{bucket}/p\nremote:\n  retries: 1\n  connect_timeout: 2\n"
    )
    done = pivot("repro", cwd=root)
    assert done.code == 0, done
    return root


def forget(root: Path) -> None:
    """Leave what another machine has in a clone."""
    shutil.rmtree(root / ".pivot/cache")
    for name in OUTPUTS.values():
        (root / name).unlink(missing_ok=True)


def ask(pivot: Command, root: Path, *options: str, code: int = 0) -> dict[str, Any]:
    done = pivot("status", "--json", *options, cwd=root)
    assert done.code == code, done
    told: dict[str, Any] = json.loads(done.out)
    assert told["exit_code"] == code
    return told


def states(told: dict[str, Any]) -> dict[str, str]:
    return {stage["name"]: stage["state"] for stage in told["stages"]}


def test_nothing_changed(project: Path, pivot: Command) -> None:
    told = ask(pivot, project)

    assert list(states(told)) == ["clean", "train", "plot", "report"]
    assert set(states(told).values()) == {"hit"}
    assert (told["stages_to_run"], told["stages_ready"], told["problems"]) == ([], [], [])
    assert told["stages"][3]["needs"] == ["train", "plot"]
    assert told["stages"][0]["bytes"] == len("one\ntwo\n")


def test_the_table_says_it_for_people(project: Path, pivot: Command) -> None:
    (project / "params.yaml").write_text("lr: 2\n")

    done = pivot("status", cwd=project)

    assert done.code == 0
    assert done.out == (
        "Stage   State    Workspace  Cache  Size  Reason\n"
        "clean   hit      same       1/1    8 B   nothing changed\n"
        "train   changed  same       1/1    10 B  command changed; lr: 1 → 2\n"
        "plot    hit      same       1/1    2 B   nothing changed\n"
        "report  waiting  same       1/1    12 B  train may change its input\n"
        "\n"
        "4 in all: 2 hit, 1 changed, 1 waiting\n"
        "Workspace: 4 same (32 B)\n"
        "Cache: 4 of 4 file(s) (32 B)\n"
        "2 to run; ready now: train\n"
    )


def test_a_change_is_told_as_repro_decides_about_it(project: Path, pivot: Command) -> None:
    (project / "raw.txt").write_text("three\n")
    told = ask(pivot, project)
    planned = json.loads(pivot("repro", "--dry-run", "--json", cwd=project).out)

    assert states(told) == {
        "clean": "changed",
        "train": "waiting",
        "plot": "waiting",
        "report": "waiting",
    }
    assert {s["name"]: s["reason"] for s in told["stages"]} == {
        stage["name"]: "; ".join(stage["reasons"]) for stage in planned["stages"]
    }
    assert told["stages_to_run"] == ["clean", "train", "plot", "report"]
    assert told["stages_ready"] == ["clean"]


def test_what_is_on_the_remote_can_be_had(project: Path, pivot: Command) -> None:
    assert pivot("push", cwd=project).code == 0
    forget(project)

    here, online = ask(pivot, project), ask(pivot, project, "--online")

    assert set(states(here).values()) == {"missing"}
    assert here["problems"] == []
    assert set(states(online).values()) == {"hit"}
    assert online["remote"] == "origin"
    assert not (project / "model.txt").exists()


def test_what_nobody_pushed_can_be_had_nowhere(project: Path, pivot: Command) -> None:
    forget(project)

    told = ask(pivot, project, "--online", code=3)
    soft = pivot("status", "--online", "--on-miss", "warn", cwd=project)

    assert set(states(told).values()) == {"missing"}
    assert told["stages_ready"] == ["clean"]
    assert soft.code == 0
    assert "Warning: train: 1 of 1 object(s) can be had nowhere" in soft.err


def test_one_object_that_is_lost(
    project: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    assert pivot("push", cwd=project).code == 0
    name = digest(b"one\ntwo\n1\n")
    buckets.delete(server, bucket, f"p/files/{name[:2]}/{name[2:]}")
    forget(project)

    told = ask(pivot, project, "--online", code=3)

    assert states(told)["train"] == "missing"
    assert states(told)["clean"] == states(told)["plot"] == "hit"
    assert told["stages_ready"] == ["train"]


def test_a_part_of_a_directory_that_is_lost(
    project: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    (project / "pivot.yaml").write_text(
        "stages:\n  split:\n    cmd: mkdir parts && echo a > parts/a && echo b > parts/b\n"
        "    outs: [parts]\n"
    )
    assert pivot("repro", cwd=project).code == 0
    assert pivot("push", "split", cwd=project).code == 0
    name = digest(b"b\n")
    buckets.delete(server, bucket, f"p/files/{name[:2]}/{name[2:]}")
    shutil.rmtree(project / "parts")
    forget(project)

    told = ask(pivot, project, "split", "--online", code=3)

    (stage,) = told["stages"]
    assert (stage["state"], stage["objects"], stage["missing"]) == ("partial", 2, 1)


def test_a_remote_that_does_not_answer_makes_nothing_missing(project: Path, pivot: Command) -> None:
    forget(project)
    nowhere = Command(pivot.home, {**pivot.variables, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})

    told = ask(nowhere, project, "--online", code=6)
    done = nowhere("status", "-r", "origin", cwd=project)

    assert set(states(told).values()) == {"unknown"}
    assert "missing" not in json.dumps(states(told))
    assert_sentence(done, 6, "127.0.0.1:9")
    assert "remote 'origin' could not be asked" in done.out


def test_a_remote_that_refuses_makes_nothing_missing(
    project: Path, pivot: Command, server: S3Server
) -> None:
    forget(project)
    wrong = Command(pivot.home, server.with_keys("testkey", "wrong").environment())

    assert set(states(ask(wrong, project, "--online", code=4)).values()) == {"unknown"}


def test_what_is_here_is_known_whatever_the_remote(project: Path, pivot: Command) -> None:
    nowhere = Command(pivot.home, {**pivot.variables, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    told = ask(nowhere, project, "--online", code=6)

    assert set(states(told).values()) == {"hit"}
    assert {out["remote"] for stage in told["stages"] for out in stage["outputs"]} == {"unknown"}
    assert len(told["problems"]) == 1


def outputs(told: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    return {
        out["path"]: (out["workspace"], out["cache"], out["remote"])
        for stage in told["stages"]
        for out in stage["outputs"]
    }


def test_each_output_is_looked_for_in_three_places(
    project: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    assert pivot("push", "clean", "plot", cwd=project).code == 0
    (project / "plot.txt").unlink()
    (project / "plot.txt").write_text("9\n")
    (project / "report.txt").unlink()
    name = digest(b"one\ntwo\n")
    (project / ".pivot/cache/files" / name[:2] / name[2:]).unlink()

    here, online = ask(pivot, project), ask(pivot, project, "-r", "origin")
    short = pivot("status", "--short", "-r", "origin", cwd=project)

    assert outputs(online) == {
        "data/clean.txt": ("same", "missing", "there"),
        "model.txt": ("same", "there", "missing"),
        "plot.txt": ("modified", "there", "there"),
        "report.txt": ("missing", "there", "missing"),
    }
    assert {remote for _, _, remote in outputs(here).values()} == {"not-asked"}
    assert online["totals"]["on_remote"] == {"files": 2, "bytes": 10}
    assert online["totals"]["same"] == {"files": 2, "bytes": 18}
    assert here["totals"]["on_remote"] is None
    assert short.out.splitlines() == [
        "hit same 0/1 1/1 clean",
        "hit same 1/1 0/1 train",
        "hit modified 1/1 1/1 plot",
        "hit missing 1/1 0/1 report",
    ]


@pytest.mark.parametrize("word", ["status", "report"])
def test_the_remote_is_asked_once(
    project: Path, pivot: Command, server: S3Server, word: str
) -> None:
    assert pivot("push", cwd=project).code == 0
    forget(project)
    with through(server, pivot) as (proxy, command):
        told = json.loads(command(word, "--json", "--online", cwd=project).out)
        asked = [path for method, path in proxy.requests if method == "HEAD"]

    assert set(states(told).values()) == {"hit"}
    assert len(asked) == len(set(asked)) == len(OUTPUTS)


def test_what_was_read_once_is_not_read_again(
    project: Path, pivot: Command, tmp_path: Path
) -> None:
    assert pivot("push", cwd=project).code == 0
    forget(project)
    assert pivot("pull", cwd=project).code == 0
    time.sleep(0.05)  # files that are too young cannot be told from later ones
    first = ask(pivot, project)
    log = tmp_path / "log"
    again = subprocess.run(
        [sys.executable, "-c", READS, str(log), "status", "--json"],
        cwd=project,
        env=pivot.environment,
        capture_output=True,
        check=True,
    )

    assert states(json.loads(again.stdout)) == states(first)
    opened = log.read_text().splitlines()
    assert not [path for path in opened if path.endswith(tuple(OUTPUTS.values()))]
    assert [path for path in opened if path.endswith("pivot.yaml")]


def test_a_report_reads_each_file_once(project: Path, pivot: Command, tmp_path: Path) -> None:
    (project / ".pivot/cache/remembered.json").unlink()
    log = tmp_path / "log"
    subprocess.run(
        [sys.executable, "-c", READS, str(log), "report"],
        cwd=project,
        env=pivot.environment,
        capture_output=True,
        check=True,
    )

    opened = log.read_text().splitlines()
    outputs = [str(project / path) for path in OUTPUTS.values()]
    assert sorted(path for path in opened if path in outputs) == sorted(outputs)


def test_stages_are_chosen_with_what_they_need(project: Path, pivot: Command) -> None:
    assert list(states(ask(pivot, project, "train"))) == ["clean", "train"]
    assert_sentence(pivot("status", "tarin", cwd=project), 2, "train")


def test_tracked_data_is_told_last(project: Path, pivot: Command) -> None:
    (project / "extra.csv").write_text("a,b\n")
    assert pivot("track", "extra.csv", cwd=project).code == 0

    same = ask(pivot, project)
    (project / "extra.csv").unlink()
    (project / "extra.csv").write_text("changed\n")
    changed = ask(pivot, project)

    assert list(states(same))[-1] == "extra.csv"
    assert states(same)["extra.csv"] == "hit"
    assert states(changed)["extra.csv"] == "changed"
    assert "extra.csv" not in changed["stages_to_run"]


def test_a_pipeline_that_is_wrong_is_told_as_repro_tells_it(project: Path, pivot: Command) -> None:
    (project / "pivot.yaml").write_text("stages:\n  a: {cmd: x, outs: [o], dpes: [y]}\n")
    assert_sentence(pivot("status", cwd=project), 8, "dpes")


def test_nothing_is_written(project: Path, pivot: Command) -> None:
    def look() -> dict[str, tuple[int, int]]:
        found = {}
        for path in sorted(project.rglob("*")):
            stat = path.lstat()
            found[str(path.relative_to(project))] = (stat.st_mtime_ns, stat.st_size)
        return found

    assert pivot("push", cwd=project).code == 0
    (project / "model.txt").unlink()
    before = look()

    for options in ((), ("--online",), ("--json", "train")):
        assert pivot("status", *options, cwd=project).code == 0

    assert look() == before


def test_running_what_is_ready_until_nothing_is_left_is_repro(
    project: Path, pivot: Command, tmp_path: Path
) -> None:
    (project / "raw.txt").write_text("b\na\n")
    (project / "params.yaml").write_text("lr: 3\n")
    at_once = tmp_path / "at-once"
    shutil.copytree(project, at_once, symlinks=True)
    assert pivot("repro", cwd=at_once).code == 0

    rounds = []
    while ready := ask(pivot, project)["stages_ready"]:
        rounds.append(ready)
        for name in reversed(ready):
            done = pivot("repro", "--single", name, cwd=project)
            assert done.code == 0, done

    assert rounds == [["clean"], ["train", "plot"], ["report"]]
    for name in OUTPUTS.values():
        assert (project / name).read_bytes() == (at_once / name).read_bytes()


@pytest.mark.parametrize("version", ["0.1.0", "0.5.11"])
def test_whether_code_of_the_real_pivot_changed_is_not_known(
    version: str, tmp_path: Path, pivot: Command
) -> None:
    fixture = unpack(version, tmp_path / "fixture")
    root = clone_fixture(fixture, tmp_path / "clone")
    shutil.copytree(fixture.cache, root / ".pivot/cache", dirs_exist_ok=True)

    told = ask(pivot, root)

    stages = [stage for stage in told["stages"] if not stage["lock"].endswith(".pvt")]
    assert stages
    assert {stage["state"] for stage in stages} <= {"unknown", "changed", "waiting"}
    assert any("code changed cannot be seen" in stage["reason"] for stage in stages)
    assert set(told["stages_to_run"]) == {stage["name"] for stage in stages}


def test_a_table_of_stages_known_by_lock_alone(tmp_path: Path, bucket: str, pivot: Command) -> None:
    builder = ProjectBuilder(tmp_path)
    builder.config(f"remotes:\n  origin: s3://{bucket}/p\n")
    builder.stage("prep", {"data/prep.txt": b"prep"})
    builder.stage("train", {"data/model": {"a": b"a", "b": b"bb"}}, after=["prep"])
    builder.stage("plot", {"data/plot.txt": b"plot"}, after=["train"])
    assert pivot("push", cwd=tmp_path).code == 0
    builder.stage("prep", {"data/prep.txt": b"more"})  # made anew, and not pushed
    shutil.rmtree(tmp_path / ".pivot/cache")

    done = pivot("status", "--online", cwd=tmp_path)

    assert done.code == 3
    assert done.out == (
        "Stage            State    Workspace  Cache  Remote  Size  Reason\n"
        "prep             missing  missing    0/1    0/1     0 B   "
        "1 of 1 objects can be had nowhere\n"
        "  data/prep.txt           missing    0/1    0/1     0 B\n"
        "train            waiting  missing    0/2    2/2     3 B   prep may change its input\n"
        "  data/model              missing    0/2    2/2     3 B\n"
        "plot             waiting  missing    0/1    1/1     0 B   train may change its input\n"
        "  data/plot.txt           missing    0/1    1/1     0 B\n"
        "\n"
        "3 in all: 1 missing, 2 waiting\n"
        "Workspace: 4 missing (3 B)\n"
        "Cache: 0 of 4 file(s) (0 B)\n"
        "Remote 'origin': 3 of 4 file(s) (3 B); pivot push uploads what is cached\n"
        "3 to run; ready now: prep\n"
    )


def test_the_schema_ships(project: Path, pivot: Command) -> None:
    import jsonschema

    schema = json.loads(schema_text("status"))
    (project / "params.yaml").write_text("lr: 2\n")
    for told in (ask(pivot, project), ask(pivot, project, "--online")):
        jsonschema.validate(told, schema)
