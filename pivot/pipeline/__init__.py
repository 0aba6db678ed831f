"""All stages of a project as one graph, joined by the paths that they read and make; pure."""

from __future__ import annotations

import bisect
import graphlib
import heapq
import posixpath
from typing import TYPE_CHECKING, TypeVar

from pivot.errors import PipelineError
from pivot.frozen import frozen
from pivot.pipeline.file import parse_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pivot.pipeline.file import Reader
    from pivot.stage import Stage


Maker = TypeVar("Maker")


@frozen
class Pipeline:
    """The stages by name, each after all that it depends on; *needs* names those."""

    stages: Mapping[str, Stage]
    needs: Mapping[str, tuple[str, ...]]

    def upstream(self, names: Iterable[str]) -> set[str]:
        """List *names* and all that they depend on, directly or not."""
        return _reach(names, self.needs)

    def downstream(self, names: Iterable[str]) -> set[str]:
        """List *names* and all that depends on them, directly or not."""
        users: dict[str, list[str]] = {name: [] for name in self.stages}
        for name, needed in self.needs.items():
            for other in needed:
                users[other].append(name)
        return _reach(names, users)


def load_pipeline(documents: Iterable[str], read: Reader) -> Pipeline:
    """Read the `pivot.yaml` files *documents*, paths from the project root, as one pipeline.

    *read* gives the content of any file. Raises `PipelineError` with the problems of all files.
    """
    stages: dict[str, Stage] = {}
    partial: list[Stage] = []
    problems: list[str] = []
    for document in documents:
        data = read(document)
        if data is not None:
            found, wrong = parse_pipeline(data, document, read, partial)
            stages |= {stage.name: stage for stage in found}
            problems += [f"{document}: {problem}" for problem in wrong]
    stages |= {stage.name: stage for stage in partial if stage.name not in stages}
    problems += find_problems(stages.values())
    needs = _join(stages)
    problems += _cycles(stages, needs)
    if problems:
        raise PipelineError(problems)
    return Pipeline({name: stages[name] for name in in_order(needs)}, needs)


def find_problems(stages: Iterable[Stage]) -> list[str]:
    """Say which outputs two stages make, lie inside of another output, or hold a `pivot.yaml`."""
    makers: dict[str, Stage] = {}
    problems = []
    stages = list(stages)
    for stage in stages:
        for output in stage.outputs:
            other = makers.setdefault(output.path, stage)
            if other is not stage:
                problems.append(f"{_place(stage)}: {output.path} is made by {other.name} as well")
            elif sum(o.path == output.path for o in stage.outputs) > 1:
                problems.append(f"{_place(stage)}: {output.path} stands twice among the outputs")
            if not output.persist and f"{stage.directory}/".startswith(f"{output.path}/"):
                problems.append(
                    f"{_place(stage)}: {output.path} is removed before it runs, and it runs there"
                )
    for path, stage in makers.items():
        problems += [
            f"{_place(stage)}: {path} is inside {above}, an output of {makers[above].name}"
            for above in _parents(path)
            if above in makers
        ]
    for document in sorted({stage.document for stage in stages}):
        problems += [
            f"{_place(makers[path])}: {path} would replace {document}"
            for path in (document, *_parents(document))
            if path in makers
        ]
    return list(dict.fromkeys(problems))


def _place(stage: Stage) -> str:
    return f"{stage.document}: line {stage.line}: stage {stage.name}"


def _parents(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _join(stages: Mapping[str, Stage]) -> dict[str, tuple[str, ...]]:
    """Find for each stage those that make what it reads, or something in or around it."""
    makers: dict[str, list[str]] = {}
    for stage in stages.values():
        for output in stage.outputs:
            makers.setdefault(output.path, []).append(stage.name)
    paths = sorted(makers)
    return {
        stage.name: tuple(
            dict.fromkeys(
                maker
                for path in stage.reads
                for all_makers in find_makers(path, makers, paths)
                for maker in all_makers
            )
        )
        for stage in stages.values()
    }


def find_makers(path: str, makers: Mapping[str, Maker], paths: Sequence[str]) -> Iterator[Maker]:
    """List *makers* of what is at *path*, in or around it; *paths* are all made, sorted."""
    for above in (path, *_parents(path)):
        if above in makers:
            yield makers[above]
    inside = f"{path}/"
    for other in paths[bisect.bisect_left(paths, inside) :]:
        if not other.startswith(inside):
            return
        yield makers[other]


def in_order(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Put each stage after what it needs, and otherwise as the files have them."""
    rank = {name: number for number, name in enumerate(needs)}
    sorter = graphlib.TopologicalSorter(needs)
    sorter.prepare()
    order: list[str] = []
    ready: list[tuple[int, str]] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, (rank[name], name))
        _, name = heapq.heappop(ready)
        order.append(name)
        sorter.done(name)
    return order


def _cycles(stages: Mapping[str, Stage], needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Say each circle once: its stages are taken out, and the rest is looked at again."""
    problems: list[str] = []
    left = {name: list(needed) for name, needed in needs.items()}
    while True:
        try:
            graphlib.TopologicalSorter(left).prepare()
        except graphlib.CycleError as error:
            circle: list[str] = error.args[1]
        else:
            return problems
        first = stages[circle[0]]
        way = " → ".join(circle)
        what = "reads what it makes" if len(set(circle)) == 1 else f"depends on itself: {way}"
        problems.append(f"{_place(first)} {what}")
        gone = set(circle)
        left = {
            name: [other for other in needed if other not in gone]
            for name, needed in left.items()
            if name not in gone
        }


def _reach(names: Iterable[str], edges: Mapping[str, Iterable[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += edges[name]
    return found
