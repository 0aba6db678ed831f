"""What a project has, and where it is; pure values."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pivot.objects import Digest
    from pivot.results import Problem
    from pivot.stage_states import StageState


class Place(StrEnum):
    """Where contents may be."""

    WORKSPACE = "workspace"
    CACHE = "cache"
    REMOTE = "remote"


class Answer(StrEnum):
    """What a place says of one content that is recorded."""

    THERE = "there"
    OTHER = "differs"
    """Something of that name is there, and is not what is recorded."""
    ABSENT = "not there"
    UNKNOWN = "could not ask"


@frozen
class Amount:
    """So many files or objects, and their *bytes*."""

    count: int = 0
    bytes: int = 0


@frozen
class Item:
    """An output at *path* of the stage *owner*, or tracked data.

    *answers* counts its *files* by what each place says; a place that was not asked is left out.
    The sizes of *unsized* files are nowhere recorded, and count as nothing in *bytes*.
    """

    path: str
    owner: str
    is_stage: bool
    is_directory: bool
    files: int
    bytes: int
    unsized: int
    answers: Mapping[Place, Mapping[Answer, int]]


@frozen
class Duplicate:
    """One object of *size* bytes that stands for the files at several *paths*."""

    digest: Digest
    size: int
    paths: tuple[str, ...]

    @property
    def saved(self) -> int:
        """The bytes that need not be kept again."""
        return self.size * (len(self.paths) - 1)


@frozen
class Point:
    """What the lock files of one commit refer to: each object once.

    *added* is what no earlier point refers to, and *kept* all that any up to this one does: what a
    remote holds from which nothing is deleted. The sizes of *unsized*
    objects are not known, and *unread* documents could not be read: these count as nothing.
    """

    commit: str
    date: str
    subject: str
    referred: Amount
    added: Amount
    kept: Amount
    unsized: int = 0
    unread: int = 0


@frozen
class Inventory:
    """All of it. *name* is that of the project's directory, *commit* the last that changed locks.

    *remote* and *url* are empty if no remote was asked. *places* counts files in the workspace,
    and objects elsewhere. *growth* has the oldest commit first. *warnings* tell of remotes that
    were passed over.
    """

    name: str
    commit: str
    taken: str
    remote: str
    url: str
    stages: tuple[StageState, ...]
    items: tuple[Item, ...]
    objects: Amount
    places: Mapping[Place, Mapping[Answer, Amount]]
    duplicates: tuple[Duplicate, ...]
    growth: tuple[Point, ...]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def files(self) -> Amount:
        """All files of outputs, duplicates as often as they occur."""
        return Amount(sum(item.files for item in self.items), sum(i.bytes for i in self.items))

    @property
    def saved(self) -> int:
        """The bytes that duplicates do not take."""
        return sum(duplicate.saved for duplicate in self.duplicates)
