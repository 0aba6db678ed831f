"""Draw the graph of stages as a tree for a terminal; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.report import printable
from pivot.stage_states import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pivot.graph import Node

    Paint = Callable[[str, State], str]

SYMBOLS = {
    State.HIT: "✓",
    State.CHANGED: "●",
    State.WAITING: "○",
    State.PARTIAL: "◐",
    State.MISSING: "✗",
    State.UNKNOWN: "?",
}
"""What stands before the name of a stage, so that nobody has to tell colours apart."""


def _plain(text: str, state: State) -> str:
    del state
    return text


def draw_tree(nodes: Sequence[Node], paint: Paint = _plain) -> list[str]:
    """Draw each stage below one that it depends on; where it comes up again it is only named.

    *paint* gives the symbol and the word of a state their colour.
    """
    users: dict[str, list[str]] = {node.name: [] for node in nodes}
    for node in nodes:
        for need in node.needs:
            users[need].append(node.name)
    by_name = {node.name: node for node in nodes}
    lines: list[str] = []
    drawn: set[str] = set()
    waiting = [(node.name, "", "") for node in nodes if not node.needs][::-1]
    while waiting:
        name, head, indent = waiting.pop()
        again = name in drawn and bool(users[name])
        lines.append(f"{head}{_told(by_name[name], paint, again=again)}")
        if again:
            continue
        drawn.add(name)
        for number, user in reversed(list(enumerate(users[name], 1))):
            last = number == len(users[name])
            branch, more = ("└── ", "    ") if last else ("├── ", "│   ")
            waiting.append((user, indent + branch, indent + more))
    return lines


def _told(node: Node, paint: Paint, *, again: bool) -> str:
    """Name a stage; its state and the reason are said where it is drawn."""
    name, above = printable(node.name), " (see above)" if again else ""
    if node.state is None:
        return f"{name}{above}"
    symbol = paint(SYMBOLS[node.state], node.state)
    if again:
        return f"{symbol} {name}{above}"
    tells = node.reason and node.state is not State.HIT
    reason = f": {printable(node.reason)}" if tells else ""
    return f"{symbol} {name}  {paint(str(node.state), node.state)}{reason}"
