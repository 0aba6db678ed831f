"""Who started a CI job, and whether what it is told may be trusted; pure.

Trusted is what only people with write access can start, and what shows no stranger's code. All
that is unknown, missing or of a strange form is not trusted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pivot.values import Typed


@frozen
class Event:
    """What started the job: its *name*, and whether it is *trusted*, with the *reason*.

    *pull_request* is the number of the pull or merge request that it is about, if any.
    """

    name: str
    trusted: bool
    reason: str
    pull_request: int | None = None


_OWN = {
    "push": "a push to this repository",
    "workflow_dispatch": "a run by hand",
    "schedule": "a scheduled run",
    "release": "a release of this repository",
    "repository_dispatch": "a dispatch with a token of this repository",
    "merge_group": "this repository's merge queue",
}
"""Events of GitHub that only people with write access start, with their own code."""

_OWN_BY_HEAD = {
    "pull_request": "a pull request from a branch of this repository",
    "workflow_run": "after a run for a branch of this repository",
}
"""Events that anybody can start: they are trusted when the code is this repository's."""

_DEPENDABOT = re.compile(r"(app/)?dependabot(-preview)?(\[bot\])?", re.IGNORECASE)
_NAME = re.compile(r"[a-z][a-z_]{0,63}", re.ASCII)


def read_github_event(environment: Mapping[str, str], payload: Typed) -> Event:
    """Judge the event that GitHub describes by variables and by the *payload* of its event file.

    *payload* is `None` when the file could not be read.
    """
    name = environment.get("GITHUB_EVENT_NAME", "")
    doubt = _doubt(name, environment, payload)
    return Event(
        name if _NAME.fullmatch(name) else "unknown",
        trusted=not doubt,
        reason=doubt or (_OWN | _OWN_BY_HEAD)[name],
        pull_request=_about(payload),
    )


def _doubt(name: str, environment: Mapping[str, str], payload: Typed) -> str:
    """Say why the event is not trusted; nothing when it is."""
    if doubt := _doubt_of_name(name):
        return doubt
    if not isinstance(payload, dict):
        return "the event file (GITHUB_EVENT_PATH) cannot be read"
    return (
        _doubt_of_people(_people(name, environment, payload))
        or _doubt_of_first_run(name, payload)
        or _doubt_of_head(name, environment, payload)
    )


def _doubt_of_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        return "GITHUB_EVENT_NAME names no event"
    if name == "pull_request_target":
        return "pull_request_target also runs for the pull requests of strangers"
    if name not in _OWN.keys() | _OWN_BY_HEAD.keys():
        return f"anybody may be behind the event {name}"
    return ""


def _doubt_of_people(people: Iterable[Typed]) -> str:
    for person in people:
        if not isinstance(person, str) or not person:
            return "the event does not say who is behind it"
        if _DEPENDABOT.fullmatch(person):
            return "Dependabot is behind the event"
    return ""


def _doubt_of_first_run(name: str, payload: Typed) -> str:
    """Judge what started the run that a `workflow_run` follows: its code may be a stranger's.

    A run that itself followed another does not say what that was.
    """
    if name != "workflow_run":
        return ""
    first = _dig(payload, "workflow_run", "event")
    known = isinstance(first, str) and first in {*_OWN, "pull_request"}
    return "" if known else "anybody may be behind the run that this one follows"


def _people(
    name: str, environment: Mapping[str, str], payload: dict[str, Typed]
) -> Iterator[Typed]:
    """List all who may be behind the event: who started it, who started it again, the author.

    A run that is started again keeps the permissions of its first actor; so both are asked.
    """
    yield environment.get("GITHUB_ACTOR")
    if "GITHUB_TRIGGERING_ACTOR" in environment:
        yield environment["GITHUB_TRIGGERING_ACTOR"]
    if "sender" in payload:  # a schedule has none
        yield _dig(payload, "sender", "login")
    if name == "pull_request":
        yield _dig(payload, "pull_request", "user", "login")
    if name == "workflow_run":
        yield _dig(payload, "workflow_run", "actor", "login")
        yield _dig(payload, "workflow_run", "triggering_actor", "login")


def _doubt_of_head(name: str, environment: Mapping[str, str], payload: Typed) -> str:
    """Say why the code is not this repository's own; nothing when it is."""
    if name not in _OWN_BY_HEAD:
        return ""
    own = _number(_dig(payload, "repository", "id"))
    told = environment.get("GITHUB_REPOSITORY_ID")
    if own is None or (told is not None and told != str(own)):
        return "the event does not say which repository it is of"
    what = "the pull request is" if name == "pull_request" else "the run that this one follows is"
    at = ("head", "repo") if name == "pull_request" else ("head_repository",)
    subject = _dig(payload, name)
    if isinstance(subject, dict) and _dig(subject, *at) is None:
        return f"{what} from a repository that is gone"
    head = _number(_dig(subject, *at, "id"))
    if head is None:
        return "the event does not say which repository its code is from"
    return "" if head == own else f"{what} from a fork"


def _about(payload: Typed) -> int | None:
    """Find the number of the pull request that the event is about."""
    if (number := _number(_dig(payload, "pull_request", "number"))) is not None:
        return number
    if _dig(payload, "issue", "pull_request") is not None:
        return _number(_dig(payload, "issue", "number"))
    own = _number(_dig(payload, "repository", "id"))
    requests = _dig(payload, "workflow_run", "pull_requests")
    numbers = [
        _number(_dig(request, "number"))
        for request in (requests if isinstance(requests, list) else ())
        if own is not None and _dig(request, "base", "repo", "id") == own
    ]
    return numbers[0] if len(numbers) == 1 else None


def _dig(value: Typed, *keys: str) -> Typed:
    """Go down into mappings; `None` where there is no way."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _number(value: Typed) -> int | None:
    return value if type(value) is int and value > 0 else None


_OWN_ON_GITLAB = {
    "push": "a push to this project",
    "web": "a run by hand",
    "schedule": "a scheduled run",
    "api": "a run by the API",
    "trigger": "a trigger with a token of this project",
    "pipeline": "a pipeline that another one started",
    "parent_pipeline": "a child of another pipeline",
    "merge_request_event": "a merge request from a branch of this project",
}
"""What `CI_PIPELINE_SOURCE` may say when only members of the project can start it."""


def read_gitlab_event(environment: Mapping[str, str]) -> Event:
    """Judge the event that GitLab describes by variables."""
    name = environment.get("CI_PIPELINE_SOURCE", "")
    doubt = _doubt_on_gitlab(name, environment)
    request = environment.get("CI_MERGE_REQUEST_IID", "")
    return Event(
        name if _NAME.fullmatch(name) else "unknown",
        trusted=not doubt,
        reason=doubt or _OWN_ON_GITLAB[name],
        pull_request=int(request) if re.fullmatch(r"[1-9][0-9]{0,17}", request) else None,
    )


def _doubt_on_gitlab(name: str, environment: Mapping[str, str]) -> str:
    if not _NAME.fullmatch(name):
        return "CI_PIPELINE_SOURCE names no event"
    if name not in _OWN_ON_GITLAB:
        return f"anybody may be behind the event {name}"
    source = environment.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "")
    # a child pipeline of a merge request says so in the same variables
    if name != "merge_request_event" and not source:
        return ""
    own = environment.get("CI_PROJECT_ID", "")
    if not (source.isdecimal() and own.isdecimal()):
        return "the pipeline does not say which project its code is from"
    return "" if source == own else "the merge request is from a fork"
