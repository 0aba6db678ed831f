"""What a CI system does for a job, whichever it is, and which one this is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TextIO

from pivot.ci.github import open_github
from pivot.ci.gitlab import open_gitlab
from pivot.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pivot.ci.event import Event


class Host(Protocol):
    """The CI system that runs the job: what it knows, and how it is told things.

    No method raises because the CI system does not take what it is told.
    """

    @property
    def name(self) -> str:
        """`github` or `gitlab`."""

    @property
    def workspace(self) -> Path:
        """Where the repository is checked out."""

    @property
    def temporary(self) -> Path:
        """A directory for files of the job."""

    @property
    def debug(self) -> bool:
        """Tell whether the job is run to find out what is wrong with it."""

    @property
    def event(self) -> Event:
        """What started the job."""

    @property
    def job(self) -> str:
        """The name by which people know the job."""

    def mask(self, secret: str) -> None:
        """Have *secret* hidden in everything that the job prints from now on."""

    def group(self, title: str) -> AbstractContextManager[None]:
        """Fold the lines that are printed inside the block."""

    def raw(self) -> AbstractContextManager[None]:
        """Have no line that is printed inside the block taken for a command."""

    def notice(self, text: str, *, file: str = "", title: str = "") -> None:
        """Tell something worth knowing, about *file* if any."""

    def warning(self, text: str, *, file: str = "", title: str = "") -> None:
        """Tell something that may be wrong."""

    def error(self, text: str, *, file: str = "", title: str = "") -> None:
        """Tell something that is wrong."""

    def outputs(self, values: Mapping[str, str]) -> None:
        """Hand *values* to later steps or jobs."""

    def summary(self, markdown: str) -> None:
        """Show *markdown* on the page of the run, where there is one."""


def open_host(environment: Mapping[str, str], stream: TextIO) -> Host:
    """Find out which CI system this is, which reads *stream*; raises `UsageError` for any other."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return open_github(environment, stream)
    if environment.get("GITLAB_CI") == "true":
        return open_gitlab(environment, stream)
    raise UsageError(
        "this is neither GitHub Actions nor GitLab CI (GITHUB_ACTIONS, GITLAB_CI)",
        hint="elsewhere, call the command itself: pivot pull",
    )
