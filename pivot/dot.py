"""The graph of stages in the language of Graphviz, coloured by state; pure.

Source: https://graphviz.org/doc/info/lang.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.graph import COLOURS
from pivot.report import printable
from pivot.stage_states import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pivot.graph import Node

_HEAD = """\
digraph pipeline {
  node [shape=box, style="rounded,filled", fillcolor=white, fontname=Helvetica]"""


def draw_dot(nodes: Sequence[Node]) -> list[str]:
    """Draw a graph for `dot`: names are quoted labels, so that none of them means anything."""
    return [*_HEAD.split("\n"), *_lines(nodes), "}"]


def _lines(nodes: Sequence[Node]) -> Iterator[str]:
    ids = {node.name: f"s{number}" for number, node in enumerate(nodes)}
    for node in nodes:
        yield f"  {ids[node.name]} [{', '.join(_attributes(node))}]"
    for node in nodes:
        for need in node.needs:
            yield f"  {ids[need]} -> {ids[node.name]}"


def _attributes(node: Node) -> Iterator[str]:
    if node.state is None:
        yield f"label={_quoted(node.name)}"
        return
    drawn = COLOURS[node.state]
    yield f"label={_quoted(node.name, str(node.state))}"
    yield f"tooltip={_quoted(node.reason or str(node.state))}"
    yield f'fillcolor="{drawn.fill}", color="{drawn.border}", fontcolor="{drawn.text}"'
    if node.state is State.WAITING:
        yield 'style="rounded,filled,dashed"'


def _quoted(*lines: str) -> str:
    r"""Quote lines of text: `\N` would be the name of a node, and `&lt;` a character."""
    text = "\\n".join(
        printable(line).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
        for line in lines
    )
    return f'"{text}"'
