"""A directory of its own that gets outputs, and nothing else of the project."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from pivot.errors import UsageError, local_error
from pivot.frozen import frozen
from pivot.objects import Directory, files_of
from pivot.plan import Found, Is

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pivot.targets import Reference

UNFINISHED = ".pivot-unfinished"
"""What stands in the directory until all is in place, so that the same command again completes."""


@frozen
class Export:
    """The directory *root*, which need not be there yet."""

    root: Path

    @property
    def scratch(self) -> Path:
        """Where files are made ready: on the same file system."""
        return self.root / UNFINISHED / "files"

    def check(self, *, force: bool) -> None:
        """Refuse a directory that has something, unless *force*, or we were not done with it.

        Raises `UsageError`, `LocalError`.
        """
        try:
            names = os.listdir(self.root)
        except FileNotFoundError:
            return
        except NotADirectoryError as error:
            raise UsageError(f"-o {self.root}: it is not a directory") from error
        except OSError as error:
            raise local_error(error, self.root) from error
        if names and UNFINISHED not in names and not force:
            raise UsageError(
                f"-o {self.root}: the directory is not empty",
                hint="name a new one, or --force to replace what differs in it",
            )

    def is_there(self) -> bool:
        """Tell whether the directory is there."""
        return self.root.is_dir()

    def begin(self) -> None:
        """Make the directory, with the mark that it is not whole; raises `LocalError`."""
        try:
            self.scratch.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise local_error(error, self.root) from error

    def finish(self) -> None:
        """Take the mark away; what is there is whole."""
        for place in (self.scratch, self.scratch.parent):
            with contextlib.suppress(OSError):
                place.rmdir()


def nothing_there(references: Iterable[Reference]) -> dict[str, Found]:
    """Say what a directory has of outputs that is not there itself."""
    return {
        entry.output.path: Found(
            {file.path: Is.ABSENT for file in files_of(entry.output)},
            whole=Is.ABSENT if isinstance(entry.output, Directory) else Is.SAME,
        )
        for entry in references
    }
