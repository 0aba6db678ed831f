"""The graph of stages as a value that every drawing starts from; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.frozen import frozen
from pivot.stage_states import State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pivot.stage_states import StageState


@frozen
class Colours:
    """How a state is drawn: text and border dark, the fill light, to be read on any ground."""

    fill: str
    border: str
    text: str


COLOURS = {
    State.HIT: Colours("#d3f9d8", "#2b8a3e", "#12391b"),
    State.PARTIAL: Colours("#fff3bf", "#e67700", "#4d2a00"),
    State.MISSING: Colours("#ffe3e3", "#c92a2a", "#5c1414"),
    State.CHANGED: Colours("#d0ebff", "#1864ab", "#0b2c4d"),
    State.WAITING: Colours("#f1f3f5", "#1864ab", "#0b2c4d"),
    State.UNKNOWN: Colours("#e9ecef", "#868e96", "#343a40"),
}


@frozen
class Node:
    """A stage that *needs* others; where somebody looked, with its *state* and the *reason*."""

    name: str
    needs: tuple[str, ...] = ()
    state: State | None = None
    reason: str = ""


def nodes_of(needs: Mapping[str, tuple[str, ...]], chosen: Collection[str]) -> tuple[Node, ...]:
    """Take those *chosen* of a graph in its order, with what they need among themselves."""
    return _closed(Node(name, needs[name]) for name in needs if name in chosen)


def nodes_of_states(stages: Iterable[StageState]) -> tuple[Node, ...]:
    """Take the stages that somebody has looked at; tracked data is in no graph."""
    return _closed(
        Node(stage.name, stage.needs, stage.state, stage.reason)
        for stage in stages
        if not stage.lock.endswith(".pvt")
    )


def _closed(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Leave out needs that are not drawn themselves."""
    nodes = tuple(nodes)
    names = {node.name for node in nodes}
    return tuple(
        Node(
            node.name,
            tuple(dict.fromkeys(need for need in node.needs if need in names - {node.name})),
            node.state,
            node.reason,
        )
        for node in nodes
    )
