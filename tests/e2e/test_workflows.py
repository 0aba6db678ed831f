"""The stories that the user guide tells, each from the first command to the last."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import ROOT, Command, Done
from tests.documentation import (
    DocumentationError,
    Shell,
    install_commands,
    matches,
    read_examples,
    run_page,
)
from tests.projects import ProjectBuilder, digest
from tests.servers import S3Server, seaweedfs

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


@pytest.fixture(name="own_server", scope="module")
def _own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with seaweedfs(tmp_path_factory.mktemp("guide")) as server:
        for name in ("my-bucket", "backup-bucket", "lab-bucket"):
            server.make_bucket(name)
        yield server


TRAIN = """\
import sys

rows = open("data/clean.csv").read().splitlines()
with open("model/best.pkl", "w") as file:
    file.write(f"weights for rate {sys.argv[2]}\\n")
print(f"learning rate {sys.argv[2]}, {len(rows)} rows")
"""
DRAW = """\
text = open("model/best.pkl").read().strip()
with open("plots/loss.svg", "w") as file:
    file.write(f"<svg><text>{text}</text></svg>\\n")
"""
FILES = {
    "pivot.yaml": """\
stages:
  prep:
    cmd: sort raw.csv > data/clean.csv
    deps: [raw.csv]
    outs: [data/clean.csv]
  train:
    cmd: python3 train.py --lr ${lr}
    deps: [train.py, data/clean.csv]
    params: [lr]
    outs: [model/best.pkl]
  plot:
    cmd: python3 plot.py
    deps: [plot.py, model/best.pkl]
    plots: [plots/loss.svg]
""",
    "params.yaml": "lr: 0.1\n",
    "raw.csv": "3,4\n1,2\n",
    "train.py": TRAIN,
    "plot.py": DRAW,
}


@pytest.fixture(name="beginners")
def _beginners(tmp_path: Path, bare_pivot: Command) -> Team:
    """A developer who has written a pipeline, and has neither run nor committed anything."""
    team = Team(tmp_path, bare_pivot)
    team.git("init", "--quiet", "--bare", "--initial-branch=main", "team.git")
    project = team.clone("developer")
    team.git("checkout", "--quiet", "-b", "main", cwd="developer")
    team.git("commit", "--quiet", "--allow-empty", "--message", "Begin", cwd="developer")
    team.git("push", "--quiet", "--set-upstream", "origin", "main", cwd="developer")
    for name, text in FILES.items():
        (project / name).write_text(text)
    return team


def shell_path(directory: Path) -> str:
    """Let a shell find our commands, and `python3` that runs us."""
    ours, _, others = install_commands(directory, [sys.executable, "-m", "pivot"]).partition(":")
    return f"{ours}:{Path(sys.executable).parent}:{others}"


def test_every_example_of_the_guide_does_what_it_says(
    beginners: Team, own_server: S3Server
) -> None:
    folder = beginners.root / "mnt"
    (folder / "pivot-cache").mkdir(parents=True)
    developer, teammate = beginners.root / "developer", beginners.root / "teammate"

    def forget(text: str) -> str:
        """Take the model for a rate out of the teammate's workspace and cache."""
        name = digest(f"weights for rate {text}\n".encode())
        (teammate / MODEL).unlink()
        (teammate / ".pivot/cache/files" / name[:2] / name[2:]).unlink()
        return name

    def lose() -> None:
        forget("0.1")

    def edit() -> None:
        (teammate / MODEL).unlink()
        (teammate / MODEL).write_bytes(b"tuned by hand")

    def wipe() -> None:
        for name in ("data", "model", "plots", "raw.csv", ".pivot/cache"):
            path = teammate / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def miss() -> None:
        name = forget("0.2")
        buckets.delete(own_server, "my-bucket", f"pivot-cache/files/{name[:2]}/{name[2:]}")

    def rate(text: str) -> None:
        (developer / "params.yaml").write_text(f"lr: {text}\n")

    def again() -> None:
        rate("0.3")
        assert beginners.run("repro", cwd="developer", PATH=path).code == 0

    path = shell_path(beginners.root / "bin")
    shell = Shell(
        beginners.root,
        beginners.pivot.environment | own_server.environment() | {"PATH": path},
        {"/mnt/team": str(folder), "https://s3.lab.example.org": own_server.url},
        {
            "edit": edit,
            "lose": lose,
            "wipe": wipe,
            "miss": miss,
            "lr": lambda: rate("0.2"),
            "repro": again,
        },
    )

    count = run_page((ROOT / "docs" / "guide.md").read_text(encoding="utf-8"), shell)

    assert count > 60


