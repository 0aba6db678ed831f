"""What a run does before it begins and when it is over: clear up, keep git in order, advise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.documents import remove_torn
from pivot.errors import PivotError
from pivot.gitignore import update_gitignore
from pivot.project import find_documents
from pivot.repro.exclusive import Unfinished
from pivot.repro.git_advice import advise
from pivot.repro.processes import stop_marked
from pivot.tracked import load_tracked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from pivot.pipeline import Pipeline
    from pivot.project import Project
    from pivot.references import Documents
    from pivot.targets import Reference


def recover(project: Project) -> tuple[Unfinished, bool]:
    """Clear up after a run that was killed: which stages it left half done.

    The second part of the answer says whether commands of it were still running.
    """
    cache = project.pivot / "cache"
    unfinished = Unfinished(cache / "unfinished")
    left = unfinished.left()
    stopped = bool(left) and stop_marked(set(left.values()))
    for stage in left:
        above, _, name = stage.rpartition("/")
        remove_torn(project.pivot / "stages" / above, f"{name}.lock")
        remove_torn(project.pivot / "digests" / above, f"{name}.sha256")
    remove_torn(unfinished.directory, "*.before")
    remove_torn(cache, "remembered.json")
    remove_torn(cache, "checked.json")
    remove_torn(project.root, ".gitignore")
    return unfinished, stopped


def finish(
    project: Project,
    pipeline: Pipeline,
    documents: Documents,
    *,
    stale: Iterable[Reference],
    ran: Collection[str],
) -> Iterator[str]:
    """Keep cached outputs out of git, and say what a user should know of documents and git.

    *stale* is tracked data that was changed, *ran* the stages that ran.
    """
    stages = pipeline.stages.values()
    cached = [output.path for stage in stages for output in stage.outputs if output.cached]
    own = {stage.name for stage in stages if not stage.foreign}
    declared = {output.path for stage in stages for output in stage.outputs}
    # what is pushed and pulled by a lock alone is no more for git than the rest
    cached += [
        output.path
        for lock in documents.locks
        if lock.stage not in own
        for output in lock.outputs
        if output.path not in declared
    ]
    try:
        update_gitignore(project.root, [*cached, *_tracked(project, documents, again=bool(ran))])
    except PivotError as error:
        yield f"outputs could not be kept out of git: {error.message}"
    for entry in stale:
        path = entry.output.path
        yield (
            f"{path} is not as {entry.document} has it, so nobody else can have it: "
            f"pivot track --force '{path}'"
        )
    for lock in documents.locks:
        if "cmd" in lock.manifest and lock.stage not in pipeline.stages:
            yield f"no stage has the lock {lock.document}; delete it if its stage is gone"
    yield from advise(project.root, stages, ran) if ran else ()


def _tracked(project: Project, documents: Documents, *, again: bool) -> list[str]:
    """List what is tracked; *again* since somebody may have tracked more while stages ran."""
    known = [entry.output.path for entry in documents.tracked]
    if not again:
        return known
    try:
        paths = find_documents(project).tracked
        return [load_tracked(path, project.root).output.path for path in paths]
    except PivotError:
        return known
