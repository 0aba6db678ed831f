"""The pipeline of a project as its workspace has it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pivot.documents import read_document
from pivot.errors import IntegrityError, PipelineError, UsageError
from pivot.paths import related
from pivot.pipeline import Pipeline, load_pipeline

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from pivot.project import Project
    from pivot.references import Documents


def load_workspace_pipeline(project: Project, documents: Documents) -> Pipeline:
    """Read the `pivot.yaml` files of the workspace; raises `PipelineError`, `UsageError`."""
    paths = [path.relative_to(project.root).as_posix() for path in documents.paths.pipelines]
    if not paths:
        raise UsageError(
            f"No pivot.yaml found below {project.root}",
            hint="write one with your stages; 'pivot schema' prints what it may hold",
        )

    def read(path: str) -> bytes | None:
        place = project.root / path
        return read_document(place, follow=True) if place.is_file() else None

    pipeline = load_pipeline(paths, read)
    outputs = {o.path: s.name for s in pipeline.stages.values() for o in s.outputs}
    if problems := list(_detours(pipeline, project.root, outputs)):
        raise PipelineError(problems, hint="name the output itself, so that it is made before")
    for tracked in documents.tracked:
        for path in related(tracked.output.path, outputs):
            raise IntegrityError(
                f"{tracked.output.path} is tracked by {tracked.document}, and stage "
                f"{outputs[path]} makes {path}",
                hint=f"remove {tracked.document}, or give the output another path",
            )
    return pipeline


def _detours(pipeline: Pipeline, root: Path, outputs: Collection[str]) -> Iterator[str]:
    """Name dependencies that lead through a symlink to what a stage makes.

    Stages are joined by paths alone: such a stage would run before the one that it waits for.
    """
    top = os.path.realpath(root)
    for stage in pipeline.stages.values():
        for path in stage.reads:
            real = os.path.relpath(os.path.realpath(root / path), top)
            if real != path and related(real, outputs) and not related(path, outputs):
                place = f"{stage.document}: line {stage.line}: stage {stage.name}"
                yield f"{place}: {path} leads to {real}, which a stage makes"
