"""What all documents of a project refer to, and locks that stages left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from pivot.lock_writer import Record, write_lock
from pivot.project import Project
from pivot.references import Documents, load_documents
from pivot.stage import DeclaredOutput, Stage
from pivot.tracked import write_tracked
from tests.unit.values import file_of, write


def lock(root: Path, stage: str, path: str, content: bytes, *, cached: bool = True) -> None:
    """Write the lock of a stage that reads `in` and makes *path*."""
    declared = Stage(stage, stage, "pivot.yaml", outputs=(DeclaredOutput(path, cached=cached),))
    output = file_of(path, content)
    write_lock(root, Record(declared, {}, (file_of("in", b""),), (output,)))


def load(root: Path, *, dependencies: bool = False) -> Documents:
    return load_documents(Project(root, root, root), dependencies=dependencies)


def stages(root: Path) -> list[str]:
    return [each.stage for each in load(root).locks]


def test_outputs_and_tracked_data_are_referred_to(tmp_path: Path) -> None:
    lock(tmp_path, "a", "x", b"1")
    lock(tmp_path, "b", "m.json", b"2", cached=False)
    write_tracked(tmp_path, file_of("data.csv", b"3"))

    seen = load(tmp_path).references

    assert [(each.owner, each.output.path) for each in seen.entries] == [
        ("a", "x"),
        ("data.csv", "data.csv"),
    ]
    assert seen.uncached == {"m.json": "b"}


def test_dependencies_are_read_when_asked_for(tmp_path: Path) -> None:
    lock(tmp_path, "a", "x", b"1")

    assert load(tmp_path).locks[0].dependencies == ()
    assert load(tmp_path, dependencies=True).locks[0].dependencies == (file_of("in", b""),)


PIPELINE = b"stages: {new: {cmd: x}, fit: {cmd: x, matrix: {a: [1]}}, odd@name: {cmd: x}}\n"


@pytest.mark.parametrize("known", ["new", "fit@1", "odd@name"])
def test_a_lock_that_an_old_stage_left_does_not_count_against_a_new_one(
    tmp_path: Path, known: str
) -> None:
    write(tmp_path, "pivot.yaml", PIPELINE)
    lock(tmp_path, "old", "x", b"1")
    lock(tmp_path, known, "x", b"2")

    assert stages(tmp_path) == [known]


def test_a_lock_of_no_stage_that_contradicts_none_stays(tmp_path: Path) -> None:
    write(tmp_path, "pivot.yaml", PIPELINE)
    lock(tmp_path, "old", "x", b"same")
    lock(tmp_path, "older", "y", b"1")
    lock(tmp_path, "new", "x", b"same")

    assert stages(tmp_path) == ["new", "old", "older"]


@pytest.mark.parametrize("pipeline", [None, b"stages: {other: {cmd: x}}\n", b"stages: [\n"])
def test_locks_that_contradict_each_other_stay_where_no_pipeline_decides(
    tmp_path: Path, pipeline: bytes | None
) -> None:
    if pipeline is not None:
        write(tmp_path, "pivot.yaml", pipeline)
    lock(tmp_path, "one", "x", b"1")
    lock(tmp_path, "two", "x", b"2")

    assert stages(tmp_path) == ["one", "two"]


def test_two_stages_of_the_pipeline_still_contradict_each_other(tmp_path: Path) -> None:
    write(tmp_path, "pivot.yaml", PIPELINE)
    lock(tmp_path, "new", "x", b"1")
    lock(tmp_path, "fit@1", "x", b"2")

    assert stages(tmp_path) == ["fit@1", "new"]
