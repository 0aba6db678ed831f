"""The snippets of the README for Jenkins, CircleCI and Buildkite, and the script that they call."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Command, Done, clean_environment
from tests.e2e.weather import OUTPUTS, make_project, without_cache
from tests.servers import S3Server
from tests.snippets import read, snippets

DOCKER = """#!{python}
import os, sys
sys.path.insert(0, {root!r})
words = sys.argv[1:]
assert words[:2] == ["run", "--rm"], words
words, given, place = words[2:], {{}}, None
while words[0].startswith("-"):
    option, value, words = words[0], words[1], words[2:]
    if option == "-e":
        assert "=" not in value, "a value is on the command line"
        if value in os.environ:
            given[value] = os.environ[value]
    elif option == "-v":
        assert value.split(":")[0] == value.split(":")[1] == os.getcwd() or ".aws" in value, value
    elif option == "-w":
        place = value
    else:
        assert option == "-u" and value == f"{{os.getuid()}}:{{os.getgid()}}", (option, value)
assert words[0] == "ghcr.io/OWNER/pivot-remote:1", words
assert place == os.getcwd()
kept = {{name: os.environ[name] for name in ("PATH", "HOME")}} | {{"PYTHONPATH": {root!r}}}
os.execve({python!r}, [{python!r}, "-m", "pivot", *words[1:]], kept | given)
"""
"""Takes the options of `docker run` that the README uses, and runs the command without an image."""


def jenkins() -> list[str]:
    (found,) = snippets("groovy", "README.md")
    assert found.text.count("{") == found.text.count("}")
    return re.findall(r"\bsh '([^']+)'", found.text)


def circleci() -> list[str]:
    (text,) = (s.text for s in snippets("yaml", "README.md") if s.text.startswith("version: 2.1"))
    tree: dict[str, Any] = yaml.safe_load(text)
    (job,) = tree["workflows"]["main"]["jobs"]
    (name,) = job
    return [step["run"] for step in tree["jobs"][name]["steps"] if isinstance(step, dict)]


def buildkite() -> list[str]:
    (text,) = (s.text for s in snippets("yaml", "README.md") if s.text.startswith("steps:"))
    steps = [step for step in yaml.safe_load(text)["steps"] if step != "wait"]
    return [command for step in steps for command in step["commands"]]


def script() -> str:
    (text,) = (s.text for s in snippets("sh", "README.md") if s.text.startswith("#!/bin/sh"))
    return text


@pytest.fixture(name="shell")
def _shell(tmp_path: Path, server: S3Server, bucket: str, pivot: Command) -> Any:
    """Run commands in a checkout that has `ci/pivot`, as an agent with Docker would."""
    project = make_project(tmp_path / "project", bucket)
    assert pivot("push", cwd=project).code == 0
    clone = without_cache(project, tmp_path / "clone")
    (clone / "ci").mkdir()
    (clone / "ci/pivot").write_text(script())
    (clone / "ci/pivot").chmod(0o755)
    programs = tmp_path / "programs"
    programs.mkdir()
    root = str(Path(__file__).parent.parent.parent)
    (programs / "docker.py").write_text(DOCKER.format(python=sys.executable, root=root))
    own = f'exec "{sys.executable}"'
    (programs / "docker").write_text(f'#!/bin/sh\n{own} "{programs / "docker.py"}" "$@"\n')
    (programs / "pivot").write_text(
        f'#!/bin/sh\ntest -z "$AWS_SECRET_ACCESS_KEY" || exit 99\nexport PYTHONPATH="{root}"\n'
        f'{own} -m pivot "$@"\n'
    )
    for name in ("docker", "pivot"):
        (programs / name).chmod(0o755)
    environment = clean_environment(tmp_path) | server.environment()
    environment["PATH"] = f"{programs}:{os.environ['PATH']}"

    def run(command: str) -> Done:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=clone,
            env=environment | {"CIRCLE_BRANCH": "main"},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    run.clone = clone  # type: ignore[attr-defined]
    return run


@pytest.mark.parametrize("commands", [jenkins, circleci, buildkite])
def test_its_commands_pull_run_and_push(commands: Any, shell: Any) -> None:
    pull, repro, push = commands()

    pulled = shell(pull)
    (shell.clone / "pivot.yaml").write_text("stages:\n  one: {cmd: echo 1 > one, outs: [one]}\n")
    ran = shell(repro)
    pushed = shell(push)

    assert pulled.code == 0, pulled
    assert (shell.clone / "data/a.bin").read_bytes() == OUTPUTS["data/a.bin"]
    assert ran.code == 0, ran
    assert "1 ran" in ran.out
    assert pushed.code == 0, pushed
    assert "Pushed to 'origin': 1 transferred" in pushed.out


def test_the_laptop_calls_the_image_with_the_files_of_aws() -> None:
    (line,) = re.findall(r"^docker run .*$", read("README.md"), re.MULTILINE)
    assert line.endswith("ghcr.io/OWNER/pivot-remote:1 pull")
    assert "-v ~/.aws:/tmp/home/.aws:ro" in line


def test_the_script_is_clean(tmp_path: Path) -> None:
    (tmp_path / "pivot").write_text(script())
    program = Path(sys.executable).parent / "shellcheck"
    subprocess.run([program, tmp_path / "pivot"], check=True, timeout=60)
