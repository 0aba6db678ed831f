"""The JSON report of a CI job, and its short form."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.ci.event import Event
from pivot.ci.report import report_tree, short_json, write_report
from pivot.ci.told import Counts, ObjectState, ObjectTold, Status, Told
from pivot.errors import ExitCode
from pivot.report import Json
from pivot.results import Problem
from pivot.schema import schema_text
from pivot.stage_states import State
from tests.unit.telling import NAMES, huge, missed, stage, telling
from tests.unit.values import digest

LIMIT = 64 * 1024


def valid(tree: Json) -> Json:
    """Hold *tree* to the schema, and give it back."""
    form = json.loads(schema_text("ci-report"))
    jsonschema.Draft202012Validator(form).validate(tree)
    return tree


def short(told: Told) -> dict[str, Json]:
    text = short_json(told)
    assert len(text.encode()) <= LIMIT
    tree = valid(json.loads(text))
    assert isinstance(tree, dict)
    return tree


def test_a_report_says_all_that_is_told() -> None:
    lock = ".pivot/stages/b.lock"
    told = telling(
        command="status",
        status=Status.PARTIAL,
        raw=ExitCode.MISSING,
        region="eu-1",
        event=Event("pull_request", trusted=False, reason="a fork", pull_request=7),
        counts=Counts(1, 2, 3, 4, 5, 6),
        bytes=12,
        stages=(stage("a"), stage("b", State.PARTIAL, "a", reason="1 of 2 objects is missing")),
        runs=True,
        to_run=("b",),
        ready=("b",),
        objects=(ObjectTold("a", "out/a", digest(1), None, ObjectState.FAILED, "no answer"),),
        problems=(Problem(ExitCode.MISSING, "gone", "push it", "out/b", "b", digest(2), lock),),
        changes={lock: "Ana, 2026-01-01 (1a2b3c4)"},
        proven=1,
        hints=("push it",),
    )

    assert valid(report_tree(told)) == {
        "version": 1,
        "program": "1.2.3",
        "command": "status",
        "status": "partial",
        "exit": {"raw": 3, "final": 0},
        "runtime": "docker",
        "event": {"name": "pull_request", "trusted": False, "reason": "a fork", "pull_request": 7},
        "remote": "origin",
        "url": "s3://bucket/prefix",
        "region": "eu-1",
        "counts": {
            "transferred": 1,
            "skipped": 2,
            "failed": 3,
            "missing": 4,
            "restored": 5,
            "would_transfer": 6,
        },
        "bytes": 12,
        "seconds": 1.25,
        "checks": {"sha256": 1, "xxh64_only": 0},
        "stages": [
            {
                "name": "a",
                "lock": ".pivot/stages/a.lock",
                "state": "hit",
                "reason": "",
                "objects": 2,
                "bytes": 2500,
                "missing": 0,
                "needs": [],
            },
            {
                "name": "b",
                "lock": ".pivot/stages/b.lock",
                "state": "partial",
                "reason": "1 of 2 objects is missing",
                "objects": 2,
                "bytes": 2500,
                "missing": 1,
                "needs": ["a"],
            },
        ],
        "stages_hit": ["a"],
        "stages_to_run": ["b"],
        "stages_ready": ["b"],
        "problems": [
            {
                "code": 3,
                "message": "gone",
                "hint": "push it",
                "path": "out/b",
                "owner": "b",
                "digest": digest(2),
                "document": ".pivot/stages/b.lock",
                "changed": "Ana, 2026-01-01 (1a2b3c4)",
            }
        ],
        "hints": ["push it"],
        "left_out": {"stages": 0, "problems": 0, "hints": 0},
        "objects": [
            {
                "stage": "a",
                "path": "out/a",
                "digest": digest(1),
                "size": None,
                "state": "failed",
                "error": "no answer",
            }
        ],
    }


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("code", ExitCode)
def test_every_end_has_the_form_of_the_schema(status: Status, code: ExitCode) -> None:
    told = telling(status=status, raw=code, final=code, event=None, remote="", url="")

    assert valid(report_tree(told)) == valid(json.loads(short_json(told))) | {"objects": []}


def test_the_file_holds_the_report(tmp_path: Path) -> None:
    told, place = missed("a/b", "é\udcff"), tmp_path / "new" / "report.json"

    write_report(telling(), place)
    write_report(told, place)

    assert json.loads(place.read_bytes()) == report_tree(told)
    assert place.stat().st_mode & 0o777 == 0o644
    assert list(place.parent.iterdir()) == [place]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "report.json" / "inside").mkdir(parents=True)

    with pytest.raises(OSError):
        write_report(telling(), tmp_path / "report.json")

    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_the_short_form_is_the_report_without_objects() -> None:
    told = missed("a", "b")
    full = report_tree(told)

    assert full.pop("objects")
    assert short(told) == full


def test_the_short_form_of_a_huge_project_says_how_much_is_left_out() -> None:
    told = huge()
    tree = short(told)

    assert tree["counts"] == report_tree(told)["counts"]
    for name, whole in (("stages", 5000), ("problems", 100_000), ("hints", 5000)):
        kept, left_out = tree[name], tree["left_out"]
        assert isinstance(kept, list) and isinstance(left_out, dict)
        assert kept
        assert left_out[name] == whole - len(kept)


@pytest.mark.parametrize("where", ["url", "remote", "region", "runtime"])
def test_the_short_form_fits_whatever_somebody_writes(where: str) -> None:
    told = missed("a", **{where: "é" * 100_000})

    kept = short(told)[where]

    assert isinstance(kept, str)
    assert kept.startswith("ééé")


def test_entries_that_are_too_long_are_left_out() -> None:
    told = missed("a" * 100_000, hints=("b" * 100_000,))

    assert short(told)["left_out"] == {"stages": 1, "problems": 1, "hints": 1}


@given(st.lists(NAMES, unique=True, max_size=4), NAMES)
def test_names_come_out_of_the_report_as_they_went_in(names: list[str], text: str) -> None:
    told = missed(*names, hints=(text,), ready=tuple(names))
    tree = short(told)

    assert json.loads(json.dumps(report_tree(told), ensure_ascii=True)) == report_tree(told)
    assert tree["stages_ready"] == names
    assert tree["hints"] == [text]
    assert short_json(told).isascii()
    assert short_json(told).isprintable()
