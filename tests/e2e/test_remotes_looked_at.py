"""What only looks at several remotes: status, report, doctor, and checks of what was pushed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.e2e.chained import make_chained
from tests.e2e.test_report import valid
from tests.e2e.weather import (
    OBJECTS,
    assert_sentence,
    through,
    without_cache,
)
from tests.projects import ProjectBuilder
from tests.servers import S3Server


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str) -> Path:
    return make_chained(tmp_path, bucket)


def test_what_nobody_has_who_could_be_asked_is_not_called_missing(
    project: Path, pivot: Command, tmp_path: Path
) -> None:
    clone = without_cache(project, tmp_path / "clone")
    chain = ("-r", "near", "-r", "dead")

    done = {name: pivot(name, *chain, cwd=clone) for name in ("pull", "verify")}
    soft = pivot("fetch", *chain, "--on-miss", "ignore", cwd=clone)
    stands = pivot("status", *chain, cwd=clone)
    told = json.loads(pivot("status", *chain, "--json", cwd=clone).out)
    deep = pivot("verify", *chain, "--deep", cwd=clone)
    check = pivot("push", "--check", *chain, cwd=clone)
    gone = pivot("pull", "-r", "near,origin", cwd=clone)
    none = pivot("pull", "-r", "away,dead", cwd=clone)

    assert check.code == 6, check  # a push would go to both
    assert "is not on remote 'near'" in check.err
    assert "s3://nobody/p: no connection" in check.err
    for each in (*done.values(), soft, deep):
        assert each.code == 6, each
        assert "is not on remote 'near', and remote 'dead' could not be asked" in each.err
    assert stands.code == 6, stands
    assert "unknown" in stands.out
    assert "missing" not in {stage["state"] for stage in told["stages"]}
    assert {output["remote"] for stage in told["stages"] for output in stage["outputs"]} == {
        "unknown"
    }
    assert stands.err.count("Warning: remote 'dead' could not be asked: ") == 1
    assert [text.partition(":")[0] for text in told["warnings"]] == [
        "remote 'dead' could not be asked"
    ]
    assert gone.code == 3, gone
    assert "is not on remote 'near,origin'" in gone.err
    assert none.code == 6, none
    assert "no remote could be asked: 'away': " in none.err


def test_a_check_asks_where_a_push_would_go(project: Path, pivot: Command) -> None:
    assert pivot("push", "-r", "near", cwd=project).code == 0
    assert pivot("config", "set", "read_remotes", "near,origin", cwd=project).code == 0

    read = pivot("verify", cwd=project)
    usual = pivot("push", "--check", cwd=project)
    near = pivot("push", "--check", "-r", "near", cwd=project)
    both = pivot("push", "--check", "-r", "near", "-r", "origin", cwd=project)
    assert pivot("push", cwd=project).code == 0
    after = pivot("push", "--check", "-r", "near", "-r", "origin", cwd=project)

    assert (read.code, near.code, after.code) == (0, 0, 0)
    for each in (usual, both):
        assert_sentence(each, 3, "is not on remote 'origin'")
    assert after.out.count(f"{OBJECTS} of {OBJECTS} object(s) are there") == 2


def test_what_only_looks_reads_the_same_chain(
    project: Path, pivot: Command, tmp_path: Path
) -> None:
    assert pivot("push", "-r", "near", cwd=project).code == 0
    assert pivot("config", "set", "read_remotes", "dead,near", cwd=project).code == 0

    clone = without_cache(project, tmp_path / "clone")
    dag = pivot("dag", "--online", cwd=clone)
    report = pivot("report", "--online", "--json", cwd=project)
    named = pivot("report", "-r", "dead", "-r", "near", cwd=project)
    told = valid(report.out, "inventory")

    assert told["remote"] == "dead,near"
    assert told["places"]["remote"]["there"]["count"] == OBJECTS
    assert [text.partition(":")[0] for text in told["warnings"]] == [
        "remote 'dead' could not be asked"
    ]
    for done in (dag, named):
        assert done.code == 0, done
        assert done.err.count("Warning: remote 'dead' could not be asked: ") == 1


@pytest.mark.parametrize("word", ["status", "report"])
def test_what_is_nowhere_here_and_on_one_of_two_is_told_to_be_there(
    word: str, project: Path, pivot: Command, tmp_path: Path
) -> None:
    (project / "in.csv").write_text("a,b\n")
    assert pivot("track", "in.csv", cwd=project).code == 0
    (project / "pivot.yaml").write_text(
        "stages:\n  sort: {cmd: sort in.csv > sorted.csv, deps: [in.csv], outs: [sorted.csv]}\n"
    )
    assert pivot("repro", cwd=project).code == 0
    assert pivot("push", "-r", "origin", cwd=project).code == 0
    clone = without_cache(project, tmp_path / "clone")
    shutil.copy(project / "pivot.yaml", clone)

    done = pivot(word, "-r", "near", "-r", "origin", "--json", cwd=clone)

    assert done.code == 0, done
    assert {stage["state"] for stage in json.loads(done.out)["stages"]} <= {"hit", "unknown"}


@pytest.mark.parametrize("word", ["doctor", "gc"])
def test_what_takes_one_remote_refuses_two(word: str, project: Path, pivot: Command) -> None:
    assert_sentence(pivot(word, "-r", "near", "-r", "origin", cwd=project), 2, "one remote")


def test_the_doctor_writes_to_no_remote_that_is_closed(
    project: Path, pivot: Command, server: S3Server
) -> None:
    assert pivot("push", cwd=project).code == 0
    with through(server, pivot) as (proxy, command):
        command("config", "set", "remote_options.origin.read_only", "true", cwd=project)
        done = command("doctor", "--json", cwd=project)
        methods = {method for method, _ in proxy.requests}
    told = json.loads(done.out)

    assert done.code == 0, done
    assert not methods & {"PUT", "DELETE"}
    assert (told["pull"], told["push"]) == ("yes", "no")


def test_the_doctor_examines_what_is_read_where_there_is_no_default(
    project: Path, pivot: Command
) -> None:
    text = (project / ".pivot/config.yaml").read_text().replace("default_remote: origin\n", "")
    (project / ".pivot/config.yaml").write_text(f"{text}read_remotes: near,origin\n")

    done = pivot("doctor", cwd=project)
    assert pivot("config", "set", "read_remotes", "near", cwd=project).code == 0
    alone = pivot("doctor", cwd=project)
    assert pivot("config", "set", "default_remote", "typo", cwd=project).code == 0
    wrong = pivot("doctor", cwd=project)

    for each in (done, alone):
        assert each.code == 0, each
        assert "'near' (the first that is read from" in each.out
    assert wrong.code == 2, wrong


def test_repro_tells_of_a_remote_that_was_passed_over(
    project: Path, pivot: Command, tmp_path: Path
) -> None:
    ProjectBuilder(project).stage("sort", {"sorted.txt": b"a b"})
    assert pivot("push", cwd=project).code == 0
    clone = without_cache(project, tmp_path / "clone")
    (clone / "pivot.yaml").write_text("stages:\n  sort: {cmd: x, outs: [sorted.txt]}\n")

    chain = ("--allow-missing", "-r", "dead,origin")
    done = pivot("repro", "--dry-run", *chain, cwd=clone)
    told = json.loads(pivot("repro", "--dry-run", "--json", *chain, cwd=clone).out)

    assert done.out.count("Note: remote 'dead' could not be asked: ") == 1, done
    assert [text.partition(":")[0] for text in told["notes"]] == [
        "remote 'dead' could not be asked"
    ]
