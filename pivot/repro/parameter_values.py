"""The values of a stage's parameters, as the workspace has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.errors import InvalidDocument, StageFailed
from pivot.parameters import look_up, nearest
from pivot.values import load_values

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pivot.stage import Stage
    from pivot.values import Typed


def read_parameters(root: Path, stage: Stage) -> Mapping[str, Typed]:
    """Read the values that *stage* depends on, by name; raises `InvalidDocument`, `StageFailed`."""
    found = dict(stage.values)
    trees: dict[str, Typed] = {}
    problems: list[str] = []
    for key in stage.keys:
        if key.path not in trees:
            trees[key.path] = _load(root, stage, key.path)
        tree = trees[key.path]
        try:
            found[key.name] = look_up(tree, key.key) if key.key else tree
        except KeyError:
            near = nearest(tree, key.key)
            cure = f" ({near})" if near else ""
            problems.append(f"{key.path} has no key '{key.key}'{cure}")
    if problems:
        place = f"{stage.document}: line {stage.line}: stage {stage.name}"
        raise InvalidDocument(place, problems)
    return found


def _load(root: Path, stage: Stage, path: str) -> Typed:
    if not (root / path).is_file():
        raise StageFailed(f"{path}, which has parameters of stage {stage.name}, is not there")
    return load_values(root / path, path).value
