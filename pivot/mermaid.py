"""The pipeline as a Mermaid graph, coloured by the state of its stages; pure.

Source: https://mermaid.js.org/syntax/flowchart.html. Mermaid draws at most 500 edges and 50 kB.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pivot.graph import COLOURS, Node
from pivot.report import printable
from pivot.stage_states import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pivot.stage_states import StageState

_MOST_NODES = 120
_MOST_EDGES = 300
_MOST_BYTES = 40_000
_LONGEST = 60  # characters of a name

_FOLDED = "\0folded"
"""Begins the name of what stands for many; no stage is called so."""

_LIVELY = "\\:$ﬂ¶"
_APART = f"#{0x200B};"


def draw_mermaid(nodes: Sequence[Node], direction: str = "TD") -> list[str]:
    """Draw a flowchart: names are written so that none of them means anything there."""
    return [f"flowchart {direction}", *_lines(nodes)]


def flowchart(stages: Sequence[StageState]) -> str | None:
    """Draw *stages* and data for a page; `None` when there are none, or too many to draw.

    Where that helps, all that hit become one node.
    """
    nodes = [Node(stage.name, stage.needs, stage.state) for stage in stages]
    for shown in (nodes, _fold(nodes)):
        if 0 < len(shown) <= _MOST_NODES:
            lines = draw_mermaid(shown, "LR")
            text = "\n".join(lines)
            edges = sum("-->" in line for line in lines)
            if edges <= _MOST_EDGES and len(text.encode()) <= _MOST_BYTES:
                return text
    return None


def _fold(nodes: Sequence[Node]) -> list[Node]:
    hits = {node.name for node in nodes if node.state is State.HIT}
    if not hits:
        return []
    folded = f"{_FOLDED}{len(hits)} stages"
    kept = [
        Node(node.name, tuple(folded if n in hits else n for n in node.needs), node.state)
        for node in nodes
        if node.state is not State.HIT
    ]
    return [Node(folded, (), State.HIT), *kept]


def _lines(nodes: Sequence[Node]) -> Iterator[str]:
    ids = {node.name: f"s{number}" for number, node in enumerate(nodes)}
    for state, drawn in COLOURS.items():
        if any(node.state is state for node in nodes):
            dashed = ",stroke-dasharray:5 5" if state is State.WAITING else ""
            style = f"fill:{drawn.fill},stroke:{drawn.border},color:{drawn.text}{dashed}"
            yield f"  classDef {state} {style}"
    for node in nodes:
        told = (f"<br/>{node.state}", f":::{node.state}") if node.state is not None else ("", "")
        yield f'  {ids[node.name]}["{_label(node.name)}{told[0]}"]{told[1]}'
    for node in nodes:
        for need in dict.fromkeys(node.needs):
            if need in ids and need != node.name:
                yield f"  {ids[need]} --> {ids[node.name]}"


def _label(name: str) -> str:
    """Write a name so that only letters, digits and blanks stand for themselves.

    Mermaid knows characters by number as `#35;`. Of some it makes something even so: a line end of
    `\\n`, an icon of `fa:fa-car`, a formula of `$$x$$`, a character of `ﬂ°°35¶ß`. A space of no
    width behind the first character is in its way.
    """
    name = printable(name.removeprefix(_FOLDED)).strip()
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 1]}…"
    return re.sub(
        r"[^A-Za-z0-9 ]",
        lambda found: f"#{ord(found[0])};{_APART if found[0] in _LIVELY else ''}",
        name,
    )
