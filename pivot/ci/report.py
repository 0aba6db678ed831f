"""The JSON report of a CI job, in the form of `schemas/ci-report.json`."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import asdict
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
    return _tree(told, len(told.stages), len(told.problems)) | {"objects": objects}


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
    """Say it without objects, and with as many stages and problems as there is room for."""
    stages, problems = len(told.stages), len(told.problems)
    while True:
        tree = _tree(told, stages, problems)
        text = json.dumps(tree, ensure_ascii=True, separators=(",", ":"))
        if len(text) <= _SHORT or not (stages or problems):
            return text if len(text) <= _SHORT else "{}"
        stages, problems = stages * 2 // 3, problems * 2 // 3


def _tree(told: Told, stages: int, problems: int) -> dict[str, Json]:
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
        "checks": {"sha256": 0, "xxh64_only": told.counts.transferred},
        "stages": [stage_tree(stage) for stage in told.stages[:stages]],
        "stages_hit": list(hits[:stages]),
        "stages_to_run": list(told.to_run[:stages]),
        "stages_ready": list(told.ready[:stages]),
        "problems": [problem_tree(problem) for problem in told.problems[:problems]],
        "hints": list(told.hints[:20]),
        "left_out": {
            "stages": len(told.stages) - min(stages, len(told.stages)),
            "problems": len(told.problems) - min(problems, len(told.problems)),
        },
    }
