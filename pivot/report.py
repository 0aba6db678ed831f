"""Say what was planned and done, as text or as JSON; pure."""

from __future__ import annotations

import json
import time
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from pivot.errors import ExitCode, PipelineError, PivotError
from pivot.frozen import frozen
from pivot.plan import Step
from pivot.results import Checkout, Problem, Pull, Reading, Transfer, exit_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Result: TypeAlias = "Transfer | tuple[Transfer, ...] | Checkout | Pull"
Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

_SHOWN = 20
_SHOWN_MISSING = 15
_SHOWN_LEDGERS = 3


UNKNOWN: Mapping[str, str] = MappingProxyType({})
"""Nobody knows who changed what."""


class OnMiss(StrEnum):
    """What a missing object means for the exit code, and for nothing else."""

    FAIL = "fail"
    WARN = "warn"
    IGNORE = "ignore"


@frozen
class Report:
    """What a face shows: lines for standard output and for standard error, and the exit code.

    *notes* are for standard error as well, and may be left out.
    """

    out: tuple[str, ...]
    err: tuple[str, ...]
    code: ExitCode
    notes: tuple[str, ...] = ()


def report_text(
    command: str,
    result: Result,
    *,
    on_miss: OnMiss = OnMiss.FAIL,
    changes: Mapping[str, str] = UNKNOWN,
) -> Report:
    """Say in a few lines what *result* of *command* was; *changes* tells who to ask."""
    transfers, checkout, problems = parts(result)
    out: list[str] = []
    for transfer in transfers:
        out += _transfer_lines(command, transfer)
    if checkout is not None:
        out += _checkout_lines(checkout, complete=command == "checkout")
    if command == "checkout":  # the lines above name what is missing
        problems = tuple(p for p in problems if p.code is not ExitCode.MISSING)
    err = [f"Warning: {printable(text)}" for text in warnings(result)[:_SHOWN]]
    err += problem_lines(problems, on_miss, changes)
    notes = tuple(_proof_lines(transfers))
    return Report(tuple(out), tuple(err), _code(result, on_miss), notes)


def report_json(
    command: str,
    result: Result,
    *,
    on_miss: OnMiss = OnMiss.FAIL,
    changes: Mapping[str, str] = UNKNOWN,
) -> Report:
    """Say all of it, in the form of `schemas/report.json`."""
    transfers, checkout, problems = parts(result)
    dry_run = any(t.dry_run for t in transfers) or (checkout is not None and checkout.dry_run)
    code = _code(result, on_miss)
    tree: dict[str, Json] = {
        "version": 1,
        "command": command,
        "dry_run": dry_run,
        "exit_code": int(code),
        "transfers": [transfer_tree(transfer) for transfer in transfers],
        "checkout": None if checkout is None else _checkout_tree(checkout),
        "warnings": list(warnings(result)),
        "problems": [problem_tree(problem, changes) for problem in problems],
    }
    return Report((dump(tree),), (), code)


def report_error(command: str, error: PivotError, *, as_json: bool) -> Report:
    """Say why *command* did not begin."""
    told = error.problems if isinstance(error, PipelineError) else (error.message,)
    problems = [Problem(error.code, text, error.hint) for text in told]
    lines = tuple(problem_lines(problems, OnMiss.FAIL))
    if not as_json:
        return Report((), lines, error.code)
    tree: dict[str, Json] = {
        "version": 1,
        "command": command,
        "dry_run": False,
        "exit_code": int(error.code),
        "transfers": [],
        "checkout": None,
        "warnings": [],
        "problems": [problem_tree(problem) for problem in problems],
    }
    return Report((dump(tree),), lines, error.code)


def dump(tree: Json) -> str:
    """Write JSON for people and programs."""
    return json.dumps(tree, indent=2, ensure_ascii=True)


def printable(text: str) -> str:
    """Make *text* safe for a terminal: what a document says must not move the cursor."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "replace").decode()
        for char in text.encode("utf-8", "backslashreplace").decode()
    )


def human_size(count: int) -> str:
    """Say a number of bytes: `12.3 MB`."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if round(size, 1) < 1000 or unit == "TB":  # noqa: PLR2004
            break
        size /= 1000
    return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"


def parts(result: Result) -> tuple[Sequence[Transfer], Checkout | None, tuple[Problem, ...]]:
    """Take *result* apart: its transfers, its checkout, and all problems."""
    match result:
        case Transfer():
            return (result,), None, result.problems
        case Checkout():
            return (), result, result.problems
        case Pull():
            return result.fetches, result.checkout, result.problems
        case _:
            return result, None, tuple(p for transfer in result for p in transfer.problems)


