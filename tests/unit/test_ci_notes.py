"""Notes on lock files: few, on the right file, and as loud as they have to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.ci.notes import Note, lock_notes
from pivot.ci.told import Status
from pivot.errors import ExitCode
from pivot.results import Problem
from pivot.stage_states import State
from tests.unit.telling import HOSTILE, NAMES, huge, missed, stage, telling
from tests.unit.values import digest


def damage(owner: str, path: str) -> Problem:
    message = f"object {digest(1)}: 9 bytes, not 5"
    return Problem(ExitCode.INTEGRITY, message, path=path, owner=owner)


def test_what_is_missing_is_noted_on_its_lock_file() -> None:
    told = missed("a/b")

    assert lock_notes(told) == (
        Note(
            "warning",
            ".pivot/stages/a/b.lock",
            "pivot: a/b",
            "2 of 2 objects are not to be had. Whoever made them has to run 'pivot push'.",
        ),
    )


def test_the_file_is_named_from_the_workspace() -> None:
    (note,) = lock_notes(missed("a", project="models/first"))

    assert note.file == "models/first/.pivot/stages/a.lock"


@pytest.mark.parametrize(
    ("final", "level"), [(ExitCode.DONE, "warning"), (ExitCode.MISSING, "error")]
)
def test_what_fails_the_step_is_an_error(final: ExitCode, level: str) -> None:
    assert {note.level for note in lock_notes(missed("a", "b", final=final))} == {level}


def test_what_is_to_be_ignored_is_not_noted() -> None:
    assert lock_notes(missed("a", quiet=True)) == ()


def test_damage_is_an_error_whatever_is_to_be_ignored() -> None:
    problems = (damage("a", "out/1"), damage("b", "out/2"), damage("a", "out/3"))
    told = telling(
        status=Status.FAILED,
        final=ExitCode.INTEGRITY,
        stages=(stage("a"), stage("b")),
        problems=problems,
        quiet=True,
    )

    assert lock_notes(told) == (
        Note(
            "error",
            ".pivot/stages/a.lock",
            "pivot: a",
            f"out/1: object {digest(1)}: 9 bytes, not 5 (and 1 more)",
        ),
        Note(
            "error",
            ".pivot/stages/b.lock",
            "pivot: b",
            f"out/2: object {digest(1)}: 9 bytes, not 5",
        ),
    )


@pytest.mark.parametrize("state", [State.CHANGED, State.WAITING])
def test_what_will_run_is_not_noted(state: State) -> None:
    told = missed(stages=(stage("a", state), stage("b", State.PARTIAL)))

    assert [note.title for note in lock_notes(told)] == ["pivot: b"]


def test_nothing_is_noted_where_no_document_is() -> None:
    told = missed(stages=(stage("a", State.MISSING, lock=""),), problems=(damage("", "x"),))

    assert lock_notes(told) == ()


def test_damage_comes_before_what_is_missing_and_there_are_five() -> None:
    told = missed(
        final=ExitCode.INTEGRITY,
        stages=tuple(stage(f"s{n}", State.MISSING) for n in range(9)),
        problems=(damage("s8", "out/8"),),
    )

    notes = lock_notes(told)

    assert [note.title for note in notes] == [f"pivot: s{n}" for n in (8, 0, 1, 2, 3)]


def test_a_huge_project_has_five_notes() -> None:
    assert len(lock_notes(huge())) == 5


@given(st.lists(NAMES | st.sampled_from(HOSTILE), min_size=1, max_size=5, unique=True), st.data())
def test_any_names_make_notes_of_one_line(names: list[str], data: st.DataObject) -> None:
    told = missed(*names, problems=tuple(damage(name, name * 50) for name in names))

    notes = lock_notes(told)

    assert {note.file for note in notes} == {f".pivot/stages/{name}.lock" for name in names}
    for note in notes:
        assert note.title.isprintable()
        assert note.text.isprintable()
        assert len(note.title + note.text) <= 700
