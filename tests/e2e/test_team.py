"""The typical workflow of a team, word for word: a developer, CI and a teammate share a pipeline.

Each has a clone of one bare repository and the same bucket. The commands of the stages write their
names into a file outside of the workspace, so that what ran where is known from themselves.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import Command, Done
from tests.e2e.weather import through
from tests.projects import digest, objects
from tests.servers import S3Server

ALL = ["prep", "count", "train", "report"]
PIPELINE = """\
stages:
  prep:
    cmd: sh prep.sh
    deps: [prep.sh, raw.txt]
    outs: [clean.txt]
  count:
    cmd: sh count.sh
    deps: [count.sh, clean.txt]
    outs: [counts]
  train:
    cmd: sh train.sh ${rate}
    deps: [train.sh, clean.txt]
    params: [rate]
    outs: [model.txt]
  report:
    cmd: sh report.sh
    deps: [report.sh, model.txt]
    metrics: [metrics.json]
"""
SCRIPTS = {
    "prep": "sort raw.txt > clean.txt\n",
    "count": "mkdir counts\nwc -l < clean.txt > counts/lines\nwc -w < clean.txt > counts/words\n",
    "train": '{ cat clean.txt; echo "rate $1"; } > model.txt\n',
    "report": """printf '{"size": %d}\\n' "$(wc -c < model.txt)" > metrics.json\n""",
}
CLEAN = b"ape\nbee 2\ncat\n"
COUNTS = {b"3\n", b"4\n"}


@dataclass(frozen=True)
class Machine:
    """Somebody's clone at *root*; stages that run here are written into *log*."""

    root: Path
    log: Path
    pivot: Command

    def run(self, *arguments: str, code: int = 0) -> Done:
        """Run our command; its exit code must be *code*."""
        done = self.pivot(*arguments, cwd=self.root, RUN_LOG=str(self.log))
        assert done.code == code, done
        return done

    def sh(self, text: str) -> None:
        """Run a line of the workflow that is not our command."""
        environment = self.pivot.environment
        subprocess.run(["sh", "-ec", text], cwd=self.root, env=environment, check=True)

    def ran(self) -> list[str]:
        """List the stages that ran here since the last question; some ran at the same time."""
        names = self.log.read_text().split() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return sorted(names, key=ALL.index)

    def write(self, path: str, text: str) -> None:
        (self.root / path).write_text(text)

    def write_stage(self, name: str, more: str = "") -> None:
        """Write a stage's script, which says first that it runs."""
        self.write(f"{name}.sh", f'echo {name} >> "$RUN_LOG"\n{SCRIPTS[name]}{more}')

    def changes(self) -> str:
        """Say what git sees of changes."""
        command = ["git", "status", "--porcelain"]
        done = subprocess.run(
            command, cwd=self.root, env=self.pivot.environment, check=True, capture_output=True
        )
        return done.stdout.decode()

    def made(self) -> dict[str, bytes]:
        """Read all outputs that are in place."""
        places = [self.root / name for name in ("clean.txt", "model.txt", "metrics.json")]
        places += sorted(self.root.glob("counts/*"))
        return {place.name: place.read_bytes() for place in places if place.exists()}

    def cached(self) -> dict[str, bytes]:
        return objects(self.root / ".pivot/cache")

    def lose_cache(self) -> None:
        shutil.rmtree(self.root / ".pivot/cache")


@dataclass(frozen=True)
class Team:
    """Clones of `team.git` below *root*, for which a *bucket* is configured."""

    root: Path
    pivot: Command
    bucket: str

    def machine(self, name: str) -> Machine:
        return Machine(self.root / name, self.root / f"{name}.log", self.pivot)

    def clone(self, name: str) -> Machine:
        machine = self.machine(name)
        command = ["git", "clone", "--quiet", "team.git", name]
        subprocess.run(command, cwd=self.root, env=self.pivot.environment, check=True)
        return machine


@pytest.fixture(name="team")
def _team(tmp_path: Path, pivot: Command, bucket: str) -> Team:
    """A developer has written a pipeline on a branch, and nothing has run yet."""
    team = Team(tmp_path, pivot, bucket)
    developer = team.machine("developer")
    developer.root.mkdir()
    developer.sh("git init --quiet --bare --initial-branch=main ../team.git")
    developer.sh("git init --quiet --initial-branch=main && git remote add origin ../team.git")
    developer.run("init")
    developer.run("config", "set", "remotes.origin", f"s3://{bucket}/pivot-cache")
    developer.write("pivot.yaml", PIPELINE)
    developer.write("params.yaml", "rate: 1\n")
    developer.write("raw.txt", "cat\nape\nbee 2\n")
    for name in SCRIPTS:
        developer.write_stage(name)
    developer.sh("git add --all && git commit --quiet -m Begin")
    developer.sh("git push --quiet --set-upstream origin main")
    return team


