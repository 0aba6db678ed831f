"""The pipeline as a Mermaid graph, coloured by the state of its stages; pure.

Source: https://mermaid.js.org/syntax/flowchart.html. Mermaid draws at most 500 edges and 50 kB.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.report import printable
from pivot.stage_states import StageState, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST_NODES = 120
_MOST_EDGES = 300
_MOST_BYTES = 40_000
_LONGEST = 60  # characters of a name

# Text and border are dark and the fill is light in both themes of GitHub.
_CLASSES = {
    State.HIT: "fill:#d3f9d8,stroke:#2b8a3e,color:#12391b",
    State.PARTIAL: "fill:#fff3bf,stroke:#e67700,color:#4d2a00",
    State.MISSING: "fill:#ffe3e3,stroke:#c92a2a,color:#5c1414",
    State.CHANGED: "fill:#d0ebff,stroke:#1864ab,color:#0b2c4d",
    State.WAITING: "fill:#f1f3f5,stroke:#1864ab,color:#0b2c4d,stroke-dasharray:5 5",
    State.UNKNOWN: "fill:#e9ecef,stroke:#868e96,color:#343a40",
}
_FOLDED = "\0folded"
_LIVELY = "\\:$ﬂ¶"
_APART = f"#{0x200B};"


def flowchart(stages: Sequence[StageState]) -> str | None:
    """Draw *stages* and what they need; `None` when there are none, or too many to draw.

    Where that helps, all that hit become one node.
    """
    for shown in (stages, _fold(stages)):
        if 0 < len(shown) <= _MOST_NODES:
            lines = list(_lines(shown))
            text = "\n".join(lines)
            edges = sum("-->" in line for line in lines)
            if edges <= _MOST_EDGES and len(text.encode()) <= _MOST_BYTES:
                return text
    return None


def _fold(stages: Sequence[StageState]) -> list[StageState]:
    hits = {stage.name for stage in stages if stage.state is State.HIT}
    if not hits:
        return []
    name = f"{len(hits)} stages"
    kept = []
    for stage in stages:
        if stage.state is not State.HIT:
            needs = dict.fromkeys(_FOLDED if need in hits else need for need in stage.needs)
            kept.append(replace(stage, needs=tuple(needs)))
    return [StageState(name, _FOLDED, State.HIT), *kept]


def _lines(stages: Sequence[StageState]) -> Iterator[str]:
    ids = {_FOLDED if one.lock == _FOLDED else one.name: f"s{n}" for n, one in enumerate(stages)}
    yield "flowchart LR"
    for state, style in _CLASSES.items():
        if any(stage.state is state for stage in stages):
            yield f"  classDef {state} {style}"
    for number, stage in enumerate(stages):
        yield f'  s{number}["{_label(stage.name)}<br/>{stage.state}"]:::{stage.state}'
    for number, stage in enumerate(stages):
        for need in dict.fromkeys(stage.needs):
            if need in ids and ids[need] != f"s{number}":
                yield f"  {ids[need]} --> s{number}"


def _label(name: str) -> str:
    """Write a name so that only letters, digits and blanks stand for themselves.

    Mermaid knows characters by number as `#35;`. Of some it makes something even so: a line end of
    `\\n`, an icon of `fa:fa-car`, a formula of `$$x$$`, a character of `ﬂ°°35¶ß`. A space of no
    width behind the first character is in its way.
    """
    name = printable(name).strip()
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 1]}…"
    return re.sub(
        r"[^A-Za-z0-9 ]",
        lambda found: f"#{ord(found[0])};{_APART if found[0] in _LIVELY else ''}",
        name,
    )
