"""Looking at a pipeline: `list`, `dag`, `schema`; and `track`, as a user runs them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pivot.cli.look import SCHEMAS
from tests.conftest import ROOT, Command
from tests.e2e.test_report import valid
from tests.e2e.test_terminal import complete, on_a_terminal
from tests.projects import ProjectBuilder, digest

PIPELINE = """\
stages:
  plot:
    cmd: cp clean.csv plot.svg
    deps: [clean.csv]
    plots: [plot.svg]
  prepare:
    cmd: sort raw.csv > clean.csv
    desc: Sort the table
    deps: [raw.csv]
    outs: [clean.csv]
  train:
    matrix: {model: [a, b]}
    cmd: cp clean.csv ${model}.bin; echo '{}' > ${model}.json
    deps: [clean.csv]
    outs: ["${model}.bin"]
    metrics: ["${model}.json"]
  compare:
    cmd: cat a.bin b.bin plot.svg > all.txt
    deps: [a.bin, b.bin, plot.svg]
    outs: [all.txt]
"""


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Path:
    ProjectBuilder(tmp_path)
    (tmp_path / "pivot.yaml").write_text(PIPELINE)
    (tmp_path / "raw.csv").write_text("2\n1\n")
    return tmp_path


def test_list_says_what_repro_would_do(project: Path, bare_pivot: Command) -> None:
    before = bare_pivot("list", cwd=project)
    assert bare_pivot("repro", cwd=project).code == 0
    (project / "a.bin").unlink()
    (project / "raw.csv").write_text("3\n")

    after = bare_pivot("list", cwd=project)

    assert before.out.splitlines() == [
        "Stage    State              Outputs              Description",
        "prepare  to run: never ran  clean.csv            Sort the table",
        "plot     to run: never ran  plot.svg",
        "train@a  to run: never ran  a.bin, a.json (git)",
        "train@b  to run: never ran  b.bin, b.json (git)",
        "compare  to run: never ran  all.txt",
    ]
    states = {line.split()[0]: " ".join(line.split()[1:]) for line in after.out.splitlines()}
    assert states["prepare"].startswith("to run: raw.csv changed")
    assert states["train@a"].startswith("may run: prepare may change its input")


def test_list_has_locks_without_a_stage_and_tracked_data(
    project: Path, bare_pivot: Command
) -> None:
    ProjectBuilder(project).stage("demo/other", {"other.bin": b"other"}, place=True)
    ProjectBuilder(project).tracked("data.bin", b"data", place=True)

    listed = valid(bare_pivot("list", "--json", cwd=project).out, "stages")["stages"]

    assert [(row["name"], row["state"]) for row in listed[-2:]] == [
        ("demo/other", "lock file only"),
        ("data.bin.pvt", "tracked"),
    ]
    assert listed[0]["outputs"] == [{"path": "clean.csv", "role": "data", "cached": True}]


def test_list_of_a_project_of_the_real_pivot_needs_no_pipeline_file(
    tmp_path: Path, bare_pivot: Command
) -> None:
    ProjectBuilder(tmp_path).stage("demo/prep", {"out.bin": b"out"})

    done = bare_pivot("list", cwd=tmp_path)

    assert [line.split() for line in done.out.splitlines()] == [
        ["Stage", "State", "Outputs"],
        ["demo/prep", "lock", "file", "only", "out.bin"],
    ]


def test_list_of_nothing_says_so(tmp_path: Path, bare_pivot: Command) -> None:
    ProjectBuilder(tmp_path)

    assert bare_pivot("list", cwd=tmp_path).out == "No stages, locks or tracked data\n"


def test_list_names_the_stage_that_cannot_be_decided(project: Path, bare_pivot: Command) -> None:
    (project / "raw.csv").unlink()

    done = bare_pivot("list", cwd=project)

    assert done.code == 1
    line = next(line for line in done.out.splitlines() if line.startswith("prepare"))
    assert "failed: raw.csv, which stage prepare reads, is not there" in line


def test_dag_draws_each_stage_below_what_it_needs(project: Path, bare_pivot: Command) -> None:
    done = bare_pivot("dag", cwd=project)

    assert done.out.splitlines() == [
        "prepare",
        "├── plot",
        "│   └── compare",
        "├── train@a",
        "│   └── compare",
        "└── train@b",
        "    └── compare",
    ]


def test_dag_of_stages_has_what_they_need_and_no_more(project: Path, bare_pivot: Command) -> None:
    done = bare_pivot("dag", "train", cwd=project)

    assert done.out.splitlines() == ["prepare", "├── train@a", "└── train@b"]


def test_dag_draws_what_was_drawn_once_more_by_name_only(
    tmp_path: Path, bare_pivot: Command
) -> None:
    ProjectBuilder(tmp_path)
    stages = "".join(
        f"  {name}: {{cmd: 'true', deps: [{deps}], outs: [{name}.out]}}\n"
        for name, deps in [
            ("a", ""),
            ("b", ""),
            ("join", "a.out, b.out"),
            ("end", "join.out"),
        ]
    )
    (tmp_path / "pivot.yaml").write_text(f"stages:\n{stages}")

    done = bare_pivot("dag", cwd=tmp_path)

    assert done.out.splitlines() == [
        "a",
        "└── join",
        "    └── end",
        "b",
        "└── join (see above)",
    ]


def test_dag_speaks_mermaid_and_json(project: Path, bare_pivot: Command) -> None:
    mermaid = bare_pivot("dag", "--mermaid", "plot", cwd=project)
    graph = valid(bare_pivot("dag", "--json", "plot", cwd=project).out, "dag")

    assert mermaid.out.splitlines() == [
        "flowchart TD",
        '  s0["prepare"]',
        '  s1["plot"]',
        "  s0 --> s1",
    ]
    assert graph["stages"] == [
        {"name": "prepare", "needs": []},
        {"name": "plot", "needs": ["prepare"]},
    ]


def test_dag_has_the_states_that_status_says(project: Path, bare_pivot: Command) -> None:
    assert bare_pivot("repro", cwd=project).code == 0
    (project / "pivot.yaml").write_text(PIPELINE.replace("cp clean.csv plot.svg", "cp *.csv ."))

    drawn = bare_pivot("dag", "--status", cwd=project)
    graph = valid(bare_pivot("dag", "--status", "--json", cwd=project).out, "dag")
    told = valid(bare_pivot("status", "--json", cwd=project).out, "status")

    assert (drawn.code, drawn.err) == (0, "")
    assert drawn.out.splitlines()[:3] == [
        "✓ prepare  hit",
        "├── ● plot  changed: command changed",
        "│   └── ○ compare  waiting: plot may change its input",
    ]
    assert [[stage[key] for key in ("name", "state", "reason")] for stage in graph["stages"]] == [
        [stage[key] for key in ("name", "state", "reason")] for stage in told["stages"]
    ]


def test_dag_asks_the_remote_when_told_to(project: Path, bare_pivot: Command) -> None:
    (project / "remote").mkdir()
    ProjectBuilder(project).config(f"remotes:\n  nas: file://{project}/remote\n")
    assert bare_pivot("repro", cwd=project).code == 0
    (project / "plot.svg").unlink()
    shutil.rmtree(project / ".pivot/cache")

    offline = bare_pivot("dag", "--status", "plot", cwd=project)
    online = bare_pivot("dag", "-r", "nas", "--dot", "plot", cwd=project)

    assert offline.code == 0
    assert online.code == 3
    assert 'label="plot\\nmissing"' in online.out
    assert "plot: 1 of 1 object(s) can be had nowhere" in online.err


def test_dag_is_coloured_on_a_terminal_alone(project: Path, bare_pivot: Command) -> None:
    _, shown = on_a_terminal(bare_pivot, "dag", "--status", "prepare", cwd=project)

    assert "\x1b[34m●\x1b[0m prepare  \x1b[34mchanged\x1b[0m: never ran" in shown
    assert "\x1b" not in bare_pivot("dag", "--status", "prepare", cwd=project).out


def test_dag_draws_what_locks_say_where_there_is_no_pipeline(
    tmp_path: Path, bare_pivot: Command
) -> None:
    built = ProjectBuilder(tmp_path)
    built.stage("prep", {"out.bin": b"out"})
    built.stage("train", {"model.bin": b"model"}, after=["prep"])

    assert bare_pivot("dag", cwd=tmp_path).out.splitlines() == ["prep", "└── train"]


def test_dag_speaks_one_language_at_a_time(project: Path, bare_pivot: Command) -> None:
    done = bare_pivot("dag", "--mermaid", "--dot", cwd=project)

    assert (done.code, "mutually exclusive" in done.err) == (2, True)


@pytest.mark.parametrize("command", ["dag", "list", "repro"])
def test_an_unknown_stage_is_named_with_the_nearest(
    command: str, project: Path, bare_pivot: Command
) -> None:
    done = bare_pivot(command, "trian", "plto", cwd=project)

    assert done.code == 2
    assert "'trian' is no stage (did you mean 'train'" in done.err
    assert "'plto' is no stage (did you mean 'plot'" in done.err


@pytest.mark.parametrize("command", ["dag", "repro"])
def test_a_project_without_a_pipeline_says_so(
    command: str, tmp_path: Path, bare_pivot: Command
) -> None:
    ProjectBuilder(tmp_path)

    done = bare_pivot(command, cwd=tmp_path)

    assert done.code == 2
    assert "No pivot.yaml found" in done.err


@pytest.mark.parametrize("command", ["dag", "list", "repro"])
def test_all_that_is_wrong_with_a_pipeline_is_said_at_once(
    command: str, tmp_path: Path, bare_pivot: Command
) -> None:
    ProjectBuilder(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "pivot.yaml").write_text(
        "stages:\n"
        "  a: {cmd: x, deps: [b.out], outs: [a.out, same]}\n"
        "  b: {cmd: x, deps: [a.out], outs: [b.out, same]}\n"
    )
    (tmp_path / "sub/pivot.yaml").write_text(
        "stages:\n  c: {cmd: x, dep: [y], outs: 5}\n  d: {outs: [../same/inside]}\n"
    )

    done = bare_pivot(command, cwd=tmp_path)
    report = valid(bare_pivot(command, "--json", cwd=tmp_path).out, "report")

    assert done.code == report["exit_code"] == 8
    assert [line for line in done.err.splitlines() if line.startswith("Error: ")] == [
        "Error: sub/pivot.yaml: line 2: stages.c: unknown key 'dep' (did you mean 'deps'?)",
        "Error: sub/pivot.yaml: line 2: stages.c.outs must be a list or a mapping, not 5",
        "Error: sub/pivot.yaml: line 3: stages.d: 'cmd' is missing",
        "Error: pivot.yaml: line 3: stage b: same is made by a as well",
        "Error: sub/pivot.yaml: line 3: stage sub/d: same/inside is inside same, an output of a",
        "Error: pivot.yaml: line 2: stage a depends on itself: a → b → a",
    ]
    assert len(report["problems"]) == 6


def test_schema_prints_the_schema_of_the_pipeline(tmp_path: Path, bare_pivot: Command) -> None:
    done = bare_pivot("schema", cwd=tmp_path)

    assert json.loads(done.out)["$id"] == "urn:pivot-remote:pipeline"


def test_schema_prints_each_schema_that_ships(tmp_path: Path, bare_pivot: Command) -> None:
    names = sorted(path.stem for path in (ROOT / "pivot/schemas").iterdir())

    printed = {name: bare_pivot("schema", name, cwd=tmp_path).out for name in names}
    offered = complete(bare_pivot, "pivot schema re", tmp_path).out.split()
    unknown = bare_pivot("schema", "nosuch", cwd=tmp_path)

    assert sorted(SCHEMAS) == names
    assert printed == {
        name: (ROOT / f"pivot/schemas/{name}.json").read_text(encoding="utf-8") for name in names
    }
    assert offered == ["plain,report", "plain,repro", "plain,remotes"]
    assert (unknown.code, "'pipeline'" in unknown.err) == (2, True)


def test_the_guide_and_the_help_name_the_schema_of_every_command(
    tmp_path: Path, bare_pivot: Command
) -> None:
    guide = (ROOT / "docs/guide.md").read_text(encoding="utf-8").partition("## In Scripts")[2]

    rows = re.findall(r"^\| (`.+) \| `([a-z-]+)` \|$", guide, re.MULTILINE)

    told = {name: commands.replace("`", "") for commands, name in rows}
    assert told == {name: text.removesuffix(", for editors") for name, text in SCHEMAS.items()}
    shown = bare_pivot("schema", "--help", cwd=tmp_path).out
    assert all(re.search(rf"^    {name} +\w", shown, re.MULTILINE) for name in SCHEMAS)


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_repro_reports_in_the_form_of_its_schema(
    dry: tuple[str, ...], project: Path, bare_pivot: Command
) -> None:
    report = valid(bare_pivot("repro", "--json", *dry, cwd=project).out, "repro")

    assert [stage["state"] for stage in report["stages"]] == ["planned" if dry else "ran"] * 5
    assert report["dry_run"] == bool(dry)


def test_track_records_a_file_beside_it(project: Path, bare_pivot: Command) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    content = b"2\n1\n"

    done = bare_pivot("track", "raw.csv", cwd=project)
    bare_pivot("repro", cwd=project)

    assert done.out == "Tracked: raw.csv\n"
    assert (
        project / "raw.csv.pvt"
    ).read_text() == f"path: raw.csv\nhash: {digest(content)}\nsize: 4\n"
    name = digest(content)
    assert (project / ".pivot/cache/files" / name[:2] / name[2:]).read_bytes() == content
    assert (project / "raw.csv").stat().st_nlink == 1
    assert "/raw.csv\n" in (project / ".gitignore").read_text()


def test_tracked_data_that_is_lost_is_restored_for_a_stage(
    project: Path, bare_pivot: Command
) -> None:
    bare_pivot("track", "raw.csv", cwd=project)
    (project / "raw.csv").unlink()

    done = bare_pivot("repro", "prepare", cwd=project)

    assert done.code == 0, done
    assert (project / "clean.csv").read_text() == "1\n2\n"


def test_track_records_a_directory_and_names_the_links_that_it_leaves_out(
    tmp_path: Path, bare_pivot: Command
) -> None:
    ProjectBuilder(tmp_path)
    data = tmp_path / "data/imgs"
    (data / "nothing/inside").mkdir(parents=True)
    (data / "café.txt").write_text("x")
    (data / "run.sh").write_text("#!/bin/sh\n")
    (data / "run.sh").chmod(0o755)
    (data / "link").symlink_to("run.sh")

    done = bare_pivot("track", "imgs", cwd=tmp_path / "data")
    listed = valid(
        bare_pivot("track", "--json", "--force", "data/imgs", cwd=tmp_path).out, "change"
    )

    assert done.out == "Tracked: imgs\n"
    assert "leaves out symlinks link" in done.err
    assert (tmp_path / "data/imgs.pvt").read_text() == (
        "path: imgs\n"
        f"hash: {listed['tracked'][0]['digest']}\n"
        "size: 11\n"
        "num_files: 2\n"
        "manifest:\n"
        '- relpath: "caf\\xE9.txt"\n'
        f"  hash: {digest(b'x')}\n"
        "  size: 1\n"
        "  isexec: false\n"
        "- relpath: run.sh\n"
        "  hash: 4a894812acfb51f0\n"
        "  size: 10\n"
        "  isexec: true\n"
        "empty_dirs:\n"
        "- nothing/inside\n"
    ).replace("4a894812acfb51f0", digest(b"#!/bin/sh\n"))


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["nosuch"], "Path not found: nosuch"),
        (["../outside"], "Path '../outside' resolves outside project root"),
        (["."], "unsafe path"),
        ([".pivot/stages"], ".git and .pivot are not data"),
        (["dangling"], "Path 'dangling' is a broken symlink"),
        (["fifo"], "'fifo' is neither a file nor a directory"),
        (["clean.csv"], "Cannot track 'clean.csv': overlaps with stage output 'clean.csv'"),
        (["raw.csv", "raw.csv"], "'raw.csv' is given twice, or inside of another"),
        (["known.bin"], "'known.bin' is already tracked. Use --force to update."),
    ],
)
def test_what_cannot_be_tracked_is_said_and_nothing_is_written(
    paths: list[str], said: str, project: Path, bare_pivot: Command
) -> None:
    (project / "dangling").symlink_to("nowhere")
    os.mkfifo(project / "fifo")
    (project / "clean.csv").write_text("x")
    ProjectBuilder(project).tracked("known.bin", b"known", place=True)
    (project / "other.bin").write_text("other")

    done = bare_pivot("track", "other.bin", *paths, cwd=project)

    assert done.code == 2
    assert said in done.err
    assert not (project / "other.bin.pvt").exists()


def test_init_names_the_next_steps(tmp_path: Path, bare_pivot: Command) -> None:
    done = bare_pivot("init", cwd=tmp_path)

    assert "Write your stages into pivot.yaml, and run them with 'pivot repro'" in done.out
    assert (tmp_path / ".pivot/stages").is_dir()