@pytest.fixture(name="shared")
def _shared(team: Team) -> Team:
    """A team whose developer has run all, pushed all and committed all."""
    developer = team.machine("developer")
    developer.run("repro")
    developer.run("push")
    developer.sh("git add --all && git commit --quiet -m 'Run the pipeline' && git push --quiet")
    assert developer.ran() == ALL
    return team


def share(developer: Machine) -> None:
    """Do what the developer's part says after `pivot repro`."""
    developer.run("push")
    developer.sh("git add .pivot/stages/*.lock .pivot/digests")
    developer.sh('git commit --quiet -m "Update pipeline outputs"')
    developer.sh("git push --quiet")


def ci_after_merge(ci: Machine, pull: int = 0) -> None:
    """Do what the part of CI says; *pull* is the exit code of its first command."""
    ci.run("pull", code=pull)
    ci.run("repro")
    ci.run("push")


def teammate_pulls(teammate: Machine) -> None:
    """Do what the teammate's part says."""
    teammate.sh("git pull --quiet")
    teammate.run("pull")
    teammate.run("repro")


def test_the_typical_workflow_over_several_rounds(team: Team, server: S3Server) -> None:
    developer, teammate = team.machine("developer"), team.clone("teammate")

    # The first run. Metrics, and the lines in .gitignore, are git's.
    developer.run("repro")
    developer.sh("git add .gitignore metrics.json")
    share(developer)
    assert developer.ran() == ALL
    assert developer.changes() == ""

    # CI finds all of it.
    ci = team.clone("ci")
    ci_after_merge(ci)
    assert ci.ran() == []
    assert ci.made() == developer.made()
    assert ci.changes() == ""

    # So does the teammate, who cloned before.
    teammate_pulls(teammate)
    assert teammate.ran() == []
    assert teammate.made() == developer.made()

    # A script changes on a branch: what depends on it runs, at the developer's alone.
    developer.sh("git switch --quiet --create feature")
    developer.write_stage("train", "echo better >> model.txt\n")
    developer.run("repro")
    assert developer.ran() == ["train", "report"]
    developer.sh("git add train.sh metrics.json && git push --quiet --set-upstream origin feature")
    share(developer)
    developer.sh("git switch --quiet main && git merge --quiet feature && git push --quiet")
    ci = team.clone("ci-2")
    ci_after_merge(ci)
    teammate_pulls(teammate)
    assert ci.ran() == teammate.ran() == []
    assert ci.made() == teammate.made() == developer.made()
    assert b"better" in teammate.made()["model.txt"]

    # The developer forgets to push: CI makes what is missing, the very same, and pushes it.
    before = len(buckets.keys(server, team.bucket))
    developer.write_stage("count", "wc -c < clean.txt > counts/bytes\n")
    developer.run("repro")
    assert developer.ran() == ["count"]
    developer.sh("git add .pivot count.sh && git commit --quiet -m 'Count bytes'")
    developer.sh("git push --quiet")
    assert len(buckets.keys(server, team.bucket)) == before
    ci = team.clone("ci-3")
    ci_after_merge(ci, pull=3)
    assert ci.ran() == ["count"]
    assert ci.made() == developer.made()
    assert ci.changes() == ""
    assert len(buckets.keys(server, team.bucket)) == before + 1

    # The teammate runs nothing, as ever.
    teammate_pulls(teammate)
    assert teammate.ran() == []
    assert teammate.made() == developer.made()
    assert teammate.changes() == ""


def test_ci_runs_what_nobody_has_run_and_its_commit_spares_the_team(shared: Team) -> None:
    developer, ci, teammate = shared.machine("developer"), shared.clone("ci"), shared.clone("mate")
    developer.write("params.yaml", "rate: 2\n")
    developer.sh("git commit --quiet --all -m 'Double the rate' && git push --quiet")

    ci.sh("git pull --quiet")
    ci_after_merge(ci)
    in_ci = ci.ran()
    ci.sh("git commit --quiet --all -m 'Update pipeline outputs' && git push --quiet")
    teammate_pulls(teammate)
    developer.sh("git pull --quiet")
    developer.run("pull")
    developer.run("repro")

    assert in_ci == ["train", "report"]
    assert teammate.ran() == developer.ran() == []
    assert teammate.made() == developer.made() == ci.made()


def test_a_stage_that_makes_the_same_again_ends_the_work(shared: Team) -> None:
    developer = shared.machine("developer")
    developer.write_stage("prep", "# a comment\n")

    done = developer.run("repro")

    assert developer.ran() == ["prep"]
    assert "Stages: 1 ran, 0 restored, 3 unchanged, 0 failed\n" in done.out


