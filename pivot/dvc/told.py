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


def import_text(imported: Imported) -> Report:
    """Say what was written or would be, what could not be converted, and what to do next."""
    plan, dry = imported.plan, imported.dry_run
    out = [f"  write    {path}" for path in plan.documents]
    written = set(imported.written)
    locks = [lock for lock in plan.locks if dry or lock.path in written]
    out += [f"  lock     {lock.stage.name}" for lock in locks]
    out += [f"  no lock  {name}: {why}" for name, why in plan.unlocked.items()]
    out += [f"  track    {data.data.path}" for data in plan.data if dry or data.path in written]
    out += [f"  set      {key}: {text}" for key, text in plan.settings.items()]
    count = len(plan.locks) + len(plan.unlocked)
    out.append(
        f"{'Would convert' if dry else 'Converted'} {count} stage(s), {len(locks)} with a lock; "
        f"{len(plan.objects)} object(s), {human_size(plan.bytes)}"
    )
    if plan.notes:
        out += ["", f"Not converted ({len(plan.notes)}):", *_note_lines(plan.notes)]
    if not dry:
        out += ["", "Next:", *(f"  {line}" for line in next_steps(imported))]
    err = _problem_lines(imported.problems)
    return Report(_printable(out), _printable(err), imported.code)


def _printable(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(printable(line) for line in lines)


def import_json(imported: Imported) -> Report:
    """Say all of it, in the form of `schemas/import.json`."""
    plan = imported.plan
    written = {*plan.files} if imported.dry_run else {*imported.written}
    stages: list[Json] = [
        {"name": lock.stage.name, "lock": lock.path if lock.path in written else None, "reason": ""}
        for lock in plan.locks
    ]
    stages += [{"name": name, "lock": None, "reason": why} for name, why in plan.unlocked.items()]
    tree: dict[str, Json] = {
        "version": 1,
        "command": "import-dvc",
        "dry_run": imported.dry_run,
        "exit_code": int(imported.code),
        "documents": list(plan.documents),
        "stages": stages,
        "tracked": [data.data.path for data in plan.data if data.path in written],
        "settings": dict(plan.settings),
        "objects": {"count": len(plan.objects), "bytes": plan.bytes},
        "notes": [
            {"path": note.document, "line": note.line or None, "what": note.what, "cure": note.cure}
            for note in plan.notes
        ],
        "problems": [_problem_tree(problem) for problem in imported.problems],
        "next": list(next_steps(imported)),
    }
    return Report((dump(tree),), (), imported.code)


def next_steps(imported: Imported) -> Iterator[str]:
    """List the commands that finish the move."""
    plan = imported.plan
    if plan.documents:
        yield "pivot repro --dry-run   # what DVC would run, and no more"
    if plan.settings and plan.objects:
        yield "pivot push   # once: DVC's remote has the objects under other names"
    ours = [".pivot", *plan.documents, *(data.path for data in plan.data)]
    yield f"git add {shlex.join(ours)}"
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


def _problem_lines(problems: tuple[Problem, ...]) -> Iterator[str]:
    for problem in problems[:_SHOWN]:
        stage = f" (stage {problem.owner})" if problem.owner else ""
        yield f"Error: {problem.path}: {problem.message}{stage}"
    if len(problems) > _SHOWN:
        yield f"… and {len(problems) - _SHOWN} more (--json lists all)"
    yield from dict.fromkeys(f"Tip: {problem.hint}" for problem in problems)


def _problem_tree(problem: Problem) -> Json:
    return {
        "code": int(problem.code),
        "message": problem.message,
        "hint": problem.hint,
        "path": problem.path,
        "owner": problem.owner,
    }
