"""What people read of a CI job: the summary of the run, and the comment on a pull request; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.ci.markdown import folded, plain, table
from pivot.ci.told import ObjectState, Status
from pivot.errors import MEANINGS, ExitCode
from pivot.mermaid import flowchart
from pivot.report import human_size
from pivot.stage_states import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pivot.ci.told import Told
    from pivot.results import Problem

_MOST_ROWS = 200  # of a table
_MOST_PROBLEMS = 20
_MOST_BYTES = 512 * 1024  # GitHub drops a summary of 1 MiB, and some below, without a word
_COMMENT_BYTES = 60_000

_SIGNS = {
    Status.COMPLETE: "✅",
    Status.NOTHING_TO_DO: "✅",
    Status.DRY_RUN: "📋",
    Status.PARTIAL: "⚠️",
    Status.MISS: "⚠️",
    Status.NO_CREDENTIALS: "⏭️",
    Status.UNTRUSTED: "⛔",
    Status.FAILED: "❌",
}


def summary(told: Told) -> str:
    """Write the summary of the run in Markdown."""
    return _fit(told, _MOST_BYTES)


def comment_body(told: Told, mark: str) -> str:
    """Write the comment on a pull request: the same, below the line *mark*.

    It does not say how long the job took: a comment changes only when there is something new.
    """
    body = _fit(replace(told, seconds=0), _COMMENT_BYTES - len(mark.encode()) - 1)
    return f"{mark}\n{body}"


def _fit(told: Told, most: int) -> str:
    """Write as many rows as there is room for."""
    rows = _MOST_ROWS
    text = _write(told, rows)
    while len(text.encode()) > most and rows:
        rows //= 2
        text = _write(told, rows)
    return text


def _write(told: Told, rows: int) -> str:
    parts = (
        _verdict(told),
        _stages(told, rows),
        _graph(told),
        _files(told, rows),
        _problems(told, rows),
        _next(told),
    )
    return "\n".join(line for part in parts if part for line in (*part, ""))


def _verdict(told: Told) -> list[str]:
    where = f" · {plain(told.remote)}" if told.remote else ""
    title = f"### {_SIGNS[told.status]} pivot {told.command}{where}: {told.status}"
    return [title, "", _sentence(told)]


def _sentence(told: Told) -> str:
    if told.status in {Status.UNTRUSTED, Status.NO_CREDENTIALS}:
        said = plain(told.problems[0].message, longest=500) if told.problems else "no credentials"
        return f"Nothing was moved: {said}."
    took = f", in {told.seconds:.1f} s" if told.seconds else ""
    said = plain(told.verdict, longest=500) or ", ".join(_facts(told)) or "Nothing to do"
    facts = f"{said}{took}."
    if told.status is Status.FAILED:
        return f"Exit code {int(told.raw)}: {MEANINGS[told.raw]}. {facts}"
    return facts


def _facts(told: Told) -> Iterator[str]:
    counts = told.counts
    size = human_size(told.bytes)
    if told.status is Status.DRY_RUN or counts.would_transfer:
        yield f"{_many(counts.would_transfer, 'object')} would be copied ({size})"
    elif told.command in {"push", "pull", "fetch"}:
        yield f"{_many(counts.transferred, 'object')} copied ({size})"
    if told.command in {"push", "pull", "fetch", "verify"}:
        yield f"{counts.skipped} {'was' if counts.skipped == 1 else 'were'} there"
    if counts.restored:
        yield f"{_many(counts.restored, 'file')} restored"
    if counts.missing:
        yield f"**{_many(counts.missing, 'object')} missing**"
    if counts.failed:
        yield f"**{_many(counts.failed, 'object')} failed**"
    if told.runs:
        verb = "has" if len(told.to_run) == 1 else "have"
        yield f"{_many(len(told.to_run), 'stage')} {verb} to run, {len(told.ready)} can run now"
    if told.proven:
        yield f"{told.proven} verified by SHA-256"
    if weak := counts.transferred - told.proven:
        yield f"{weak} verified by xxh64 alone"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _more(total: int, shown: int, where: str = "") -> list[str]:
    return ["", f"… and {total - shown} more{where}"] if total > shown else []


def _stages(told: Told, most: int) -> list[str]:
    if not told.stages:
        return []
    # what needs a look comes first
    ordered = sorted(told.stages, key=lambda stage: stage.state is State.HIT)
    rows = [
        (
            plain(stage.name),
            str(stage.state),
            f"{stage.objects - stage.missing}/{stage.objects}" if stage.objects else "",
            human_size(stage.bytes) if stage.objects else "",
            plain(stage.reason),
        )
        for stage in ordered[:most]
    ]
    lines = table(("Stage", "State", "Objects", "Size", "Reason"), rows)
    return [*lines, *_more(len(ordered), len(rows))]


def _graph(told: Told) -> list[str]:
    if not any(stage.needs for stage in told.stages):
        return []
    drawn = flowchart(told.stages)
    if drawn is None:
        return [f"The pipeline of {len(told.stages)} stages is too large to be drawn."]
    return folded("Pipeline", ["```mermaid", drawn, "```"])


def _files(told: Told, most: int) -> list[str]:
    """List what was not there before; what went wrong comes first."""
    listed = [row for row in told.objects if row.state is not ObjectState.PRESENT]
    if not listed:
        return []
    bad = {ObjectState.MISSING, ObjectState.FAILED}
    rows = [
        (
            plain(row.path),
            str(row.state),
            "" if row.size is None else human_size(row.size),
            plain(row.stage),
        )
        for row in sorted(listed, key=lambda row: row.state not in bad)[:most]
    ]
    lines = table(("File", "State", "Size", "Stage"), rows)
    more = _more(len(listed), len(rows), ", in the report")
    return folded(f"Files ({len(listed)})", [*lines, *more])


def _problems(told: Told, most: int) -> list[str]:
    """List problems, unless they are in the first sentence; what stopped all comes first."""
    if not told.problems or told.status in {Status.UNTRUSTED, Status.NO_CREDENTIALS}:
        return []
    ordered = sorted(told.problems, key=lambda problem: bool(problem.path))
    shown = ordered[: min(most, _MOST_PROBLEMS)]
    lines = [f"- {plain(_saying(problem), longest=400)}" for problem in shown]
    lines += _more(len(ordered), len(shown), ", in the report")
    if told.final is not ExitCode.DONE:
        return ["**What went wrong**", "", *lines]
    return folded(f"Problems ({len(ordered)})", lines)


def _saying(problem: Problem) -> str:
    message = problem.message.replace("\n", "; ")  # of pipeline files, it has many lines
    named = problem.path and problem.path not in message
    return f"{problem.path}: {message}" if named else message


def _next(told: Told) -> list[str]:
    if not told.hints:
        return []
    return [f"Next: {plain(told.hints[0], longest=400)}"]
