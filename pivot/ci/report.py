"""The JSON report of a CI job, in the form of `schemas/ci-report.json`."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from pivot.report import problem_tree
from pivot.stage_states import State
from pivot.status_report import stage_tree

if TYPE_CHECKING:
    from pathlib import Path

    from pivot.ci.told import Told
    from pivot.report import Json

_SHORT = 64 * 1024
"""Bytes that a short report may have: GitHub bounds all outputs of a job together by 1 MiB."""

_LONGEST = 1000  # characters of a text that is not in a list, in a short report


def report_tree(told: Told) -> dict[str, Json]:
    """Say all of it."""
    objects: list[Json] = [
        {
            "stage": row.stage,
            "path": row.path,
            "digest": row.digest,
            "size": row.size,
            "state": str(row.state),
            "error": row.error,
        }
        for row in told.objects
    ]
    return _tree(told, max(_sizes(told))) | {"objects": objects}


def write_report(told: Told, path: Path) -> None:
    """Write the report, which appears whole; raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            json.dump(report_tree(told), file, indent=2, ensure_ascii=True)
            file.write("\n")
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def short_json(told: Told) -> str:
    """Say it without objects, and with as much of each list as there is room for."""
    most = min(max(_sizes(told)), _SHORT // len('"a",'))
    text = _compact(_tree(told, most))
    while len(text) > _SHORT and most:
        most = most * 2 // 3
        text = _compact(_tree(told, most))
    return text if len(text) <= _SHORT else _compact(_tree(_cut(told), 0))


def _sizes(told: Told) -> tuple[int, ...]:
    return len(told.stages), len(told.to_run), len(told.problems), len(told.hints)


def _compact(tree: Json) -> str:
    return json.dumps(tree, ensure_ascii=True, separators=(",", ":"))


def _cut(told: Told) -> Told:
    """Cut what no list holds: nobody writes so much of it, but somebody could."""
    return replace(
        told,
        remote=told.remote[:_LONGEST],
        url=told.url[:_LONGEST],
        region=told.region[:_LONGEST],
        runtime=told.runtime[:_LONGEST],
        event=told.event and replace(told.event, reason=told.event.reason[:_LONGEST]),
    )


def _tree(told: Told, most: int) -> dict[str, Json]:
    """Say all but the objects, with the first *most* entries of each list."""
    event = told.event
    hits = [stage.name for stage in told.stages if stage.state is State.HIT]
    return {
        "version": 1,
        "program": told.version,
        "command": told.command,
        "status": str(told.status),
        "exit": {"raw": int(told.raw), "final": int(told.final)},
        "runtime": told.runtime,
        "event": None
        if event is None
        else {
            "name": event.name,
            "trusted": event.trusted,
            "reason": event.reason,
            "pull_request": event.pull_request,
        },
        "remote": told.remote,
        "url": told.url,
        "region": told.region,
        "counts": asdict(told.counts),
        "bytes": told.bytes,
        "seconds": told.seconds,
        "checks": {
            "sha256": told.proven,
            "xxh64_only": told.counts.transferred - told.proven,
        },
        "stages": [stage_tree(stage) for stage in told.stages[:most]],
        "stages_hit": list(hits[:most]),
        "stages_to_run": list(told.to_run[:most]),
        "stages_ready": list(told.ready[:most]),
        "problems": [problem_tree(problem, told.changes) for problem in told.problems[:most]],
        "hints": list(told.hints[:most]),
        "left_out": {
            "stages": max(0, len(told.stages) - most),
            "problems": max(0, len(told.problems) - most),
            "hints": max(0, len(told.hints) - most),
        },
    }
