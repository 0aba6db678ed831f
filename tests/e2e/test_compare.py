"""What a reviewer sees of parameters and metrics, in real repositories."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pivot.project import NEVER_ENTERED
from tests.conftest import ROOT, Command, Done
from tests.documentation import Shell, install_commands, run_page
from tests.e2e.test_report import SCHEMAS, valid, values
from tests.e2e.test_terminal import complete
from tests.projects import ProjectBuilder, digest

PIPELINE = """\
stages:
  train:
    cmd: python train.py
    params:
      - train.lr
      - conf/model.toml: [depth]
    metrics: [metrics.json]
  shuffle:
    cmd: shuf
    params: {seed: 7}
"""
PARAMS = "train:\n  lr: 0.01\n  layers: [64, 32]\nunused: x\n"


@dataclass(frozen=True)
class Repository:
    """A git repository whose project is at *root*."""

    root: Path
    pivot: Command

    def write(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def git(self, *arguments: str) -> None:
        subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=self.pivot.environment,
            check=True,
            capture_output=True,
        )

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "x")

    def run(self, *arguments: str, **variables: str) -> Done:
        return self.pivot(*arguments, cwd=self.root, **variables)

    def rows(self, *arguments: str) -> dict[str, tuple[Any, Any]]:
        """Run a comparison and give its rows, in the form of the schema, by path and key."""
        done = self.run(*arguments, "--json")
        assert (done.code, done.err) == (0, ""), done
        tree = valid(done.out, "differences")
        return {
            f"{row['path']}:{row['key']}": (row.get("old", "-"), row.get("new", "-"))
            for row in tree["rows"]
        }


@pytest.fixture(name="empty")
def _empty(tmp_path: Path, bare_pivot: Command) -> Repository:
    """A project in a repository, without a commit."""
    repository = Repository(tmp_path / "project", bare_pivot)
    repository.write(".pivot/.gitignore", "/cache/\n")
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.write("pivot.yaml", PIPELINE)
    repository.write("params.yaml", PARAMS)
    repository.write("conf/model.toml", "depth = 3\nother = 1\n")
    repository.write("metrics.json", '{"acc": 0.91, "confusion": [[8, 2], [1, 9]], "by": "Ana"}')
    return repository


@pytest.fixture(name="project")
def _project(empty: Repository) -> Repository:
    empty.commit()
    return empty


def test_changed_added_and_removed_parameters_of_every_kind(project: Repository) -> None:
    project.write("params.yaml", "train:\n  lr: 0.02\n  layers: [64, 32, 16]\nwärme: [{ü: 日本}]\n")
    project.write("conf/model.toml", "depth = 4\nother = 2\n")
    project.write("pivot.yaml", PIPELINE.replace("seed: 7", "seed: 8"))

    done = project.run("params", "diff")

    assert done == Done(
        0,
        "Path             Key              HEAD  workspace  Change\n"
        "conf/model.toml  depth            3     4          +1\n"
        "params.yaml      train.layers[2]  -     16         -\n"
        "params.yaml      train.lr         0.01  0.02       +0.01\n"
        "params.yaml      unused           x     -          -\n"
        "params.yaml      wärme[0].ü       -     日本       -\n"
        "pivot.yaml       shuffle.seed     7     8          +1\n",
        "",
    )


def test_what_stages_declare_on_either_side_is_compared(project: Repository) -> None:
    project.write("pivot.yaml", PIPELINE.replace("[depth]", "[other]"))
    project.write("conf/model.toml", "depth = 4\nother = 2\n")

    assert project.rows("params", "diff") == {
        "conf/model.toml:depth": (3, 4),
        "conf/model.toml:other": (1, 2),
    }


@pytest.mark.parametrize("name", sorted(NEVER_ENTERED - {".git"}))
def test_what_is_not_looked_into_here_is_not_looked_into_at_a_revision(
    name: str, project: Repository
) -> None:
    project.write(f"lib/{name}/pivot.yaml", "stages: {a: {cmd: x, params: {seed: 7}}}\n")
    project.commit()

    rows = project.rows("params", "diff", "HEAD~1", "HEAD")

    assert rows == project.rows("params", "diff", "HEAD~1") == {}


def test_two_revisions_are_compared_without_the_workspace(project: Repository) -> None:
    project.git("tag", "v1")
    project.write("params.yaml", PARAMS.replace("0.01", "0.02"))
    project.write("metrics.json", '{"acc": 0.93}')
    project.commit()
    project.write("params.yaml", "not: compared\n")
    project.git("checkout", "--quiet", "--detach")

    assert project.rows("params", "diff", "v1", "main") == {"params.yaml:train.lr": (0.01, 0.02)}
    assert project.rows("metrics", "diff", "main", "v1")["metrics.json:acc"] == (0.93, 0.91)
    assert project.rows("params", "diff", "HEAD", "HEAD") == {}


def test_a_renamed_file_is_gone_there_and_new_here(project: Repository) -> None:
    project.git("mv", "conf/model.toml", "conf/net.toml")
    project.write("pivot.yaml", PIPELINE.replace("model.toml", "net.toml"))

    assert project.rows("params", "diff") == {
        "conf/model.toml:depth": (3, "-"),
        "conf/net.toml:depth": ("-", 3),
    }


def test_when_nothing_changed_one_line_says_so(project: Repository) -> None:
    for command, name in (("params", "parameters"), ("metrics", "metrics")):
        done = project.run(command, "diff")
        markdown = project.run(command, "diff", "main", "HEAD", "--md")

        assert done == Done(0, f"No {name} changed between HEAD and the workspace.\n", "")
        assert markdown == Done(0, f"No {name} changed between main and HEAD.\n", "")


def test_all_shows_what_did_not_change_too(project: Repository) -> None:
    rows = project.rows("params", "diff", "--all")

    assert len(rows) == 6
    assert all(old == new for old, new in rows.values())


def test_metrics_are_shown_with_the_digits_that_are_asked_for(project: Repository) -> None:
    project.write("metrics.json", '{"acc": 0.123456789, "n": 123456789, "nan": NaN, "t": "a b"}')
    line = "metrics.json  acc     {}\n"

    by_default = project.run("metrics", "show").out
    asked = project.run("metrics", "show", "--precision", "3").out
    project.run("config", "set", "display.precision", "2")
    configured = project.run("metrics", "show").out
    tree = valid(project.run("metrics", "show", "--json").out, "metrics")

    assert by_default == (
        "Path          Metric  Value\n"
        "metrics.json  acc     0.12346\n"
        "metrics.json  n       123456789\n"
        "metrics.json  nan     nan\n"
        "metrics.json  t       a b\n"
    )
    assert line.format("0.123") in asked
    assert line.format("0.12") in configured
    assert [row["value"] for row in tree["metrics"]] == [0.123456789, 123456789, "nan", "a b"]


def test_metrics_of_targets_alone_are_shown(project: Repository) -> None:
    project.write("nlp/pivot.yaml", "stages: {fit: {cmd: x, metrics: [m.yaml]}}")
    project.write("nlp/m.yaml", "f1: 0.5\n")

    for target in ("nlp", "nlp/m.yaml", "fit", "nlp/fit"):
        shown = valid(project.run("metrics", "show", target, "--json").out, "metrics")
        assert [row["path"] for row in shown["metrics"]] == ["nlp/m.yaml"]
    below = project.run("metrics", "show", "-C", "nlp", "m.yaml")
    wrong = project.run("metrics", "show", "nlp/m.yml")

    assert below.out.splitlines()[1:] == ["nlp/m.yaml  f1      0.5"]
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err.splitlines() == [
        "Error: 'nlp/m.yml' is no metric and no stage with metrics",
        "Tip: did you mean 'nlp/m.yaml'?",
    ]


def test_metrics_of_a_revision_are_shown_as_they_were(project: Repository) -> None:
    project.write("metrics.json", '{"acc": 0.93}')
    project.commit()
    project.write("metrics.json", '{"acc": 0.95}')

    before = project.run("metrics", "show", "--rev", "HEAD~1", "-v", "metrics.json")
    last = valid(project.run("metrics", "show", "--rev", "main", "--json").out, "metrics")
    unknown = project.run("metrics", "show", "--rev", "mian")

    assert before.out.splitlines()[1] == "metrics.json  acc              0.91"
    assert "HEAD~1: " in before.err
    assert [row["value"] for row in last["metrics"]] == [0.93]
    assert unknown == Done(2, "", "Error: Unknown revision 'mian'\nTip: did you mean 'main'?\n")


def test_stages_that_only_a_revision_has_are_targets_there(project: Repository) -> None:
    matrix = "matrix: {m: [a, b]}\n    cmd: x\n    metrics: ['${m}.json']\n"
    project.write("pivot.yaml", f"stages:\n  fit:\n    {matrix}")
    project.write("a.json", '{"n": 1}')
    project.write("b.json", '{"n": 2}')
    project.commit()
    project.write("pivot.yaml", PIPELINE)

    for target, paths in (
        ("fit", ["a.json", "b.json"]),
        ("fit@*", ["a.json", "b.json"]),
        ("fit@b", ["b.json"]),
    ):
        shown = project.run("metrics", "show", "--rev", "HEAD", "--json", target)
        assert [row["path"] for row in valid(shown.out, "metrics")["metrics"]] == paths
    assert project.run("metrics", "show", "fit@*").code == 2


def test_a_cached_metric_of_one_revision_is_read_from_the_cache(cached: Repository) -> None:
    shown = cached.run("metrics", "show", "--rev", "HEAD", "fit").out

    assert shown.splitlines()[1:] == ["m.json  acc     0.5"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("pivot params diff m", ["main"]),
        ("pivot metrics diff main v", ["v1"]),
        ("pivot metrics show --rev v", ["v1"]),
        ("pivot metrics show m", ["metrics.json"]),
        ("pivot metrics show s", []),
        ("pivot metrics show t", ["train"]),
        ("pivot metrics show --rev v1 o", ["old", "old.json"]),
    ],
)
def test_revisions_and_metrics_are_completed(
    words: str, offered: list[str], project: Repository
) -> None:
    pipeline = PIPELINE.replace("train:\n", "old:\n").replace("metrics.json", "old.json")
    project.write("pivot.yaml", pipeline)
    project.commit()
    project.git("tag", "v1")
    project.write("pivot.yaml", PIPELINE)

    done = complete(project.pivot, words, project.root)

    assert [line.partition(",")[2] for line in done.out.split()] == offered
    assert done.err == ""


def test_outside_of_a_repository_no_revision_is_completed(project: Repository) -> None:
    shutil.rmtree(project.root / ".git")

    done = complete(project.pivot, "pivot params diff m", project.root)

    assert (done.out.strip(), done.err) == ("", "")


def test_a_metric_that_no_side_has_is_no_row_and_no_error(project: Repository) -> None:
    (project.root / "metrics.json").unlink()

    assert project.run("metrics", "show") == Done(0, "No metrics found.\n", "")
    assert project.rows("metrics", "diff")["metrics.json:acc"] == (0.91, "-")


def test_a_project_below_the_root_of_its_repository(tmp_path: Path, project: Repository) -> None:
    shutil.rmtree(project.root / ".git")
    above = Repository(tmp_path, project.pivot)
    above.write("params.yaml", "not: ours\n")
    above.git("init", "--quiet")
    above.commit()
    project.write("params.yaml", PARAMS.replace("0.01", "0.02"))

    assert project.rows("params", "diff") == {"params.yaml:train.lr": (0.01, 0.02)}


@pytest.mark.parametrize("command", ["params", "metrics"])
def test_what_cannot_be_compared_is_refused_with_a_sentence(
    command: str, project: Repository
) -> None:
    unknown = project.run(command, "diff", "mian")
    option = project.run(command, "diff", "--", "--output=x")
    both = project.run(command, "diff", "--md", "--json")
    as_json = project.run(command, "diff", "mian", "--json")
    shutil.rmtree(project.root / ".git")
    outside = project.run(command, "diff")

    assert unknown == Done(2, "", "Error: Unknown revision 'mian'\nTip: did you mean 'main'?\n")
    assert option == Done(2, "", "Error: '--output=x' cannot be a revision\n")
    assert (both.code, valid(both.out, "report")["exit_code"]) == (2, 2)
    assert valid(as_json.out, "report")["command"] == command
    assert outside.code == 2
    assert outside.err.startswith(f"Error: {project.root} is not in a git repository")


def test_without_a_commit_there_is_nothing_to_compare_with(empty: Repository) -> None:
    done = empty.run("params", "diff")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Error: There is no commit yet\n")
    assert empty.run("metrics", "show").code == 0


def test_without_git_nothing_is_called_absent(project: Repository) -> None:
    done = project.run("metrics", "diff", PATH=str(project.root))
    shown = project.run("metrics", "show", PATH=str(project.root))

    assert (done.code, done.out) == (1, "")
    assert done.err == "Error: git is not installed, so it cannot say what it has\n"
    assert shown.code == 0, shown


@pytest.mark.parametrize("broken", ["HEAD", "workspace"])
def test_a_file_that_is_invalid_at_one_side_is_named_and_the_others_are_shown(
    broken: str, project: Repository
) -> None:
    def change(*, well: bool) -> None:
        project.write("conf/model.toml", "depth = 4\n" if well else "depth = 3\n\ndepth =\n")
        project.write("params.yaml", PARAMS.replace("0.01", "0.02" if well else "0.03"))

    change(well=broken != "HEAD")
    project.commit()
    change(well=broken == "HEAD")

    done = project.run("params", "diff")
    report = project.run("params", "diff", "--json")

    assert done.code == report.code == 8
    assert [line.split()[:2] for line in done.out.splitlines()[1:]] == [["params.yaml", "train.lr"]]
    (line,) = done.err.splitlines()
    assert line.startswith(f"Error: {'HEAD:' if broken == 'HEAD' else ''}conf/model.toml: ")
    assert "line 3" in line
    (problem,) = valid(report.out, "differences")["problems"]
    assert line == f"Error: {problem['message']}"
    assert report.err == done.err


def test_an_invalid_params_file_is_named_once_though_the_pipeline_reads_it_too(
    project: Repository,
) -> None:
    project.write("params.yaml", "train:\n  lr: [1\n")
    project.write("metrics.json", '{"acc": 0.5}')

    params = project.run("params", "diff")
    metrics = project.run("metrics", "diff")

    assert params.code == metrics.code == 8
    (line,) = [line for line in params.err.splitlines() if line.startswith("Error")]
    assert line.startswith("Error: params.yaml: line ")
    assert "Error: pivot.yaml: params.yaml: line " in metrics.err
    assert "metrics.json  acc" in metrics.out


def test_an_invalid_pipeline_at_one_side_makes_no_parameters_disappear(
    project: Repository,
) -> None:
    project.write("pivot.yaml", "stages:\n  train:\n    cdm: x\n")
    project.write("conf/model.toml", "depth = 4\n")

    done = project.run("params", "diff")

    assert done.code == 8
    assert done.err.startswith("Error: pivot.yaml: ")
    assert [line.split() for line in done.out.splitlines()[1:]] == [
        ["conf/model.toml", "depth", "3", "4", "+1"]
    ]


def test_a_hostile_key_has_no_effect_in_markdown_nor_on_the_terminal(project: Repository) -> None:
    key = 'a|b`</code><img src=x>\n| x | "q" | @ana'
    project.write("metrics.json", json.dumps({key: "\x1b[2J|", "n": 1, "[x](http://x)": None}))

    markdown = project.run("metrics", "diff", "--md")
    text = project.run("metrics", "diff")

    assert markdown.code == text.code == 0
    assert "\x1b" not in markdown.out + text.out
    lines = [line for line in markdown.out.splitlines() if "acc" not in line]
    assert all(line.count("|") == 6 for line in lines)
    assert "`[x](http://x)`" in markdown.out
    assert not any(mark in markdown.out for mark in ("<img", "@ana", '"q"'))
    assert len(text.out.splitlines()) == len(markdown.out.splitlines()) - 1


def test_a_symlink_does_not_show_files_outside_of_the_project(
    tmp_path: Path, project: Repository
) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"token": "s3cret"}')
    (project.root / "metrics.json").unlink()
    (project.root / "metrics.json").symlink_to(secret)

    done = project.run("metrics", "diff")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "link")
    at_head = project.run("metrics", "diff", "HEAD~1", "HEAD")

    assert (done.code, at_head.code) == (8, 8)
    assert "metrics.json: is a symlink that leads out of the project" in done.err
    assert "HEAD:metrics.json: is a symlink or submodule" in at_head.err
    assert "s3cret" not in done.out + done.err + at_head.out


CACHED = "stages: {fit: {cmd: x, metrics: [{m.json: {cache: true}}]}}\n"


@pytest.fixture(name="cached")
def _cached(project: Repository) -> Repository:
    """A cached metric with one version committed, and the next in the workspace."""
    built = ProjectBuilder(project.root)
    project.write(".gitignore", "/m.json\n")
    project.write("pivot.yaml", CACHED)
    built.stage("fit", {"m.json": b'{"acc": 0.5}'})
    project.commit()
    built.stage("fit", {"m.json": b'{"acc": 0.75}'}, place=True)
    return project


def test_a_cached_metric_of_a_revision_is_read_from_the_cache(cached: Repository) -> None:
    assert cached.rows("metrics", "diff") == {"m.json:acc": (0.5, 0.75)}


def test_a_cached_metric_that_is_not_in_the_cache_is_missing_with_a_warning(
    cached: Repository,
) -> None:
    name = digest(b'{"acc": 0.5}')
    (cached.root / ".pivot/cache/files" / name[:2] / name[2:]).unlink()

    done = cached.run("metrics", "diff")

    assert (done.code, done.err) == (
        0,
        f"Warning: HEAD:m.json: object {name} is not in the local cache\n",
    )
    assert done.out.splitlines()[1].split() == ["m.json", "acc", "-", "0.75", "-"]


def test_a_damaged_object_is_no_metric(cached: Repository) -> None:
    name = digest(b'{"acc": 0.5}')
    place = cached.root / ".pivot/cache/files" / name[:2] / name[2:]
    place.unlink()
    place.write_bytes(b'{"acc": 0.9}')

    done = cached.run("metrics", "diff")

    assert done.code == 5
    assert "0.9" not in done.out
    assert done.err.startswith(f"Error: HEAD:m.json: object {name} in the cache is damaged\n")


def test_a_damaged_lock_at_a_revision_makes_no_metric_absent(cached: Repository) -> None:
    lock = cached.root / ".pivot/stages/fit.lock"
    good = lock.read_text()
    lock.write_text("outs: [\n")
    cached.commit()
    lock.write_text(good)

    done = cached.run("metrics", "diff")

    assert done.code == 8
    assert done.out == "Nothing to show of what could be read.\n"
    assert done.err.startswith("Error: HEAD:.pivot/stages/fit.lock: line ")


def test_metrics_of_the_real_pivot_are_known_from_its_locks(project: Repository) -> None:
    (project.root / "pivot.yaml").unlink()
    built = ProjectBuilder(project.root)
    built.stage("demo/eval", {"out.json": b'{"f1": 0.5}', "d.csv": b"x"}, metrics={"out.json"})
    project.commit()
    project.write("out.json", '{"f1": 0.25}')

    assert project.rows("metrics", "diff") == {"out.json:f1": (0.5, 0.25)}
    assert project.run("metrics", "show", "eval").out.splitlines()[1:] == ["out.json  f1      0.25"]


@pytest.mark.parametrize("command", ["params diff", "metrics diff", "metrics show"])
def test_quiet_says_nothing_and_verbose_names_the_commit(command: str, project: Repository) -> None:
    quiet = project.run(*command.split(), "-q")
    verbose = project.run(*command.split(), "-v")

    assert quiet == Done(0, "", "")
    assert ("HEAD: " in verbose.err) == command.endswith("diff")


@pytest.mark.parametrize("name", ["differences", "metrics"])
def test_the_schemas_explain_all_and_allow_nothing_else(name: str) -> None:
    form = json.loads((SCHEMAS / f"{name}.json").read_text())

    for place, node in values(form, name):
        assert node.get("title"), place
        assert node.get("description"), place
        assert "properties" not in node or node.get("additionalProperties") is False, place


def test_every_example_of_the_page_does_what_it_says(empty: Repository, tmp_path: Path) -> None:
    lock = {"PATH": install_commands(tmp_path / "bin", [sys.executable, "-m", "pivot"])}
    shutil.rmtree(empty.root)
    (tmp_path / "project/.pivot").mkdir(parents=True)
    empty.git("init", "--quiet", "--initial-branch=main")
    page = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")

    count = run_page(page, Shell(tmp_path, empty.pivot.environment | lock))

    assert count > 8
