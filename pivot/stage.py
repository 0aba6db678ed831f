"""A stage as `pivot.yaml` declares it: a command, what it reads and what it makes."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING

from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pivot.values import Typed


class Role(StrEnum):
    """What an output is for."""

    DATA = "data"
    METRIC = "metric"
    PLOT = "plot"


@frozen
class DeclaredOutput:
    """An output at *path* from the project root.

    One that is not *cached* is left to git. One that is *persist* stays when the stage runs again.
    """

    path: str
    role: Role = Role.DATA
    cached: bool = True
    persist: bool = False


@frozen
class ParameterKey:
    """A value of the file at *path* from the root: that at *key*, `""` being the whole file.

    *name* is how lock files and reports call it.
    """

    name: str
    path: str
    key: str


@frozen
class Stage:
    """A stage; all its paths are from the project root, with `/` between names.

    *name* starts with the directory of its *document*, the `pivot.yaml` file; *group* is the name
    without the values of a matrix. *commands* are run one after the other in *directory*; there
    are none where only the real Pivot can run the stage.
    """

    name: str
    group: str
    document: str
    line: int = 0
    commands: tuple[str, ...] = ()
    directory: str = ""
    dependencies: tuple[str, ...] = ()
    outputs: tuple[DeclaredOutput, ...] = ()
    keys: tuple[ParameterKey, ...] = ()
    values: Mapping[str, Typed] = field(default_factory=dict)
    """Parameters that stand in the pipeline itself."""
    environment: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    frozen: bool = False
    always: bool = False

    @property
    def foreign(self) -> bool:
        """Whether only the real Pivot can run it."""
        return not self.commands

    @property
    def idle(self) -> str:
        """Say why it is never run here: `is frozen`; empty for a stage that is run."""
        return "is frozen" if self.frozen else "needs the real Pivot" if self.foreign else ""

    @property
    def reads(self) -> tuple[str, ...]:
        """Every path that it reads: dependencies, then files with parameters."""
        return tuple(dict.fromkeys((*self.dependencies, *(key.path for key in self.keys))))
