"""What people read of a CI job: it says what happened, and fits, whatever things are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.ci.summary import comment_body, summary
from pivot.ci.told import Counts, ObjectState, ObjectTold, Status, Told
from pivot.errors import ExitCode
from pivot.report import printable
from pivot.results import Problem
from pivot.stage_states import State
from tests.unit.rendered import Page
from tests.unit.telling import HOSTILE, NAMES, huge, missed, stage, telling
from tests.unit.values import digest

MARK = "<!-- pivot-remote: 0123456789abcdef -->"


def test_a_pull_that_copied() -> None:
    counts = Counts(transferred=2, skipped=1, restored=3)
    rows = (
        ObjectTold("a", "out/1", digest(1), 1500, ObjectState.TRANSFERRED),
        ObjectTold("b", "out/2", digest(2), None, ObjectState.TRANSFERRED),
        ObjectTold("b", "out/3", digest(3), 1, ObjectState.PRESENT),
    )
    told = telling(
        status=Status.COMPLETE,
        counts=counts,
        bytes=1500,
        proven=1,
        stages=(stage("a"), stage("b", State.HIT, "a")),
        objects=rows,
    )

    assert summary(told).splitlines() == [
        "### ✅ pivot pull · origin: complete",
        "",
        (
            "2 objects copied (1.5 kB), 1 was there, 3 files restored, 1 verified by SHA-256, "
            "1 verified by xxh64 alone, in 1.2 s."
        ),
        "",
        "| Stage | State | Objects | Size | Reason |",
        "| --- | --- | --- | --- | --- |",
        "| a | hit | 2/2 | 2.5 kB |  |",
        "| b | hit | 2/2 | 2.5 kB |  |",
        "",
        "<details>",
        "<summary>Pipeline</summary>",
        "",
        "```mermaid",
        "flowchart LR",
        "  classDef hit fill:#d3f9d8,stroke:#2b8a3e,color:#12391b",
        '  s0["a<br/>hit"]:::hit',
        '  s1["b<br/>hit"]:::hit',
        "  s0 --> s1",
        "```",
        "",
        "</details>",
        "",
        "<details>",
        "<summary>Files (2)</summary>",
        "",
        "| File | State | Size | Stage |",
        "| --- | --- | --- | --- |",
        "| out/1 | transferred | 1.5 kB | a |",
        "| out/2 | transferred |  | b |",
        "",
        "</details>",
    ]


def test_what_is_missing_is_named_with_what_to_do() -> None:
    page = Page(summary(missed("a")))

    assert page.texts == [
        "⚠️ pivot pull · origin: miss",
        "0 objects copied (0 B), 0 were there, 1 object missing, in 1.2 s.",
        "Next: push it",
    ]
    assert page.tables[0][1:] == [["a", "missing", "0/2", "2.5 kB", ""]]
    assert page.tables[1][1:] == [["out/a", "missing", "7 B", "a"]]
    assert page.items == [f"object {digest(0)} is not on remote 'origin'"]


def test_what_fails_the_step_is_not_folded() -> None:
    assert "**What went wrong**" in summary(missed("a", final=ExitCode.MISSING))
    assert "**What went wrong**" not in summary(missed("a"))


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (
            telling(command="push", status=Status.DRY_RUN, counts=Counts(would_transfer=1)),
            "1 object would be copied (0 B), 0 were there, in 1.2 s.",
        ),
        (
            telling(command="verify", status=Status.COMPLETE, counts=Counts(skipped=3)),
            "3 were there, in 1.2 s.",
        ),
        (telling(command="checkout"), "Nothing to do, in 1.2 s."),
        (
            telling(command="status", runs=True, to_run=("a",), ready=("a",)),
            "1 stage has to run, 1 can run now, in 1.2 s.",
        ),
        (
            telling(command="checkout", status=Status.FAILED, raw=ExitCode.MISSING),
            "Exit code 3: objects are missing on the remote. Nothing to do, in 1.2 s.",
        ),
        (
            telling(
                command="push",
                status=Status.UNTRUSTED,
                problems=(Problem(ExitCode.DENIED, "push is refused: a fork"),),
            ),
            "Nothing was moved: push is refused: a fork.",
        ),
        (telling(status=Status.NO_CREDENTIALS), "Nothing was moved: no credentials."),
    ],
)
def test_the_first_sentence_says_what_happened(told: Told, sentence: str) -> None:
    assert Page(summary(told)).texts[1] == sentence


def test_what_needs_a_look_comes_first() -> None:
    stages = (stage("a"), stage("b", State.MISSING), stage("c"), stage("d", State.CHANGED))
    rows = Page(summary(telling(stages=stages))).tables[0][1:]

    assert [row[0] for row in rows] == ["b", "d", "a", "c"]


def test_what_stopped_all_is_the_first_problem() -> None:
    problems = (
        Problem(ExitCode.UNAVAILABLE, "no answer", path="out/a"),
        Problem(ExitCode.DENIED, "not any more"),
        Problem(ExitCode.FAILED, "'out/b' already exists", path="out/b"),
        Problem(ExitCode.INVALID, "pivot.yaml: line 1: one\npivot.yaml: line 2: two"),
    )
    told = telling(status=Status.FAILED, final=ExitCode.DENIED, problems=problems)

    assert Page(summary(told)).items == [
        "not any more",
        "pivot.yaml: line 1: one; pivot.yaml: line 2: two",
        "out/a: no answer",
        "'out/b' already exists",
    ]


def test_a_pipeline_that_is_too_large_is_said_to_be() -> None:
    assert "The pipeline of 5000 stages is too large to be drawn." in summary(huge())


def test_stages_that_need_nothing_of_each_other_are_not_drawn() -> None:
    assert Page(summary(telling(stages=(stage("a"), stage("b"))))).fences == []


def test_of_a_huge_project_the_first_rows_are_shown() -> None:
    text = summary(huge())
    page = Page(text)

    assert len(text.encode()) <= 512 * 1024
    assert [len(rows) - 1 for rows in page.tables] == [200, 200]
    assert len(page.items) == 20
    assert "… and 4800 more" in page.texts
    assert "… and 99800 more, in the report" in page.texts
    assert "… and 99980 more, in the report" in page.texts


@pytest.mark.parametrize("char", ["東", "@", "\udcff", "|"])
def test_rows_that_are_too_long_make_room_for_the_graph(char: str) -> None:
    names = [f"{n}{char * 3000}" for n in range(110)]
    told = missed(*names, stages=tuple(stage(n, State.MISSING, names[0]) for n in names))

    whole, body = summary(told), comment_body(told, MARK)

    assert len(whole.encode()) <= 512 * 1024
    assert len(body.encode()) <= 60_000
    assert Page(body).tables
    assert Page(whole).fences or "too large to be drawn" in whole


def test_a_comment_is_the_summary_below_its_mark_without_the_time() -> None:
    told = missed("a", "b")

    assert comment_body(told, MARK) == f"{MARK}\n{summary(told)}".replace(", in 1.2 s.", ".")


def test_a_comment_says_the_same_however_long_the_job_took() -> None:
    quick, slow = missed("a", seconds=0.5), missed("a", seconds=99.5)

    assert comment_body(quick, MARK) == comment_body(slow, MARK)
    assert comment_body(quick, MARK) != comment_body(missed("a", "b"), MARK)


def test_a_comment_on_a_huge_project_fits() -> None:
    body = comment_body(huge(), MARK)

    assert body.startswith(f"{MARK}\n### ")
    assert len(body.encode()) <= 60_000
    assert len(Page(body).tables) == 2


def hostile(names: list[str], text: str) -> Told:
    """Tell of stages of these *names*, and say *text* wherever a text of a stranger can be."""
    states = [*State]
    return telling(
        status=Status.PARTIAL,
        final=ExitCode.MISSING,
        remote=text,
        stages=tuple(
            stage(name, states[n % 6], *names[:n][-2:], reason=text) for n, name in enumerate(names)
        ),
        objects=tuple(
            ObjectTold(name, text, digest(n), n, ObjectState.FAILED, text)
            for n, name in enumerate(names)
        ),
        problems=tuple(Problem(ExitCode.FAILED, text, text, name, name) for name in names),
        hints=(text,),
    )


def assert_told_as_text(names: list[str], text: str) -> None:
    for markdown in (summary(hostile(names, text)), comment_body(hostile(names, text), MARK)):
        page = Page(markdown)
        assert [[len(row) for row in rows] for rows in page.tables] == [
            [5] * (len(names) + 1),
            [4] * (len(names) + 1),
        ]
        shown = {printable(name).strip() for name in names}
        assert {row[0] for row in page.tables[0][1:]} == shown
        assert {row[4] for row in page.tables[0][1:]} == {printable(text).strip()}
        assert {row[0] for row in page.tables[1][1:]} == {printable(text).strip()}
        assert {row[3] for row in page.tables[1][1:]} == shown
        assert [info for info, _ in page.fences] == (["mermaid"] if len(names) > 1 else [])
        more = len(names) > 20
        assert len(page.texts) == 4 + more  # title, sentence, what went wrong, next
        assert len(page.items) == min(len(names), 20)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_shown_as_they_are(text: str) -> None:
    assert_told_as_text([*HOSTILE], text)


@given(st.lists(NAMES, min_size=1, max_size=3, unique_by=printable), NAMES)
def test_any_texts_are_shown_as_they_are(names: list[str], text: str) -> None:
    assert_told_as_text(names, text)


def test_a_reason_to_refuse_is_text_as_well() -> None:
    for text in HOSTILE:
        problem = Problem(ExitCode.DENIED, f"push is refused: {text}")
        told = telling(status=Status.UNTRUSTED, problems=(problem,))
        assert Page(summary(told)).texts[1].startswith("Nothing was moved: push is refused: ")
