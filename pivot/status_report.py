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
from pivot.whereabouts import Here, There, total

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pivot.report import Json
    from pivot.stage_states import StageState
    from pivot.status import Status
    from pivot.whereabouts import Count, Whereabouts

_HEADER = ("Stage", "State", "Objects", "Size", "Reason")
_DETAILED = ("Stage", "State", "Workspace", "Cache", "Remote", "Size", "Reason")
_REMOTE = _DETAILED.index("Remote")


def status_text(
    result: Status,
    *,
    on_miss: OnMiss = OnMiss.FAIL,
    changes: Mapping[str, str] = UNKNOWN,
    outputs: bool = False,
) -> Report:
    """Say it in a table, and what to do next.

    If it was asked where outputs are, those that are not everywhere as recorded are listed below
    their stage, or all *outputs*.
    """
    located = any(stage.outputs for stage in result.stages)
    header: tuple[str, ...] = _HEADER
    rows: list[tuple[str, ...]]
    if located:
        rows = [row for stage in result.stages for row in _rows(stage, every=outputs)]
        header = _DETAILED
        if not result.remote:
            header, *rows = ((*row[:_REMOTE], *row[_REMOTE + 1 :]) for row in (header, *rows))
    else:
        rows = [_row(stage) for stage in result.stages]
    table = [tuple(Word(cell) for cell in row) for row in (header, *rows)]
    out = text_table(table[0], table[1:]) if rows else ["No stages and no tracked data"]
    counts = ", ".join(
        f"{number} {state}"
        for state in State
        if (number := sum(stage.state is state for stage in result.stages))
    )
    if rows:
        out += ["", f"{len(result.stages)} in all: {counts}"]
        out += _total_lines(result) if located else ()
    if result.to_run:
        names = ", ".join(map(printable, result.ready[:5]))
        more = f", and {len(result.ready) - 5} more" if len(result.ready) > 5 else ""  # noqa: PLR2004
        out.append(f"{len(result.to_run)} to run; ready now: {names or 'none'}{more}")
    if not result.remote and any(stage.missing for stage in result.stages):
        out.append("What is missing here may be on the remote: pivot status --online")
    code = exit_code(result.problems, misses_fail=on_miss is OnMiss.FAIL)
    return Report(tuple(out), tuple(_told(result, on_miss, changes)), code)


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
        "stages": [
            stage_tree(stage) | {"outputs": [_output_tree(output) for output in stage.outputs]}
            for stage in result.stages
        ],
        "totals": _counts(result.totals),
        "warnings": list(result.warnings),
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


def status_short(
    result: Status, *, on_miss: OnMiss = OnMiss.FAIL, changes: Mapping[str, str] = UNKNOWN
) -> Report:
    """Say it in a line for each stage: state, workspace, cache, remote and, last, the name."""
    lines = [
        " ".join((str(stage.state), *_stage_cells(stage), printable(stage.name)))
        for stage in result.stages
    ]
    code = exit_code(result.problems, misses_fail=on_miss is OnMiss.FAIL)
    return Report(tuple(lines), tuple(_told(result, on_miss, changes)), code)


def _told(result: Status, on_miss: OnMiss, changes: Mapping[str, str]) -> list[str]:
    """Say what goes to standard error."""
    lines = [f"Warning: {printable(text)}" for text in result.warnings]
    return lines + problem_lines(result.problems, on_miss, changes)


def _rows(stage: StageState, *, every: bool) -> Iterator[tuple[str, ...]]:
    """Say where a stage stands, and below it where outputs are."""
    size = human_size(stage.bytes) if stage.objects else ""
    name, state, reason = stage.name, str(stage.state), stage.reason
    yield (name, state, *_stage_cells(stage), size, reason)
    for output in stage.outputs:
        if every or not _is_everywhere(output):
            size = human_size(output.all.bytes)
            yield (f"  {output.path}", "", *_cells(output), size, _difference(output))


def _is_everywhere(output: Whereabouts) -> bool:
    fine = {There.THERE, There.GIT, There.UNASKED}
    return output.here is Here.SAME and output.cache in fine and output.remote in fine


def _stage_cells(stage: StageState) -> tuple[str, str, str]:
    return _cells(total("", stage.outputs)) if stage.outputs else ("-", "-", "-")


def _cells(place: Whereabouts) -> tuple[str, str, str]:
    """Say where it is in three words without blanks; `-` where it cannot or need not be."""
    here, whole = str(place.here), place.all.files
    if place.in_git:
        return here, "-", "-"
    kept = "?" if place.unsaid.files else f"{place.kept.files}/{whole}"
    remote = kept if place.asked else "-"
    return here, f"{place.cached.files}/{whole}", remote


def _difference(output: Whereabouts) -> str:
    if output.here is not Here.MODIFIED or (output.all.files == 1 and not output.extra):
        return ""
    counts = (
        (output.modified.files, "modified"),
        (output.missing.files, "missing"),
        (output.extra, "extra"),
    )
    return ", ".join(f"{number} {what}" for number, what in counts if number)


def _total_lines(result: Status) -> Iterator[str]:
    """Say how many files are where."""
    counts = result.totals

    def said(count: Count, word: str) -> str:
        return f"{count.files} {word} ({human_size(count.bytes)})"

    here = [(counts.same, "same"), (counts.modified, "modified"), (counts.missing, "missing")]
    yield f"Workspace: {', '.join(said(count, word) for count, word in here if count.files)}"
    whole = f"of {counts.all.files} file(s)"
    yield f"Cache: {said(counts.cached, whole)}"
    if not counts.asked:
        return
    lacking = counts.all.files - counts.kept.files - counts.unsaid.files
    unsaid = f"; {said(counts.unsaid, 'could not be asked for')}" if counts.unsaid.files else ""
    hint = "; pivot push uploads what is cached" if lacking else ""
    yield f"Remote '{printable(result.remote)}': {said(counts.kept, whole)}{unsaid}{hint}"


def _output_tree(output: Whereabouts) -> Json:
    return {
        "path": output.path,
        "workspace": str(output.here),
        "cache": str(output.cache),
        "remote": str(output.remote),
        **_counts(output),
    }


def _counts(place: Whereabouts) -> dict[str, Json]:
    def tree(count: Count) -> Json:
        return {"files": count.files, "bytes": count.bytes}

    asked = place.asked and not place.in_git
    return {
        "recorded": tree(place.all),
        "same": tree(place.same),
        "modified": tree(place.modified),
        "missing": tree(place.missing),
        "extra": place.extra,
        "cached": tree(place.cached),
        "on_remote": tree(place.kept) if asked else None,
        "unknown": tree(place.unsaid) if asked else None,
    }


def _row(stage: StageState) -> tuple[str, ...]:
    objects = f"{stage.objects - stage.missing}/{stage.objects}" if stage.objects else ""
    size = human_size(stage.bytes) if stage.objects else ""
    return (stage.name, str(stage.state), objects, size, stage.reason)