def test_a_lost_cache_is_filled_again_by_a_pull(shared: Team) -> None:
    teammate = shared.clone("teammate")
    teammate_pulls(teammate)
    teammate.lose_cache()

    # What is in place is enough to know that nothing is to be done.
    teammate.run("repro")
    assert teammate.ran() == []

    teammate.run("pull")
    assert set(teammate.cached().values()) == {*COUNTS, CLEAN, teammate.made()["model.txt"]}
    assert teammate.run("repro").out.startswith("Unchanged: prep, count, train, report\n")


def test_without_cache_and_outputs_all_is_made_again_or_pulled(shared: Team) -> None:
    developer = shared.machine("developer")
    made = developer.made()
    developer.lose_cache()
    for name in ("clean.txt", "model.txt"):
        (developer.root / name).unlink()
    shutil.rmtree(developer.root / "counts")

    developer.run("repro", "count", "--pull")
    pulled = developer.ran()
    developer.run("repro")

    assert pulled == []
    assert developer.ran() == ["train"]
    assert developer.made() == made
    assert developer.changes() == ""


def test_an_empty_bucket_stops_nobody(shared: Team, server: S3Server) -> None:
    for key in buckets.keys(server, shared.bucket):
        buckets.delete(server, shared.bucket, key)
    ci = shared.clone("ci")

    ci.run("pull", code=3)  # `pivot pull || true`
    ci.run("repro")
    ci.run("push")

    assert ci.ran() == ["prep", "count", "train"]
    assert ci.made() == shared.machine("developer").made()
    assert ci.changes() == ""
    assert len(buckets.keys(server, shared.bucket)) == 4


def test_repro_pulls_what_it_needs_and_runs_nothing(shared: Team) -> None:
    clone = shared.clone("fresh")

    done = clone.run("repro", "--pull")

    assert clone.ran() == []
    assert clone.made() == shared.machine("developer").made()
    assert "Stages: 0 ran, 3 restored, 1 unchanged, 0 failed\n" in done.out
    clone.run("repro")
    assert clone.ran() == []


@pytest.mark.parametrize("options", [("--dry-run",), ()])
def test_what_is_missing_may_stay_on_the_remote(
    shared: Team, server: S3Server, options: tuple[str, ...]
) -> None:
    clone = shared.clone("fresh")

    with through(server, shared.pivot) as (proxy, pivot):
        done = pivot("repro", "--allow-missing", *options, cwd=clone.root, RUN_LOG=str(clone.log))

    assert done.code == 0, done
    assert clone.ran() == []
    assert clone.cached() == {}
    assert clone.made().keys() == {"metrics.json"}
    assert [method for method, _ in proxy.requests] == ["HEAD"] * 4


def test_only_what_changed_stages_read_is_pulled(shared: Team, server: S3Server) -> None:
    clone = shared.clone("fresh")
    clone.write_stage("train", "echo better >> model.txt\n")

    clone.run("repro", "--pull", "--allow-missing")

    assert clone.ran() == ["train", "report"]
    model = CLEAN + b"rate 1\nbetter\n"
    assert clone.cached() == {digest(CLEAN): CLEAN, digest(model): model}
    assert clone.made().keys() == {"clean.txt", "model.txt", "metrics.json"}


def test_a_stage_that_has_to_run_says_what_it_lacks(shared: Team) -> None:
    clone = shared.clone("fresh")
    clone.write_stage("train", "echo better >> model.txt\n")

    done = clone.run("repro", "--allow-missing", code=3)

    assert clone.ran() == []
    assert "clean.txt, which stage train reads, is left on the remote" in done.err
    assert "'pivot repro --pull' fetches what is needed" in done.err


def test_a_dry_run_says_what_a_stage_that_has_to_run_lacks(shared: Team) -> None:
    clone = shared.clone("fresh")
    clone.write_stage("train", "echo better >> model.txt\n")

    lacking = clone.run("repro", "--dry-run", "--allow-missing").out
    fetching = clone.run("repro", "--dry-run", "--allow-missing", "--pull").out

    told = "clean.txt, which it reads, is left on the remote: add --pull"
    assert told in lacking
    assert told not in fetching


def test_what_is_made_anew_is_not_said_to_be_lacking(shared: Team) -> None:
    clone = shared.clone("fresh")
    clone.write_stage("prep", "echo better >> clean.txt\n")
    clone.write_stage("train", "echo better >> model.txt\n")

    done = clone.run("repro", "--dry-run", "--allow-missing", "train")

    assert "Would run train" in done.out
    assert "clean.txt, which it reads, is left" not in done.out
