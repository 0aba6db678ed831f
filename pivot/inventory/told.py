"""Say an inventory in short as text, or all of it as JSON; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.inventory.values import Amount, Answer, Place
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
from pivot.stage_states import State
from pivot.status_report import stage_tree
from pivot.tables import Word, text_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pivot.inventory.values import Inventory, Item, Point
    from pivot.report import Json

_MOST = 10


def report_text(inventory: Inventory, *, changes: Mapping[str, str]) -> Report:
    """Say how much there is, where it is, and what takes most."""
    said = [f"Warning: {printable(text)}" for text in inventory.warnings]
    said += problem_lines(inventory.problems, OnMiss.FAIL, changes)
    lines = tuple(line.rstrip() for line in _lines(inventory))
    return Report(lines, tuple(said), exit_code(inventory.problems))


def report_json(inventory: Inventory, *, changes: Mapping[str, str]) -> Report:
    """Say all of it, in the form of `schemas/inventory.json`."""
    code = exit_code(inventory.problems)
    tree: dict[str, Json] = {
        "version": 1,
        "command": "report",
        "exit_code": int(code),
        "name": inventory.name,
        "commit": inventory.commit,
        "taken": inventory.taken,
        "remote": inventory.remote,
        "url": inventory.url,
        "files": _tree(inventory.files),
        "objects": _tree(inventory.objects),
        "saved": inventory.saved,
        "places": {
            str(place): {_key(answer): _tree(answers.get(answer, Amount())) for answer in Answer}
            for place, answers in inventory.places.items()
        },
        "stages": [stage_tree(stage) for stage in inventory.stages],
        "outputs": [_item(item) for item in inventory.items],
        "duplicates": [
            {"digest": one.digest, "size": one.size, "saved": one.saved, "paths": [*one.paths]}
            for one in inventory.duplicates
        ],
        "growth": [_point(point) for point in inventory.growth],
        "warnings": list(inventory.warnings),
        "problems": [problem_tree(problem, changes) for problem in inventory.problems],
    }
    return Report((dump(tree),), (), code)


def _lines(inventory: Inventory) -> Iterator[str]:
    total, objects = inventory.files, inventory.objects
    states = ", ".join(
        f"{count} {state}"
        for state in State
        if (count := sum(stage.state is state for stage in inventory.stages))
    )
    yield f"Stages and data: {len(inventory.stages)}{f' ({states})' if states else ''}"
    yield (
        f"Outputs: {len(inventory.items)}, {total.count} file(s), {human_size(total.bytes)}; "
        f"{objects.count} object(s), {human_size(objects.bytes)}"
    )
    yield f"Duplicates: {len(inventory.duplicates)} object(s), {human_size(inventory.saved)} saved"
    yield ""
    head = [Word("Place"), *(Word(str(answer).capitalize()) for answer in Answer)]
    yield from text_table(head, [_place(inventory, place) for place in Place])
    if inventory.items:
        yield ""
        rows = [[i.path, str(i.files), human_size(i.bytes)] for i in inventory.items]
        words = [[Word(text) for text in row] for row in rows[:_MOST]]
        yield from text_table([Word("Largest outputs"), Word("Files"), Word("Size")], words)
        if len(rows) > _MOST:
            yield f"… and {len(rows) - _MOST} more (--json lists all)"
    if len(inventory.growth) > 1:
        first, last = inventory.growth[0], inventory.growth[-1]
        yield ""
        yield (
            f"Growth over {len(inventory.growth)} commits: from {human_size(first.referred.bytes)} "
            f"to {human_size(last.referred.bytes)}; all versions {human_size(last.kept.bytes)}"
        )


def _place(inventory: Inventory, place: Place) -> list[Word]:
    answers = inventory.places.get(place)
    name = Word(str(place).capitalize())
    if answers is None:
        return [name, Word("not asked"), *(Word("") for _ in list(Answer)[1:])]
    amounts = [answers.get(answer, Amount()) for answer in Answer]
    return [
        name,
        *(Word(f"{a.count} ({human_size(a.bytes)})" if a.count else "-") for a in amounts),
    ]


def _key(answer: Answer) -> str:
    return answer.name.lower()


def _tree(amount: Amount) -> Json:
    return {"count": amount.count, "bytes": amount.bytes}


def _item(item: Item) -> Json:
    return {
        "path": item.path,
        "stage": item.owner if item.is_stage else None,
        "directory": item.is_directory,
        "files": item.files,
        "bytes": item.bytes,
        "unsized": item.unsized,
        "places": {
            str(place): {_key(answer): said.get(answer, 0) for answer in Answer}
            for place, said in item.answers.items()
        },
    }


def _point(point: Point) -> Json:
    return {
        "commit": point.commit,
        "date": point.date,
        "subject": point.subject,
        "referred": _tree(point.referred),
        "added": _tree(point.added),
        "kept": _tree(point.kept),
        "unsized": point.unsized,
        "unread": point.unread,
    }
