"""The examples do what they are there to show: the demo, and two pipelines that come from DVC."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command

EXAMPLES = ROOT / "examples"
SAMPLES = ("A", "B", "C")
GET_STARTED = ["prepare", "featurize", "train", "evaluate"]
TUTORIAL = [*(f"map@{s}" for s in SAMPLES), *(f"sort@{s}" for s in SAMPLES), "call", "plot"]


@dataclass(frozen=True)
class Example:
    """A copy of an example at *root*, with its data made and its pipeline run."""

    root: Path
    pivot: Command

    def write(self, path: str, text: str) -> None:
        (self.root / path).write_text(text)

    def change(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new, 1))

    def repro(self) -> list[str]:
        """Run what has to run, and say which stages did."""
        done = self.pivot("repro", "--json", cwd=self.root, PATH=python_path())
        assert done.code == 0, done
        stages = json.loads(done.out)["stages"]
        assert {stage["state"] for stage in stages} <= {"ran", "unchanged"}
        return [stage["name"] for stage in stages if stage["state"] == "ran"]


def python_path() -> str:
    """Let `python3` be the one that runs us."""
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))


def convert(name: str, directory: Path, pivot: Command) -> Example:
    """Copy an example, make its data, and convert it anew."""
    root = directory / name
    made_here = shutil.ignore_patterns("pivot.yaml", ".pivot", "*.pvt", "__pycache__")
    shutil.copytree(EXAMPLES / name, root, ignore=made_here)
    subprocess.run([sys.executable, "make_data.py"], cwd=root, check=True)
    done = pivot("import-dvc", cwd=root)
    assert (done.code, done.err) == (0, ""), done
    assert "Not converted" not in done.out
    return Example(root, pivot)


@pytest.fixture(name="get_started", scope="module")
def _get_started(tmp_path_factory: pytest.TempPathFactory) -> Example:
    place = tmp_path_factory.mktemp("examples")
    return convert("get-started-dvc", place, Command(place, {}))


@pytest.fixture(name="tutorial", scope="module")
def _tutorial(tmp_path_factory: pytest.TempPathFactory) -> Example:
    place = tmp_path_factory.mktemp("examples")
    return convert("snakemake-tutorial", place, Command(place, {}))


def test_the_pipelines_are_what_the_import_makes_of_them(
    get_started: Example, tutorial: Example
) -> None:
    for example in (get_started, tutorial):
        kept = EXAMPLES / example.root.name / "pivot.yaml"
        assert (example.root / "pivot.yaml").read_text() == kept.read_text()


def test_get_started_runs_what_a_change_concerns(get_started: Example) -> None:
    assert get_started.repro() == GET_STARTED
    assert get_started.repro() == []

    metrics = json.loads((get_started.root / "eval/metrics.json").read_text())
    assert metrics["accuracy"] > 0.9

    get_started.change("params.yaml", "lr: 0.5", "lr: 0.2")
    assert get_started.repro() == ["train", "evaluate"]
    get_started.change("params.yaml", "ngrams: 1", "ngrams: 2")
    assert get_started.repro() == ["featurize", "train", "evaluate"]
    get_started.change("src/train.py", '"""Learn', '"""Find out')
    assert get_started.repro() == ["train"]  # which makes the same model
    get_started.change("params.yaml", "seed: 20170428", "seed: 7")
    assert get_started.repro() == GET_STARTED
    assert get_started.repro() == []


def test_the_tutorial_runs_what_a_change_concerns(tutorial: Example) -> None:
    reads = tutorial.root / "data/samples/B.fastq"

    assert tutorial.repro() == TUTORIAL
    assert tutorial.repro() == []

    summary = json.loads((tutorial.root / "calls/summary.json").read_text())
    assert summary == {"variants": 60, "samples": {"A": 30, "B": 30, "C": 30}}

    reads.write_text("".join(reads.read_text().splitlines(keepends=True)[:2400]))
    assert tutorial.repro() == ["map@B", "sort@B", "call", "plot"]
    shutil.copyfile(reads, reads.with_name("D.fastq"))
    tutorial.change("params.yaml", "[A, B, C]", "[A, B, C, D]")
    assert tutorial.repro() == ["map@D", "sort@D", "call", "plot"]
    tutorial.change("params.yaml", "depth: 6", "depth: 12")
    assert tutorial.repro() == ["call", "plot"]
    tutorial.change("conf/plot.toml", "480", "640")
    assert tutorial.repro() == ["plot"]
    tutorial.change("conf/plot.toml", "# How large", "# In pixels, how large")
    assert tutorial.repro() == []


def test_the_demo_keeps_its_claims_and_leaves_nothing(tmp_path: Path) -> None:
    place = tmp_path / "tmp"
    place.mkdir()

    done = subprocess.run(
        [sys.executable, "-m", "examples.demo"],
        cwd=ROOT,
        env=dict(os.environ) | {"TMPDIR": str(place)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.count("[true]") == 16
    assert "FALSE" not in done.stdout
    assert list(place.iterdir()) == []


def test_the_figures_are_measured_on_every_example() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.figures"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, ""), done
    rows = [row.split(" | ") for row in done.stdout.splitlines()[2:]]
    assert [row[1:4] for row in rows] == [
        ["4", "4", "13 kB"],
        ["4", "9", "8.1 MB"],
        ["8", "12", "3.5 MB"],
    ]