def warnings(result: Result) -> tuple[str, ...]:
    """List what a user should know though nothing failed, each once."""
    transfers, checkout, _ = parts(result)
    told = [text for transfer in transfers for text in transfer.warnings]
    return tuple(dict.fromkeys([*told, *(checkout.warnings if checkout is not None else ())]))


def _code(result: Result, on_miss: OnMiss) -> ExitCode:
    return exit_code(parts(result)[2], misses_fail=on_miss is OnMiss.FAIL)


def _transfer_lines(command: str, transfer: Transfer) -> list[str]:
    to = transfer.direction == "push"
    where = f"{'to' if to else 'from'} '{transfer.remote}'"
    if to and not transfer.wanted:
        return ["No files to push"]
    if transfer.direction == "verify":
        if transfer.stopped is not None:
            return []
        where = f"'{transfer.remote}'" if transfer.remote else "the cache"
        there = f"{transfer.skipped} of {len(transfer.wanted)} object(s) are there"
        return [f"Verified {where}: {there}", *_reading_lines(transfer)]
    if not transfer.dry_run:
        counts = (
            f"{transfer.transferred} transferred, {transfer.skipped} skipped, "
            f"{transfer.failed} failed"
        )
        lines = [f"{'Pushed' if to else 'Fetched'} {where}: {counts}"]
        return lines + _source_lines(transfer)
    plan = transfer.plan
    rows = [(transfer.wanted[d].path, size) for d, size in plan.transfer.items()]
    lines = [f"  {printable(path)}  {_size(size)}" for path, size in rows]
    lines.append(f"Would {command} {len(rows)} file(s) {where}")
    lines.append(
        f"Total: {human_size(plan.bytes)}; {len(plan.present)} already there, "
        f"{len(plan.missing)} missing"
    )
    return lines + _source_lines(transfer)


def _source_lines(transfer: Transfer) -> list[str]:
    """Say what comes from which remote of a chain."""
    return [
        f"  '{source.remote}': {source.objects} object(s), {human_size(source.bytes)}"
        for source in transfer.sources
    ]


def _reading_lines(transfer: Transfer) -> list[str]:
    """Say how many of how many objects were read, and what became of damaged ones."""
    lines = [
        f"Repaired {printable(transfer.wanted[digest].path)}: what was object {digest} is in "
        f"{printable(place)}"
        for digest, place in transfer.repaired.items()
    ]
    if (seen := transfer.reading) is None:
        return lines
    sample = f", a sample of {seen.percent:g} % (--seed {seen.seed})" if seen.percent < 100 else ""  # noqa: PLR2004
    then = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seen.began))
    before = f"; {seen.before} of them since {then}, before it was cut off" if seen.before else ""
    read = f"Read {seen.chosen} of {seen.there} object(s){sample}: {human_size(seen.bytes)}"
    checks = f"{seen.proven} by SHA-256, {seen.chosen - seen.proven} by xxh64 alone"
    return [*lines, f"{read}, {checks}{before}"]


def _proof_lines(transfers: Iterable[Transfer]) -> list[str]:
    """Say how much of what arrived is vouched for, and which ledgers are new."""
    lines = []
    fetches = [transfer for transfer in transfers if transfer.direction == "fetch"]
    if arrived := sum(fetch.transferred for fetch in fetches):
        proven = sum(fetch.proven for fetch in fetches)
        lines.append(f"Checked: {proven} by SHA-256, {arrived - proven} by xxh64 alone")
    if ledgers := [path for transfer in transfers for path in transfer.ledgers]:
        more = f" and {len(ledgers) - _SHOWN_LEDGERS} more" if len(ledgers) > _SHOWN_LEDGERS else ""
        names = ", ".join(map(printable, ledgers[:_SHOWN_LEDGERS]))
        lines.append(f"Wrote {names}{more}: commit with the lock files")
    return lines


def _checkout_lines(checkout: Checkout, *, complete: bool) -> list[str]:
    lines = []
    if checkout.dry_run:
        for output in checkout.plan:
            lines += [
                f"  {step.value}  {printable(file.path)}"
                for file, step in output.steps
                if step in {Step.CREATE, Step.REPLACE}
            ]
            lines += [f"  {Step.REMOVE.value}  {printable(path)}" for path in output.remove]
        lines.append(f"Would restore {len(checkout.to_restore)} file(s)")
    elif checkout.restored:
        lines.append(f"Restored {checkout.restored} file(s)")
    if checkout.removed:
        lines.append(f"Removed {checkout.removed} file(s) (no longer in the lock)")
    if checkout.skipped:
        lines.append(f"Skipped {checkout.skipped} file(s) (already exist)")
    if complete and not checkout.plan:
        lines.append("No files to restore")
    if complete and (missing := checkout.missing):
        lines += ["", f"Missing {len(missing)} file(s):"]
        lines += [f"  {printable(path)}" for path in missing[:_SHOWN_MISSING]]
        if len(missing) > _SHOWN_MISSING:
            lines.append(f"  ... and {len(missing) - _SHOWN_MISSING} more")
        lines += ["", "Run 'pivot pull' to fetch from remote storage."]
    return lines


