"""What the README promises: its examples run, and a fresh installation has what it says."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from pivot import __version__
from pivot.errors import MEANINGS
from tests.conftest import ROOT, Command
from tests.documentation import Shell, install_commands, run_page
from tests.servers import S3Server, seaweedfs


@pytest.fixture(name="own_server")
def _own_server(tmp_path: Path) -> Iterator[S3Server]:
    with seaweedfs(tmp_path / "server") as server:
        server.make_bucket("my-bucket")
        yield server


def test_the_examples_of_the_readme_do_what_they_say(
    tmp_path: Path, own_server: S3Server, bare_pivot: Command
) -> None:
    environment = bare_pivot.environment | own_server.environment()
    environment |= {"PATH": install_commands(tmp_path / "bin", [sys.executable, "-m", "pivot"])}

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=tmp_path, env=environment, check=True)

    git("init", "--quiet", "developer")
    events = {"clone": lambda: git("clone", "--quiet", "developer", "teammate")}
    page = (ROOT / "README.md").read_text(encoding="utf-8")

    count = run_page(page, Shell(tmp_path, environment, events=events))

    assert count == 8
    counts = (tmp_path / "teammate/counts.txt").read_text().split()
    assert counts == ["1", "ape", "2", "bee", "1", "cat"]


def test_the_readme_has_every_exit_code() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")

    assert [code for code in MEANINGS if f"| {int(code)} | " not in page] == []


def test_a_fresh_installation_has_both_commands_and_the_schemas(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    bin_ = tmp_path / "venv/bin"
    wheels = tmp_path / "wheels"
    build = [sys.executable, "-m", "flit_core.wheel", "--outdir", str(wheels), str(ROOT)]
    pip = [str(bin_ / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    pinned = ["--require-hashes", "-r", str(ROOT / "requirements/runtime.txt")]
    subprocess.run(build, check=True, capture_output=True)

    subprocess.run([*pip, *pinned], check=True)
    subprocess.run([*pip, "--no-deps", *map(str, wheels.iterdir())], check=True)

    said = {
        subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path).stdout
        for command in (
            [bin_ / "pivot", "--version"],
            [bin_ / "pivot-remote", "--version"],
            [bin_ / "python", "-m", "pivot", "--version"],
        )
    }
    assert said == {f"pivot-remote, version {__version__}\n"}
    package = next((tmp_path / "venv/lib").glob("python*/site-packages/pivot"))
    assert {"py.typed", "schemas"} <= set(os.listdir(package))
    assert "report.json" in os.listdir(package / "schemas")
