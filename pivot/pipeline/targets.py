"""Which stages the user means; pure."""

from __future__ import annotations

import difflib
import fnmatch
import os
import posixpath
from enum import StrEnum
from typing import TYPE_CHECKING

from pivot.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pivot.pipeline import Pipeline


class Reach(StrEnum):
    """What a named stage brings along."""

    UPSTREAM = "upstream"
    """All that it depends on: what `repro` does."""
    DOWNSTREAM = "downstream"
    """All that depends on it."""
    SINGLE = "single"
    """Nothing."""


def choose_stages(
    pipeline: Pipeline,
    targets: Sequence[str],
    *,
    here: str = "",
    root: str = "",
    reach: Reach = Reach.UPSTREAM,
) -> frozenset[str]:
    """Choose the stages that *targets* mean, seen from *here* below *root*; none means all.

    A target is a stage, all stages of a matrix, the unique end of a name, a pattern, an output or
    a `pivot.yaml` file. Raises `UsageError` that names every unknown one.
    """
    if not targets:
        return frozenset(pipeline.stages)
    chosen: set[str] = set()
    problems: list[str] = []
    for target in targets:
        found = _resolve(pipeline, target, here, root)
        chosen |= found
        if not found:
            problems.append(f"'{target}' is no stage{_nearest(pipeline, target)}")
    if problems:
        raise UsageError("; ".join(problems), hint="'pivot list' shows all stages")
    match reach:
        case Reach.SINGLE:
            return frozenset(chosen)
        case Reach.UPSTREAM:
            return frozenset(pipeline.upstream(chosen))
        case Reach.DOWNSTREAM:
            return frozenset(pipeline.downstream(chosen))


def _resolve(pipeline: Pipeline, target: str, here: str, root: str) -> set[str]:
    stages = pipeline.stages.values()
    for name in dict.fromkeys((posixpath.join(here, target), target)):
        if found := {stage.name for stage in stages if name in {stage.name, stage.group}}:
            return found
        if any(char in target for char in "*?["):
            found = {s.name for s in stages if fnmatch.fnmatchcase(s.name, name)}
            if found:
                return found
    place = os.path.relpath(target, root) if os.path.isabs(target) else posixpath.join(here, target)
    path = posixpath.normpath(place)
    if found := {stage.name for stage in stages if stage.document == path}:
        return found
    if found := {s.name for s in stages if any(o.path == path for o in s.outputs)}:
        return found
    ends = {s.group for s in stages if f"/{s.group}".endswith(f"/{target}")}
    ends |= {s.name for s in stages if f"/{s.name}".endswith(f"/{target}")}
    if len(ends) > 1:
        raise UsageError(f"'{target}' may be any of the stages {', '.join(sorted(ends))}")
    return {stage.name for stage in stages if {stage.name, stage.group} & ends}


def _nearest(pipeline: Pipeline, target: str) -> str:
    names = {stage.name for stage in pipeline.stages.values()}
    names |= {stage.group for stage in pipeline.stages.values()}
    near = difflib.get_close_matches(target, sorted(names), n=3)
    return f" (did you mean {' or '.join(repr(name) for name in near)}?)" if near else ""
