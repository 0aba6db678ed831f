"""How the inputs of a CI job are read: defaults, forms, and all mistakes at once."""

from __future__ import annotations

import pytest

from pivot.ci.inputs import Inputs, read_inputs
from pivot.ci.table import INPUTS, OUTPUTS, Kind


def read(**texts: str) -> tuple[Inputs | None, tuple[str, ...]]:
    return read_inputs({f"PIVOT_INPUT_{name.upper()}": text for name, text in texts.items()})


def good(**texts: str) -> Inputs:
    inputs, wrong = read(**{"command": "pull", **texts})
    assert inputs is not None, wrong
    return inputs


def wrong(**texts: str) -> tuple[str, ...]:
    inputs, problems = read(**{"command": "pull", **texts})
    assert inputs is None
    return problems


def test_a_command_is_all_that_is_needed() -> None:
    assert good() == Inputs("pull")


def test_the_defaults_of_the_table_are_those_of_the_values() -> None:
    texts = {
        known.variable: known.default
        for known in INPUTS
        if not known.required and not known.default.startswith("${{")
    }
    inputs, problems = read_inputs({"PIVOT_INPUT_COMMAND": "pull", **texts})
    assert (inputs, problems) == (Inputs("pull"), ())


def test_an_empty_input_is_one_that_was_left_out() -> None:
    empty = {known.variable: " " for known in INPUTS if not known.required}
    assert read_inputs({"PIVOT_INPUT_COMMAND": "pull", **empty}) == (Inputs("pull"), ())


def test_every_input_has_a_value_that_is_read() -> None:
    inputs = good(
        command="PUSH",
        stages="train\n model/a b.pkl \n\n$(touch x)",
        remote="backup",
        jobs="40",
        dry_run="auto",
        working_directory="sub/project",
        force="yes",
        only_missing="no",
        checkout_mode="copy",
        on_miss="ignore",
        on_no_credentials="skip",
        max_size="20GB",
        timeout="30m",
        retries="0",
        role_to_assume="arn:aws:iam::123456789012:role/ci/pivot",
        aws_region="eu-central-1",
        endpoint_url="http://127.0.0.1:9000",
        summary="0",
        annotations="FALSE",
        comment="on-change",
        comment_id="gpu",
        github_token="t0ken",
        report_file="out/report.json",
        log_level="debug",
    )
    assert inputs == Inputs(
        command="push",
        stages=("train", "model/a b.pkl", "$(touch x)"),
        remote="backup",
        jobs=40,
        dry_run="auto",
        working_directory="sub/project",
        force=True,
        only_missing=False,
        checkout_mode="copy",
        on_miss="ignore",
        on_no_credentials="skip",
        max_size=20 * 10**9,
        timeout=1800,
        retries=0,
        role_to_assume="arn:aws:iam::123456789012:role/ci/pivot",
        aws_region="eu-central-1",
        endpoint_url="http://127.0.0.1:9000",
        summary=False,
        annotations=False,
        comment="on-change",
        comment_id="gpu",
        github_token="t0ken",
        report_file="out/report.json",
        log_level="debug",
    )


@pytest.mark.parametrize("text", ["true", "True", "1", "yes"])
def test_a_choice_with_true_and_false_takes_the_other_words_for_them(text: str) -> None:
    assert good(dry_run=text).dry_run == "true"


def test_the_words_of_a_single_line_are_targets_each() -> None:
    assert good(stages=" train  model/best.pkl ").stages == ("train", "model/best.pkl")


def test_a_line_with_a_blank_is_one_target_where_there_are_lines() -> None:
    assert good(stages="data/a b.csv\n").stages == ("data/a", "b.csv")
    assert good(stages="data/a b.csv\ntrain").stages == ("data/a b.csv", "train")


def test_a_target_is_taken_as_it_stands() -> None:
    odd = "-rf\n$(touch x)\n;ls\n%0A::error::x\nüñí\n--"
    assert good(stages=odd).stages == tuple(odd.split("\n"))


def test_all_mistakes_are_listed_at_once() -> None:
    assert wrong(
        command="pul",
        jobs="0",
        dry_run="maybe",
        force="true",
        only_missing="true",
        checkout_mode="reflink",
        on_miss="cry",
        max_size="20 apples",
        timeout="0",
        retries="-1",
        role_to_assume="my-role",
        aws_region="Frankfurt",
        endpoint_url="s3.example.org",
        summary="perhaps",
        comment="loud",
    ) == (
        "command: must be pull, push, fetch, checkout, status, verify or doctor, not 'pul'",
        "jobs: must be a whole number of at least 1, not '0'",
        "dry-run: must be true, false or auto, not 'maybe'",
        "checkout-mode: must be symlink, hardlink or copy, not 'reflink'",
        "on-miss: must be auto, fail, warn or ignore, not 'cry'",
        "max-size: must be a size such as 500MB or 20GB, not '20 apples'",
        "timeout: must be a time such as 90s, 30m or 2h, not '0'",
        "retries: must be a whole number of at least 0, not '-1'",
        "role-to-assume: must be the ARN of a role, not 'my-role'",
        "aws-region: must be the name of a region, not 'Frankfurt'",
        "endpoint-url: must be a URL such as https://s3.example.org, not 's3.example.org'",
        "summary: must be true or false, not 'perhaps'",
        "comment: must be off, on-change or always, not 'loud'",
        "force and only-missing: are mutually exclusive",
    )


def test_a_command_is_required() -> None:
    inputs, problems = read_inputs({})
    assert inputs is None
    choices = "pull, push, fetch, checkout, status, verify or doctor"
    assert problems == (f"command: is required: {choices}",)


def test_an_input_that_there_is_not_is_named() -> None:
    assert wrong(arguments="--force") == ("arguments: there is no such input",)


@pytest.mark.parametrize("text", ["a\nb", "a\0b", "\x1b[2Jx", "a\rb"])
def test_a_text_is_one_line_of_printable_characters(text: str) -> None:
    (problem,) = wrong(remote=text)
    assert problem.startswith("remote: must be one line of printable characters, not ")
    assert problem.isprintable()


def test_a_long_mistake_is_cut() -> None:
    (problem,) = wrong(jobs="9" * 10_000)
    assert len(problem) < 200


def test_the_table_is_in_order() -> None:
    names = [known.name for known in INPUTS]
    assert len(set(names)) == len(names)
    assert len({output.name for output in OUTPUTS}) == len(OUTPUTS)
    for known in INPUTS:
        assert bool(known.choices) == (known.kind is Kind.ENUM), known.name
        if known.choices and known.default:
            assert known.default in known.choices
        assert known.description.endswith((".", "?")), known.name


def test_an_odd_name_is_quoted() -> None:
    _, problems = read_inputs({"PIVOT_INPUT_COMMAND": "pull", "PIVOT_INPUT_\x1b[2J": "1"})

    assert problems == (r"'PIVOT_INPUT_\x1b[2J': there is no such input",)
