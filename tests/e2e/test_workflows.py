"""The stories that the user guide tells of pushing and pulling, each from first to last."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import Command, Done
from tests.projects import ProjectBuilder, digest
from tests.servers import S3Server

CLEAN, MODEL, PLOT = "data/clean.csv", "model/best.pkl", "plots/loss.svg"


@dataclass(frozen=True)
class Team:
    """Directories below *root*: the bare repository `team.git` and its clones."""

    root: Path
    pivot: Command

    def git(self, *arguments: str, cwd: str = ".") -> None:
        directory = self.root / cwd
        subprocess.run(["git", *arguments], cwd=directory, env=self.pivot.environment, check=True)

    def clone(self, name: str) -> Path:
        self.git("clone", "--quiet", "team.git", name)
        return self.root / name

    def share(self, name: str) -> None:
        self.git("add", "--all", cwd=name)
        self.git("commit", "--quiet", "--message", "Update pipeline outputs", cwd=name)
        self.git("push", "--quiet", cwd=name)

    def run(self, *arguments: str, cwd: str, **variables: str) -> Done:
        return self.pivot(*arguments, cwd=self.root / cwd, **variables)


def repro(project: Path, version: int) -> None:
    """Leave what the real `pivot repro` leaves: locks, cached objects, outputs."""
    built = ProjectBuilder(project)
    for path in (project / CLEAN, project / MODEL):
        path.unlink(missing_ok=True)
    built.stage("prep", {CLEAN: f"a,b\n{version},2\nversion\n".encode()}, place=True)
    built.stage("train", {MODEL: f"weights, version {version:04}".encode()}, place=True)
    built.stage("plot", {PLOT: b"<svg>loss</svg>\n\n"}, place=True)


@pytest.fixture(name="team")
def _team(tmp_path: Path, pivot: Command) -> Team:
    """A developer whose pipeline has run once, and who has committed nothing yet."""
    team = Team(tmp_path, pivot)
    team.git("init", "--quiet", "--bare", "--initial-branch=main", "team.git")
    project = team.clone("developer")
    team.git("checkout", "--quiet", "-b", "main", cwd="developer")
    pivot("init", cwd=project)
    (project / ".gitignore").write_text("/data/\n/model/\n/plots/\n")
    repro(project, 1)
    team.git("add", ".gitignore", cwd="developer")
    team.git("commit", "--quiet", "--message", "Begin", cwd="developer")
    team.git("push", "--quiet", "--set-upstream", "origin", "main", cwd="developer")
    return team


@pytest.fixture(name="configured")
def _configured(team: Team, bucket: str) -> Team:
    team.run("config", "set", "remotes.origin", f"s3://{bucket}/pivot-cache", cwd="developer")
    team.run("config", "set", "default_remote", "origin", cwd="developer")
    return team


@pytest.fixture(name="pushed")
def _pushed(configured: Team) -> Team:
    configured.run("push", cwd="developer")
    configured.share("developer")
    return configured


def outputs(project: Path) -> dict[str, bytes]:
    found = (project / path for path in (CLEAN, MODEL, PLOT))
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in found}


def test_outputs_travel_from_the_developer_through_ci_to_a_teammate(configured: Team) -> None:
    pushed = configured.run("push", cwd="developer")
    configured.share("developer")
    configured.clone("ci")
    in_ci = configured.run("pull", cwd="ci")
    ci_push = configured.run("push", cwd="ci")
    configured.clone("teammate")
    pulled = configured.run("pull", cwd="teammate")

    assert pushed.out == "Pushed to 'origin': 3 transferred, 0 skipped, 0 failed\n"
    expected = "Fetched from 'origin': 3 transferred, 0 skipped, 0 failed\nRestored 3 file(s)\n"
    assert in_ci.out == expected
    assert ci_push.out == "Pushed to 'origin': 0 transferred, 3 skipped, 0 failed\n"
    assert pulled.out == expected
    mine = outputs(configured.root / "developer")
    assert outputs(configured.root / "ci") == mine
    assert outputs(configured.root / "teammate") == mine


def test_a_pull_after_git_pull_brings_the_next_version(pushed: Team) -> None:
    teammate = pushed.clone("teammate")
    pushed.run("pull", cwd="teammate")
    repro(pushed.root / "developer", 2)
    pushed.run("push", cwd="developer")
    pushed.share("developer")
    pushed.git("pull", "--quiet", cwd="teammate")

    done = pushed.run("pull", cwd="teammate")

    assert done.code == 0, done
    assert done.out == (
        "Fetched from 'origin': 2 transferred, 1 skipped, 0 failed\n"
        "Restored 2 file(s)\n"
        "Skipped 1 file(s) (already exist)\n"
    )
    assert outputs(teammate) == outputs(pushed.root / "developer")


def test_a_second_remote_gets_its_own_copy_and_can_become_the_default(
    pushed: Team, new_bucket: Callable[[], str], server: S3Server
) -> None:
    name = new_bucket()
    pushed.run("config", "set", "remotes.backup", f"s3://{name}/pivot-cache", cwd="developer")

    first = pushed.run("push", "--remote", "backup", cwd="developer")
    pushed.run("config", "set", "default_remote", "backup", cwd="developer")
    second = pushed.run("push", cwd="developer")
    listed = pushed.run("remote", "list", cwd="developer")

    assert first.out == "Pushed to 'backup': 3 transferred, 0 skipped, 0 failed\n"
    assert second.out == "Pushed to 'backup': 0 transferred, 3 skipped, 0 failed\n"
    assert f"  backup: s3://{name}/pivot-cache (default)\n" in listed.out
    assert len(buckets.keys(server, name)) == 3


@pytest.mark.parametrize("target", ["train", MODEL])
def test_selected_outputs_are_pushed_and_pulled_alone(
    configured: Team, target: str, bucket: str, server: S3Server
) -> None:
    pushed = configured.run("push", target, cwd="developer")
    configured.share("developer")
    clone = configured.clone("teammate")
    pulled = configured.run("pull", target, cwd="teammate")

    assert pushed.out == "Pushed to 'origin': 1 transferred, 0 skipped, 0 failed\n"
    name = digest(b"weights, version 0001")
    assert buckets.keys(server, bucket) == [f"pivot-cache/files/{name[:2]}/{name[2:]}"]
    assert pulled.out == (
        "Fetched from 'origin': 1 transferred, 0 skipped, 0 failed\nRestored 1 file(s)\n"
    )
    assert (clone / MODEL).read_bytes() == b"weights, version 0001"
    assert not (clone / CLEAN).exists()


def test_fetch_leaves_the_workspace_alone_and_checkout_places_what_it_is_told(
    pushed: Team,
) -> None:
    clone = pushed.clone("teammate")

    fetched = pushed.run("fetch", cwd="teammate")
    untouched = sorted(path.name for path in clone.iterdir())
    one = pushed.run("checkout", MODEL, cwd="teammate")
    there = (clone / MODEL).exists(), (clone / CLEAN).exists()
    rest = pushed.run("checkout", "--only-missing", cwd="teammate")

    assert fetched.out == "Fetched from 'origin': 3 transferred, 0 skipped, 0 failed\n"
    assert untouched == [".git", ".gitignore", ".pivot"]
    assert one.out == "Restored 1 file(s)\n"
    assert there == (True, False)
    assert rest.out == "Restored 2 file(s)\nSkipped 1 file(s) (already exist)\n"
    assert outputs(clone) == outputs(pushed.root / "developer")


def test_commands_work_from_a_subdirectory(pushed: Team) -> None:
    clone = pushed.clone("teammate")
    (clone / "model").mkdir()

    done = pushed.run("pull", "best.pkl", cwd="teammate/model")

    assert done.out == (
        "Fetched from 'origin': 1 transferred, 0 skipped, 0 failed\nRestored 1 file(s)\n"
    )
    assert (clone / MODEL).exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("-C", "teammate", "pull", MODEL),
        ("pull", "-C", "teammate", MODEL),
        ("-C", "teammate", "pull", "-C", "model", "best.pkl"),
    ],
)
def test_the_directory_option_stands_before_or_after_the_command(
    pushed: Team, arguments: tuple[str, ...]
) -> None:
    (pushed.clone("teammate") / "model").mkdir()

    done = pushed.run(*arguments, cwd=".")

    assert done.code == 0, done
    assert done.out.endswith("Restored 1 file(s)\n")
    assert (pushed.root / "teammate" / MODEL).exists()


def test_the_directory_option_refuses_what_is_no_directory(pushed: Team) -> None:
    done = pushed.run("-C", "nowhere", "pull", cwd=".")

    assert done.code == 2
    assert done.err == "Error: -C nowhere: there is no such directory\n"
