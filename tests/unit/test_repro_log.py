"""What stages print, as people and CI see it: whole lines, named, harmless, in bounded memory."""

from __future__ import annotations

import io
import itertools
import re
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.errors import StageFailed
from pivot.repro.decide import Decision, Verdict
from pivot.repro.log import GithubLog, GitlabLog, StageLog, seconds, stage_log
from pivot.repro.results import StageResult, State
from tests.conftest import ROOT

RUN = Decision(Verdict.RUN, ("never ran",))


def result(stage: str = "t", state: State = State.RAN, **more: object) -> StageResult:
    return StageResult(stage, RUN, state, **more)  # type: ignore[arg-type]


def shown(*pieces: bytes, kind: Callable[[io.StringIO], StageLog] = StageLog) -> str:
    """Say what a log shows of a stage that prints *pieces*."""
    stream = io.StringIO()
    log = kind(stream)
    log.begin("t", RUN)
    for piece in pieces:
        log.output("t", piece)
    log.end(result(seconds=1.25))
    log.close()
    return stream.getvalue()


def lines(*pieces: bytes) -> list[str]:
    """Say what a log shows of what a stage prints, without what it says itself."""
    first, *middle, last = shown(*pieces).splitlines()
    assert first == "Running t: never ran"
    assert last == "Finished t in 1.2 s"
    return middle


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((b"a\nb\n",), ["t | a", "t | b"]),
        ((b"a", b"b", b"\n", b"c\nd", b"e\n"), ["t | ab", "t | c", "t | de"]),
        ((b"a\n\nb\n",), ["t | a", "t | ", "t | b"]),
        ((b"without end",), ["t | without end"]),
        ((b"",), []),
        ((), []),
        ((b"10%\r20%\r30%\n",), ["t | 30%"]),
        ((b"10%\r", b"20%\r", b"done\r\n"), ["t | done"]),
        ((b"10%\r20%\r",), ["t | 20%"]),
        ((b"windows\r\n",), ["t | windows"]),
        ((b"\r\r\r\n",), ["t | "]),
        ((b"caf\xc3\xa9 ", b"\xc3", b"\xa9\n"), ["t | café é"]),
        ((b"caf\xe9\xff\n",), ["t | caf\\xe9\\xff"]),
        ((b"\x1b[31mred\x1b[0m \x1b[1;32mgreen\x1b[K\n",), ["t | red green"]),
        ((b"\x1b]0;title\x07\x00\x08\n",), ["t | \\x1b]0;title\\x07\\x00\\x08"]),
        ((b"\x9b2J\xc2\x9b2J\n",), ["t | \\x9b2J\\x9b2J"]),
        ((b"a\tb\n",), ["t | a       b"]),
        ((b"::error::x\n::endgroup::\n",), ["t | ::error::x", "t | ::endgroup::"]),
        ((b"\xe2\x80\xa8x\xe2\x80\xae\n",), ["t | \\u2028x\\u202e"]),
    ],
)
def test_lines_are_shown_as_they_would_be_seen(
    pieces: tuple[bytes, ...], expected: list[str]
) -> None:
    assert lines(*pieces) == expected


@given(st.binary(), st.lists(st.integers(0, 50)))
def test_how_the_output_is_cut_does_not_matter(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), max(len(data), 50)]
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]

    seen = shown(*pieces)

    assert seen == shown(data)
    assert all(char.isprintable() or char == "\n" for char in seen)
    assert all(line.startswith("t | ") for line in seen.splitlines()[1:-1])


def test_of_a_line_without_end_the_last_part_is_shown() -> None:
    (seen,) = lines(*[b"x" * 5000] * 20, b"end\n")

    assert seen == f"t | {'x' * (16 * 1024 - 3)}end"


def test_stages_that_run_at_once_keep_their_lines_apart() -> None:
    stream = io.StringIO()
    log = StageLog(stream)
    for stage in "ab":
        log.begin(stage, RUN)
    for stage, piece in [("a", b"1"), ("b", b"2"), ("a", b"3\n"), ("b", b"4")]:
        log.output(stage, piece)
    for stage in "ba":
        log.end(result(stage))

    assert stream.getvalue().splitlines() == [
        "Running a: never ran", "Running b: never ran", "a | 13", "b | 24", "Finished b in 0.0 s",
        "Finished a in 0.0 s",
    ]  # fmt: skip


