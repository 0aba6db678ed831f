"""The pipeline as a Mermaid graph: whatever stages are called, it stays one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.mermaid import flowchart
from pivot.report import printable
from pivot.stage_states import StageState, State
from tests.unit.telling import HOSTILE, NAMES, huge, stage

WORDS = "hit|partial|missing|changed|waiting|unknown"
CLASS = re.compile(rf"  classDef ({WORDS}) [a-z0-9:,# -]+")
NODE = re.compile(
    rf'  (s\d+)\["((?:[A-Za-z0-9 ]|#\d+;)*)<br/>({WORDS})"\]:::({WORDS})',
)
LIVELY = re.compile(r"\\n|:fa-|\$\$|ﬂ°|¶ß")
"""What Mermaid makes something of even where each character is a number."""

EDGE = re.compile(r"  (s\d+) --> (s\d+)")


class Graph:
    """A graph that is read as strictly as it is to be written."""

    def __init__(self, text: str) -> None:
        head, *lines = text.split("\n")
        assert head == "flowchart LR"
        self.nodes: dict[str, tuple[str, str]] = {}
        self.edges: list[tuple[str, str]] = []
        self.classes: set[str] = set()
        for line in lines:
            if found := NODE.fullmatch(line):
                key, label, word, style = found.groups()
                assert word == style
                assert key not in self.nodes
                shown = re.sub(r"#(\d+);", lambda m: chr(int(m[1])), label)
                assert not LIVELY.search(shown), shown
                self.nodes[key] = (shown.replace("\u200b", ""), word)
            elif found := EDGE.fullmatch(line):
                one, other = found.groups()
                self.edges.append((self.nodes[one][0], self.nodes[other][0]))
            else:
                found = CLASS.fullmatch(line)
                assert found, line
                self.classes.add(found[1])
        assert {word for _, word in self.nodes.values()} == self.classes

    @property
    def labels(self) -> list[tuple[str, str]]:
        return list(self.nodes.values())


def drawn(*stages: StageState) -> Graph:
    text = flowchart(stages)
    assert text is not None
    assert len(text.encode()) <= 40_000
    return Graph(text)


def test_a_pipeline_is_drawn_with_states_and_needs() -> None:
    text = flowchart([stage("load"), stage("train@a", State.CHANGED, "load", "load", "other")])

    assert text is not None
    assert text.splitlines() == [
        "flowchart LR",
        "  classDef hit fill:#d3f9d8,stroke:#2b8a3e,color:#12391b",
        "  classDef changed fill:#d0ebff,stroke:#1864ab,color:#0b2c4d",
        '  s0["load<br/>hit"]:::hit',
        '  s1["train#64;a<br/>changed"]:::changed',
        "  s0 --> s1",
    ]


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_word_and_a_class(state: State) -> None:
    graph = drawn(stage("a", state))

    assert graph.labels == [("a", str(state))]
    assert graph.classes == {str(state)}


def test_who_waits_is_dashed() -> None:
    assert "stroke-dasharray" in (flowchart([stage("a", State.WAITING)]) or "")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_a_label(name: str) -> None:
    graph = drawn(stage(name), stage("other", State.HIT, name))

    assert graph.labels == [(printable(name).strip(), "hit"), ("other", "hit")]
    assert graph.edges == [(printable(name).strip(), "other")]


@given(st.lists(NAMES, min_size=1, max_size=8, unique=True), st.data())
def test_any_names_make_a_graph(names: list[str], data: st.DataObject) -> None:
    states = [data.draw(st.sampled_from(State)) for _ in names]
    named = enumerate(zip(names, states, strict=True))
    stages = [stage(name, state, *names[:n]) for n, (name, state) in named]

    graph = drawn(*stages)

    shown = [printable(name).strip() for name in names]
    assert [word for _, word in graph.labels] == [str(state) for state in states]
    for (label, _), name in zip(graph.labels, shown, strict=True):
        assert label == name or (label[-1] == "…" and name.startswith(label[:-1]))
    assert len(graph.edges) == len(names) * (len(names) - 1) / 2


def test_a_long_name_is_cut() -> None:
    ((label, _),) = drawn(stage("x" * 500)).labels

    assert label == "x" * 59 + "…"


def test_a_stage_does_not_point_at_itself() -> None:
    assert drawn(stage("a", State.HIT, "a")).edges == []


def test_of_many_those_that_hit_are_one() -> None:
    hits = [stage(f"h{n}") for n in range(200)]
    rest = stage("train", State.CHANGED, "h0", "h1", "h199"), stage("plot", State.WAITING, "train")

    graph = drawn(*hits, *rest)

    assert graph.labels == [("200 stages", "hit"), ("train", "changed"), ("plot", "waiting")]
    assert graph.edges == [("200 stages", "train"), ("train", "plot")]


def test_many_edges_are_folded_as_well() -> None:
    names = [f"h{n}" for n in range(30)]
    dense = [stage(name, State.HIT, *names[:n]) for n, name in enumerate(names)]

    assert drawn(*dense).labels == [("30 stages", "hit")]


@pytest.mark.parametrize(
    "stages",
    [
        (),
        tuple(stage(f"c{n}", State.CHANGED) for n in range(121)),
        tuple(stage(f"c{n}", State.CHANGED, *(f"c{m}" for m in range(n))) for n in range(30)),
        huge().stages,
    ],
    ids=["nothing", "too many stages", "too many edges", "far too much"],
)
def test_what_is_too_large_is_not_drawn(stages: tuple[StageState, ...]) -> None:
    assert flowchart(stages) is None


def test_what_is_too_long_is_not_drawn() -> None:
    wide = [stage(f"{n:03}{'東' * 57}", State.CHANGED) for n in range(110)]

    assert flowchart(wide) is None
    assert flowchart(wide[:60]) is not None
