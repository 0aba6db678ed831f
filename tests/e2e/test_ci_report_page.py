"""docs/ci-report.md shows what a step tells, as a step tells it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from enum import StrEnum
from pathlib import Path

import jsonschema
import pytest
import yaml

from pivot.ci.markdown import plain
from pivot.ci.told import ObjectState, Status
from pivot.report import dump
from pivot.schema import schema_text
from pivot.stage_states import State
from tests.conftest import ROOT, Command, clean_environment
from tests.documentation import matches
from tests.e2e.ci import Runner, Step
from tests.projects import digest

PAGE = (ROOT / "docs/ci-report.md").read_text(encoding="utf-8")
FORM = json.loads(schema_text("ci-report"))
FOLDER = "/mnt/team/pivot-cache"
LOST = b"tree\n1,2\n3,4\n"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def first_column(head: str) -> list[str]:
    """List the words of the table with this head."""
    rows = PAGE.partition(f"| {head} |\n")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(\w[\w-]*)` \|", rows, re.MULTILINE)


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the shared folder that the page calls by another name."""
    return tmp_path_factory.mktemp("folder")


@pytest.fixture(name="step", scope="module")
def _step(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Step:
    """Pull what was pushed, but for an object that is gone, where nothing is."""
    root = tmp_path_factory.mktemp("page")
    project = root / "project"
    (project / ".pivot").mkdir(parents=True)
    (project / ".pivot/config.yaml").write_text(f"remotes:\n  nas: {folder.as_uri()}\n")
    (project / "pivot.yaml").write_text(blocks("yaml")[0])
    (project / "raw.csv").write_text("3,4\n1,2\n")
    pivot = Command(root / "home", {})
    for command in ("repro", "push"):
        done = pivot(command, cwd=project)
        assert done.code == 0, done
    name = digest(LOST)
    (folder / "files" / name[:2] / name[2:]).unlink()
    shutil.rmtree(project / ".pivot/cache")
    shutil.rmtree(project / "model")
    (project / "clean.csv").unlink()
    return Runner(project, root / "runner")("pull")


def test_the_summary_is_the_one_that_the_page_shows(step: Step, folder: Path) -> None:
    shown = PAGE.partition("<!-- summary -->\n")[2].partition("<!-- /summary -->\n")[0]

    told = step.summary.replace(plain(str(folder)), plain(FOLDER))

    assert matches(shown, told), told


def test_the_report_is_the_one_that_the_page_shows(step: Step, folder: Path) -> None:
    (shown,) = blocks("json")

    assert step.report is not None
    jsonschema.Draft202012Validator(FORM).validate(step.report)
    told = dump(step.report | {"seconds": 0.031}).replace(str(folder), FOLDER)
    assert matches(shown, f"{told}\n"), told


def test_the_annotation_is_the_one_that_the_page_shows(step: Step) -> None:
    (shown,) = blocks("text")

    (told,) = step.commands("warning")

    assert shown.splitlines() == ["Warning: pivot: train@tree", told]
    assert "::warning file=.pivot/stages/train@tree.lock,title=pivot%3A train@tree::" in step.log


def test_the_page_explains_every_field() -> None:
    assert first_column("Field | Value") == list(FORM["properties"])


@pytest.mark.parametrize(
    ("word", "kind"),
    [("status", Status), ("stages[].state", State), ("objects[].state", ObjectState)],
)
def test_the_page_explains_every_word(word: str, kind: type[StrEnum]) -> None:
    assert sorted(first_column(f"`{word}` | Meaning")) == sorted(kind)


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_the_script_lists_what_is_missing(step: Step, tmp_path: Path) -> None:
    _, script = yaml.safe_load(blocks("yaml")[1])

    done = subprocess.run(
        ["bash", "-euc", script["run"]],
        env=clean_environment(tmp_path) | {"REPORT": step.outputs["report"]},
        check=True,
        capture_output=True,
        text=True,
    )

    assert step.outputs["missing"] == "1"
    assert done.stdout == "train@tree\tmodel/tree.txt\n"
