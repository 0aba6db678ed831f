"""`status`: what is there, what would run, and what can run now; changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.errors import ExitCode, ObjectError, ObjectRefused, PivotError, RemoteError
from pivot.frozen import frozen
from pivot.references import load_documents
from pivot.remote_choice import read_chain
from pivot.results import Problem
from pivot.session import Answers
from pivot.stage_states import RUNS, StageState, State
from pivot.standing import Standing, choose, entries_of, look
from pivot.verify import verify_remote
from pivot.whereabouts import Whereabouts, total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pivot.config import RemoteSettings
    from pivot.objects import Digest
    from pivot.observer import Observer
    from pivot.references import Documents
    from pivot.results import Transfer
    from pivot.session import Session
    from pivot.standing import Choice
    from pivot.targets import Reference


@frozen
class Status:
    """Every chosen stage, each after those that it needs, then tracked data.

    *remote* is the name of the remote that was asked; empty if none was. *lost* are the objects
    that can be had nowhere, each once. Stages that are *stuck* cannot run now; those that are
    *past* never run, since no pipeline has them any more. *warnings* tell of remotes of a chain
    that were passed over.
    """

    stages: tuple[StageState, ...]
    problems: tuple[Problem, ...] = ()
    remote: str = ""
    url: str = ""
    lost: frozenset[Digest] = frozenset()
    stuck: frozenset[str] = frozenset()
    past: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    @property
    def hit(self) -> tuple[str, ...]:
        """Name what is as recorded, and can be had."""
        return tuple(stage.name for stage in self.stages if stage.state is State.HIT)

    @property
    def totals(self) -> Whereabouts:
        """Count the files of all outputs, if it was asked where they are."""
        return total("", (output for stage in self.stages for output in stage.outputs))

    @property
    def to_run(self) -> tuple[str, ...]:
        """Name the stages that have to run, or may have to, in their order."""
        return tuple(stage.name for stage in self._to_run())

    @property
    def ready(self) -> tuple[str, ...]:
        """Name those of them that can run now, side by side: all that they read can be had.

        A stage of which nobody knows whether it runs holds up only others of this kind.
        """
        states = {stage.name: stage.state for stage in self._to_run()}

        def holds_up(need: str, stage: StageState) -> bool:
            state = states.get(need)
            return state in RUNS or need in self.stuck or state is stage.state is State.UNKNOWN

        return tuple(
            stage.name
            for stage in self._to_run()
            if stage.name not in self.stuck
            and stage.state is not State.WAITING
            and not any(holds_up(need, stage) for need in stage.needs)
        )

    def _to_run(self) -> Iterator[StageState]:
        for stage in self.stages:
            is_data = stage.lock.endswith(".pvt")
            if stage.state is not State.HIT and not is_data and stage.name not in self.past:
                yield stage


def status(
    session: Session,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    online: bool = True,
    detailed: bool = False,
    eyes: Observer | None = None,
) -> Status:
    """Say where each stage stands that *targets* mean, all without; as `repro --dry-run` decides.

    What the workspace and the cache lack may be on the remote, which is asked if *online*; for
    all there is if it is to be *detailed*, as then it is said of each output where it is. What
    *eyes* saw before is not looked at again. Raises what stands in the way of any answer.
    """
    settings = read_chain(session.config, remote) if online else None
    documents = load_documents(session.project, dependencies=True)
    choice = choose(session, documents, targets)
    if detailed:
        return _detailed(session, documents, choice, settings, eyes)
    with session.cache() as cache:
        try:
            found = look(session, documents, cache, choice, settings, eyes=eyes)
        except PivotError as error:
            if settings is None or not _is_of_remote(error):
                raise
            here = look(session, documents, cache, choice, None, eyes=eyes)
            return _doubted(here, settings, error)
    return _told(found, settings)


def _detailed(
    session: Session,
    documents: Documents,
    choice: Choice,
    settings: RemoteSettings | None,
    eyes: Observer | None,
) -> Status:
    """Ask remotes once for all that is referred to, then decide and look by their answers."""
    session = replace(session, answers=Answers())
    asked = {}
    if settings is not None:
        parts = verify_remote(session, settings, entries_of(documents, choice))
        asked = dict(zip(_sources(documents, choice), parts, strict=True))

    def seek(entry: Reference) -> Callable[[Digest], bool | None] | None:
        part = asked.get(entry.imported_from)
        return None if part is None else _answer(part)

    error = asked[None].stopped if asked else None
    with session.cache() as cache:
        if settings is not None and error is not None:
            here = look(session, documents, cache, choice, None, seek, eyes=eyes)
            return _doubted(here, settings, error)
        seen = look(session, documents, cache, choice, settings, seek, eyes=eyes)
        found = _told(seen, settings)
    told = (text for part in asked.values() for text in part.warnings)
    return replace(found, warnings=tuple(dict.fromkeys((*found.warnings, *told))))


def _sources(documents: Documents, choice: Choice) -> list[str | None]:
    """Name whose remotes `verify_remote` asks, in its order; `None` is ours."""
    urls = {entry.imported_from for entry in entries_of(documents, choice)}
    return [None, *sorted(url for url in urls if url)]


def _answer(part: Transfer) -> Callable[[Digest], bool | None]:
    """Say how a remote answers for an object; what it has in another size, it has not."""
    missing = frozenset(part.plan.missing)

    def answer(digest: Digest) -> bool | None:
        open_ = digest in part.unasked or isinstance(part.damaged.get(digest), ObjectRefused)
        if part.stopped is not None or open_:
            return None
        return digest not in missing and digest not in part.damaged

    return answer


def _told(found: Standing, settings: RemoteSettings | None) -> Status:
    if settings is None:  # what is not here may well be on a remote
        return Status(found.stages, found.problems, stuck=found.stuck, past=found.past)
    return Status(
        found.stages,
        (*found.problems, *_missing(found.stages)),
        settings.name,
        settings.url,
        found.lost,
        found.stuck,
        found.past,
        found.warnings,
    )


def _is_of_remote(error: PivotError) -> bool:
    codes = {ExitCode.DENIED, ExitCode.UNAVAILABLE}
    return isinstance(error, RemoteError | ObjectError) or error.code in codes


def _doubted(here: Standing, settings: RemoteSettings, error: PivotError) -> Status:
    """Say what is known without the remote: what is lacking here may be there."""
    reason = f"remote '{settings.name}' could not be asked"
    runs: set[str] = set()
    doubted: set[str] = set()
    stages: list[StageState] = []
    for stage in here.stages:
        lacks = stage.state in {State.MISSING, State.PARTIAL}
        if lacks or (stage.state is State.WAITING and runs.isdisjoint(stage.needs)):
            doubted.add(stage.name)
            stages.append(replace(stage, state=State.UNKNOWN, reason=reason, missing=0))
        else:
            runs |= {stage.name} if stage.state in RUNS else set()
            stages.append(stage)
    return Status(
        tuple(stages),
        (*here.problems, Problem.ending(error)),
        settings.name,
        settings.url,
        stuck=here.stuck | doubted,
        past=here.past,
    )


def _missing(states: Sequence[StageState]) -> Iterator[Problem]:
    """Say which stages are as they were, and cannot be had."""
    for state in states:
        if state.state in {State.MISSING, State.PARTIAL}:
            yield Problem(
                ExitCode.MISSING,
                f"{state.name}: {state.missing} of {state.objects} object(s) can be had nowhere",
                "ask who made them to run 'pivot push', or run 'pivot repro'",
                owner=state.name,
            )
