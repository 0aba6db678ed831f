"""The graph of stages, drawn for a terminal and for Graphviz: whatever stages are called."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from pivot.dot import draw_dot
from pivot.graph import Node, nodes_of, nodes_of_states
from pivot.graph_text import SYMBOLS, draw_tree
from pivot.report import printable
from pivot.stage_states import State
from tests.unit.telling import HOSTILE, stage

CHAIN = (
    Node("a", (), State.HIT, "nothing changed"),
    Node("b", ("a",), State.CHANGED, "b.py changed"),
    Node("c", ("a", "b"), State.WAITING, "b may change its input"),
)


def test_what_is_not_drawn_is_needed_by_nobody() -> None:
    needs = {"a": (), "b": ("a",), "c": ("a", "b", "b", "c")}

    assert nodes_of(needs, {"b", "c"}) == (Node("b"), Node("c", ("b",)))


def test_tracked_data_is_in_no_graph() -> None:
    data = stage("raw.csv")
    data.lock = "raw.csv.pvt"

    nodes = nodes_of_states([stage("a", State.CHANGED), data])

    assert [(node.name, node.state) for node in nodes] == [("a", State.CHANGED)]


def test_a_tree_has_symbol_word_and_reason_once() -> None:
    assert draw_tree(CHAIN) == [
        "✓ a  hit",
        "├── ● b  changed: b.py changed",
        "│   └── ○ c  waiting: b may change its input",
        "└── ○ c  waiting: b may change its input",
    ]


def test_a_stage_that_comes_up_again_is_named_with_its_symbol() -> None:
    nodes = (*CHAIN, Node("d", ("c",), State.HIT))

    assert draw_tree(nodes)[-1] == "└── ○ c (see above)"


def test_only_symbol_and_word_are_painted() -> None:
    lines = draw_tree(CHAIN[:2], lambda text, state: f"<{state}>{text}</>")

    assert lines[1] == "└── <changed>●</> b  <changed>changed</>: b.py changed"


def test_every_state_has_a_symbol_of_its_own() -> None:
    assert len({SYMBOLS[state] for state in State}) == len(State)


def test_dot_says_states_in_words_and_colours() -> None:
    assert draw_dot(CHAIN[:2]) == [
        "digraph pipeline {",
        '  node [shape=box, style="rounded,filled", fillcolor=white, fontname=Helvetica]',
        (
            r'  s0 [label="a\nhit", tooltip="nothing changed", '
            'fillcolor="#d3f9d8", color="#2b8a3e", fontcolor="#12391b"]'
        ),
        (
            r'  s1 [label="b\nchanged", tooltip="b.py changed", '
            'fillcolor="#d0ebff", color="#1864ab", fontcolor="#0b2c4d"]'
        ),
        "  s0 -> s1",
        "}",
    ]


@pytest.mark.skipif(shutil.which("dot") is None, reason="there is no Graphviz here")
def test_graphviz_reads_every_name_as_it_is() -> None:
    names = [*dict.fromkeys((*HOSTILE, "\\N", "a & b", "&lt;", "<b>", '"]; x [', "\\", "caf\xe9"))]
    nodes = [
        Node(name, tuple(names[:1]) if n else (), State.UNKNOWN) for n, name in enumerate(names)
    ]

    done = subprocess.run(
        ["dot", "-Tjson"],
        input="\n".join(draw_dot(nodes)),
        capture_output=True,
        text=True,
        check=True,
    )

    graph = json.loads(done.stdout)
    drawn = ["".join(d["text"] for d in o["_ldraw_"] if d["op"] == "T") for o in graph["objects"]]
    assert done.stderr == ""
    assert drawn == [f"{printable(name)}unknown" for name in names]
    assert len(graph["edges"]) == len(names) - 1
