"""The outputs of a CI job: all are set, whatever happens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.ci.outputs import failed_values, matrix_warning, output_values
from pivot.ci.report import short_json
from pivot.ci.table import OUTPUTS
from pivot.ci.told import Counts, Status
from pivot.errors import ExitCode
from pivot.stage_states import State
from tests.unit.telling import NAMES, huge, stage, telling

ALL = [output.name for output in OUTPUTS]
REPORT = Path("temp/report.json")


def test_each_output_has_its_value() -> None:
    told = telling(
        status=Status.PARTIAL,
        raw=ExitCode.MISSING,
        counts=Counts(1, 2, 3, 4, 5, 6),
        bytes=12,
        stages=(stage("a/x"), stage("b", State.CHANGED), stage("é", State.HIT)),
        to_run=("b", "c"),
        ready=("b",),
    )

    assert output_values(told, REPORT) == {
        "status": "partial",
        "exit-code": "3",
        "cache-hit": "false",
        "transferred": "1",
        "skipped": "2",
        "failed": "3",
        "missing": "4",
        "restored": "5",
        "would-transfer": "6",
        "bytes": "12",
        "seconds": "1.250",
        "stages-hit": '["a/x","\\u00e9"]',
        "stages-to-run": '["b","c"]',
        "stages-ready": '["b"]',
        "remote": "origin",
        "runtime": "docker",
        "version": "1.2.3",
        "report": "temp/report.json",
        "json": short_json(told),
    }


def test_the_values_are_those_of_the_table_in_its_order() -> None:
    assert list(output_values(telling(), REPORT)) == ALL


@pytest.mark.parametrize("status", Status)
def test_a_cache_hit_means_that_all_is_there(status: Status) -> None:
    hit = output_values(telling(status=status), REPORT)["cache-hit"]

    assert hit == ("true" if status in {Status.COMPLETE, Status.NOTHING_TO_DO} else "false")


def test_a_job_that_could_not_begin_sets_all_outputs() -> None:
    values = failed_values(ExitCode.USAGE, "1.2.3", "python")

    assert list(values) == ALL
    assert {name: value for name, value in values.items() if value not in {"0", "[]", ""}} == {
        "status": "failed",
        "exit-code": "2",
        "cache-hit": "false",
        "runtime": "python",
        "version": "1.2.3",
    }
    assert {name for name, value in values.items() if value == "[]"} == {
        "stages-hit",
        "stages-to-run",
        "stages-ready",
    }
    assert {name for name, value in values.items() if not value} == {"remote", "report", "json"}


@given(st.lists(NAMES, max_size=5))
def test_arrays_hold_any_names_in_one_line(names: list[str]) -> None:
    stages = tuple(stage(name) for name in names)
    values = output_values(telling(stages=stages, to_run=tuple(names), ready=tuple(names)), REPORT)

    for name in ("stages-hit", "stages-to-run", "stages-ready"):
        assert json.loads(values[name]) == names
        assert values[name].isascii()
        assert values[name].isprintable()
    assert values["json"].isprintable()


def test_arrays_are_whole_however_many_stages_there_are() -> None:
    told = huge()

    values = output_values(told, REPORT)

    assert json.loads(values["stages-to-run"]) == list(told.to_run)


@pytest.mark.parametrize(("count", "warns"), [(0, False), (256, False), (257, True)])
def test_more_than_a_matrix_takes_is_a_warning(count: int, warns: bool) -> None:
    warning = matrix_warning(telling(ready=tuple(map(str, range(count)))))

    assert bool(warning) == warns
    assert (str(count) in warning and "256" in warning) == warns
