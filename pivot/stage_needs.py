"""Which stage needs which: as `pivot.yaml` says, and lock files where that says nothing."""

from __future__ import annotations

import contextlib
import graphlib
from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.errors import PivotError, UnsafePath
from pivot.objects import Directory, files_of
from pivot.paths import data_path
from pivot.pipeline import find_makers, in_order, load_pipeline
from pivot.project import find_documents
from pivot.references import load_documents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pivot.lockfile import StageLock
    from pivot.objects import Output
    from pivot.pipeline import Pipeline
    from pivot.project import Project


def stage_needs(project: Project) -> dict[str, tuple[str, ...]]:
    """Say which stages each stage needs: from `pivot.yaml`, else from what the locks depend on.

    Each stage comes after those that it needs.
    What cannot be read has no edges: a graph is no reason to fail.
    """
    try:
        found = find_documents(project).pipelines
        documents = [path.relative_to(project.root).as_posix() for path in found]

        def read(path: str) -> bytes | None:
            place = project.root / path
            return place.read_bytes() if place.is_file() else None

        if documents:
            return join_stages(load_pipeline(documents, read), ())
    except (OSError, PivotError):
        pass
    try:
        return join_stages(None, load_documents(project, dependencies=True).locks)
    except PivotError:
        return {}


def join_stages(
    pipeline: Pipeline | None, locks: Sequence[StageLock]
) -> dict[str, tuple[str, ...]]:
    """Say which stages each needs, of *pipeline* and of *locks*; each after those that it needs.

    Who makes what is as the pipeline says; locks add what it does not know.
    """
    stages = {} if pipeline is None else pipeline.stages
    makers = {output.path: stage.name for stage in stages.values() for output in stage.outputs}
    reads = {stage.name: list(stage.reads) for stage in stages.values()}
    by_name = {lock.stage: lock for lock in locks}
    wired: dict[str, list[str]] = {}
    for lock in locks:
        if lock.stage in stages and not stages[lock.stage].foreign:
            continue
        for output in (*lock.outputs, *lock.uncached, *lock.undecided):
            makers.setdefault(output.path, lock.stage)
        reads.setdefault(lock.stage, []).extend(one.path for one in inputs_of(lock, by_name))
        wired[lock.stage] = [wire.producer for wire in lock.wires if wire.producer in by_name]
    paths = sorted(makers)
    needs = {
        name: tuple(_needed(name, places, wired.get(name, ()), makers, paths))
        for name, places in reads.items()
    }
    try:
        return {name: needs[name] for name in in_order(needs)}
    except graphlib.CycleError:  # locks of different times; a pipeline has no circle
        known = {} if pipeline is None else {name: pipeline.needs[name] for name in stages}
        return dict.fromkeys(needs, ()) | known


def _needed(
    name: str,
    reads: Iterable[str],
    wired: Iterable[str],
    makers: Mapping[str, str],
    paths: Sequence[str],
) -> dict[str, None]:
    found = (maker for path in reads for maker in find_makers(path, makers, paths))
    return {maker: None for maker in (*found, *wired) if maker != name}


def inputs_of(lock: StageLock, locks: Mapping[str, StageLock]) -> Iterator[Output]:
    """List what *lock* depends on, each at its path, where that is known; *locks* are all."""
    yield from lock.dependencies
    for wire in lock.wires:
        maker = locks.get(wire.producer)
        path = wire.path or (_place(maker, wire.key) if maker is not None else "")
        with contextlib.suppress(UnsafePath):  # a key is text, and may be any
            yield _at(wire.content, data_path(path, lock.document))


def _place(maker: StageLock, key: str) -> str:
    """Say where *maker* put the output with a *key*, or one file of a directory output."""
    if key in maker.keys:
        return maker.keys[key]
    names = key.split("/")
    for count in range(len(names) - 1, -1, -1):
        directory = maker.keys.get("/".join(names[:count]))
        if directory is not None:
            return "/".join((directory, *names[count:]))
    return ""


def _at(content: Output, path: str) -> Output:
    """Give *content*, which was read at `_`, its path."""
    if not isinstance(content, Directory):
        return replace(content, path=path)
    files = tuple(replace(file, path=f"{path}{file.path[1:]}") for file in files_of(content))
    empty = tuple(f"{path}{name[1:]}" for name in content.empty)
    return replace(content, path=path, files=files, empty=empty)
