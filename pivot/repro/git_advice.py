"""What git should have of a pipeline's outputs, and what it should not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.errors import PivotError
from pivot.git import is_in_repository, tracked_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pivot.stage import Stage

_SHOWN = 5


def advise(root: Path, stages: Iterable[Stage], ran: Iterable[str]) -> list[str]:
    """Say which cached outputs git has, and which others of the stages that *ran* it has not.

    Where git cannot tell, there is nothing to say.
    """
    if not is_in_repository(root):
        return []
    stages = list(stages)
    names = frozenset(ran)
    cached = {o.path for stage in stages for o in stage.outputs if o.cached}
    left = {
        o.path for stage in stages if stage.name in names for o in stage.outputs if not o.cached
    }
    try:
        known = tracked_paths(root, cached | left)
    except PivotError:
        return []
    return list(_advice(sorted(cached & known), sorted(left - known)))


def _advice(twice: list[str], missing: list[str]) -> Iterator[str]:
    for path in twice:
        yield f"{path} is in git and in the cache: git rm --cached '{path}'"
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        yield (
            f"left to git, which does not have it yet: {', '.join(missing[:_SHOWN])}{more}; "
            "commit it, or the stage runs again in every clone"
        )
