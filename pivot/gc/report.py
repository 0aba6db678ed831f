"""Say what `gc` would do or did, as text or as JSON; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.gc.plan import Count
from pivot.gc.results import Action, Cleanup
from pivot.report import (
    OnMiss,
    Report,
    dump,
    human_size,
    printable,
    problem_lines,
    problem_tree,
)
from pivot.results import exit_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pivot.gc.place import Found, Trashed
    from pivot.report import Json

_PATHS = 2
_DAY = 24 * 3600
_HOUR = 3600
MIN_AGE = {False: _DAY, True: 14 * _DAY}
"""Seconds that objects of the cache, and of a remote, stay in any case, by default."""


def gc_text(done: Cleanup) -> Report:
    """Say it by path, with totals, and what to do next."""
    lines = {
        Action.OUT: _out_lines,
        Action.EMPTY: _empty_lines,
        Action.UNDO: _undo_lines,
        Action.CLAIM: _claim_lines,
    }[done.action](done)
    err = [f"Warning: {printable(text)}" for text in done.warnings]
    err += problem_lines(done.problems, OnMiss.FAIL)
    return Report(tuple(lines), tuple(err), exit_code(done.problems))


def gc_json(done: Cleanup) -> Report:
    """Say all of it, in the form of `schemas/gc.json`."""
    code = exit_code(done.problems)
    tree: dict[str, Json] = {
        "version": 1,
        "command": "gc",
        "action": str(done.action),
        "dry_run": done.dry_run,
        "exit_code": int(code),
        "remote": done.remote,
        "url": done.url,
        "min_age": done.min_age,
        "looked_at": done.looked_at,
        "receipt": done.receipt,
        "plan": {
            "out": _rows(done, done.plan.out),
            "back": _rows(done, done.plan.back),
            "referenced": _count(done.plan.referenced),
            "young": _count(done.plan.young),
        },
        "gone": _rows(done, done.gone),
        "back": _rows(done, done.back),
        "trash": _count(done.trash),
        "projects": list(done.projects),
        "warnings": list(done.warnings),
        "problems": [problem_tree(problem) for problem in done.problems],
    }
    return Report((dump(tree),), (), code)


def _out_lines(done: Cleanup) -> list[str]:
    plan, where = done.plan, _where(done)
    lines = _list(done, plan.out if done.dry_run else done.gone)
    if done.dry_run:
        lines.append(f"Would put {_say(Count.of(plan.out))} of {where} into its trash")
        lines += _back(f"Would bring {_say(Count.of(plan.back))} back", plan.back)
    else:
        lines.append(f"Put {_say(Count.of(done.gone))} of {where} into its trash")
        lines += _back(f"Brought {_say(Count.of(done.back))} back", done.back)
    young = f", {_say(plan.young)} younger than {_age(done.min_age)}" if done.min_age else ""
    lines.append(f"Kept: {_say(plan.referenced)} that {done.looked_at} refer to{young}")
    if done.dry_run and (plan.out or plan.back):
        lines.append(f"Nothing was changed. To do it: {_command(done, '--yes')}")
    if done.receipt:
        lines.append(f"To undo it: {_place(done)} --undo {done.receipt}")
    if done.trash.objects:
        command = _command(done, "--empty-trash", "--yes")
        lines.append(f"In the trash: {_say(done.trash)}. To delete what is old: {command}")
    return lines


def _empty_lines(done: Cleanup) -> list[str]:
    plan, where = done.plan, _where(done)
    lines = _list(done, plan.out if done.dry_run else done.gone)
    if done.dry_run:
        lines.append(f"Would delete {_say(Count.of(plan.out))} from the trash of {where}, for good")
        lines += _back(f"Would bring {_say(Count.of(plan.back))} back", plan.back)
    else:
        lines.append(f"Deleted {_say(Count.of(done.gone))} from the trash of {where}, for good")
        lines += _back(f"Brought {_say(Count.of(done.back))} back", done.back)
    if plan.young.objects:
        lines.append(f"Kept: {_say(plan.young)}, in the trash for less than {_least(done)}")
    if done.dry_run and (plan.out or plan.back):
        command = _command(done, "--empty-trash", "--yes")
        lines.append(f"Nothing was changed. To do it: {command}")
    return lines


def _least(done: Cleanup) -> str:
    """Say how long an object has to be in the trash; one that is in use, for an hour."""
    if not done.min_age:
        return "an hour, and in use"
    return _age(done.min_age) + (", or an hour and in use" if done.min_age < _HOUR else "")


def _undo_lines(done: Cleanup) -> list[str]:
    lines = _list(done, done.back)
    lines.append(f"Brought {_say(Count.of(done.back))} back from the trash of {_where(done)}")
    return lines


def _claim_lines(done: Cleanup) -> list[str]:
    names = ", ".join(map(printable, done.projects))
    return [
        f"From now on {_where(done)} is for the project {names} alone, which may clean up there"
    ]


def _where(done: Cleanup) -> str:
    return f"'{done.remote}' ({printable(done.url)})" if done.remote else "the local cache"


def _place(done: Cleanup) -> str:
    return f"pivot gc{f' -r {done.remote}' if done.remote else ''}"


def _command(done: Cleanup, *more: str) -> str:
    """Say the same command with *more* options: what is needed is told by the others."""
    usual = MIN_AGE[done.shared]
    age = () if done.min_age == usual else ("--min-age", _short(done.min_age))
    return " ".join((_place(done), *done.options, *age, *more))


def _short(seconds: int) -> str:
    for size, letter in ((_DAY, "d"), (3600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{letter}"
    return str(seconds)


def _back(text: str, found: Sequence[Trashed]) -> list[str]:
    return [f"{text} from the trash: needed again"] if found else []


def _list(done: Cleanup, found: Iterable[Found | Trashed]) -> list[str]:
    """List objects by path; what no document ever named comes last, by digest."""
    named = [(_name(done, each), each) for each in found]
    named.sort(key=lambda pair: (not done.paths.get(pair[1].digest), pair[0], pair[1].digest))
    return [f"  {name}  {human_size(each.size)}" for name, each in named]


def _name(done: Cleanup, each: Found | Trashed) -> str:
    paths = done.paths.get(each.digest, ())
    more = f" and {len(paths) - _PATHS} more" if len(paths) > _PATHS else ""
    names = ", ".join(map(printable, paths[:_PATHS]))
    return f"{names}{more} ({each.digest})" if names else f"object {each.digest}"


def _say(count: Count) -> str:
    return f"{count.objects} object(s) ({human_size(count.bytes)})"


def _age(seconds: int) -> str:
    for size, word in ((_DAY, "day"), (3600, "hour"), (60, "minute")):
        if seconds and seconds % size == 0:
            number = seconds // size
            return f"{number} {word}{'s' if number > 1 else ''}"
    return f"{seconds} seconds"


def _rows(done: Cleanup, found: Iterable[Found | Trashed]) -> Json:
    return [
        {
            "digest": each.digest,
            "size": each.size,
            "changed": int(each.changed),
            "receipt": getattr(each, "receipt", ""),
            "paths": list(done.paths.get(each.digest, ())),
        }
        for each in found
    ]


def _count(count: Count) -> Json:
    return {"objects": count.objects, "bytes": count.bytes}
