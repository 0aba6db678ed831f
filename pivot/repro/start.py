"""`repro`: run the stages that have to run, and put the outputs of the others in place."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.errors import UsageError
from pivot.pipeline.targets import choose_stages
from pivot.pipeline.workspace import load_workspace_pipeline
from pivot.references import load_documents
from pivot.repro.exclusive import exclusive
from pivot.repro.processes import TOKEN
from pivot.repro.run import Options, Run
from pivot.repro.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pivot.cache import Cache
    from pivot.references import Documents
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
    lock = session.project.pivot / "cache" / "repro.lock"
    held = contextlib.nullcontext() if dry_run else exclusive(lock, watcher.waiting)
    with held, session.cache() as cache:
        watcher.start()
        documents = load_documents(session.project, dependencies=True, sums=True)
        run = prepare(session, documents, targets, options=options, cache=cache, watcher=watcher)
        done = run.preview() if dry_run else run.carry_out()
    return replace(done, seconds=time.monotonic() - began)


def prepare(
    session: Session,
    documents: Documents,
    targets: Sequence[str],
    *,
    options: Options,
    cache: Cache,
    watcher: Watcher,
) -> Run:
    """Read the pipeline, choose the stages, and be ready to decide about them."""
    project = session.project
    pipeline = load_workspace_pipeline(project, documents)
    chosen = choose_stages(
        pipeline,
        targets,
        here=session.here,
        root=str(project.root),
        reach=options.reach,
    )
    order = [name for name in pipeline.stages if name in chosen]
    return Run(session, options, cache, watcher, documents, pipeline, order)
