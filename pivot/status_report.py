"""Say what `status` found, as text or as JSON; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.report import (
    UNKNOWN,
    OnMiss,
    Report,
    dump,
    human_size,
    printable,
    problem_lines,
    problem_tree,
)
from pivot.results import exit_code
from pivot.stage_states import State
from pivot.tables import Word, text_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pivot.report import Json
    from pivot.stage_states import StageState
    from pivot.status import Status

_HEADER = tuple(Word(text) for text in ("Stage", "State", "Objects", "Size", "Reason"))


def status_text(
    result: Status, *, on_miss: OnMiss = OnMiss.FAIL, changes: Mapping[str, str] = UNKNOWN
) -> Report:
    """Say it in a table, and what to do next."""
    rows = [_row(stage) for stage in result.stages]
    out = text_table(_HEADER, rows) if rows else ["No stages and no tracked data"]
    counts = ", ".join(
        f"{number} {state}"
        for state in State
        if (number := sum(stage.state is state for stage in result.stages))
    )
    if rows:
        out += ["", f"{len(rows)} in all: {counts}"]
    if result.to_run:
        names = ", ".join(map(printable, result.ready[:5]))
        more = f", and {len(result.ready) - 5} more" if len(result.ready) > 5 else ""  # noqa: PLR2004
        out.append(f"{len(result.to_run)} to run; ready now: {names or 'none'}{more}")
    if not result.remote and any(stage.missing for stage in result.stages):
        out.append("What is missing here may be on the remote: pivot status --online")
    code = exit_code(result.problems, misses_fail=on_miss is OnMiss.FAIL)
    return Report(tuple(out), tuple(problem_lines(result.problems, on_miss, changes)), code)


def status_json(
    result: Status, *, on_miss: OnMiss = OnMiss.FAIL, changes: Mapping[str, str] = UNKNOWN
) -> Report:
    """Say all of it, in the form of `schemas/status.json`."""
    code = exit_code(result.problems, misses_fail=on_miss is OnMiss.FAIL)
    tree: dict[str, Json] = {
        "version": 1,
        "command": "status",
        "exit_code": int(code),
        "remote": result.remote,
        "url": result.url,
        "stages": [stage_tree(stage) for stage in result.stages],
        "stages_hit": list(result.hit),
        "stages_to_run": list(result.to_run),
        "stages_ready": list(result.ready),
        "problems": [problem_tree(problem, changes) for problem in result.problems],
    }
    return Report((dump(tree),), (), code)


def stage_tree(stage: StageState) -> dict[str, Json]:
    """Say where one stage stands, as all reports have it."""
    return {
        "name": stage.name,
        "lock": stage.lock,
        "state": str(stage.state),
        "reason": stage.reason,
        "objects": stage.objects,
        "bytes": stage.bytes,
        "missing": stage.missing,
        "needs": list(stage.needs),
    }


def _row(stage: StageState) -> tuple[Word, ...]:
    objects = f"{stage.objects - stage.missing}/{stage.objects}" if stage.objects else ""
    size = human_size(stage.bytes) if stage.objects else ""
    words = (stage.name, str(stage.state), objects, size, stage.reason)
    return tuple(Word(word) for word in words)