def test_many_threads_write_whole_lines() -> None:
    stream = io.StringIO()
    log = StageLog(stream)

    def work(stage: str) -> None:
        log.begin(stage, RUN)
        for number in range(300):
            log.output(stage, b"%d of %s\n" % (number, stage.encode()))
        log.end(result(stage))

    threads = [threading.Thread(target=work, args=(f"s{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    seen = stream.getvalue().splitlines()
    for number in range(6):
        own = [line for line in seen if line.startswith(f"s{number} | ")]
        assert own == [f"s{number} | {count} of s{number}" for count in range(300)]
    assert len(seen) == 6 * 302


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        (result(state=State.FAILED, error=StageFailed("x")), "Failed t\n"),
        (StageResult("t", Decision(Verdict.RESTORE, ("out is missing",)), State.RESTORED),
         "Restored t: out is missing\n"),
        (result(state=State.UNCHANGED), ""),
        (result(state=State.BLOCKED), ""),
        (result(state=State.NOT_RUN), ""),
        (result(state=State.UNCHANGED, warnings=("a\nb", "c")),
         "Warning: a\\nb\nWarning: c\n"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [StageLog, GithubLog, GitlabLog])
def test_the_end_of_a_stage_that_did_not_begin_is_said(
    kind: Callable[[io.StringIO], StageLog], ended: StageResult, text: str
) -> None:
    stream = io.StringIO()
    kind(stream).end(ended)

    assert stream.getvalue() == text


def test_a_command_that_failed_is_said_with_its_time() -> None:
    stream = io.StringIO()
    log = StageLog(stream)
    log.begin("t", RUN)
    log.end(result(state=State.FAILED, seconds=61))

    assert stream.getvalue().splitlines()[-1] == "Failed t after 1 min 1 s"


def test_reasons_and_notes_can_do_no_harm() -> None:
    stream = io.StringIO()
    log = StageLog(stream)
    log.begin("t", Decision(Verdict.RUN, ("lr: 1 → \x1b[2J\n::error::x",)))
    log.note("a\nb")
    log.waiting("process 5\x07")

    assert stream.getvalue() == (
        "Running t: lr: 1 → \\x1b[2J\\n::error::x\n"
        "Note: a\\nb\n"
        "Waiting for another run of stages in this workspace: process 5\\x07\n"
    )


def test_github_has_a_group_for_each_stage_when_it_ends() -> None:
    stream = io.StringIO()
    log = GithubLog(stream)
    for stage in "ab":
        log.begin(stage, RUN)
    before = stream.getvalue()
    for stage, piece in [("a", b"1\n"), ("b", b"::endgroup::\n"), ("a", b"3")]:
        log.output(stage, piece)
    log.end(result("b"))
    log.end(result("a", State.FAILED))

    assert before == ""
    assert stream.getvalue().splitlines() == [
        "::group::Running b: never ran", "b | ::endgroup::", "::endgroup::", "Finished b in 0.0 s",
        "::group::Running a: never ran", "a | 1", "a | 3", "::endgroup::", "Failed a after 0.0 s",
    ]  # fmt: skip


def test_gitlab_has_a_section_for_each_stage() -> None:
    seen = shown(b"x\r\n", kind=GitlabLog)

    found = re.fullmatch(
        r"\x1b\[0Ksection_start:(\d+):(stage_[0-9a-f]{8})\[collapsed=true\]\r\x1b\[0K"
        r"Running t: never ran\n"
        r"t \| x\n"
        r"\x1b\[0Ksection_end:(\d+):\2\r\x1b\[0K\n"
        r"Finished t in 1\.2 s\n",
        seen,
    )
    assert found is not None
    assert int(found[1]) <= int(found[3])


def test_a_group_may_be_larger_than_what_is_kept_in_memory() -> None:
    pieces = [b"%07d\n" % number for number in range(400_000)]

    seen = shown(
        *[b"".join(pieces[n : n + 1000]) for n in range(0, len(pieces), 1000)], kind=GithubLog
    )

    body = seen.splitlines()[1:-2]
    assert len(body) == 400_000
    assert body[0] == "t | 0000000"
    assert body[-1] == "t | 0399999"


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({}, StageLog),
        ({"CI": "true"}, StageLog),
        ({"GITHUB_ACTIONS": "true"}, GithubLog),
        ({"GITHUB_ACTIONS": "false"}, StageLog),
        ({"GITLAB_CI": "true"}, GitlabLog),
        ({"GITLAB_CI": ""}, StageLog),
    ],
)
def test_the_form_is_that_of_the_place(environment: dict[str, str], kind: type[StageLog]) -> None:
    assert type(stage_log(io.StringIO(), environment, jobs=1, verbose=False)) is kind


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0.0 s"), (0.84, "0.8 s"), (59.9, "59.9 s"), (60, "1 min 0 s"), (252.4, "4 min 12 s"),
        (3599, "59 min 59 s"), (3600, "1 h 0 min"), (90_061, "25 h 1 min"),
    ],
)  # fmt: skip
def test_a_time_is_said_in_the_units_that_fit(count: float, text: str) -> None:
    assert seconds(count) == text


MANY = """
import os, resource, sys
from pivot.repro.decide import Decision, Verdict
from pivot.repro.log import {kind}
from pivot.repro.results import StageResult, State

run = Decision(Verdict.RUN, ("never ran",))
log = {kind}(open(os.devnull, "w"))
log.begin("t", run)
log.output("t", {piece})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(1600):
    log.output("t", {piece})
log.end(StageResult("t", run, State.RAN))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("kind", ["StageLog", "GithubLog"])
@pytest.mark.parametrize("piece", ['(b"x" * 63 + b"\\n") * 1024', 'b"x" * 65536'])
def test_a_hundred_megabytes_need_little_memory(kind: str, piece: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MANY.format(kind=kind, piece=piece)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(done.stdout) < 16 * 1024  # kilobytes
