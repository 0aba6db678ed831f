"""`kill -9` at any moment of `repro`: no lock lies, and the next run completes all of it."""

from __future__ import annotations

import fcntl
import os
import random
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.conftest import Command
from tests.projects import digest, objects, tree, tree_digest

KILLS = int(os.environ.get("PIVOT_TEST_KILLS", "30"))
IN_A_ROW = 3
MARK = "TEST_OF_KILLS"

ROOT = r"""
stages:
  split:
    cmd: |
      setsid sleep 3000 & other=$!
      mkdir parts parts/empty
      for n in 1 2 3 4 5 6; do sed "s/^/$n /" raw.txt > parts/$n.txt; done
      chmod +x parts/1.txt; sleep 0.05; printf end > parts/end
      kill $other
    deps: [raw.txt]
    outs: [parts]
  count:
    cmd:
      - wc -l < raw.txt > total.txt
      - sleep 0.05; echo "{\"lines\":$(cat total.txt)}" > counts.json
    deps: [raw.txt]
    outs: [total.txt]
    metrics: [counts.json]
  history:
    cmd: cat total.txt >> history.txt; sleep 0.05; echo seen >> history.txt
    deps: [total.txt]
    outs: [{history.txt: {persist: true}}]
  archive:
    cmd: |
      mkdir -p archive/all; n=$(ls archive/all | wc -l)
      cat parts/2.txt > archive/all/$n; sleep 0.05; echo $n >> archive/index
    deps: [parts/2.txt]
    outs: [{archive: {persist: true}}]
  last:
    cmd: cat parts/*.txt history.txt archive/index sub/inner.bin > last.txt
    deps: [parts, history.txt, archive, sub/inner.bin]
    outs: [last.txt]
"""
INNER = """
stages:
  inner:
    cmd: (sleep 0.02; cat ../parts/3.txt) > inner.bin; head -c 300000 /dev/zero >> inner.bin
    deps: [../parts]
    outs: [inner.bin]
"""


@dataclass
class Scene:
    """A project in which things go wrong, and the command, whose processes can be told."""

    root: Path
    pivot: Command

    def build(self) -> Scene:
        (self.root / ".pivot").mkdir(parents=True)
        (self.root / "sub").mkdir()
        (self.root / ".pivot/.gitignore").write_text("cache\nlocks\n")
        (self.root / "history.txt").write_text("old\n")
        (self.root / "pivot.yaml").write_text(ROOT)
        (self.root / "sub/pivot.yaml").write_text(INNER)
        environment = self.pivot.environment
        subprocess.run(["git", "init", "-q"], cwd=self.root, env=environment, check=True)
        return self

    def edit(self, lines: int) -> None:
        (self.root / "raw.txt").write_text("a line\n" * lines)

    def run(self, jobs: int) -> None:
        done = self.pivot("repro", f"--jobs={jobs}", cwd=self.root)
        assert done.code == 0, done

    def kill(self, seconds: float, jobs: int) -> None:
        """Start a run and kill it after so many seconds."""
        with self.pivot.start("repro", f"--jobs={jobs}", cwd=self.root) as process:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()

    def processes(self) -> list[str]:
        """List what still runs of all that was started here."""
        mark = f"{MARK}={self.root}".encode()
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (place / "environ").read_bytes().split(b"\0"):
                    found.append((place / "cmdline").read_text())
            except OSError:
                continue
        return found

    def own_files(self) -> set[str]:
        """List what there is in `.pivot` besides objects, hints, and the list of what was kept."""
        files = (path for path in (self.root / ".pivot").rglob("*") if "files" not in path.parts)
        found = {path.relative_to(self.root).as_posix() for path in files}
        return found - {".pivot/cache/replaced.log", ".pivot/cache/checked.json"}

    def contents(self) -> dict[str, tuple[object, bool]]:
        """Read the workspace: contents, and what may be executed.

        What is kept of a killed command may lack that bit, and then a file is no link to it.
        """
        return {
            path: (node[0], isinstance(node[1], int) and bool(node[1] & 0o100))
            for path, node in tree(self.root).items()
        }

    def locks(self) -> dict[str, bytes]:
        stages = self.root / ".pivot/stages"
        return {str(path.relative_to(stages)): path.read_bytes() for path in stages.rglob("*.lock")}

    def assert_no_lie(self) -> None:
        """Assert that what lock files say is kept in the cache is there, with the right bytes."""
        held = objects(self.root / ".pivot/cache")
        assert {name for name, body in held.items() if digest(body) != name} == set()
        for text in self.locks().values():
            for out in yaml.safe_load(text)["outs"]:
                files = out.get("manifest", [out])
                if out.get("cached", True):
                    assert {file["hash"] for file in files} <= held.keys(), text
                if "manifest" in out:
                    assert tree_digest(files, out.get("empty_dirs", ())) == out["hash"]


