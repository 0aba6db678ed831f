"""The project's own workflows: what a linter does not know of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def read(path: Path) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tree


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_is_allowed_that_no_job_asks_for(path: Path) -> None:
    tree = read(path)

    assert tree["permissions"] == {}
    for name, job in tree["jobs"].items():
        assert job["timeout-minutes"] <= 45, name
        assert "permissions" in job or name == "all-green", name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_named_by_commit_with_their_version(path: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", path.read_text())

    for name, comment in used:
        if name != "./":
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name), name
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), name


def test_one_action_has_one_version() -> None:
    used = {name for path in WORKFLOWS for name in re.findall(r"uses: (\S+@\S+)", path.read_text())}
    actions = [name.partition("@")[0] for name in used]
    assert len(actions) == len(set(actions)), used


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_checkout_keeps_no_credentials(path: Path) -> None:
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_all_green_waits_for_every_job() -> None:
    jobs = read(ROOT / ".github/workflows/ci.yml")["jobs"]
    assert set(jobs["all-green"]["needs"]) == set(jobs) - {"all-green"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_scripts_are_clean_and_hold_no_expression(path: Path) -> None:
    program = Path(sys.executable).parent / "shellcheck"
    for step in steps(path):
        if script := step.get("run"):
            assert "${{" not in script
            done = subprocess.run(
                [program, "--shell=bash", "-"],
                input=script,
                check=False,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, (script, done.stdout)


def test_a_release_names_what_was_tested() -> None:
    jobs = read(ROOT / ".github/workflows/release.yml")["jobs"]
    publish = "\n".join(step.get("run", "") for step in jobs["publish"]["steps"])

    assert jobs["publish"]["needs"] == ["prepare", "build"]
    assert "docker buildx build" not in publish
    assert "imagetools create" in publish
    assert publish.index('git push origin "refs/tags/v$VERSION"') < publish.index(
        "git push --force"
    )


def test_between_releases_no_commit_names_an_image() -> None:
    lines = (ROOT / "image.lock").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["name", "version", "digest"]
    assert "version unreleased" in lines
