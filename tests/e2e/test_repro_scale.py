"""Many files and many stages: nothing is read that need not be, and memory has a bound."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command
from tests.projects import ProjectBuilder

FILES = int(os.environ.get("PIVOT_MANY_FILES", "2000"))

MAKE = """\
import os
for number in range({files}):
    os.makedirs(f"out/tree/{{number % 50}}", exist_ok=True)
    with open(f"out/tree/{{number % 50}}/{{number}}.txt", "w") as file:
        file.write(str(number))
"""

PIPELINE = """\
stages:
  make:
    cmd: python3 make.py
    deps: [make.py]
    outs: [out/tree]
  count:
    cmd: find out/tree -type f | wc -l > out/count
    deps: [out/tree]
    outs: [out/count]
"""

WATCHED = """\
import collections, json, sys
opened = collections.Counter()
def hear(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        opened[arguments[0].rpartition("/")[2]] += 1
sys.addaudithook(hear)
from pivot.cli import run
code = int(run(sys.argv[1:]))
most = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
most = int(most.split()[1]) // 1024
print(json.dumps({"code": code, "opened": opened, "rss": most}), file=sys.stderr)
"""
"""Runs a command and tells which files it opened, by their last name."""


@pytest.fixture(name="project")
def _project(tmp_path: Path, bare_pivot: Command) -> Path:
    ProjectBuilder(tmp_path)
    (tmp_path / "pivot.yaml").write_text(PIPELINE)
    (tmp_path / "make.py").write_text(MAKE.format(files=FILES))
    done = bare_pivot("repro", cwd=tmp_path, timeout=280)
    assert done.code == 0, done
    assert (tmp_path / "out/count").read_text().strip() == str(FILES)
    return tmp_path


def watched(project: Path, *arguments: str) -> tuple[str, dict[str, int], int]:
    """Run a command: what it said, which files of the big output it opened, its memory in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
        check=True,
    )
    told = json.loads(done.stderr.splitlines()[-1])
    assert told["code"] == 0, done
    names = {f"{number}.txt" for number in range(FILES)}
    return done.stdout, {n: c for n, c in told["opened"].items() if n in names}, told["rss"]


def test_unchanged_files_are_not_read_again(project: Path) -> None:
    said, opened, _ = watched(project, "repro")

    assert "0 ran, 0 restored, 2 unchanged" in said
    assert opened == {}


def test_a_changed_file_is_read_and_no_other(project: Path) -> None:
    changed = project / "out/tree/7/7.txt"
    changed.unlink()
    changed.write_text("other")

    said, opened, _ = watched(project, "repro", "--dry-run")

    assert "Would restore make: out/tree was changed, restored from the cache" in said
    assert opened == {"7.txt": 1}


def test_what_is_remembered_may_be_deleted_or_damaged(project: Path) -> None:
    remembered = project / ".pivot/cache/remembered.json"
    remembered.unlink()

    said, opened, _ = watched(project, "repro")
    remembered.write_text(remembered.read_text()[:100])
    again, opened_again, _ = watched(project, "repro")

    assert "2 unchanged" in said
    assert "2 unchanged" in again
    assert set(opened.values()) == set(opened_again.values()) == {1}
    assert len(opened) == len(opened_again) == FILES


def test_a_stage_reads_each_output_once(tmp_path: Path) -> None:
    ProjectBuilder(tmp_path)
    (tmp_path / "pivot.yaml").write_text(PIPELINE)
    (tmp_path / "make.py").write_text(MAKE.format(files=300))

    _, opened, _ = watched(tmp_path, "repro")

    assert len(opened) == 300
    assert set(opened.values()) == {1}


def test_memory_does_not_grow_with_what_a_stage_prints(tmp_path: Path) -> None:
    ProjectBuilder(tmp_path)
    noise = "head -c 30000000 /dev/zero | tr '\\\\0' x"
    (tmp_path / "pivot.yaml").write_text(
        f'stages:\n  loud: {{cmd: "{noise}; {noise} | fold; echo > out", outs: [out]}}\n'
    )

    said, _, most = watched(tmp_path, "repro")

    assert said.count("\n") > 300_000
    assert most < 120


def test_two_hundred_stages_start_no_command_when_nothing_changed(
    tmp_path: Path, bare_pivot: Command
) -> None:
    ProjectBuilder(project := tmp_path / "project")
    stages = {
        f"s{n}": {
            "cmd": f"echo {n} >> ../log; cat s{n - 1} > s{n}",
            "deps": [f"s{n - 1}"],
            "outs": [f"s{n}"],
        }
        for n in range(1, 201)
    }
    (project / "s0").write_text("zero")
    (project / "pivot.yaml").write_text(json.dumps({"stages": stages}))

    first = bare_pivot("repro", cwd=project)
    second = bare_pivot("repro", cwd=project)

    assert "200 ran" in first.out
    assert "200 unchanged" in second.out
    assert len((tmp_path / "log").read_text().splitlines()) == 200