SCRIPTS = {
    "prepare.py": """\
import sys

source, target = sys.argv[1:]
open(target, "w").writelines(sorted(open(source)))
""",
    "train.py": """\
import json
import sys

rate = float(sys.argv[2])
print(f"rate {rate}")
json.dump({"weight": 2 * rate}, open("model.json", "w"))
""",
    "evaluate.py": """\
import json

weight = json.load(open("model.json"))["weight"]
open("metrics.json", "w").write(f'{{"loss": {round(1 - weight, 3)}}}\\n')
open("loss.svg", "w").write(f"<svg><text>{weight}</text></svg>\\n")
""",
    "report.py": """\
print(open("metrics.json").read(), open("loss.svg").read())
""",
}


def test_every_example_of_the_page_on_pipelines_does_what_it_says(
    tmp_path: Path, bare_pivot: Command
) -> None:
    page = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8")
    team = Team(tmp_path, bare_pivot)
    project = tmp_path / "project"
    (tmp_path / "mnt/pivot-cache").mkdir(parents=True)
    (project / "data").mkdir(parents=True)
    team.git("init", "--quiet", "--initial-branch=main", cwd="project")
    team.run("init", cwd="project")
    (project / "pivot.yaml").write_text(page.split("```yaml\n")[1].split("```")[0])
    (project / "params.yaml").write_text("train:\n  lr: 0.1\n  epochs: 5\n")
    (project / "data/raw.csv").write_text("3,4\n1,2\n")
    for name, text in SCRIPTS.items():
        (project / name).write_text(text)
    report = SCRIPTS["report.py"]

    def rate() -> None:
        (project / "params.yaml").write_text("train:\n  lr: 0.2\n  epochs: 5\n")

    def write_report(text: str, where: str = "project") -> Callable[[], None]:
        def write() -> None:
            (tmp_path / where / "report.py").write_text(text)

        return write

    def mend() -> None:
        (project / "report.py").write_text(report)
        (project / "report.log").unlink()

    shell = Shell(
        tmp_path,
        team.pivot.environment | {"PATH": shell_path(tmp_path / "bin")},
        {"/mnt/team": f"{tmp_path}/mnt"},
        {
            "rate": rate,
            "stray": write_report(f"{report}open('report.log', 'w').write('done')\n"),
            "break": write_report(f"{report}raise SystemExit('no loss to report')\n"),
            "mend": mend,
            "review": write_report(f"{report}print('reviewed')\n", "reviewer"),
        },
    )

    count = run_page(page, shell)

    assert count > 15


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("```console\n$ echo one\ntwo\n```\n", "expected:\ntwo\n"),
        ("```console\n$ exit 3\n```\n", "exit code 3, not 0"),
        ("<!-- run: exit=1 -->\n```bash\ntrue\n```\n", "exit code 0, not 1"),
        ("```console\n$ printf 'one\\nmore\\n'\none\n```\n", "more"),
    ],
)
def test_an_example_that_does_something_else_is_found(
    page: str, said: str, tmp_path: Path, pivot: Command
) -> None:
    with pytest.raises(DocumentationError, match=said):
        run_page(page, Shell(tmp_path, pivot.environment))


def test_three_dots_stand_for_any_lines() -> None:
    assert matches("one\n...\nfour\n", "one\ntwo\nthree\nfour\n")
    assert matches("one\n...\n", "one\n")
    assert not matches("one\n...\nfour\n", "one\ntwo\n")


def test_a_misspelt_option_above_an_example_is_found() -> None:
    with pytest.raises(DocumentationError, match="exti"):
        read_examples("<!-- run: exti=1 -->\n```bash\nfalse\n```\n")


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
