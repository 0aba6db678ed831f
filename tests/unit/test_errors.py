"""Exit codes: each failure has one, and of several the worst wins."""

from __future__ import annotations

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.errors import (
    MEANINGS,
    ExitCode,
    InvalidDocument,
    ObjectDamaged,
    ObjectError,
    ObjectMissing,
    ObjectRefused,
    ObjectUnreachable,
    PivotError,
    RemoteDenied,
    RemoteUnavailable,
    UnsafePath,
    UsageError,
    local_error,
    worst,
)


def test_nothing_that_went_wrong_means_done() -> None:
    assert worst([]) is ExitCode.DONE


@given(st.lists(st.sampled_from(ExitCode), min_size=1))
def test_the_worst_of_several_is_one_of_them_whatever_their_order(codes: list[ExitCode]) -> None:
    chosen = worst(codes)

    assert chosen in codes
    assert chosen is worst(reversed(codes))
    assert all(worst([chosen, code]) is chosen for code in codes)


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        (ExitCode.INTERRUPTED, ExitCode.INTEGRITY),
        (ExitCode.TIMED_OUT, ExitCode.UNAVAILABLE),
        (ExitCode.INTEGRITY, ExitCode.MISSING),
        (ExitCode.DENIED, ExitCode.UNAVAILABLE),
        (ExitCode.LOCAL, ExitCode.MISSING),
        (ExitCode.MISSING, ExitCode.FAILED),
        (ExitCode.FAILED, ExitCode.DONE),
    ],
)
def test_what_endangers_data_comes_before_what_costs_time(
    worse: ExitCode, better: ExitCode
) -> None:
    assert worst([better, worse, better]) is worse


def test_every_exit_code_has_a_meaning() -> None:
    assert list(MEANINGS) == list(ExitCode)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (PivotError, 1),
        (UsageError, 2),
        (ObjectMissing, 3),
        (RemoteDenied, 4),
        (ObjectRefused, 4),
        (ObjectDamaged, 5),
        (UnsafePath, 5),
        (RemoteUnavailable, 6),
        (ObjectUnreachable, 6),
    ],
)
def test_each_failure_has_its_exit_code(kind: type[PivotError], code: int) -> None:
    error = kind("why", hint="cure")

    assert (error.code, error.message, error.hint) == (code, "why", "cure")


def test_a_failure_of_one_object_is_not_one_of_the_remote() -> None:
    kinds = (ObjectMissing, ObjectRefused, ObjectDamaged, ObjectUnreachable)

    assert all(issubclass(kind, ObjectError) for kind in kinds)
    assert not issubclass(RemoteDenied, ObjectError)


def test_an_invalid_document_shows_five_problems_and_keeps_all() -> None:
    problems = [f"problem {number}" for number in range(7)]

    error = InvalidDocument("x.lock", problems)

    assert error.problems == tuple(problems)
    assert str(error) == (
        "x.lock: problem 0; problem 1; problem 2; problem 3; problem 4; and 2 more"
    )


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EMFILE])
def test_a_failure_of_the_local_disk_names_the_path_the_cause_and_a_cure(number: int) -> None:
    said = local_error(OSError(number, os.strerror(number)), "data/x")

    assert said.code is ExitCode.LOCAL
    assert said.message == f"data/x: {os.strerror(number)}"
    assert said.hint


def test_a_failure_without_path_or_text_is_still_a_sentence() -> None:
    assert local_error(TimeoutError()).message == "TimeoutError"