def scene(root: Path, home: Path) -> Scene:
    return Scene(root, Command(home, {MARK: str(root)})).build()


@dataclass
class Undisturbed:
    """What a project is like after each of two runs."""

    contents: list[dict[str, tuple[object, bool]]]
    locks: list[dict[str, bytes]]
    own_files: list[set[str]]
    seconds: float


@pytest.fixture(name="undisturbed", scope="module")
def _undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    quiet = scene(tmp_path_factory.mktemp("quiet") / "project", tmp_path_factory.mktemp("home"))
    seen = Undisturbed([], [], [], 0.0)
    for lines in (3, 4):
        quiet.edit(lines)
        began = time.monotonic()
        quiet.run(1)
        seen.seconds = time.monotonic() - began
        seen.contents.append(quiet.contents())
        seen.locks.append(quiet.locks())
        seen.own_files.append(quiet.own_files())
    return seen


@pytest.mark.parametrize("seed", range(KILLS // (2 * IN_A_ROW)))
def test_a_killed_run_is_completed_by_the_next(
    seed: int, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """Three kills in a row, of the first run and of one after an edit."""
    chance = random.Random(seed)
    jobs = 4 if seed % 2 else 1
    victim = scene(tmp_path / "project", tmp_path)
    for number, lines in enumerate((3, 4)):
        victim.edit(lines)
        moments = [chance.uniform(0.1, undisturbed.seconds) for _ in range(IN_A_ROW)]
        for moment in moments:
            victim.kill(moment, jobs)
            victim.assert_no_lie()

        victim.run(jobs)

        assert victim.contents() == undisturbed.contents[number], moments
        assert victim.locks() == undisturbed.locks[number], moments
        assert victim.own_files() == undisturbed.own_files[number], moments
        assert victim.processes() == [], moments
        victim.assert_no_lie()


def test_what_a_killed_run_was_writing_is_removed(tmp_path: Path) -> None:
    place = scene(tmp_path / "project", tmp_path)
    place.edit(1)
    place.run(1)
    clean = place.own_files(), tree(place.root)
    torn = [".pivot/cache/.remembered.json", ".pivot/cache/unfinished/.1.before", "..gitignore"]
    for name in torn:
        (place.root / f"{name}.0123abcd").touch()
    busy = place.root / "..gitignore.4567cdef"
    with busy.open("w") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        place.run(1)
        left = sorted(path.name for path in place.root.glob("..*"))
    place.run(1)

    assert left == [busy.name]
    assert (place.own_files(), tree(place.root)) == clean


def test_a_killed_command_fails_its_stage_and_takes_its_children_along(tmp_path: Path) -> None:
    place = scene(tmp_path / "project", tmp_path)
    place.edit(2)
    place.run(1)
    before, split = place.locks(), place.root / "pivot.yaml"
    split.write_text(ROOT.replace("kill $other", "sleep 2000 & kill -9 $$"))

    done = place.pivot("repro", cwd=place.root)

    left = place.locks()
    still = place.processes()
    split.write_text(ROOT)
    place.run(1)
    assert done.code == 1
    assert "stage split failed: killed by signal 9" in done.err
    assert left == before
    assert [words for words in still if "2000" in words] == []
    assert place.processes() == []  # nor what had left the session
    assert place.locks() == before
