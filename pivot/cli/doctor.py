"""`pivot doctor`: find out what works, and what to do about the rest."""

from __future__ import annotations

import os

import click

from pivot import api
from pivot.cli.options import (
    EXIT_CODES,
    Common,
    common_options,
    complete_remotes,
    json_option,
    one_alone,
    timeout_option,
)
from pivot.deadline import deadline
from pivot.doctor.examine import Patient
from pivot.doctor.report import doctor_json, doctor_text


@click.command(epilog=EXIT_CODES)
@click.option(
    "-r",
    "--remote",
    metavar="NAME",
    multiple=True,
    callback=one_alone,
    shell_complete=complete_remotes,
    help="The remote to examine [default: default_remote].",
)
@click.option("--read-only", is_flag=True, help="Write nothing, neither there nor here.")
@timeout_option
@json_option
@common_options
def doctor(
    common: Common, *, remote: str | None, read_only: bool, timeout: int | None, as_json: bool
) -> int:
    """Find out whether pull and push work, and what to do where they do not.

    Asks one thing after the other: project, configuration, cache; credentials, endpoint, clock,
    region; and whether you may list, read, write, write what is absent, write in parts and delete.
    What it writes for that has a name of its own, PREFIX/doctor/..., and is deleted again. What
    depends on a failure is not asked. No secret is shown.

    \b
    Each line:
      ok         as it should be
      warning    works, with what you should know
      failed     with its cure and, where you are refused, the permission
      not asked  with the reason

    \b
    Examples:
      pivot doctor                        the default remote
      pivot doctor -r backup --read-only  for keys that are to read only
      pivot doctor --json

    The exit code is that of the first failure.
    """
    patient = Patient(common.directory, os.environ, common.meter())
    with deadline(timeout):
        found = api.doctor(patient, remote=remote, read_only=read_only)
    return common.show(doctor_json(found) if as_json else doctor_text(found, quiet=common.quiet))
