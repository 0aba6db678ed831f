"""`pivot status` and `pivot verify`: ask, and change nothing."""

from __future__ import annotations

import click

from pivot import api
from pivot.changes import last_changes
from pivot.cli.options import (
    Common,
    common_options,
    complete_remotes,
    json_option,
    timeout_option,
)
from pivot.cli.transfer import ON_MISS, TARGETS, TARGETS_EPILOG, remote_options, show
from pivot.deadline import deadline
from pivot.report import OnMiss
from pivot.status_report import status_json, status_text


@click.command(epilog=TARGETS_EPILOG)
@TARGETS
@click.option(
    "-r",
    "--remote",
    metavar="NAME",
    shell_complete=complete_remotes,
    help="Ask this remote for what is not here.",
)
@click.option("--online", is_flag=True, help="Ask the default remote for what is not here.")
@ON_MISS
@json_option
@common_options
def status(
    common: Common,
    *,
    targets: tuple[str, ...],
    remote: str | None,
    online: bool,
    on_miss: str,
    as_json: bool,
) -> int:
    """Say where each stage stands, and what would run. Changes nothing, moves nothing.

    \b
    States:
      hit       nothing changed, and all outputs are here or can be had
      changed   it would run; the reason says why
      waiting   a stage that it needs would run, and then it may have to
      partial   as it was, but some objects can be had nowhere
      missing   as it was, but no object can be had
      unknown   known by its lock file alone, or nobody could tell

    \b
    Examples:
      pivot status                  by what is on this machine
      pivot status --online         also by what is on the remote
      pivot status -r backup train  one stage, with another remote
    """
    session = common.session(None)
    result = api.status(session, targets, remote=remote, online=online or remote is not None)
    render = status_json if as_json else status_text
    changes = last_changes(session.project.root, result.problems)
    return common.show(render(result, on_miss=OnMiss(on_miss), changes=changes))


@click.command(epilog=TARGETS_EPILOG)
@TARGETS
@remote_options
@timeout_option
@ON_MISS
@json_option
@common_options
def verify(
    common: Common,
    *,
    targets: tuple[str, ...],
    remote: str | None,
    jobs: int | None,
    timeout: int | None,
    on_miss: str,
    as_json: bool,
) -> int:
    """Ask whether every object that the lock files name is on the remote. Copies nothing.

    What only the local cache has does not count: as a required check in CI, this keeps out lock
    files of outputs that nobody pushed.

    \b
    Examples:
      pivot verify                  all that the lock files refer to
      pivot verify train -r backup  one stage, on another remote
    """
    with deadline(timeout):
        session = common.session(jobs)
        result = api.verify(session, targets, remote=remote)
    return show(common, session, "verify", result, as_json=as_json, on_miss=on_miss)
