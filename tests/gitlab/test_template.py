"""The GitLab template, expanded and run by gitlab-ci-local."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from pivot.ci.table import INPUTS
from tests.conftest import ROOT, Command, Done, clean_environment
from tests.e2e.weather import OUTPUTS, make_project, without_cache
from tests.servers import S3Server

HERE = Path(__file__).parent
PLACE = ROOT / ".venv-gitlab"
COLOUR = re.compile("\x1b\\[[0-9;]*m")


@pytest.fixture(name="program", scope="session")
def _program() -> Path:
    """Install gitlab-ci-local by its lock file, unless it is there."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("gitlab-ci-local needs Node.js with npm")
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    ready = PLACE / "lock.sha256"
    PLACE.mkdir(exist_ok=True)
    lock = os.open(PLACE, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists() or ready.read_text() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, PLACE / name)
            words = ("ci", "--no-audit", "--no-fund", "--ignore-scripts")
            subprocess.run([npm, *words], cwd=PLACE, check=True, timeout=240, capture_output=True)
            ready.write_text(wanted)
    finally:
        os.close(lock)
    return PLACE / "node_modules/.bin/gitlab-ci-local"


@dataclass(frozen=True)
class Project:
    """A repository of GitLab with the template, as if it were on a server."""

    root: Path
    home: Path
    program: Path

    def write(self, *includes: Mapping[str, str]) -> None:
        """Include the template with these inputs, each time once."""
        (self.root / "templates/pivot").mkdir(parents=True, exist_ok=True)
        template = "templates/pivot/template.yml"
        shutil.copy(ROOT / template, self.root / template)
        found = [{"local": template, "inputs": dict(inputs)} for inputs in includes]
        tree = {"stages": ["build"], "include": found}
        (self.root / ".gitlab-ci.yml").write_text(yaml.safe_dump(tree))
        for words in (
            ("init", "--quiet", "--initial-branch=main"),
            ("remote", "add", "origin", "git@gitlab.com:team/rentals.git"),
            ("add", "--all", "--force"),
            ("commit", "--quiet", "--message", "All"),
        ):
            environment = clean_environment(self.home)
            subprocess.run(["git", *words], cwd=self.root, check=False, env=environment)

    def __call__(self, *arguments: str, **variables: str) -> Done:
        given = [word for item in variables.items() for word in ("--variable", "=".join(item))]
        environment = clean_environment(self.home)
        # `pivot-ci` is found as in the image, by its name
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        done = subprocess.run(
            [self.program, *arguments, *given],
            check=False,
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Done(done.returncode, COLOUR.sub("", done.stdout), COLOUR.sub("", done.stderr))

    def run(self, server: S3Server) -> Done:
        """Run the pipeline here, with what GitLab would say of it."""
        told = {"GITLAB_CI": "true", "CI_PIPELINE_SOURCE": "push", "CI_PROJECT_DIR": str(self.root)}
        options = ("--force-shell-executor", "--no-shell-isolation")
        return self(*options, **told, **server.environment())

    def jobs(self) -> dict[str, Any]:
        """Expand the template, and read what it comes to."""
        done = self("--preview")
        assert done.code == 0, done
        jobs: dict[str, Any] = yaml.safe_load(done.out.partition("---\n")[2])
        return jobs


@pytest.fixture(name="gitlab")
def _gitlab(tmp_path: Path, program: Path) -> Project:
    (tmp_path / "repository").mkdir()
    (tmp_path / "home").mkdir()
    return Project(tmp_path / "repository", tmp_path / "home", program)


def test_the_template_can_be_included_twice(gitlab: Project) -> None:
    gitlab.write(
        {"job-name": "pull", "command": "pull", "stages": "train\nmodel/a b.pkl"},
        {"job-name": "push", "command": "push", "image": "mirror.example.org/pivot:1"},
    )

    jobs = gitlab.jobs()

    assert {"pull", "push"} <= jobs.keys()
    assert jobs["pull"]["image"]["entrypoint"] == [""]
    assert jobs["push"]["image"]["name"] == "mirror.example.org/pivot:1"
    assert jobs["pull"]["script"] == ["pivot-ci"]
    given = jobs["pull"]["variables"]
    assert given.pop("PIVOT_RUNTIME") == "docker"
    assert given.pop("PIVOT_INPUT_STAGES") == "train\nmodel/a b.pkl"
    assert given.pop("PIVOT_INPUT_COMMAND") == "pull"
    assert given == {
        known.variable: known.default
        for known in INPUTS
        if not known.github_only and known.name not in {"command", "stages"}
    }


def test_a_value_that_there_is_not_is_refused(gitlab: Project) -> None:
    gitlab.write({"command": "pus"})

    done = gitlab("--preview")

    assert done.code != 0
    assert "`command` input: `pus` cannot be used" in done.out + done.err


def test_a_job_pulls_and_hands_on_its_outputs(
    gitlab: Project, tmp_path: Path, bucket: str, server: S3Server, pivot: Command
) -> None:
    if shutil.which("rsync") is None:
        pytest.skip("gitlab-ci-local runs jobs with rsync(1)")
    project = make_project(tmp_path / "project", bucket)
    assert pivot("push", cwd=project).code == 0
    without_cache(project, gitlab.root)
    gitlab.write({"job-name": "pull", "command": "pull"})
    said = "'echo $PIVOT_STATUS $PIVOT_CACHE_HIT $PIVOT_TRANSFERRED; cat data/a.bin | wc -c'"
    config = gitlab.root / ".gitlab-ci.yml"
    after = f"after:\n  stage: .post\n  needs: [pull]\n  script: [{said}]\n"
    config.write_text(config.read_text() + after)

    done = gitlab.run(server)

    assert done.code == 0, done
    assert "Fetched from 'origin': 5 transferred, 0 skipped, 0 failed" in done.out
    assert "complete true 5" in done.out
    assert (gitlab.root / "data/a.bin").read_bytes() == OUTPUTS["data/a.bin"]


def test_a_miss_fails_the_job_where_it_is_told_to(
    gitlab: Project, tmp_path: Path, bucket: str, server: S3Server
) -> None:
    if shutil.which("rsync") is None:
        pytest.skip("gitlab-ci-local runs jobs with rsync(1)")
    without_cache(make_project(tmp_path / "project", bucket), gitlab.root)
    gitlab.write({"job-name": "pull", "command": "pull", "on-miss": "fail"})

    done = gitlab.run(server)

    assert done.code != 0
    assert re.search(r"FAIL +3\b", done.err), done
