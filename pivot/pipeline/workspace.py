"""The pipeline of a project as its workspace has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.documents import read_document
from pivot.errors import IntegrityError, UsageError
from pivot.pipeline import Pipeline, load_pipeline
from pivot.project import Project, related

if TYPE_CHECKING:
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
    for tracked in documents.tracked:
        for path in related(tracked.output.path, outputs):
            raise IntegrityError(
                f"{tracked.output.path} is tracked by {tracked.document}, and stage "
                f"{outputs[path]} makes {path}",
                hint=f"remove {tracked.document}, or give the output another path",
            )
    return pipeline