def problem_lines(
    problems: Iterable[Problem], on_miss: OnMiss, changes: Mapping[str, str] = UNKNOWN
) -> list[str]:
    """Say each problem in a line, and each remedy once; *changes* tells who changed a document."""
    lines: list[str] = []
    tips: dict[str, None] = {}
    problems = sorted(problems, key=lambda problem: bool(problem.path))  # what stopped all is first
    told = [p for p in problems if p.code is not ExitCode.MISSING or on_miss is not OnMiss.IGNORE]
    for problem in told[:_SHOWN]:
        soft = problem.code is ExitCode.MISSING and on_miss is OnMiss.WARN
        place = f"{problem.path}: " if problem.path and problem.path not in problem.message else ""
        known = problem.owner in {"", problem.path} or f"stage {problem.owner}" in problem.message
        about = [] if known else [f"stage {problem.owner}"]
        if problem.document in changes:
            about.append(f"{problem.document} last changed by {changes[problem.document]}")
        whose = f" ({'; '.join(about)})" if about else ""
        word = "Warning" if soft else "Error"
        lines.append(f"{word}: {printable(place + problem.message + whose)}")
        if problem.hint:
            tips[problem.hint] = None
    if len(told) > _SHOWN:
        lines.append(f"… and {len(told) - _SHOWN} more (--json lists all)")
    return lines + [f"Tip: {printable(tip)}" for tip in list(tips)[:3]]


def transfer_tree(transfer: Transfer) -> Json:
    """Say what a transfer planned and did, as all reports have it."""

    def row(digest: str, path: str, size: int | None) -> Json:
        return {"path": path, "digest": digest, "size": size}

    plan, wanted = transfer.plan, transfer.wanted
    extra: dict[str, Json] = {}
    if transfer.reading is not None:
        extra["reading"] = _reading_tree(transfer.reading)
    if transfer.repaired:
        extra["repaired"] = [
            {"path": wanted[digest].path, "digest": digest, "quarantine": place}
            for digest, place in transfer.repaired.items()
        ]
    tree: dict[str, Json] = {
        "direction": transfer.direction,
        "remote": transfer.remote,
        "url": transfer.url,
        "transferred": transfer.transferred,
        "skipped": transfer.skipped,
        "failed": transfer.failed,
        "bytes": transfer.bytes,
        "jobs": transfer.moves.jobs if transfer.moves else 0,
        "checks": {
            "sha256": transfer.proven,
            "xxh64_only": transfer.transferred - transfer.proven,
        },
        "ledgers": list(transfer.ledgers),
        "plan": {
            "transfer": [row(d, wanted[d].path, size) for d, size in plan.transfer.items()],
            "present": len(plan.present),
            "missing": [row(d, wanted[d].path, wanted[d].size) for d in plan.missing],
            "bytes": plan.bytes,
        },
        **extra,
    }
    if transfer.several:
        tree["exit_code"] = int(exit_code(transfer.problems))
    if transfer.sources:
        tree["sources"] = [
            {"remote": s.remote, "url": s.url, "objects": s.objects, "bytes": s.bytes}
            for s in transfer.sources
        ]
    return tree


def _reading_tree(reading: Reading) -> Json:
    return {
        "there": reading.there,
        "chosen": reading.chosen,
        "bytes": reading.bytes,
        "before": reading.before,
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(reading.began)),
        "sha256": reading.proven,
        "xxh64_only": reading.chosen - reading.proven,
        "percent": reading.percent,
        "seed": reading.seed,
    }


def _checkout_tree(checkout: Checkout) -> Json:
    files: list[Json] = [
        {"path": file.path, "step": step.value, "digest": file.digest}
        for output in checkout.plan
        for file, step in output.steps
    ]
    files += [
        {"path": path, "step": Step.REMOVE.value, "digest": None}
        for output in checkout.plan
        for path in output.remove
    ]
    return {
        "restored": checkout.restored,
        "removed": checkout.removed,
        "skipped": checkout.skipped,
        "missing": len(checkout.missing),
        "files": files,
    }


def problem_tree(problem: Problem, changes: Mapping[str, str] = UNKNOWN) -> Json:
    """Say one problem, as all reports have it."""
    return {
        "code": int(problem.code),
        "message": problem.message,
        "hint": problem.hint,
        "path": problem.path,
        "owner": problem.owner,
        "digest": problem.digest,
        "document": problem.document,
        "changed": changes.get(problem.document, ""),
    }


def _size(size: int | None) -> str:
    return "size unknown" if size is None else human_size(size)
