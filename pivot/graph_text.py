"""Draw the graph of stages: as a tree for a terminal, or for Mermaid; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.report import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pivot.pipeline import Pipeline


def draw_tree(pipeline: Pipeline, chosen: Collection[str]) -> list[str]:
    """Draw each stage below one that it depends on; where it comes up again it is only named."""
    users = _users(pipeline, chosen)
    below = {user for names in users.values() for user in names}
    lines: list[str] = []
    drawn: set[str] = set()
    waiting = [(name, "", "") for name in users if name not in below][::-1]
    while waiting:
        name, head, indent = waiting.pop()
        again = name in drawn and bool(users[name])
        lines.append(f"{head}{printable(name)}{' (see above)' if again else ''}")
        if again:
            continue
        drawn.add(name)
        for number, user in reversed(list(enumerate(users[name], 1))):
            last = number == len(users[name])
            branch, more = ("└── ", "    ") if last else ("├── ", "│   ")
            waiting.append((user, indent + branch, indent + more))
    return lines


def draw_mermaid(pipeline: Pipeline, chosen: Collection[str]) -> list[str]:
    """Draw a Mermaid flowchart: names are quoted, so that none of them means anything there."""
    ids = {name: f"s{number}" for number, name in enumerate(_users(pipeline, chosen))}
    lines = ["flowchart TD"]
    lines += [f'  {ids[name]}["{_label(name)}"]' for name in ids]
    lines += [
        f"  {ids[needed]} --> {ids[name]}"
        for name in ids
        for needed in pipeline.needs[name]
        if needed in ids
    ]
    return lines


def _users(pipeline: Pipeline, chosen: Collection[str]) -> Mapping[str, list[str]]:
    """List for each chosen stage those that depend on it, all in the order of the pipeline."""
    users: dict[str, list[str]] = {name: [] for name in pipeline.stages if name in chosen}
    for name in users:
        for needed in pipeline.needs[name]:
            if needed in users:
                users[needed].append(name)
    return users


def _label(name: str) -> str:
    return "".join(_escaped(name))


def _escaped(name: str) -> Iterator[str]:
    for char in name:
        yield char if char.isalnum() or char in "-_./@ " else f"#{ord(char)};"
