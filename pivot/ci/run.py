"""One CI job from its inputs to its exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pivot import __version__
from pivot.changes import last_changes
from pivot.ci import outputs
from pivot.ci.inputs import read_inputs
from pivot.ci.job import Job
from pivot.ci.policy import configure, final_code, judge, refuses, resolve
from pivot.ci.publish import publish
from pivot.ci.told import Counts, Status, Told
from pivot.ci.use_cases import Answer, perform
from pivot.config import load_config
from pivot.deadline import deadline
from pivot.errors import (
    ExitCode,
    NoCredentials,
    PivotError,
    RemoteDenied,
    TimedOut,
    UsageError,
    local_error,
)
from pivot.keys import Integrity
from pivot.progress import LineMeter, VerboseMeter
from pivot.project import find_project, user_config
from pivot.results import Problem, exit_code
from pivot.session import Session, choose_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TextIO

    from pivot.aws import Credentials
    from pivot.ci.host import Host
    from pivot.config import Config
    from pivot.project import Project

_SECRETS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "PIVOT_ID_TOKEN",
)
_REPORT_IT = "this is a fault of pivot-remote: run the job in debug mode, and report what it prints"


def run(host: Host, environment: Mapping[str, str], stream: TextIO) -> ExitCode:
    """Run the job that *environment* describes; whatever happens, its outputs are set."""
    began = time.monotonic()
    for name in _SECRETS:
        host.mask(environment.get(name, ""))
    inputs, wrong = read_inputs(environment)
    if inputs is None:
        for sentence in wrong:
            host.error(sentence, title="Wrong input")
        runtime = environment.get("PIVOT_RUNTIME", "python")
        host.outputs(outputs.failed_values(ExitCode.USAGE, __version__, runtime))
        return ExitCode.USAGE
    host.mask(inputs.github_token or "")
    verbose = inputs.log_level == "debug" or host.debug
    meter = VerboseMeter(stream) if verbose else LineMeter(stream)
    job = Job(resolve(inputs, host.event), host, environment, meter, began)
    told = _conduct(job)
    with _undisturbed():
        return publish(job, told, stream)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let the outputs be written, whoever is in a hurry: that takes no time."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _conduct(job: Job) -> Told:
    """Do what is asked for, and tell what came of it, also of an end before its time."""
    try:
        with deadline(job.inputs.timeout):
            return _carry_out(job)
    except TimedOut as stop:
        return _cut_short(job, ExitCode.TIMED_OUT, f"timed out after {stop.seconds} s")
    except KeyboardInterrupt:
        return _cut_short(job, ExitCode.INTERRUPTED, "the job was cancelled")
    except PivotError as error:
        return _ended(job, error)
    except OSError as error:
        return _ended(job, local_error(error))
    except Exception as error:  # noqa: BLE001  a fault of ours: later steps read outputs all the same
        if job.host.debug:
            traceback.print_exc()
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}, line {frame.lineno}"  # its text may repeat a secret
        return _ended(job, PivotError(f"{type(error).__name__} in {where}", hint=_REPORT_IT))


def _carry_out(job: Job) -> Told:
    if refuses(job.inputs, job.host.event):
        return _refused(job)
    project = _find_project(job)
    home = Path(job.environment.get("HOME") or os.path.expanduser("~"))
    config = load_config(project, user_config(home))
    config = configure(config, job.inputs, job.host.event, job.environment)
    session = Session(
        project,
        config,
        job.environment,
        choose_jobs(config, job.inputs.jobs),
        job.meter,
        max_size=job.inputs.max_size,
        spare=True,
        integrity=_integrity(job, config),
        credentials=_role(job),
    )
    with job.host.group(f"pivot {job.inputs.command}"), job.host.raw():
        answer = perform(session, job.inputs)
        for line in answer.lines:
            print(line, flush=True)  # noqa: T201  the log is what a job prints
    return _told(job, answer, project)


def _integrity(job: Job, config: Config) -> Integrity:
    """Choose the policy: the input, else as on the command line."""
    if job.inputs.integrity is not None:
        return Integrity(job.inputs.integrity)
    return config.integrity(job.environment)


def _told(job: Job, answer: Answer, project: Project) -> Told:
    raw = exit_code(answer.problems)
    none = next((p for p in answer.problems if isinstance(p.cause, NoCredentials)), None)
    skips = raw is ExitCode.DENIED and job.inputs.on_no_credentials == "skip"
    if none is not None and skips:  # what is worse than that is told
        return _skipped(job, none)
    status = answer.status or judge(
        raw,
        dry_run=job.inputs.dry_run == "true",
        had=answer.had,
        moved=answer.counts.transferred + answer.counts.restored,
    )
    told = job.tell(status, raw, final_code(raw, answer.problems, job.inputs))
    return replace(
        told,
        remote=answer.remote or told.remote,
        url=answer.url,
        counts=answer.counts,
        bytes=answer.bytes,
        stages=answer.stages,
        runs=answer.runs,
        to_run=answer.to_run,
        ready=answer.ready,
        objects=answer.objects,
        problems=answer.problems,
        changes=last_changes(project.root, answer.problems),
        proven=answer.proven,
        warnings=answer.warnings,
        hints=tuple(dict.fromkeys(p.hint for p in answer.problems if p.hint)),
        project=_below(project.root, job.host.workspace),
        quiet=job.inputs.on_miss == "ignore",
        verdict=answer.verdict,
    )


def _below(root: Path, workspace: Path) -> str:
    """Say where *root* is in *workspace*; empty for the workspace itself."""
    path = os.path.relpath(root, os.path.realpath(workspace))
    return "" if path == "." else path


def _refused(job: Job) -> Told:
    """Refuse to push what a stranger made: the step ends well, and nothing is sent."""
    fails = job.inputs.on_no_credentials == "fail"
    final = ExitCode.DENIED if fails else ExitCode.DONE
    told = job.tell(Status.UNTRUSTED, ExitCode.DENIED, final)
    text = f"push is refused: {job.host.event.reason}"
    return replace(told, problems=(Problem(ExitCode.DENIED, text),))


def _skipped(job: Job, problem: Problem) -> Told:
    told = job.tell(Status.NO_CREDENTIALS, problem.code, ExitCode.DONE)
    return replace(told, problems=(problem,), hints=(problem.hint,))


def _cut_short(job: Job, code: ExitCode, why: str) -> Told:
    """Tell of an end from outside: what the meter has seen is all that is known."""
    told = job.tell(Status.FAILED, code, code)
    problem = Problem(code, why, hint="the same job again completes")
    counts = Counts(transferred=job.meter.finished)
    return replace(told, counts=counts, bytes=job.meter.passed, problems=(problem,))


def _ended(job: Job, error: PivotError) -> Told:
    denied = isinstance(error, NoCredentials) or (
        isinstance(error, RemoteDenied) and not job.host.event.trusted
    )
    problem = Problem.ending(error)
    if denied and job.inputs.on_no_credentials == "skip":
        return _skipped(job, problem)
    told = job.tell(Status.FAILED, error.code, error.code)
    return replace(told, problems=(problem,), hints=(error.hint,) if error.hint else ())


def _find_project(job: Job) -> Project:
    """Find the project, which must lie in the workspace, wherever links lead."""
    workspace = Path(os.path.realpath(job.host.workspace))
    place = Path(os.path.realpath(workspace / job.inputs.working_directory))
    name = job.inputs.working_directory
    if not place.is_relative_to(workspace):
        raise UsageError(f"working-directory: {name} is not inside the workspace {workspace}")
    if not place.is_dir():
        raise UsageError(
            f"working-directory: {name} is no directory of the workspace",
            hint="check out the repository in an earlier step",
        )
    project = find_project(place, job.environment)
    if not project.root.is_relative_to(workspace):
        raise UsageError(
            f"working-directory: {name}: the project {project.root} is not inside the workspace",
            hint=f"run 'pivot init' in {place}",
        )
    return project


def _role(job: Job) -> Callable[[], Credentials] | None:
    """Get ready to assume the role of the inputs; nothing is asked for yet."""
    role = job.inputs.role_to_assume
    if role is None:
        return None
    from pivot.ci.oidc import find_role_credentials  # noqa: PLC0415  requests takes its time

    region = job.inputs.aws_region or job.environment.get("AWS_REGION")
    region = region or job.environment.get("AWS_DEFAULT_REGION")
    if not region:
        raise UsageError("role-to-assume: needs aws-region, where its credentials are asked for")
    return find_role_credentials(job.environment, role, region=region, mask=job.host.mask)
