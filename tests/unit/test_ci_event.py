"""Who started a CI job: every event that is trusted, and all that is not."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.ci.event import Event, read_github_event, read_gitlab_event
from pivot.values import Typed

EVENTS = Path(__file__).parent.parent / "events"
OWN = 700100200


def payload(fixture: str) -> dict[str, Typed]:
    loaded: dict[str, Typed] = json.loads((EVENTS / f"{fixture}.json").read_text("utf-8"))
    return loaded


def read(name: str, tree: Typed, **variables: str) -> Event:
    """Read an event as the runner of ana's repository tells it."""
    return read_github_event(
        {
            "GITHUB_EVENT_NAME": name,
            "GITHUB_ACTOR": "ana",
            "GITHUB_TRIGGERING_ACTOR": "ana",
            "GITHUB_REPOSITORY_ID": str(OWN),
        }
        | variables,
        tree,
    )


TRUSTED = {
    "push": ("push", "a push to this repository", None),
    "push_tag": ("push", "a push to this repository", None),
    "workflow_dispatch": ("workflow_dispatch", "a run by hand", None),
    "schedule": ("schedule", "a scheduled run", None),
    "release": ("release", "a release of this repository", None),
    "repository_dispatch": (
        "repository_dispatch",
        "a dispatch with a token of this repository",
        None,
    ),
    "merge_group": ("merge_group", "this repository's merge queue", None),
    "pull_request": ("pull_request", "a pull request from a branch of this repository", 7),
    "workflow_run": ("workflow_run", "after a run for a branch of this repository", None),
    "workflow_run_request": ("workflow_run", "after a run for a branch of this repository", 7),
}

UNTRUSTED = {
    "pull_request_fork": ("pull_request", "the pull request is from a fork", 8),
    "pull_request_gone": ("pull_request", "the pull request is from a repository that is gone", 9),
    "pull_request_dependabot": ("pull_request", "Dependabot is behind the event", 10),
    "push_dependabot": ("push", "Dependabot is behind the event", None),
    "pull_request_target": (
        "pull_request_target",
        "pull_request_target also runs for the pull requests of strangers",
        8,
    ),
    "workflow_run_fork": (
        "workflow_run",
        "the run that this one follows is from a fork",
        None,
    ),
    "workflow_run_gone": (
        "workflow_run",
        "the run that this one follows is from a repository that is gone",
        None,
    ),
    "workflow_run_dependabot": ("workflow_run", "Dependabot is behind the event", 10),
    "workflow_run_target": (
        "workflow_run",
        "anybody may be behind the run that this one follows",
        None,
    ),
    "workflow_run_comment": (
        "workflow_run",
        "anybody may be behind the run that this one follows",
        None,
    ),
    "workflow_run_second": (
        "workflow_run",
        "anybody may be behind the run that this one follows",
        None,
    ),
    "issue_comment": ("issue_comment", "anybody may be behind the event issue_comment", 8),
    "issues": ("issues", "anybody may be behind the event issues", None),
}


def test_every_fixture_is_in_one_of_the_tables() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == TRUSTED.keys() | UNTRUSTED.keys()


@pytest.mark.parametrize("fixture", TRUSTED)
def test_an_event_of_ones_own_is_trusted(fixture: str) -> None:
    name, reason, number = TRUSTED[fixture]

    assert read(name, payload(fixture)) == Event(
        name, trusted=True, reason=reason, pull_request=number
    )


@pytest.mark.parametrize("fixture", UNTRUSTED)
def test_an_event_of_a_stranger_is_not(fixture: str) -> None:
    name, reason, number = UNTRUSTED[fixture]

    assert read(name, payload(fixture)) == Event(
        name, trusted=False, reason=reason, pull_request=number
    )


@pytest.mark.parametrize(
    "name",
    [
        "create",
        "deployment_status",
        "discussion",
        "fork",
        "pull_request_review",
        "pull_request_review_comment",
        "watch",
        "an_event_of_next_year",
    ],
)
def test_an_event_that_is_not_known_is_not_trusted(name: str) -> None:
    event = read(name, payload("push"))

    assert event == Event(name, trusted=False, reason=f"anybody may be behind the event {name}")


