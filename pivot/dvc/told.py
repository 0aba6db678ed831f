"""Say what an import does, as text or as JSON; pure."""

from __future__ import annotations

import posixpath
import shlex
from typing import TYPE_CHECKING

from pivot.report import Report, dump, human_size, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pivot.dvc.conversion import Imported
    from pivot.dvc.notes import Note
    from pivot.report import Json
    from pivot.results import Problem

_SHOWN = 20
_OWNERS = 5


def import_text(imported: Imported) -> Report:
    """Say what was written or would be, what could not be converted, and what to do next."""
    plan, dry = imported.plan, imported.dry_run
    out = [f"  write    {path}" for path in plan.documents]
    written = set(imported.written)
    locks = [lock for lock in plan.locks if lock.path in written]
    out += [f"  lock     {lock.stage.name}" for lock in locks]
    out += [f"  no lock  {name}: {why}" for name, why in imported.unlocked.items()]
    out += [f"  track    {data.data.path}" for data in plan.data if data.path in written]
    out += [f"  set      {key}: {text}" for key, text in plan.settings.items()]
    count = len(locks) + len(imported.unlocked)
    out.append(
        f"{'Would convert' if dry else 'Converted'} {count} stage(s), {len(locks)} with a lock; "
        f"{len(imported.objects)} object(s), {human_size(imported.bytes)}"
    )
    if plan.notes:
        out += ["", f"Not converted ({len(plan.notes)}):", *_note_lines(plan.notes)]
    if not dry:
        out += ["", "Next:", *(f"  {line}" for line in next_steps(imported))]
    err = _problem_lines(imported)
    return Report(_printable(out), _printable(err), imported.code)


def _printable(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(printable(line) for line in lines)


def import_json(imported: Imported) -> Report:
    """Say all of it, in the form of `schemas/import.json`."""
    plan = imported.plan
    written = set(imported.written)
    stages: list[Json] = [
        {"name": lock.stage.name, "lock": lock.path, "reason": ""}
        for lock in plan.locks
        if lock.path in written
    ]
    unlocked = imported.unlocked.items()
    stages += [{"name": name, "lock": None, "reason": why} for name, why in unlocked]
    tree: dict[str, Json] = {
        "version": 1,
        "command": "import-dvc",
        "dry_run": imported.dry_run,
        "exit_code": int(imported.code),
        "documents": list(plan.documents),
        "stages": stages,
        "tracked": [data.data.path for data in plan.data if data.path in written],
        "settings": dict(plan.settings),
        "objects": {"count": len(imported.objects), "bytes": imported.bytes},
        "notes": [
            {"path": note.document, "line": note.line or None, "what": note.what, "cure": note.cure}
            for note in plan.notes
        ],
        "problems": [_problem_tree(problem) for problem in imported.problems],
        "next": list(next_steps(imported)),
    }
    return Report((dump(tree),), (), imported.code)


def next_steps(imported: Imported) -> Iterator[str]:
    """List the commands that finish the move; DVC's files go when nothing is left to be mended."""
    plan = imported.plan
    if imported.problems:
        yield "pivot import-dvc --force   # when the errors are mended; keep DVC's files until then"
    if plan.documents:
        yield "pivot repro --dry-run   # what DVC would run, and no more"
    if plan.settings and imported.objects:
        yield "pivot push   # once: DVC's remote has the objects under other names"
    data = [each.path for each in plan.data if each.path in imported.written]
    yield f"git add {shlex.join(['.pivot', *plan.documents, *data])}"
    if imported.problems:
        return
    theirs: dict[str, None] = {}
    for path in plan.documents:
        above = posixpath.dirname(path)
        theirs |= {posixpath.join(above, name): None for name in ("dvc.yaml", "dvc.lock")}
    yield f"git rm -r --ignore-unmatch {shlex.join([*theirs, '.dvc', '.dvcignore', '*.dvc'])}"
    yield "git commit -m 'Move from DVC to Pivot'"


def _note_lines(notes: tuple[Note, ...]) -> Iterator[str]:
    for note in notes[:_SHOWN]:
        yield f"  {note.place}: {note.what}"
        if note.cure:
            yield f"      {note.cure}"
    if len(notes) > _SHOWN:
        yield f"  … and {len(notes) - _SHOWN} more (--json lists all)"


def _problem_lines(imported: Imported) -> Iterator[str]:
    """Say each thing that went wrong once, with all the files and stages that it concerns."""
    told: dict[str, list[Problem]] = {}
    for problem in imported.problems:
        told.setdefault(problem.message, []).append(problem)
    for message, problems in list(told.items())[:_SHOWN]:
        paths = _listed(problem.path for problem in problems)
        owners = dict.fromkeys(problem.owner for problem in problems if problem.owner)
        stages = [owner for owner in owners if owner in imported.unlocked]
        of_stages = f"stage{'s' if len(stages) > 1 else ''} {_listed(stages)}" if stages else ""
        others = _listed(owner for owner in owners if owner not in imported.unlocked)
        needed = "; ".join(filter(None, (of_stages, others)))
        yield f"Error: {paths}: {message}{f' ({needed})' if needed else ''}"
    if len(told) > _SHOWN:
        yield f"… and {len(told) - _SHOWN} more (--json lists all)"
    yield from dict.fromkeys(f"Tip: {problem.hint}" for problem in imported.problems)


def _listed(names: Iterable[str]) -> str:
    each = list(dict.fromkeys(names))
    more = f" and {len(each) - _OWNERS} more" if len(each) > _OWNERS else ""
    return ", ".join(each[:_OWNERS]) + more


def _problem_tree(problem: Problem) -> Json:
    return {
        "code": int(problem.code),
        "message": problem.message,
        "hint": problem.hint,
        "path": problem.path,
        "owner": problem.owner,
    }
