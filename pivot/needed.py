"""What the stages read that are to run, and nothing of what comes before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.errors import UsageError
from pivot.paths import related
from pivot.references import load_documents
from pivot.remote_choice import read_chain
from pivot.stage_needs import inputs_of
from pivot.stage_states import RUNS, State
from pivot.standing import choose, look
from pivot.targets import References, Selection, select

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from pivot.references import Documents
    from pivot.session import Session
    from pivot.standing import Choice, Standing
    from pivot.targets import Reference


def select_needed(
    session: Session, stages: Sequence[str], *, remote: str | None = None
) -> Selection:
    """Find what those of *stages*, and of the stages that these need, read that are to run.

    That is decided as `status` does, which asks the remote. A stage that is known by its lock
    alone runs when it is one of *stages*, or when its inputs changed. Raises as `status.status`
    does, and when the remote does not answer.
    """
    settings = read_chain(session.config, remote)
    documents = load_documents(session.project, dependencies=True, sums=True)
    choice = choose(session, documents, stages)
    if not choice.named:
        raise UsageError(
            f"'{stages[0]}' is no stage, so nothing is needed for it",
            hint="'pivot list' shows all stages",
        )
    with session.cache() as cache:
        standing = look(session, documents, cache, choice, settings)
    runs = list(_to_run(choice, standing))
    found = tuple(_needed(documents, choice, frozenset(runs)))
    references = documents.references
    told = f"To run: {', '.join(runs)}" if runs else "Nothing is to run, so nothing is needed"
    warnings = tuple(f"{each.owner}: {each.message}" for each in standing.problems if each.owner)
    return Selection(
        select(References(found, frozenset(), {}), ()),
        references.paths,
        references.entries,
        told=told,
        warnings=warnings,
    )


def _to_run(choice: Choice, standing: Standing) -> Iterator[str]:
    """Name the stages that are to run, or may have to."""
    for stage in standing.stages:
        if stage.name not in choice.needs or stage.name in standing.past:
            continue  # tracked data, or nobody's any more
        asked = stage.name in choice.named or stage.name in choice.pipeline.stages
        if stage.state in RUNS or (stage.state is State.UNKNOWN and asked):
            yield stage.name


def _needed(documents: Documents, choice: Choice, runs: Collection[str]) -> Iterator[Reference]:
    """List what stages that run read, but for what they make themselves."""
    locks = {lock.stage: lock for lock in documents.locks}
    reads: dict[str, None] = {}
    for name in runs:
        stage = choice.pipeline.stages.get(name)
        if stage is not None:
            reads |= dict.fromkeys(stage.reads)
        if name in locks and (stage is None or stage.foreign):
            reads |= dict.fromkeys(one.path for one in inputs_of(locks[name], locks))
    for entry in documents.references.entries:
        if entry.is_stage and entry.owner in runs:
            continue
        paths = related(entry.output.path, reads)
        if not paths:
            continue
        whole = [path for path in paths if not path.startswith(f"{entry.output.path}/")]
        alone = References((entry,), frozenset(), {})
        yield from [entry] if whole else select(alone, paths)