@pytest.mark.parametrize("name", ["", " push", "Push", "push\n::warning::x", "pu sh", "p" * 65])
def test_a_name_that_is_none_is_not_repeated(name: str) -> None:
    event = read(name, payload("push"))

    assert event == Event("unknown", trusted=False, reason="GITHUB_EVENT_NAME names no event")


@pytest.mark.parametrize("fixture", TRUSTED)
@pytest.mark.parametrize("tree", [None, [], "push", 7, True])
def test_without_a_readable_event_file_nothing_is_trusted(fixture: str, tree: Typed) -> None:
    event = read(TRUSTED[fixture][0], tree)

    assert not event.trusted
    assert event.reason == "the event file (GITHUB_EVENT_PATH) cannot be read"


@pytest.mark.parametrize("fixture", TRUSTED)
@pytest.mark.parametrize("variable", ["GITHUB_ACTOR", "GITHUB_TRIGGERING_ACTOR"])
@pytest.mark.parametrize(
    "login", ["dependabot[bot]", "Dependabot[bot]", "dependabot-preview[bot]", "app/dependabot"]
)
def test_dependabot_may_neither_start_a_run_nor_start_it_again(
    fixture: str, variable: str, login: str
) -> None:
    event = read(TRUSTED[fixture][0], payload(fixture), **{variable: login})

    assert (event.trusted, event.reason) == (False, "Dependabot is behind the event")


def test_a_member_who_runs_dependabots_request_again_does_not_make_it_trusted() -> None:
    tree = payload("pull_request_dependabot")
    tree["sender"] = {"login": "ana"}

    assert not read("pull_request", tree).trusted


def test_an_event_of_ones_own_needs_nothing_of_its_file() -> None:
    assert read("push", {}).trusted
    assert not read("pull_request", {}).trusted


def test_who_is_called_much_like_dependabot_is_not() -> None:
    assert read("push", payload("push"), GITHUB_ACTOR="dependabot-fan").trusted


@pytest.mark.parametrize("fixture", TRUSTED)
def test_an_actor_who_is_not_named_is_not_trusted(fixture: str) -> None:
    event = read(TRUSTED[fixture][0], payload(fixture), GITHUB_ACTOR="")

    assert (event.trusted, event.reason) == (False, "the event does not say who is behind it")


HOSTILE: tuple[Typed, ...] = (None, True, 0, -1, 1.5, "", str(OWN), [], [OWN], {}, {"id": {}})


def at(tree: Typed, place: str) -> tuple[dict[str, Typed], str]:
    *way, last = place.split(".")
    for key in way:
        assert isinstance(tree, dict)
        tree = tree[key]
    assert isinstance(tree, dict)
    return tree, last


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize(
    ("fixture", "place"),
    [
        ("pull_request", "repository.id"),
        ("pull_request", "repository"),
        ("pull_request", "pull_request.head.repo.id"),
        ("pull_request", "pull_request.head.repo"),
        ("pull_request", "pull_request.head"),
        ("pull_request", "pull_request.user"),
        ("pull_request", "pull_request"),
        ("pull_request", "sender"),
        ("push", "sender"),
        ("workflow_run", "repository.id"),
        ("workflow_run", "workflow_run.head_repository.id"),
        ("workflow_run", "workflow_run.head_repository"),
        ("workflow_run", "workflow_run.event"),
        ("workflow_run", "workflow_run.actor"),
        ("workflow_run", "workflow_run.triggering_actor"),
        ("workflow_run", "workflow_run"),
    ],
)
def test_what_decides_must_have_its_form(fixture: str, place: str, value: Typed) -> None:
    tree = payload(fixture)
    inside, key = at(tree, place)
    inside[key] = copy.deepcopy(value)
    replaced = read(fixture, tree)
    del inside[key]
    gone = read(fixture, tree)

    assert not replaced.trusted
    assert replaced.reason
    assert not gone.trusted or place == "sender"


@pytest.mark.parametrize("fixture", ["pull_request", "workflow_run"])
def test_the_event_must_be_of_the_repository_that_the_runner_names(fixture: str) -> None:
    event = read(fixture, payload(fixture), GITHUB_REPOSITORY_ID="700999000")

    assert (event.trusted, event.reason) == (
        False,
        "the event does not say which repository it is of",
    )


