"""Who started a CI job, and whether what it is told may be trusted; pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """What started the job: its *name*, and whether it is *trusted*, with the *reason*.

    *pull_request* is the number of the pull or merge request that it is about, if any.
    """

    name: str
    trusted: bool
    reason: str
    pull_request: int | None = None
