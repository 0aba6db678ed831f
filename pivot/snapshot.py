"""The files of one commit, to be read by their paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.documents import MAX_BYTES
from pivot.errors import InvalidDocument
from pivot.git import Objects, list_files, resolve

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self


class Snapshot:
    """The files of one commit below the project's root; use it in a `with` statement.

    *commit* is its full name; *files* are paths from the root, each with its object; *others* are
    symlinks and submodules, which are no files. One process of git gives all contents.
    """

    def __init__(self, root: Path, revision: str) -> None:
        """Find *revision*; raises as `git.resolve` does."""
        self.commit = resolve(root, revision)
        listed = list_files(root, self.commit)
        self.files = {path: name for mode, name, path in listed if mode.startswith("100")}
        self.others = frozenset(path for _, _, path in listed if path not in self.files)
        self._objects = Objects(root)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._objects.__exit__(kind, error, trace)

    def read(self, path: str) -> bytes | None:
        """Read a file; `None` where the commit has none at *path*.

        Raises `InvalidDocument` for what is too large, or is at or behind a symlink or submodule,
        and `PivotError` when git cannot give it.
        """
        if path not in self.files:
            names = path.split("/")
            if any("/".join(names[:end]) in self.others for end in range(1, len(names) + 1)):
                raise InvalidDocument(path, ["is a symlink or submodule, which is not followed"])
            return None
        data = self._objects.read(self.files[path], "blob", f"{path} of {self.commit[:12]}")
        if len(data) > MAX_BYTES:
            raise InvalidDocument(path, [f"is larger than {MAX_BYTES // 2**20} MiB"])
        return data