def test_true_is_no_number_of_a_repository() -> None:
    tree = payload("pull_request")
    for place in ("repository.id", "pull_request.head.repo.id"):
        inside, key = at(tree, place)
        inside[key] = True
    variables = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_ACTOR": "ana"}

    assert not read_github_event(variables, tree).trusted


def test_a_fork_of_the_same_name_is_a_fork() -> None:
    tree = payload("pull_request_fork")
    inside, _ = at(tree, "pull_request.head.repo.full_name")
    inside["full_name"] = "lab/pipeline"

    assert not read("pull_request", tree).trusted


def test_a_run_is_about_a_request_only_if_there_is_one_of_this_repository() -> None:
    tree = payload("workflow_run_request")
    inside, _ = at(tree, "workflow_run.pull_requests")
    requests = inside["pull_requests"]
    assert isinstance(requests, list)
    two = copy.deepcopy(requests) + copy.deepcopy(requests)
    elsewhere = copy.deepcopy(requests)
    at(elsewhere[0], "base.repo.id")[0]["id"] = 1

    inside["pull_requests"] = two
    of_two = read("workflow_run", tree)
    inside["pull_requests"] = elsewhere
    of_another = read("workflow_run", tree)

    assert of_two.pull_request is None
    assert of_another.pull_request is None


JSON: st.SearchStrategy[Typed] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            [
                "pull_request", "workflow_run", "repository", "head", "repo", "id", "sender",
                "login", "user", "number", "head_repository", "event", "actor", "issue",
                "pull_requests", "base",
            ]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=30,
)  # fmt: skip


@given(tree=JSON, name=st.sampled_from(["pull_request", "workflow_run", "pull_request_target"]))
def test_no_payload_breaks_the_reader_and_none_by_chance_is_trusted(tree: Typed, name: str) -> None:
    event = read(name, tree)

    assert not event.trusted
    assert event.pull_request is None or event.pull_request > 0


GITLAB = {
    "CI_PROJECT_ID": "42",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "42",
    "CI_MERGE_REQUEST_IID": "5",
}


@pytest.mark.parametrize(
    "source", ["push", "web", "schedule", "api", "trigger", "pipeline", "parent_pipeline"]
)
def test_on_gitlab_what_members_start_is_trusted(source: str) -> None:
    event = read_gitlab_event({"CI_PIPELINE_SOURCE": source, "CI_PROJECT_ID": "42"})

    assert event.trusted
    assert event.reason
    assert event.pull_request is None


def test_on_gitlab_a_merge_request_of_the_project_is_trusted() -> None:
    event = read_gitlab_event({"CI_PIPELINE_SOURCE": "merge_request_event", **GITLAB})

    assert event == Event(
        "merge_request_event",
        trusted=True,
        reason="a merge request from a branch of this project",
        pull_request=5,
    )


@pytest.mark.parametrize("source", ["merge_request_event", "parent_pipeline"])
def test_on_gitlab_a_merge_request_of_a_fork_is_not(source: str) -> None:
    variables = GITLAB | {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "43"}

    event = read_gitlab_event({"CI_PIPELINE_SOURCE": source, **variables})

    assert (event.trusted, event.reason) == (False, "the merge request is from a fork")


@pytest.mark.parametrize("variable", ["CI_PROJECT_ID", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID"])
@pytest.mark.parametrize("value", ["", "forty-two", "42\n"])
def test_on_gitlab_a_merge_request_must_say_where_it_is_from(variable: str, value: str) -> None:
    event = read_gitlab_event(
        {"CI_PIPELINE_SOURCE": "merge_request_event", **GITLAB, variable: value}
    )

    assert not event.trusted


@pytest.mark.parametrize("source", ["external_pull_request_event", "external", "chat", "next_year"])
def test_on_gitlab_what_is_not_known_is_not_trusted(source: str) -> None:
    event = read_gitlab_event({"CI_PIPELINE_SOURCE": source, "CI_PROJECT_ID": "42"})

    assert event == Event(source, trusted=False, reason=f"anybody may be behind the event {source}")


@pytest.mark.parametrize("variables", [{}, {"CI_PIPELINE_SOURCE": ""}, {"CI_PIPELINE_SOURCE": "A"}])
def test_on_gitlab_a_pipeline_must_say_what_started_it(variables: dict[str, str]) -> None:
    assert not read_gitlab_event(variables).trusted
