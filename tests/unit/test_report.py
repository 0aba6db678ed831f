"""What a user reads: lines that are safe, short and say each remedy once."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.errors import (
    ExitCode,
    ObjectDamaged,
    ObjectMissing,
    PivotError,
    RemoteDenied,
    UsageError,
)
from pivot.objects import Digest
from pivot.placement import Placed
from pivot.plan import OutputPlan, Place, Step, TransferPlan, Wanted
from pivot.report import OnMiss, human_size, printable, report_error, report_json, report_text
from pivot.results import Checkout, Pull, Transfer
from pivot.transfer import Failed, Moved, Moves
from tests.unit.values import digest, file_of, want_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("data/café 1.csv", "data/café 1.csv"),
        ("a\nb", r"a\nb"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\u202e", r"\u202e"),
        ("\u200b", r"\u200b"),
        ("\udcff", r"\udcff"),
        ("\x9b", r"\x9b"),
    ],
)
def test_what_moves_the_cursor_is_shown_and_not_obeyed(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_shown(text: str) -> None:
    shown = printable(text)

    assert shown.isprintable()
    assert shown.encode().decode() == shown
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_345_678, "12.3 MB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (999_999_999_999, "1.0 TB"),
        (5 * 10**15, "5000.0 TB"),
    ],
)
def test_a_size_is_said_in_the_unit_that_fits(count: int, said: str) -> None:
    assert human_size(count) == said


def want(number: int, *paths: str) -> Wanted:
    places = tuple(Place(path, "s", "x.lock") for path in paths or (f"out/{number}",))
    return want_of(digest(number), 10, *places)


def push(
    transfer: Mapping[Digest, int | None],
    *,
    present: int = 0,
    missing: int = 0,
    moves: Moves | None = None,
    direction: str = "push",
) -> Transfer:
    """Make the answer of a push; present objects are numbered from 100, missing from 200."""
    there: dict[Digest, int | None] = {digest(100 + n): 10 for n in range(present)}
    gone = tuple(digest(200 + n) for n in range(missing))
    wanted = {d: want(int(d, 16)) for d in (*transfer, *there, *gone)}
    plan = TransferPlan(transfer, there, gone)
    return Transfer(direction, "origin", "s3://b/p", wanted, plan, moves)


def test_a_push_says_what_it_did_in_a_line() -> None:
    moves = Moves((Moved(digest(1)), Moved(digest(2), was_there=True)))

    report = report_text("push", push({digest(1): 10, digest(2): 10}, present=3, moves=moves))

    assert report.out == ("Pushed to 'origin': 1 transferred, 4 skipped, 0 failed",)
    assert report.err == ()
    assert report.code is ExitCode.DONE


def test_a_dry_run_lists_what_would_be_done() -> None:
    report = report_text("push", push({digest(1): 1500, digest(2): None}, present=3, missing=1))

    assert report.out == (
        "  out/1  1.5 kB",
        "  out/2  size unknown",
        "Would push 2 file(s) to 'origin'",
        "Total: 1.5 kB; 3 already there, 1 missing",
    )
    assert report.code is ExitCode.MISSING


def test_nothing_to_push_is_said() -> None:
    assert report_text("push", push({}, moves=Moves())).out == ("No files to push",)


def test_twenty_errors_are_shown_and_the_rest_counted() -> None:
    report = report_text("fetch", push({}, missing=23, moves=Moves(), direction="fetch"))

    errors = [line for line in report.err if line.startswith("Error: ")]
    assert len(errors) == 20
    assert "… and 3 more (--json lists all)" in report.err
    assert report.code is ExitCode.MISSING


def test_exactly_twenty_errors_are_all_shown() -> None:
    report = report_text("fetch", push({}, missing=20, moves=Moves()))

    assert sum(line.startswith("Error: ") for line in report.err) == 20
    assert not [line for line in report.err if "more" in line]


def test_each_remedy_is_told_once() -> None:
    report = report_text("fetch", push({}, missing=5, moves=Moves()))

    assert sum(line.startswith("Tip: ") for line in report.err) == 1


def test_what_stopped_all_is_said_whatever_else_failed() -> None:
    failed = {digest(number): 10 for number in range(30)}
    moves = Moves(
        tuple(Failed(one, ObjectDamaged("is damaged")) for one in failed),
        RemoteDenied("s3://b/p: the AWS credentials have expired", hint="aws sso login"),
    )

    report = report_text("push", push(failed, moves=moves))

    assert "Error: s3://b/p: the AWS credentials have expired" in report.err
    assert "Tip: aws sso login" in report.err
    assert report.code is ExitCode.INTEGRITY


def test_an_error_names_the_path_and_the_stage() -> None:
    moves = Moves((Failed(digest(1), ObjectDamaged("its bytes hash to 0")),))

    (line,) = report_text("push", push({digest(1): 10}, moves=moves)).err

    assert line == f"Error: out/1: object {digest(1)}: its bytes hash to 0 (stage s)"


@pytest.mark.parametrize("error", [ObjectDamaged("is damaged"), ObjectMissing("is not there")])
def test_an_object_that_several_need_is_said_for_each(error: PivotError) -> None:
    one = digest(1)
    wanted = {one: want(1, "out/a", "out/b", "out/c")}
    moves = Moves((Failed(one, error),))
    plan = TransferPlan({one: 10}, {}, ())

    report = report_text("fetch", Transfer("fetch", "origin", "s3://b/p", wanted, plan, moves))

    errors = [line for line in report.err if line.startswith("Error: ")]
    assert [line.split(": ")[1] for line in errors] == ["out/a", "out/b", "out/c"]
    assert report.out == ("Fetched from 'origin': 0 transferred, 0 skipped, 1 failed",)


@pytest.mark.parametrize(
    ("on_miss", "word", "code"),
    [
        (OnMiss.FAIL, "Error: ", ExitCode.MISSING),
        (OnMiss.WARN, "Warning: ", ExitCode.DONE),
        (OnMiss.IGNORE, None, ExitCode.DONE),
    ],
)
def test_what_is_missing_fails_warns_or_is_ignored(
    on_miss: OnMiss, word: str | None, code: ExitCode
) -> None:
    moves = Moves((Failed(digest(1), ObjectMissing("is not there")),))

    report = report_text("fetch", push({digest(1): 10}, moves=moves), on_miss=on_miss)

    assert [line.split(": ")[0] + ": " for line in report.err if "Tip" not in line] == (
        [word] if word else []
    )
    assert report.code is code


def test_ignoring_what_is_missing_ignores_nothing_else() -> None:
    moves = Moves((Failed(digest(1), ObjectDamaged("is damaged")),))

    report = report_text(
        "fetch", push({digest(1): 1}, missing=1, moves=moves), on_miss=OnMiss.IGNORE
    )

    assert report.code is ExitCode.INTEGRITY
    assert len([line for line in report.err if line.startswith("Error")]) == 1


def output_plan(
    step: Step,
    path: str = "out/x",
    *,
    remove: tuple[str, ...] = (),
    refused: tuple[str, ...] = (),
) -> OutputPlan:
    file = file_of(path, path.encode())
    return OutputPlan(file, "s", "x.lock", ((file, step),), remove, refused=refused)


def test_a_checkout_counts_what_it_placed_and_what_it_left() -> None:
    plan = (output_plan(Step.CREATE), output_plan(Step.LEAVE, "out/y"))

    report = report_text("checkout", Checkout(plan, (Placed("out/x", 1),)))

    assert report.out == ("Restored 1 file(s)", "Skipped 1 file(s) (already exist)")


def test_a_checkout_says_what_it_removed() -> None:
    plan = (output_plan(Step.CREATE), output_plan(Step.CREATE, "out/y"))
    placed = (Placed("out/x", 1, 2), Placed("out/y", 1, 1))

    report = report_text("checkout", Checkout(plan, placed))
    told = json.loads(report_json("checkout", Checkout(plan, placed)).out[0])

    assert report.out == ("Restored 2 file(s)", "Removed 3 file(s) (no longer in the lock)")
    assert told["checkout"]["removed"] == 3


def test_a_dry_checkout_lists_every_step_with_a_hostile_name_made_safe() -> None:
    plan = (output_plan(Step.CREATE, "out/\x1b[1m"), output_plan(Step.LEAVE, remove=("out/old",)))

    report = report_text("checkout", Checkout(plan))

    assert report.out[:3] == (
        r"  create  out/\x1b[1m",
        "  remove  out/old",
        "Would restore 1 file(s)",
    )


def test_a_checkout_shows_fifteen_missing_files_and_counts_the_rest() -> None:
    plan = tuple(output_plan(Step.MISSING, f"out/{number:02}") for number in range(17))

    report = report_text("checkout", Checkout(plan, ()))

    assert "Missing 17 file(s):" in report.out
    assert sum(line.startswith("  out/") for line in report.out) == 15
    assert "  ... and 2 more" in report.out
    assert "Run 'pivot pull' to fetch from remote storage." in report.out
    assert report.err == ()
    assert report.code is ExitCode.MISSING


def test_a_checkout_of_nothing_says_so() -> None:
    assert report_text("checkout", Checkout((), ())).out == ("No files to restore",)


def test_a_refused_file_is_said_with_the_way_out() -> None:
    plan = (output_plan(Step.REFUSE, refused=("out/x",)),)

    report = report_text("checkout", Checkout(plan, ()))

    assert report.err[0] == "Error: 'out/x' already exists with different content. (stage s)"
    assert "--force" in report.err[1]
    assert report.code is ExitCode.FAILED


def test_many_changed_files_of_a_directory_are_told_in_one_line() -> None:
    changed = tuple(f"d/{number}" for number in range(8))
    plan = OutputPlan(file_of("d", b""), "s", "x.lock", (), refused=changed)

    (line, _) = report_text("checkout", Checkout((plan,), ())).err

    assert "'d' has local changes that are not in the cache: 0, 1, 2, 3, 4 and 3 more." in line


def test_a_pull_says_once_what_could_not_be_fetched() -> None:
    file = file_of("out/x", b"out/x")
    place = Place("out/x", "s", "x.lock")
    wanted = {file.digest: want_of(file.digest, 5, place)}
    fetched = Transfer(
        "fetch", "origin", "s3://b", wanted, TransferPlan({}, {}, (file.digest,)), Moves()
    )
    placed = Checkout((output_plan(Step.MISSING),), ())

    report = report_text("pull", Pull((fetched,), placed))

    assert sum(line.startswith("Error: ") for line in report.err) == 1
    assert report.code is ExitCode.MISSING


def test_several_fetches_are_told_one_by_one() -> None:
    fetches = (
        push({digest(1): 10}, moves=Moves((Moved(digest(1)),)), direction="fetch"),
        push({digest(2): 10}, moves=Moves(stopped=RemoteDenied("no")), direction="fetch"),
    )

    report = report_text("fetch", fetches)

    assert report.out == (
        "Fetched from 'origin': 1 transferred, 0 skipped, 0 failed",
        "Fetched from 'origin': 0 transferred, 0 skipped, 1 failed",
    )
    assert report.code is ExitCode.DENIED


def test_json_says_all_of_it() -> None:
    result = push({digest(1): 10}, present=2, missing=30, moves=Moves((Moved(digest(1)),)))

    report = report_json("push", result)

    (text,) = report.out
    told = json.loads(text)
    assert text.isascii()
    assert (told["command"], told["dry_run"], told["exit_code"]) == ("push", False, 3)
    assert told["transfers"][0]["bytes"] == 10
    assert told["transfers"][0]["plan"]["present"] == 2
    assert len(told["problems"]) == 30
    assert told["checkout"] is None


def test_json_of_a_checkout_has_a_row_for_every_path() -> None:
    plan = (output_plan(Step.CREATE), output_plan(Step.LEAVE, "out/y", remove=("out/old",)))

    told = json.loads(report_json("checkout", Checkout(plan)).out[0])

    rows = {row["path"]: row["step"] for row in told["checkout"]["files"]}
    assert told["dry_run"]
    assert rows == {"out/x": "create", "out/y": "leave", "out/old": "remove"}


@pytest.mark.parametrize("as_json", [False, True])
def test_a_command_that_did_not_begin_says_why(as_json: bool) -> None:
    report = report_error("push", UsageError("no such thing", hint="see --help"), as_json=as_json)

    assert report.err == ("Error: no such thing", "Tip: see --help")
    assert report.code is ExitCode.USAGE
    assert bool(report.out) == as_json
    if as_json:
        assert json.loads(report.out[0])["problems"][0]["hint"] == "see --help"
