"""An inventory as one page that needs nothing else: no network, no script; pure."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

from pivot import __version__
from pivot.inventory import charts
from pivot.inventory.markup import EMPTY, Html, code, join, number, size, table, tag, text
from pivot.inventory.values import Amount, Answer, Place
from pivot.stage_states import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pivot.inventory.values import Inventory, Item, Point
    from pivot.stage_states import StageState

MOST_ROWS = 1000
"""Rows of a table, so that a browser can show it."""

_RANKED = 10
_SHOWN_PATHS = 5
_SHOWN_PROBLEMS = 20
_KINDS = {
    Answer.THERE: "there",
    Answer.OTHER: "other",
    Answer.ABSENT: "absent",
    Answer.UNKNOWN: "unknown",
}


def render_page(inventory: Inventory) -> str:
    """Write the page. Its policy lets a browser load nothing, and use no style but ours."""
    style = files("pivot.inventory").joinpath("page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = join(
        (
            Html('<meta charset="utf-8">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Html('<meta name="referrer" content="no-referrer">'),
            tag("title", text(f"{inventory.name}: stages and outputs")),
            Html(f"<style>{style}</style>"),
        ),
        "\n",
    )
    body = tag("main", join(_sections(inventory), "\n"))
    page = tag("html", tag("head", head), Html("\n"), tag("body", body), lang="en")
    return f"<!doctype html>\n{page}\n"


def _sections(inventory: Inventory) -> Iterator[Html]:
    yield tag("h1", text(inventory.name), dir="auto")
    yield tag("p", join(_about(inventory), " · "), class_="soft")
    yield _tiles(inventory)
    if inventory.problems:
        yield _problems(inventory)
    yield tag("h2", text("Where it is"))
    yield from _places(inventory)
    yield tag("h2", text("Stages and data"))
    yield from _stages(inventory.stages)
    yield tag("h2", text("Largest outputs"))
    yield _ranking(inventory.items)
    yield tag("h2", text("Outputs"))
    yield _outputs(inventory)
    yield tag("h2", text("Duplicates"))
    yield from _duplicates(inventory)
    yield tag("h2", text("Growth"))
    yield from _growth(inventory.growth)
    yield tag(
        "footer",
        text(f"Made by pivot-remote {__version__}. This page loads nothing and runs no script."),
    )


def _about(inventory: Inventory) -> Iterator[Html]:
    if inventory.commit:
        yield join((text("lock files of "), code(inventory.commit[:7])))
    if inventory.remote:
        asked = text("remote "), code(inventory.remote), text(" at "), code(inventory.url)
        yield join(asked)
    else:
        yield text("no remote was asked")
    yield text(inventory.taken)


def _tiles(inventory: Inventory) -> Html:
    hits = sum(stage.state is State.HIT for stage in inventory.stages)
    total = inventory.files
    tiles = [
        ("Stages and data", number(len(inventory.stages)), f"{hits} as recorded"),
        ("Outputs", number(len(inventory.items)), _count(total.count, "file")),
        ("Size", size(total.bytes), _count(inventory.objects.count, "object")),
        ("Saved by duplicates", size(inventory.saved), _count(len(inventory.duplicates), "object")),
    ]
    return tag(
        "dl",
        join(
            tag("div", tag("dt", text(name)), tag("dd", shown, tag("small", text(more))))
            for name, shown, more in tiles
        ),
    )


def _problems(inventory: Inventory) -> Html:
    told = [tag("li", text(problem.message)) for problem in inventory.problems[:_SHOWN_PROBLEMS]]
    if (more := len(inventory.problems) - _SHOWN_PROBLEMS) > 0:
        told.append(tag("li", text(f"and {more} more")))
    return tag("ul", join(told), class_="problems")


def _places(inventory: Inventory) -> Iterator[Html]:
    rows: list[Html] = []
    for place in Place:
        answers = inventory.places.get(place)
        name = text(str(place).capitalize())
        if answers is None:
            rows += [name, tag("span", text("not asked"), class_="soft")]
            continue
        what = "file" if place is Place.WORKSPACE else "object"
        parts = [
            (f"{answer}: {_count(amount.count, what)}", _KINDS[answer], amount)
            for answer, amount in answers.items()
        ]
        rows += [name, charts.stacked(str(place).capitalize(), _shares(parts))]
        legend = (
            _word(kind, tag("span", text(f"{word}, "), size(amount.bytes)), name="li")
            for word, kind, amount in parts
        )
        rows.append(tag("ul", join(legend), class_="legend"))
    yield tag("div", join(rows), class_="where")


def _shares(parts: Sequence[tuple[str, str, Amount]]) -> list[tuple[str, str, float]]:
    """Share a bar by bytes, and where nothing has any, by number."""
    total = sum(amount.bytes for _, _, amount in parts)
    count = sum(amount.count for _, _, amount in parts) or 1
    return [
        (word, kind, amount.bytes / total if total else amount.count / count)
        for word, kind, amount in parts
    ]


def _stages(stages: Sequence[StageState]) -> Iterator[Html]:
    counts = [(state, sum(stage.state is state for stage in stages)) for state in State]
    found = [(str(state), str(state), count) for state, count in counts if count]
    if not found:
        yield tag("p", text("No stages and no tracked data."), class_="soft")
        return
    parts = [(f"{count} {word}", kind, count / len(stages)) for word, kind, count in found]
    yield charts.stacked("Stages by state", parts)
    legend = (_word(kind, tag("span", text(word)), name="li") for word, kind, _ in parts)
    yield tag("ul", join(legend), class_="legend")
    rows = (
        (
            code(stage.name),
            _word(str(stage.state), tag("span", text(str(stage.state)))),
            text(stage.reason),
            number(stage.objects - stage.missing) if stage.objects else EMPTY,
            number(stage.missing) if stage.missing else EMPTY,
            size(stage.bytes) if stage.objects else EMPTY,
        )
        for stage in stages[:MOST_ROWS]
    )
    head = "Stage", "State", "Why", "Objects", "Missing", "Size"
    yield table("Stages", head, rows, numbers=(3, 4, 5))
    yield _left_out(len(stages))


def _ranking(items: Sequence[Item]) -> Html:
    """Draw the largest outputs; they come sorted."""
    shown = [item for item in items[:_RANKED] if item.bytes]
    if not shown:
        return tag("p", text("No outputs with contents."), class_="soft")
    largest = shown[0].bytes
    cells = (
        join(
            (
                code(item.path),
                charts.single(item.bytes / largest),
                tag("span", size(item.bytes), class_="n"),
            )
        )
        for item in shown
    )
    return tag("div", join(cells), class_="rank")


def _outputs(inventory: Inventory) -> Html:
    places = [place for place in Place if place in inventory.places]
    head = ["Output", "Stage", "Files", "Size", *(str(place).capitalize() for place in places)]
    rows = (
        [
            code(f"{item.path}/" if item.is_directory else item.path),
            code(item.owner) if item.is_stage else tag("span", text("tracked"), class_="soft"),
            number(item.files),
            _size(item.bytes, item.unsized),
            *(_where(item.answers[place], item.files) for place in places),
        ]
        for item in inventory.items[:MOST_ROWS]
    )
    shown = table("Outputs", head, rows, numbers=(2, 3))
    return join((shown, _left_out(len(inventory.items))))


def _where(answers: Mapping[Answer, int], files: int) -> Html:
    """Say what a place has of an output: one word where it is the same for all files."""
    said = [(answer, answers[answer]) for answer in Answer if answers.get(answer)]
    if not said:
        return text("empty")
    words = (
        _word(
            _KINDS[answer],
            tag("span", text(str(answer) if count == files else f"{count} {answer}")),
        )
        for answer, count in said
    )
    return join(tag("div", word) for word in words)


def _duplicates(inventory: Inventory) -> Iterator[Html]:
    found = inventory.duplicates
    if not found:
        yield tag("p", text("No content is there twice."), class_="soft")
        return
    told = "The same content at several paths is kept and moved once. That saves "
    yield tag("p", text(told), size(inventory.saved), text("."), class_="soft")
    rows = (
        (
            join(_paths(one.paths)),
            number(len(one.paths)),
            size(one.size),
            size(one.saved),
        )
        for one in found[:MOST_ROWS]
    )
    yield table("Duplicates", ("Paths", "Copies", "Size", "Saved"), rows, numbers=(1, 2, 3))
    yield _left_out(len(found))


def _paths(paths: Sequence[str]) -> Iterable[Html]:
    yield from (tag("div", code(path)) for path in paths[:_SHOWN_PATHS])
    if (more := len(paths) - _SHOWN_PATHS) > 0:
        yield tag("div", text(f"and {more} more"), class_="soft")


def _growth(points: Sequence[Point]) -> Iterator[Html]:
    if not points:
        yield tag("p", text("No commit has lock files, or none was asked for."), class_="soft")
        return
    yield charts.growth(points)
    ends = [text(points[0].date), text(points[-1].date)] if len(points) > 1 else []
    yield tag("div", join(tag("span", end) for end in ends), class_="axis")
    legend = (
        _word("data", tag("span", text("referred to by the commit")), name="li"),
        _word("kept", tag("span", text("by all commits up to it")), name="li"),
    )
    yield tag("ul", join(legend), class_="legend")
    rows = (
        (
            text(point.date),
            code(point.commit[:7]),
            tag("span", _subject(point), dir="auto"),
            number(point.referred.count),
            _size(point.referred.bytes, point.unsized),
            size(point.added.bytes),
        )
        for point in list(points)[::-1][:MOST_ROWS]
    )
    head = "Date", "Commit", "Subject", "Objects", "Size", "New"
    shown = table("Growth by commit", head, rows, numbers=(3, 4, 5))
    yield tag("details", tag("summary", text(f"{_count(len(points), 'commit')} as a table")), shown)


def _subject(point: Point) -> Html:
    if not point.unread:
        return text(point.subject)
    return text(f"{point.subject} ({_count(point.unread, 'document')} unreadable)")


def _word(kind: str, shown: Html, *, name: str = "span") -> Html:
    """Mark a word with the colour of its kind; the word alone says it all."""
    return tag(name, shown, class_=f"word c-{kind}")


def _size(count: int, unsized: int) -> Html:
    return join((size(count), text(" + unknown"))) if unsized else size(count)


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _left_out(count: int) -> Html:
    if count <= MOST_ROWS:
        return EMPTY
    return tag("p", text(f"and {count - MOST_ROWS} more"), class_="soft")
