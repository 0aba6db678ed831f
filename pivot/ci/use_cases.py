"""Do what the job is for, by the use cases that the command line has, and say what came of it."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from pivot import api
from pivot.ci.outcome import describe
from pivot.ci.told import Counts, Status
from pivot.errors import ExitCode, UsageError
from pivot.frozen import frozen
from pivot.keys import Link
from pivot.plan import Existing
from pivot.report import parts, report_text, warnings
from pivot.results import exit_code
from pivot.stage_needs import stage_needs
from pivot.status_report import status_text
from pivot.transfer_states import transfer_states

if TYPE_CHECKING:
    from pivot.ci.inputs import Inputs
    from pivot.ci.told import ObjectTold
    from pivot.report import Result
    from pivot.results import Problem
    from pivot.session import Session
    from pivot.stage_states import StageState


@frozen
class Answer:
    """What a command came to; *lines* are what it says on the command line.

    *status* is there where the command has a word of its own for it, and *verdict* where it has a
    sentence; *had* counts the objects that are there now, and *proven* those that arrived and were
    checked by SHA-256.
    """

    lines: tuple[str, ...] = ()
    counts: Counts = field(default_factory=Counts)
    bytes: int = 0
    objects: tuple[ObjectTold, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    proven: int = 0
    had: int = 0
    status: Status | None = None
    remote: str = ""
    url: str = ""
    stages: tuple[StageState, ...] = ()
    runs: bool = False
    verdict: str = ""
    to_run: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()


def perform(session: Session, inputs: Inputs) -> Answer:
    """Carry out the command of *inputs*; raises what ends it before it began."""
    if inputs.command == "status":
        return _status(session, inputs)
    if inputs.command == "doctor":
        return _doctor(session, inputs)
    result = _move(session, inputs)
    transfers, _, _ = parts(result)
    outcome = describe(result)
    said = report_text(inputs.command, result)
    shown = inputs.summary or inputs.comment != "off"
    needs = stage_needs(session.project) if shown else {}
    used = transfers if inputs.command == "push" else transfers[:1]  # others are of imports
    return Answer(
        lines=(*said.out, *said.notes),
        counts=outcome.counts,
        bytes=outcome.bytes,
        objects=outcome.objects,
        problems=outcome.problems,
        warnings=warnings(result),
        proven=sum(transfer.proven for transfer in transfers),
        had=outcome.had,
        status=Status.COMPLETE if inputs.command == "verify" and not outcome.problems else None,
        remote=",".join(transfer.remote for transfer in used),
        url=", ".join(transfer.url for transfer in used),
        stages=transfer_states(result, needs),
    )


def _move(session: Session, inputs: Inputs) -> Result:
    targets, remote, dry_run = inputs.stages, inputs.remote, inputs.dry_run == "true"
    links = None if inputs.checkout_mode is None else (Link(inputs.checkout_mode),)
    match inputs.command:
        case "push":
            return api.push_each(session, targets, remote=remote, dry_run=dry_run)
        case "fetch":
            return api.fetch(session, targets, remote=remote, dry_run=dry_run)
        case "verify":
            return api.verify(session, targets, remote=remote)
        case "checkout":
            existing = _existing(inputs, Existing.REFUSE)
            return api.checkout(session, targets, existing=existing, links=links, dry_run=dry_run)
        case "pull":
            existing = _existing(inputs, Existing.UPDATE)
            return api.pull(
                session, targets, remote=remote, existing=existing, links=links, dry_run=dry_run
            )
    raise UsageError(f"command: {inputs.command} is not known")


def _existing(inputs: Inputs, default: Existing) -> Existing:
    if inputs.force:
        return Existing.OVERWRITE
    return Existing.KEEP if inputs.only_missing else default


def _status(session: Session, inputs: Inputs) -> Answer:
    found = api.status(session, inputs.stages, remote=inputs.remote)
    hits = len(found.hit)
    if exit_code(found.problems) in {ExitCode.DONE, ExitCode.MISSING}:
        whole = Status.COMPLETE if hits == len(found.stages) else Status.PARTIAL
        status = whole if hits else Status.MISS
    else:
        status = Status.FAILED
    return Answer(
        lines=status_text(found).out,
        counts=Counts(missing=len(found.lost)),
        problems=found.problems,
        warnings=found.warnings,
        had=hits,
        status=status if found.stages else Status.NOTHING_TO_DO,
        remote=found.remote,
        url=found.url,
        stages=found.stages,
        runs=True,
        to_run=found.to_run,
        ready=found.ready,
    )


def _doctor(session: Session, inputs: Inputs) -> Answer:
    from pivot.doctor.examine import Patient  # noqa: PLC0415  only for who asks
    from pivot.doctor.report import doctor_text, verdict  # noqa: PLC0415  likewise

    patient = Patient(
        session.project.here,
        session.environment,
        session.meter,
        credentials=session.credentials,
        config=session.config,
    )
    found = api.doctor(patient, remote=inputs.remote, read_only=inputs.dry_run == "true")
    return Answer(
        lines=doctor_text(found).out,
        problems=found.problems,
        warnings=found.warnings,
        status=Status.FAILED if found.problems else Status.COMPLETE,
        remote=found.remote,
        url=found.url,
        verdict=verdict(found).capitalize(),
    )
