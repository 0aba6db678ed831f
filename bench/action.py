"""How long the action takes with nothing to pull: with a Python of the runner, and in its image."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bench.local import Local, Runs
from bench.measure import Job
from tests.action.start import copy_action, make_starter
from tests.image.conftest import Builder, copy_sources

_TAG = "pivot-remote:bench"


class Action(Local):
    """A step of a job that finds all in place: this is what is there before the first byte."""

    name = "S action"
    title = "S: the action, from the start of its step, with nothing to pull"

    def made(self, missing: Mapping[str, str]) -> Runs:
        del missing
        starter = make_starter(
            self.place.directory / "runner", copy_action(self.place.directory / "action")
        )
        self._project(starter.workspace)
        tools = starter.root / "tools"
        started = ["bash", str(starter.action / "action.sh")]
        plain = Job(
            started,
            starter.workspace,
            starter.environment() | {"PIVOT_INPUT_RUNTIME": "python"},
        )

        def first() -> Job:
            shutil.rmtree(tools)
            tools.mkdir()
            return plain

        runs: dict[str, object] = {
            "python, warm": lambda: self.run(plain),
            "python, the first time on a runner": lambda: self.run(first()),
        }
        self.run(plain)
        reason = os.environ.get("IMAGE_TEST_SKIP", "")
        docker = os.environ.get("IMAGE_TEST_DOCKER")
        if reason or docker is None:
            runs["docker"] = reason or "there is no engine: see make bench"
        else:
            image = self._image(docker)
            more = {
                "PIVOT_INPUT_RUNTIME": "docker",
                "PIVOT_INPUT_IMAGE": image,
                "PATH": f"{Path(docker).parent}:{os.environ['PATH']}",
                "DOCKER_HOST": os.environ.get("DOCKER_HOST", ""),
            }
            environment = {n: v for n, v in (dict(plain.environment) | more).items() if v}
            job = Job(started, starter.workspace, environment)
            runs["docker, the image is there"] = lambda: self.run(job)
        return runs  # type: ignore[return-value]

    def _project(self, project: Path) -> None:
        shared = self.place.directory / "shared"
        shared.mkdir()
        (project / ".pivot").mkdir()
        self.place.run("git", "init", "--quiet", project)
        (project / ".pivot/config.yaml").write_text(f"folders:\n  origin: file://{shared}\n")
        (project / "data.txt").write_text("data\n")
        for words in (("track", "data.txt"), ("push",)):
            job = self.ours(*words, at=project)
            subprocess.run(
                job.words, cwd=project, env=dict(job.environment), check=True, capture_output=True
            )

    def _image(self, docker: str) -> str:
        """Build the image from the files of this project."""
        sources = copy_sources(self.place.directory / "sources")
        Builder(docker, os.environ.get("IMAGE_TEST_BASE", ""), sources)(_TAG)
        return _TAG
