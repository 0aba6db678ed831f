"""What a programme of trials is, and what it may use."""

from __future__ import annotations

import itertools
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

from tests.conftest import Command
from tests.servers import S3Server

Number = TypeVar("Number")
_numbers = itertools.count(1)


class CannotRunError(Exception):
    """This machine lacks what a programme needs; it is told as skipped, never as passed."""


@dataclass
class Run:
    """One run of a programme, with its small figures or in *full*.

    *directory* is empty and the programme's own; *server* is a real S3 server. Every trial is a
    point, and every broken promise a violation. The same *seed* gives the same trials.
    """

    directory: Path
    server: S3Server
    full: bool = False
    seed: int = 1
    points: int = 0
    violations: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def figure(self, small: Number, full: Number) -> Number:
        """Choose a figure."""
        return full if self.full else small

    def point(self, *violations: str) -> None:
        """Count a trial, and what it broke."""
        self.points += 1
        self.violations += violations

    def note(self, text: str) -> None:
        """Tell something measured, for the table."""
        self.notes.append(text)

    def place(self, name: str = "place") -> Path:
        """Name a new directory that does not exist yet."""
        return self.directory / f"{name}-{next(_numbers)}"

    def bucket(self) -> str:
        """Make a bucket that nobody has used."""
        name = f"torture-{self.random.getrandbits(48):012x}-{secrets.token_hex(4)}"
        self.server.make_bucket(name)
        return name

    def pivot(self, server: S3Server | None = None) -> Command:
        """Make the command, for the server or what stands before it, with a new home."""
        home = self.place("home")
        home.mkdir()
        return Command(home, (server or self.server).environment())


Trials: TypeAlias = Callable[[Run], None]


@dataclass(frozen=True)
class Programme:
    """Trials of one promise: *name* is R1 … R20, *trials* raise `CannotRunError` if they must.

    Where *small* names plain tests, they are its small figures.
    """

    name: str
    title: str
    trials: Trials
    small: str = ""
