"""Say what `repro` decided and did, as text or as JSON; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.errors import ExitCode
from pivot.report import (
    OnMiss,
    Report,
    dump,
    printable,
    problem_lines,
    problem_tree,
    transfer_tree,
)
from pivot.repro.decide import NOTHING_CHANGED, Verdict
from pivot.repro.results import Repro, StageResult, State
from pivot.results import exit_code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pivot.report import Json

_SHOWN = 20


def repro_text(result: Repro, *, check: bool = False) -> Report:
    """Say what a run did, below what was told while it went on, or what it would do.

    With *check* the exit code tells whether a stage would run.
    """
    out = list(_plan_lines(result) if result.dry_run else _count_lines(result))
    err = problem_lines([p for p in result.problems if not _has_tail(result, p.owner)], OnMiss.FAIL)
    for stage in result.stages:
        if stage.tail:
            err += _failure_lines(stage)
    return Report(tuple(out), tuple(err), _code(result, check=check))


def repro_json(result: Repro, *, check: bool = False) -> Report:
    """Say all of it, in the form of `schemas/repro.json`; *check* as in `repro_text`."""
    code = _code(result, check=check)
    tree: dict[str, Json] = {
        "version": 1,
        "command": "repro",
        "dry_run": result.dry_run,
        "exit_code": int(code),
        "seconds": round(result.seconds, 3),
        "stages": [_stage_tree(stage) for stage in result.stages],
        "transfers": [transfer_tree(fetch) for fetch in result.fetches],
        "notes": list(result.notes),
        "problems": [problem_tree(problem) for problem in result.problems],
    }
    return Report((dump(tree),), (), code)


def _code(result: Repro, *, check: bool) -> ExitCode:
    code = exit_code(result.problems)
    would_run = result.verdicts(Verdict.RUN, Verdict.DEPENDS) > 0
    return ExitCode.FAILED if check and would_run and code is ExitCode.DONE else code


def _plan_lines(result: Repro) -> Iterator[str]:
    words = {
        Verdict.RUN: "Would run",
        Verdict.RESTORE: "Would restore",
        Verdict.DEPENDS: "May run",
        Verdict.SKIP: "Unchanged",
    }
    for stage in result.stages:
        word = words[stage.decision.verdict] if stage.error is None else "Cannot decide"
        yield f"{word} {printable(stage.stage)}: {printable(stage.decision.reason)}"
    failed = result.count(State.FAILED)
    yield (
        f"Would run {result.verdicts(Verdict.RUN)} stage(s), perhaps "
        f"{result.verdicts(Verdict.DEPENDS)} more, and restore {result.verdicts(Verdict.RESTORE)}; "
        f"{result.verdicts(Verdict.SKIP)} unchanged"
        + (f", {failed} cannot be decided" if failed else "")
    )


def _count_lines(result: Repro) -> Iterator[str]:
    unchanged = [s for s in result.stages if s.state is State.UNCHANGED]
    if unchanged:
        names = ", ".join(map(_unchanged, unchanged[:_SHOWN]))
        more = f" and {len(unchanged) - _SHOWN} more" if len(unchanged) > _SHOWN else ""
        yield f"Unchanged: {names}{more}"
    waiting = result.count(State.BLOCKED, State.NOT_RUN)
    yield (
        f"Stages: {result.count(State.RAN)} ran, {result.count(State.RESTORED)} restored, "
        f"{len(unchanged)} unchanged, {result.count(State.FAILED)} failed"
        + (f", {waiting} not run" if waiting else "")
    )


def _unchanged(stage: StageResult) -> str:
    """Name a stage, with the reason if it is another than that nothing changed."""
    reason = stage.decision.reasons[0]
    return printable(stage.stage if reason == NOTHING_CHANGED else f"{stage.stage} ({reason})")


def _has_tail(result: Repro, stage: str) -> bool:
    return any(each.stage == stage and each.tail for each in result.stages)


def _failure_lines(stage: StageResult) -> Iterator[str]:
    """Say how a command failed, and what it said last."""
    yield f"Error: {printable(str(stage.error))}; it said last:"
    for line in stage.tail:
        yield f"  | {printable(line.expandtabs())}"  # GitHub trims, and takes '::' for a command


def _stage_tree(stage: StageResult) -> Json:
    return {
        "name": stage.stage,
        "verdict": str(stage.decision.verdict),
        "reasons": list(stage.decision.reasons),
        "state": str(stage.state),
        "seconds": round(stage.seconds, 3),
        "seconds_around": round(stage.around, 3),
        "warnings": list(stage.warnings),
        "error": None if stage.error is None else stage.error.message,
        "tail": list(stage.tail),
    }
