"""`repro`: run the stages that have to run, and put the outputs of the others in place."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.documents import read_document
from pivot.errors import IntegrityError, UsageError
from pivot.pipeline import Pipeline, load_pipeline
from pivot.pipeline.targets import choose_stages
from pivot.references import Documents, load_documents
from pivot.repro.exclusive import exclusive
from pivot.repro.overlay import related
from pivot.repro.processes import TOKEN
from pivot.repro.run import Options, Run
from pivot.repro.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pivot.cache import Cache
    from pivot.project import Project
    from pivot.repro.results import Repro
    from pivot.session import Session


def repro(
    session: Session,
    targets: Sequence[str] = (),
    *,
    options: Options | None = None,
    dry_run: bool = False,
    watcher: Watcher | None = None,
) -> Repro:
    """Run the stages that *targets* mean and that have to run, each after what it depends on.

    Raises what stands in the way before anything is decided; what goes wrong with a stage is in
    the answer.
    """
    watcher = watcher or Watcher()
    options = options or Options()
    began = time.monotonic()
    if TOKEN in session.environment:
        raise UsageError("a stage cannot run 'pivot repro'", hint="let it be a stage of its own")
    lock = session.project.pivot / "locks" / "repro.lock"
    held = contextlib.nullcontext() if dry_run else exclusive(lock, watcher.waiting)
    with held, session.cache() as cache:
        run = prepare(session, targets, options, cache, watcher)
        done = run.preview() if dry_run else run.carry_out()
    return replace(done, seconds=time.monotonic() - began)


def workspace_pipeline(project: Project, documents: Documents) -> Pipeline:
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


def prepare(
    session: Session,
    targets: Sequence[str],
    options: Options,
    cache: Cache,
    watcher: Watcher,
) -> Run:
    """Read the project, choose the stages, and be ready to decide about them."""
    project = session.project
    documents = load_documents(project, dependencies=True)
    pipeline = workspace_pipeline(project, documents)
    here = os.path.relpath(project.here, project.root)
    chosen = choose_stages(
        pipeline,
        targets,
        here="" if here == "." else here,
        root=str(project.root),
        reach=options.reach,
    )
    order = [name for name in pipeline.stages if name in chosen]
    return Run(session, options, cache, watcher, documents, pipeline, order)
