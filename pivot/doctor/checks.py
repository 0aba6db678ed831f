"""What is asked, in its order, what an answer is, and what all of them mean; pure."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING

from pivot.errors import ExitCode, PivotError
from pivot.frozen import frozen
from pivot.results import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable


class State(StrEnum):
    """How one thing was found."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_ASKED = "not asked"


class Kind(StrEnum):
    """What a remote is."""

    S3 = "s3"
    FOLDER = "folder"


class Works(StrEnum):
    """Whether a command would work."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@frozen
class Probe:
    """One thing to ask, unless one that it *needs* has failed; *writes*: not without a trace."""

    name: str
    needs: str = ""
    writes: bool = False


@frozen
class Check:
    """What was *seen* of one thing, in a short phrase, and the *cure* where something is wrong.

    *permission* is the smallest that is missing. *code* is the exit code that a failure asks for.
    """

    name: str
    state: State
    seen: str
    cure: str = ""
    permission: str = ""
    code: ExitCode = ExitCode.DONE
    cause: PivotError | None = field(default=None, compare=False, repr=False)
    """The error, where one was raised."""

    @classmethod
    def of_error(cls, name: str, error: PivotError, *, permission: str = "") -> Check:
        """Make a failure of *error*."""
        return cls(name, State.FAILED, error.message, error.hint, permission, error.code, error)

    @property
    def passed(self) -> bool:
        """What depends on it can be asked."""
        return self.state in {State.OK, State.WARNING}


_HERE = (
    Probe("project"),
    Probe("configuration", needs="project"),
    Probe("cache", needs="configuration"),
    Probe("links", needs="cache", writes=True),
    Probe("remote", needs="configuration"),
)
_THERE = {
    Kind.S3: (
        Probe("credentials", needs="remote"),
        Probe("endpoint", needs="credentials"),
        Probe("clock", needs="endpoint"),
        Probe("keys", needs="clock"),
        Probe("identity", needs="keys"),
        Probe("bucket", needs="keys"),
        Probe("region", needs="bucket"),
        Probe("list", needs="bucket"),
        Probe("put", needs="bucket", writes=True),
        Probe("get", needs="bucket"),
        Probe("put-if-absent", needs="put", writes=True),
        Probe("multipart", needs="put", writes=True),
        Probe("abort", needs="multipart", writes=True),
        Probe("encryption", needs="put", writes=True),
        Probe("checksum", needs="put", writes=True),
        Probe("delete", needs="bucket", writes=True),
    ),
    Kind.FOLDER: (
        Probe("folder", needs="remote"),
        Probe("list", needs="folder"),
        Probe("get", needs="list"),
        Probe("put", needs="folder", writes=True),
        Probe("put-if-absent", needs="put", writes=True),
        Probe("delete", needs="put", writes=True),
    ),
}

_BOTH = ("project", "configuration", "remote")
_REACHED = ("credentials", "endpoint", "clock", "keys", "bucket")
_PULLS = {
    Kind.S3: (*_BOTH, *_REACHED, "cache", "get"),
    Kind.FOLDER: (*_BOTH, "folder", "cache", "list", "get"),
}
_PUSHES = {
    Kind.S3: (*_BOTH, *_REACHED, "put", "multipart"),
    Kind.FOLDER: (*_BOTH, "folder", "put"),
}


def probes_here() -> tuple[Probe, ...]:
    """List what is asked of this machine."""
    return _HERE


def probes_there(kind: Kind) -> tuple[Probe, ...]:
    """List what is asked of a remote."""
    return _THERE[kind]


@frozen
class Diagnosis:
    """All that was found: the *remote* by name and *url*, as far as it is known, and the *checks*.

    With *read_only* nothing was written; nobody is to push to a *closed* remote.
    """

    remote: str
    url: str
    kind: Kind
    checks: tuple[Check, ...]
    read_only: bool = False
    closed: bool = False

    @property
    def pull(self) -> Works:
        """Whether objects can be had from the remote."""
        if any(c.name == "links" and c.state is State.FAILED for c in self.checks):
            return Works.NO
        return self._works(_PULLS[self.kind])

    @property
    def push(self) -> Works:
        """Whether objects can be stored there."""
        return Works.NO if self.closed else self._works(_PUSHES[self.kind])

    @property
    def code(self) -> ExitCode:
        """The exit code: that of the first failure."""
        return next((c.code for c in self.checks if c.state is State.FAILED), ExitCode.DONE)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What failed, in the words of other reports."""
        return tuple(
            Problem(
                check.code,
                f"{check.name}: {check.seen}{_lacking(check)}",
                check.cure,
                cause=check.cause,
            )
            for check in self.checks
            if check.state is State.FAILED
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What works, with something to know."""
        return tuple(
            f"{check.name}: {check.seen}" for check in self.checks if check.state is State.WARNING
        )

    def _works(self, needed: Iterable[str]) -> Works:
        states = {check.name: check.state for check in self.checks}
        found = [states.get(name, State.NOT_ASKED) for name in needed]
        if State.FAILED in found:
            return Works.NO
        return Works.UNKNOWN if State.NOT_ASKED in found else Works.YES


def _lacking(check: Check) -> str:
    return f" ({check.permission} is missing)" if check.permission else ""


def skipped(probe: Probe, before: Iterable[Check], *, unwritten: str) -> Check | None:
    """Say why *probe* is not asked, after what came *before*; `None` if it is to be asked.

    *unwritten* is the reason for which nothing may be written, if there is one.
    """
    held = next((c for c in before if c.name == probe.needs and not c.passed), None)
    if held is not None:
        root = held.seen if held.state is State.NOT_ASKED else f"{held.name} failed"
        return Check(probe.name, State.NOT_ASKED, root)
    if probe.writes and unwritten:
        return Check(probe.name, State.NOT_ASKED, unwritten)
    return None
