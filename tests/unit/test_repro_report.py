"""What repro says at its end, as text and as JSON."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from pivot.errors import ExitCode, InvalidDocument, PivotError, StageFailed
from pivot.pipeline import Pipeline
from pivot.repro.decide import Decision, Verdict
from pivot.repro.report import repro_json, repro_text
from pivot.repro.results import Repro, StageResult, State
from pivot.schema import schema_text

RUN = Decision(Verdict.RUN, ("never ran",))
SKIP = Decision(Verdict.SKIP, ("nothing changed",))
RESTORE = Decision(Verdict.RESTORE, ("out is missing, restored from the cache",))
DEPENDS = Decision(Verdict.DEPENDS, ("a may change its input",))
NOTHING = Pipeline({}, {})


def ended(*stages: StageResult, dry_run: bool = False, notes: tuple[str, ...] = ()) -> Repro:
    return Repro(stages, NOTHING, notes=notes, dry_run=dry_run, seconds=1.23456)


def failed(stage: str, error: PivotError, *tail: str) -> StageResult:
    return StageResult(stage, RUN, State.FAILED, 2.0, error=error, tail=tail)


def test_a_run_counts_its_stages() -> None:
    seen = repro_text(
        ended(
            StageResult("a", SKIP, State.UNCHANGED),
            StageResult("b", RUN, State.RAN, 1.0),
            StageResult("c", RESTORE, State.RESTORED),
            StageResult("d", SKIP, State.UNCHANGED),
        )
    )

    assert seen.out == ("Unchanged: a, d", "Stages: 1 ran, 1 restored, 2 unchanged, 0 failed")
    assert seen.err == ()
    assert seen.code is ExitCode.DONE


def test_of_many_unchanged_stages_some_are_named() -> None:
    stages = [StageResult(f"s{number}", SKIP, State.UNCHANGED) for number in range(30)]

    seen = repro_text(ended(*stages))

    assert seen.out[0].endswith("s18, s19 and 10 more")


def test_nothing_at_all_is_said_too() -> None:
    assert repro_text(ended()).out == ("Stages: 0 ran, 0 restored, 0 unchanged, 0 failed",)


def test_a_failed_command_shows_what_it_said_last() -> None:
    error = StageFailed("stage a failed: exit code 1")

    seen = repro_text(
        ended(
            failed("a", error, "Traceback:", "\tx\x1b[2J", "::error::x"),
            StageResult("b", Decision(Verdict.RUN, ("a failed",)), State.BLOCKED),
            StageResult("c", RUN, State.NOT_RUN),
        )
    )

    assert seen.out == ("Stages: 0 ran, 0 restored, 0 unchanged, 1 failed, 2 not run",)
    assert seen.err == (
        "Error: stage b did not run: a failed",
        "Error: stage a failed: exit code 1; it said last:",
        "  | Traceback:",
        "  |         x\\x1b[2J",
        "  | ::error::x",
    )
    assert seen.code is ExitCode.FAILED


def test_an_error_without_output_has_its_cure() -> None:
    seen = repro_text(ended(failed("a", StageFailed("stage a did not make x", hint="correct it"))))

    assert seen.err == ("Error: stage a did not make x", "Tip: correct it")


def test_the_stage_of_an_error_is_named_once() -> None:
    seen = repro_text(ended(failed("a", InvalidDocument("params.yaml", ["has no key 'lr'"]))))

    assert seen.err == ("Error: params.yaml: has no key 'lr' (stage a)",)
    assert seen.code is ExitCode.INVALID


def test_the_worst_error_gives_the_exit_code() -> None:
    seen = repro_text(
        ended(
            failed("a", StageFailed("stage a failed"), "x"),
            failed("b", InvalidDocument("x.lock", ["is bad"])),
        )
    )

    assert seen.code is ExitCode.INVALID


def test_a_dry_run_says_what_it_would_do_with_each_stage() -> None:
    seen = repro_text(
        ended(
            StageResult("a", RUN, State.PLANNED),
            StageResult("b", DEPENDS, State.PLANNED),
            StageResult("c", RESTORE, State.PLANNED),
            StageResult("d", SKIP, State.PLANNED),
            dry_run=True,
        )
    )

    assert seen.out == (
        "Would run a: never ran",
        "May run b: a may change its input",
        "Would restore c: out is missing, restored from the cache",
        "Unchanged d: nothing changed",
        "Would run 1 stage(s), perhaps 1 more, and restore 1; 1 unchanged",
    )


def test_a_dry_run_shows_reasons_that_can_do_no_harm() -> None:
    odd = Decision(Verdict.RUN, ("lr: 1 → \x1b[2J\n",))

    seen = repro_text(ended(StageResult("a", odd, State.PLANNED), dry_run=True))

    assert seen.out[0] == "Would run a: lr: 1 → \\x1b[2J\\n"


def test_json_has_all_of_it_in_the_form_of_its_schema() -> None:
    result = ended(
        StageResult("a", RUN, State.RAN, 1.23456, ("careful",)),
        failed("b", StageFailed("stage b failed", hint="h"), "last\x1b", "words"),
        StageResult("c", Decision(Verdict.RUN, ("b failed",)), State.BLOCKED),
        StageResult("d", SKIP, State.NOT_RUN),
        notes=("a note",),
    )

    seen = repro_json(result)

    tree = json.loads("\n".join(seen.out))
    Draft202012Validator(json.loads(schema_text("repro"))).validate(tree)
    assert tree["exit_code"] == seen.code == ExitCode.FAILED
    assert tree["seconds"] == 1.235
    assert tree["notes"] == ["a note"]
    assert tree["stages"][0] == {
        "name": "a",
        "verdict": "run",
        "reasons": ["never ran"],
        "state": "ran",
        "seconds": 1.235,
        "seconds_around": 0.0,
        "warnings": ["careful"],
        "error": None,
        "tail": [],
    }
    assert tree["stages"][1]["error"] == "stage b failed"
    assert tree["stages"][1]["tail"] == ["last\x1b", "words"]
    assert [problem["message"] for problem in tree["problems"]] == [
        "stage b failed",
        "stage c did not run: b failed",
    ]
    assert seen.err == ()


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("decision", [RUN, SKIP, RESTORE, DEPENDS])
def test_every_state_and_verdict_has_a_place_in_the_schema(
    state: State, decision: Decision
) -> None:
    result = ended(StageResult("a", decision, state), dry_run=state is State.PLANNED)

    tree = json.loads("\n".join(repro_json(result).out))

    Draft202012Validator(json.loads(schema_text("repro"))).validate(tree)
    assert result.count(state) == 1
    assert result.verdicts(decision.verdict) == 1
