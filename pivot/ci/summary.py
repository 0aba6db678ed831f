"""What people read of a CI job: the summary of the run, and the comment on a pull request; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.ci.markdown import folded, plain, table
from pivot.ci.mermaid import flowchart
from pivot.ci.told import ObjectState, Status
from pivot.errors import MEANINGS, ExitCode
from pivot.report import human_size
from pivot.stage_states import State

if TYPE_CHECKING:
    from pivot.ci.told import Told

_MOST_ROWS = 200
_MOST_FILES = 200
_MOST_PROBLEMS = 20
_MOST_BYTES = 400 * 1024
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
    """Write the comment on a pull request: the same, below the line *mark*."""
    return f"{mark}\n{_fit(told, _COMMENT_BYTES - len(mark.encode()) - 1)}"


def _fit(told: Told, most: int) -> str:
    """Write as much as fits: what is folded away goes first, then rows of the table."""
    rows = _MOST_ROWS
    parts = [_graph(told), _problems(told), _files(told)]
    while True:
        text = "\n".join([*_verdict(told), *_stages(told, rows), *_joined(parts), *_next(told)])
        if len(text.encode()) <= most or (not parts and rows == 0):
            return text[:most]
        if parts:
            parts.pop()
        else:
            rows //= 2


def _joined(parts: list[list[str]]) -> list[str]:
    return [line for part in parts if part for line in (*part, "")]


def _verdict(told: Told) -> list[str]:
    where = f" · {plain(told.remote)}" if told.remote else ""
    title = f"### {_SIGNS[told.status]} pivot {told.command}{where}: {told.status}"
    return [title, "", _sentence(told), ""]


def _sentence(told: Told) -> str:
    counts = told.counts
    match told.status:
        case Status.UNTRUSTED | Status.NO_CREDENTIALS:
            said = plain(told.problems[0].message, longest=500) if told.problems else ""
            return f"Nothing was moved: {said}."
        case Status.FAILED:
            return f"Exit code {int(told.raw)}: {MEANINGS[told.raw]}."
    facts = []
    if told.status is Status.DRY_RUN:
        facts.append(f"{counts.would_transfer} objects would be copied ({human_size(told.bytes)})")
    elif told.command in {"push", "pull", "fetch"}:
        facts.append(f"{counts.transferred} objects copied ({human_size(told.bytes)})")
        facts.append(f"{counts.skipped} were there")
    if counts.restored:
        facts.append(f"{counts.restored} files restored")
    if counts.missing:
        facts.append(f"**{counts.missing} objects missing**")
    if counts.failed:
        facts.append(f"**{counts.failed} objects failed**")
    if told.runs:
        facts.append(f"{len(told.to_run)} stages have to run, {len(told.ready)} can run now")
    if counts.transferred:
        facts.append(f"{counts.transferred} verified by xxh64")
    return f"{', '.join(facts) or 'Nothing to do'}, in {told.seconds:.1f} s."


def _stages(told: Told, most: int) -> list[str]:
    if not told.stages or not most:
        return []
    # what needs a look comes first
    calm = {State.HIT}
    ordered = sorted(told.stages, key=lambda stage: stage.state in calm)
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
    if len(ordered) > most:
        lines += ["", f"… and {len(ordered) - most} more"]
    return [*lines, ""]


def _graph(told: Told) -> list[str]:
    if not any(stage.needs for stage in told.stages):
        return []
    drawn = flowchart(told.stages)
    if drawn is None:
        return [f"The pipeline of {len(told.stages)} stages is too large to be drawn."]
    return folded("Pipeline", ["```mermaid", drawn, "```"])


def _problems(told: Told) -> list[str]:
    if not told.problems or told.status in {Status.UNTRUSTED, Status.NO_CREDENTIALS}:
        return []
    shown = told.problems[:_MOST_PROBLEMS]
    lines = [
        f"- {plain(f'{p.path}: {p.message}' if p.path else p.message, longest=400)}" for p in shown
    ]
    if len(told.problems) > len(shown):
        lines.append(f"- … and {len(told.problems) - len(shown)} more, in the report")
    if told.final is not ExitCode.DONE:
        return ["**What went wrong**", "", *lines]
    return folded(f"Problems ({len(told.problems)})", lines)


def _files(told: Told) -> list[str]:
    quiet = {ObjectState.PRESENT}
    told_of = [row for row in told.objects if row.state not in quiet]
    if not told_of:
        return []
    rows = [
        (
            plain(row.path),
            str(row.state),
            "" if row.size is None else human_size(row.size),
            plain(row.stage),
        )
        for row in told_of[:_MOST_FILES]
    ]
    lines = table(("File", "State", "Size", "Stage"), rows)
    if len(told_of) > len(rows):
        lines += ["", f"… and {len(told_of) - len(rows)} more, in the report"]
    return folded(f"Files ({len(told_of)})", lines)


def _next(told: Told) -> list[str]:
    if not told.hints:
        return []
    return [f"Next: {plain(told.hints[0], longest=400)}", ""]
