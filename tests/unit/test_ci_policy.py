"""What a CI job may do, and what its results mean for the step."""

from __future__ import annotations

import pytest

from pivot.ci.event import Event
from pivot.ci.inputs import Inputs
from pivot.ci.policy import configure, final_code, judge, refuses, resolve
from pivot.ci.told import Status
from pivot.config import Config
from pivot.errors import ExitCode, RemoteDenied, UsageError
from pivot.keys import Level, Setting
from pivot.results import Problem, exit_code

OWN = Event("push", trusted=True, reason="a push to this repository")
REQUEST = Event("pull_request", trusted=True, reason="a branch of this repository", pull_request=7)
FORK = Event(
    "pull_request", trusted=False, reason="the pull request is from a fork", pull_request=8
)
COMMANDS = ("pull", "push", "fetch", "checkout", "status", "verify", "doctor")


def config(**settings: Setting) -> Config:
    """Make the configuration of a project, `__` for a dot."""
    return Config({k.replace("__", "."): (v, Level.LOCAL) for k, v in settings.items()})


ORIGIN = config(remotes__origin="s3://bucket/p")
STORE = "https://store.example.org"
ELSEWHERE = config(remotes__origin="s3://bucket/p", remote_options__origin__endpoint=STORE)


@pytest.mark.parametrize("command", COMMANDS)
def test_auto_warns_of_a_miss_where_the_job_can_go_on(command: str) -> None:
    soft = {"pull", "fetch", "status"}
    assert resolve(Inputs(command), OWN).on_miss == ("warn" if command in soft else "fail")
    assert resolve(Inputs(command, on_miss="ignore"), OWN).on_miss == "ignore"


def test_auto_skips_without_credentials_where_none_can_be() -> None:
    assert resolve(Inputs("pull"), OWN).on_no_credentials == "fail"
    assert resolve(Inputs("pull"), FORK).on_no_credentials == "skip"
    assert resolve(Inputs("pull", on_no_credentials="fail"), FORK).on_no_credentials == "fail"
    assert resolve(Inputs("pull", on_no_credentials="skip"), OWN).on_no_credentials == "skip"


@pytest.mark.parametrize("command", COMMANDS)
def test_auto_only_plans_a_push_in_a_pull_request(command: str) -> None:
    dry = "true" if command == "push" else "false"
    assert resolve(Inputs(command, dry_run="auto"), REQUEST).dry_run == dry
    assert resolve(Inputs(command, dry_run="auto"), OWN).dry_run == "false"
    assert resolve(Inputs(command, dry_run="false"), REQUEST).dry_run == "false"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_stranger_may_do_anything_but_push(command: str) -> None:
    assert refuses(Inputs(command), FORK) == (command == "push")
    assert not refuses(Inputs(command), REQUEST)
    assert refuses(Inputs("push", dry_run="true"), FORK)


def test_for_a_stranger_the_doctor_writes_nothing() -> None:
    assert resolve(Inputs("doctor"), FORK).dry_run == "true"
    assert resolve(Inputs("doctor", dry_run="false"), FORK).dry_run == "true"
    assert resolve(Inputs("doctor"), REQUEST).dry_run == "false"


def test_inputs_stand_above_the_configuration() -> None:
    inputs = Inputs("pull", retries=3, endpoint_url=STORE + "/2", aws_region="eu-west-1")

    made = configure(ELSEWHERE, inputs, OWN, {})

    assert made.number("remote.retries") == 3
    assert made.remote().endpoint == STORE + "/2"
    assert made.remote().region == "eu-west-1"


def test_only_the_chosen_remote_is_meant() -> None:
    two = config(remotes__a="s3://a/p", remotes__b="s3://b/p", default_remote="a")
    made = configure(two, Inputs("pull", remote="b", endpoint_url=STORE), OWN, {})
    assert made.remotes["b"].endpoint == STORE
    assert made.remotes["a"].endpoint == ""


def test_a_remote_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="Remote 'nope' not found"):
        configure(ORIGIN, Inputs("pull", remote="nope"), OWN, {})


def test_a_checkout_needs_no_remote() -> None:
    assert configure(config(), Inputs("checkout"), OWN, {}).remotes == {}


def test_the_project_may_name_an_endpoint_where_it_is_trusted() -> None:
    assert configure(ELSEWHERE, Inputs("pull"), OWN, {}).remote().endpoint == STORE


def test_credentials_do_not_go_where_only_a_stranger_says() -> None:
    with pytest.raises(RemoteDenied, match=f"credentials are not sent to {STORE}") as caught:
        configure(ELSEWHERE, Inputs("pull"), FORK, {})
    assert caught.value.hint == "set the input endpoint-url"
    assert "the pull request is from a fork" in caught.value.message


def test_an_endpoint_that_the_workflow_names_too_is_no_strangers() -> None:
    named = configure(ELSEWHERE, Inputs("pull", endpoint_url=STORE), FORK, {})
    assert named.remote().endpoint == STORE
    configure(ELSEWHERE, Inputs("pull"), FORK, {"AWS_ENDPOINT_URL": STORE})


def test_a_strangers_endpoint_is_left_out_for_imports_as_well() -> None:
    two = config(
        remotes__origin="s3://a/p",
        remotes__other="s3://b/p",
        default_remote="origin",
        remote_options__other__endpoint=STORE,
    )
    assert configure(two, Inputs("pull"), FORK, {}).remotes["other"].endpoint == ""


def test_the_users_own_configuration_is_no_strangers() -> None:
    own = Config({key: (value, Level.GLOBAL) for key, (value, _) in ELSEWHERE.settings.items()})
    assert configure(own, Inputs("pull"), FORK, {}).remote().endpoint == STORE


@pytest.mark.parametrize("code", list(ExitCode))
@pytest.mark.parametrize("on_miss", ["fail", "warn", "ignore"])
def test_a_miss_alone_is_softened(code: ExitCode, on_miss: str) -> None:
    problems = (Problem(code, "so it is"),) if code else ()
    soft = code is ExitCode.MISSING and on_miss != "fail"
    expected = ExitCode.DONE if soft else code
    assert final_code(exit_code(problems), problems, Inputs("pull", on_miss=on_miss)) is expected


def test_a_miss_beside_something_worse_softens_nothing() -> None:
    problems = (Problem(ExitCode.MISSING, "gone"), Problem(ExitCode.INTEGRITY, "wrong"))
    raw = exit_code(problems)
    assert final_code(raw, problems, Inputs("pull", on_miss="warn")) is ExitCode.INTEGRITY


@pytest.mark.parametrize(
    ("raw", "dry_run", "had", "moved", "status"),
    [
        (ExitCode.DONE, False, 3, 3, Status.COMPLETE),
        (ExitCode.DONE, False, 3, 0, Status.NOTHING_TO_DO),
        (ExitCode.DONE, False, 0, 0, Status.NOTHING_TO_DO),
        (ExitCode.DONE, True, 3, 0, Status.DRY_RUN),
        (ExitCode.MISSING, False, 2, 2, Status.PARTIAL),
        (ExitCode.MISSING, False, 0, 0, Status.MISS),
        (ExitCode.MISSING, True, 0, 0, Status.MISS),
        (ExitCode.FAILED, False, 2, 2, Status.FAILED),
        (ExitCode.INTEGRITY, False, 2, 2, Status.FAILED),
        (ExitCode.INTERRUPTED, False, 2, 2, Status.FAILED),
    ],
)
def test_the_status_says_it_in_a_word(
    raw: ExitCode, dry_run: bool, had: int, moved: int, status: Status
) -> None:
    assert judge(raw, dry_run=dry_run, had=had, moved=moved) is status
