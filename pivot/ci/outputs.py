"""The outputs of a CI job, made of what it tells; pure. Their table is `table.OUTPUTS`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pivot.ci.report import short_json
from pivot.ci.table import OUTPUTS, Kind
from pivot.ci.told import Status
from pivot.stage_states import State

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pivot.ci.told import Told
    from pivot.errors import ExitCode

_HITS = frozenset({Status.COMPLETE, Status.NOTHING_TO_DO})
_MOST_JOBS = 256  # of one matrix, on GitHub


def output_values(told: Told, report: Path) -> dict[str, str]:
    """Say the value of each output."""
    hits = (stage.name for stage in told.stages if stage.state is State.HIT)
    counts = told.counts
    return {
        "status": str(told.status),
        "exit-code": str(int(told.raw)),
        "cache-hit": str(told.status in _HITS).lower(),
        "transferred": str(counts.transferred),
        "skipped": str(counts.skipped),
        "failed": str(counts.failed),
        "missing": str(counts.missing),
        "restored": str(counts.restored),
        "would-transfer": str(counts.would_transfer),
        "bytes": str(told.bytes),
        "seconds": f"{told.seconds:.3f}",
        "stages-hit": _array(hits),
        "stages-to-run": _array(told.to_run),
        "stages-ready": _array(told.ready),
        "remote": told.remote,
        "runtime": told.runtime,
        "version": told.version,
        "report": str(report),
        "json": short_json(told),
    }


def failed_values(code: ExitCode, version: str, runtime: str) -> dict[str, str]:
    """Say the value of each output of a job that could not begin."""
    empty = {Kind.INTEGER: "0", Kind.FLOAT: "0"}
    values = {output.name: empty.get(output.kind, "") for output in OUTPUTS}
    values |= dict.fromkeys(("stages-hit", "stages-to-run", "stages-ready"), "[]")
    known = {
        "status": str(Status.FAILED),
        "exit-code": str(int(code)),
        "cache-hit": "false",
        "runtime": runtime,
        "version": version,
    }
    return values | known


def matrix_warning(told: Told) -> str:
    """Say that `stages-ready` is too long for a matrix, if it is."""
    if len(told.ready) <= _MOST_JOBS:
        return ""
    return (
        f"stages-ready names {len(told.ready)} stages; a matrix takes {_MOST_JOBS}: choose some of "
        "them with the input stages"
    )


def _array(names: Iterable[str]) -> str:
    return json.dumps(list(names), ensure_ascii=True, separators=(",", ":"))
