"""The examples of the user guide and of the page on pipelines do what they say."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import ROOT, Command
from tests.documentation import (
    DocumentationError,
    Shell,
    install_commands,
    matches,
    read_examples,
    run_page,
)
from tests.e2e.test_workflows import MODEL, Team
from tests.e2e.weather import make_project
from tests.projects import digest
from tests.servers import S3Server, seaweedfs

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


@pytest.fixture(name="own_server", scope="module")
def _own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with seaweedfs(tmp_path_factory.mktemp("guide")) as server:
        for name in ("my-bucket", "backup-bucket", "lab-bucket"):
            server.make_bucket(name)
        yield server


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

    def drop() -> None:
        pipeline = tmp_path / "clone/pivot.yaml"
        pipeline.write_text(pipeline.read_text().partition("  report:\n")[0])

    shell = Shell(
        tmp_path,
        team.pivot.environment | {"PATH": shell_path(tmp_path / "bin")},
        {"/mnt/team": f"{tmp_path}/mnt"},
        {
            "rate": rate,
            "stray": write_report(f"{report}open('report.log', 'w').write('done')\n"),
            "break": write_report(f"{report}raise SystemExit('no loss to report')\n"),
            "mend": mend,
            "drop": drop,
            "review": write_report(f"{report}print('reviewed')\n", "reviewer"),
        },
    )

    count = run_page(page, shell)

    assert count > 15
    assert (tmp_path / "clone/README.md").read_text().splitlines()[:2] == [
        "```mermaid",
        "flowchart TD",
    ]


def test_every_example_of_the_page_on_performance_does_what_it_says(
    tmp_path: Path, bare_pivot: Command
) -> None:
    project = make_project(tmp_path / "project", "nowhere")
    (tmp_path / "shared").mkdir()
    (project / ".pivot/config.yaml").write_text(f"folders:\n  origin: file://{tmp_path}/shared\n")
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    environment = bare_pivot.environment | {"PATH": shell_path(tmp_path / "bin")}

    assert run_page(page, Shell(tmp_path, environment)) == 5


@pytest.mark.parametrize(
    ("cmd", "code"),
    [
        ("cmd: |\n      false\n      echo on > out.txt", 0),
        ("cmd: |\n      set -e\n      false\n      echo on > out.txt", 1),
        ("cmd:\n      - 'false'\n      - echo on > out.txt", 1),
    ],
)
def test_lines_of_a_command_are_one_script(
    cmd: str, code: int, tmp_path: Path, bare_pivot: Command
) -> None:
    (tmp_path / ".pivot").mkdir()
    (tmp_path / "pivot.yaml").write_text(f"stages:\n  a:\n    {cmd}\n    outs: [out.txt]\n")

    done = bare_pivot("repro", cwd=tmp_path)

    assert (done.code, (tmp_path / "out.txt").exists()) == (code, code == 0), done


def test_text_with_a_value_is_quoted_inside_of_brackets(
    tmp_path: Path, bare_pivot: Command
) -> None:
    (tmp_path / ".pivot").mkdir()
    text = "vars: [{x: a}]\nstages: {s: {cmd: echo, outs: [%s]}}\n"
    codes = {}
    for path in ('"m/${x}.json"', "m/${x}.json"):
        (tmp_path / "pivot.yaml").write_text(text % path)
        codes[path] = bare_pivot("dag", cwd=tmp_path).code

    assert codes == {'"m/${x}.json"': 0, "m/${x}.json": 8}


def test_a_check_counts_a_stage_that_always_runs(tmp_path: Path, bare_pivot: Command) -> None:
    (tmp_path / ".pivot").mkdir()
    codes = []
    for always in ("false", "true"):
        (tmp_path / "pivot.yaml").write_text(f"stages: {{s: {{cmd: echo, always: {always}}}}}\n")
        bare_pivot("repro", cwd=tmp_path)
        codes.append(bare_pivot("repro", "--check", cwd=tmp_path).code)

    assert codes == [0, 1]


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
