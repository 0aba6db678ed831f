"""Gather what the templates of a `dvc.yaml` may refer to; pure."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from pivot.frozen import frozen
from pivot.parameters import merge
from pivot.schema import kind_of
from pivot.values import parse_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pivot.pipeline.file import Reader
    from pivot.values import Typed

_DEFAULT = "params.yaml"


@frozen
class Variables:
    """Loads variables from files, which *read* gives."""

    read: Reader

    def default(self, above: str) -> dict[str, Typed]:
        """Read what every file begins with: the params.yaml in the directory *above*, if any."""
        return self._load(_DEFAULT, above, needed=False)

    def gather(self, variables: Typed, scope: Mapping[str, Typed], above: str) -> dict[str, Typed]:
        """Put the list *variables* beside *scope*; files are named from the directory *above*.

        Raises `ValueError` with the reason, `InvalidDocument`.
        """
        made = dict(scope)
        if not isinstance(variables, list | None):
            raise ValueError(f"vars must be a list, not {kind_of(variables)}")  # noqa: TRY004
        for entry in variables or ():
            match entry:
                case dict():
                    made = merge(made, entry)
                case str():
                    name, _, keys = entry.partition(":")
                    tree = self._load(name, above, needed=True)
                    wanted = [key.strip() for key in keys.split(",") if key.strip()]
                    chosen = {key: tree[key] for key in wanted if key in tree} if wanted else tree
                    made = merge(made, chosen)
                case _:
                    raise ValueError(f"vars must list files and mappings, not {kind_of(entry)}")
        return made

    def _load(self, name: str, above: str, *, needed: bool) -> dict[str, Typed]:
        path = posixpath.normpath(posixpath.join(above, name))
        if path.startswith(("../", "/")):
            raise ValueError(f"{path} is outside of the project")
        if name.endswith(".py"):
            raise ValueError(f"{path} is a Python file, which is never run: make it a YAML file")
        data = self.read(path)
        if data is None:
            if needed:
                raise ValueError(f"{path} is not there")
            return {}
        tree = parse_values(data, path).value
        return tree if isinstance(tree, dict) else {}
