"""Tell what a job came to in all the ways that its host has; none of them changes the exit code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pivot.ci import comment, notes, outputs, report, summary
from pivot.ci.told import Status, Told
from pivot.errors import ExitCode, local_error
from pivot.report import OnMiss, printable, problem_lines

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

    from pivot.ci.job import Job

_ERRORS_SHOWN = 5


def publish(job: Job, told: Told, stream: TextIO) -> ExitCode:
    """Tell it in all the ways that the job has; none of them changes the exit code."""
    inputs, host = job.inputs, job.host
    path = _report_path(job)
    try:
        report.write_report(told, path)
    except OSError as error:
        host.warning(f"the report cannot be written: {local_error(error, path).message}")
    host.outputs(outputs.output_values(told, path))  # first: later steps wait for them
    _say(job, told, stream)
    if inputs.summary:
        host.summary(summary.summary(told))
    cut = told.raw in {ExitCode.INTERRUPTED, ExitCode.TIMED_OUT}
    if inputs.comment != "off" and inputs.github_token and not cut:
        notice = comment.post_comment(
            job.environment,
            inputs.github_token,
            host.event,
            mark=inputs.comment_id or f"{host.job}/{inputs.command}",
            body=lambda mark: summary.comment_body(told, mark),
            mode=inputs.comment,
        )
        if notice:
            host.notice(notice)
    return told.final


def _say(job: Job, told: Told, stream: TextIO) -> None:
    """Print problems and annotate lock files; what is soft is a warning."""
    host = job.host
    with host.raw():
        for line in problem_lines(told.problems, OnMiss(job.inputs.on_miss), told.changes):
            print(line, file=stream, flush=True)
    for text in told.warnings:
        host.warning(printable(text))
    if told.status in {Status.UNTRUSTED, Status.NO_CREDENTIALS}:
        say = host.warning if told.status is Status.UNTRUSTED else host.notice
        say(f"pivot {told.command}: {told.problems[0].message}")
    elif told.final is not ExitCode.DONE:
        general = [problem for problem in told.problems if not problem.path]
        for problem in general[:_ERRORS_SHOWN]:
            said = "\n".join(map(printable, problem.message.split("\n")))
            host.error(said, title=f"pivot {told.command}")
    if job.inputs.annotations:
        for note in notes.lock_notes(told):
            say = host.error if note.level == "error" else host.warning
            say(note.text, file=note.file, title=note.title)
    if warning := outputs.matrix_warning(told):
        host.warning(warning)


def _report_path(job: Job) -> Path:
    if job.inputs.report_file:
        return job.host.workspace / job.inputs.working_directory / job.inputs.report_file
    return job.host.temporary / f"pivot-report-{os.getpid()}.json"
