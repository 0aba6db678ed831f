"""What a CI job tells: one value, of which report, outputs, summary and comment are made."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING

from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pivot.ci.event import Event
    from pivot.errors import ExitCode
    from pivot.results import Problem
    from pivot.stage_states import StageState


class Status(StrEnum):
    """How the job went, in a word."""

    COMPLETE = "complete"
    """All that was asked for is there."""
    PARTIAL = "partial"
    """Some objects are missing."""
    MISS = "miss"
    """All objects are missing."""
    NOTHING_TO_DO = "nothing-to-do"
    """All that was asked for was there before."""
    DRY_RUN = "dry-run"
    """Only a plan was made."""
    NO_CREDENTIALS = "skipped-no-credentials"
    UNTRUSTED = "refused-untrusted"
    FAILED = "failed"


class ObjectState(StrEnum):
    """What became of an object."""

    PRESENT = "present"
    TRANSFERRED = "transferred"
    PLANNED = "planned"
    MISSING = "missing"
    FAILED = "failed"


@frozen
class ObjectTold:
    """One object: the first *path* and *stage* that need it; *size* in bytes, if known."""

    stage: str
    path: str
    digest: str
    size: int | None
    state: ObjectState
    error: str = ""


@frozen
class Counts:
    """Objects, and files for *restored*; see the table of outputs."""

    transferred: int = 0
    skipped: int = 0
    failed: int = 0
    missing: int = 0
    restored: int = 0
    would_transfer: int = 0


@frozen
class Told:
    """All that a job tells. *raw* is the exit code before, *final* after the policies.

    *runs* says that *stages* were compared with the pipeline, so that `stages-to-run` means
    something; *project* is the project root, as a path from the workspace ('' for the same).
    """

    command: str
    status: Status
    raw: ExitCode
    final: ExitCode
    event: Event | None
    runtime: str
    version: str
    remote: str = ""
    url: str = ""
    region: str = ""
    counts: Counts = field(default_factory=Counts)
    bytes: int = 0
    seconds: float = 0.0
    stages: tuple[StageState, ...] = ()
    runs: bool = False
    to_run: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()
    objects: tuple[ObjectTold, ...] = ()
    problems: tuple[Problem, ...] = ()
    changes: Mapping[str, str] = field(default_factory=dict)
    """Who last changed the documents that name what could not be had."""
    proven: int = 0
    """How many of the objects that arrived were checked by SHA-256."""
    warnings: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    project: str = ""
    quiet: bool = False
    """What is missing is not to be noted on lock files."""
    verdict: str = ""
    """What the command says in a sentence of its own."""
