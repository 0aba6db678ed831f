"""`pivot status` and `pivot verify`: ask, and change nothing."""

from __future__ import annotations

from functools import partial

import click

from pivot import api
from pivot.changes import last_changes
from pivot.cli.options import (
    Common,
    chained,
    common_options,
    complete_remotes,
    json_option,
    quantity,
    remotes_option,
    timeout_option,
)
from pivot.cli.transfer import ON_MISS, TARGETS, TARGETS_EPILOG, show
from pivot.deadline import deadline
from pivot.deep import Depth
from pivot.errors import UsageError
from pivot.quantities import parse_percent
from pivot.report import OnMiss
from pivot.status_report import status_json, status_short, status_text
from pivot.verify import Scope


@click.command(epilog=TARGETS_EPILOG)
@TARGETS
@remotes_option("Ask this remote what it has. Given again: each object of the first that has it.")
@click.option(
    "--online", is_flag=True, help="Ask the default remote, or read_remotes, what it has."
)
@click.option("--outputs", is_flag=True, help="List every output, and not only those that differ.")
@click.option(
    "-s",
    "--short",
    is_flag=True,
    help="A line for each stage: state, workspace, cache, remote, name.",
)
@ON_MISS
@json_option
@common_options
def status(
    common: Common,
    *,
    targets: tuple[str, ...],
    remote: str | None,
    online: bool,
    outputs: bool,
    short: bool,
    on_miss: str,
    as_json: bool,
) -> int:
    """Say where each stage stands, and what would run. Changes nothing, moves nothing.

    The workspace is compared with what the lock files record; files that have not changed since
    they were read last are not read again. Cache and remote are counted in files.

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
      pivot status --short          for scripts and prompts
      pivot status -r backup train  one stage, with another remote
    """
    session = common.session(None)
    asked = online or remote is not None
    result = api.status(session, targets, remote=remote, online=asked, detailed=True)
    render = status_json if as_json else status_short if short else status_text
    if outputs and render is status_text:
        render = partial(status_text, outputs=True)
    changes = last_changes(session.project.root, result.problems)
    return common.show(render(result, on_miss=OnMiss(on_miss), changes=changes))


@click.command(epilog=TARGETS_EPILOG)
@TARGETS
@click.option("--cache", is_flag=True, help="Look at the local cache; at a remote only with -r.")
@click.option(
    "-r",
    "--remote",
    metavar="[NAME]",
    is_flag=False,
    flag_value="",
    multiple=True,
    callback=chained,
    shell_complete=complete_remotes,
    help="Ask this remote; the default one without NAME, or without --cache.",
)
@click.option("--deep", is_flag=True, help="Read the objects and hash them: by xxh64 and SHA-256.")
@click.option(
    "--sample",
    metavar="SHARE",
    callback=quantity(parse_percent),
    help="Read a random part of the objects, e.g. 1%; means --deep.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**32 - 1),
    help="The same seed chooses the same part.",
)
@click.option(
    "--repair",
    is_flag=True,
    help="With --cache: put damaged objects aside, and fetch what is lacking from the remote.",
)
@click.option(
    "-j", "--jobs", type=click.IntRange(min=1), help="Objects at a time [default: remote.jobs]."
)
@timeout_option
@ON_MISS
@json_option
@common_options
def verify(
    common: Common,
    *,
    targets: tuple[str, ...],
    cache: bool,
    remote: str | None,
    deep: bool,
    sample: float | None,
    seed: int | None,
    repair: bool,
    jobs: int | None,
    timeout: int | None,
    on_miss: str,
    as_json: bool,
) -> int:
    """Ask whether every object that the lock files name is on the remote. Copies nothing.

    What only the local cache has does not count: as a required check in CI, this keeps out lock
    files of outputs that nobody pushed. With --cache, it is the cache that must have them.

    Sizes are compared. With --deep every object is read and hashed; a run that was cut off is
    gone on with by the same command within a day. Nothing is changed without --repair.

    \b
    Examples:
      pivot verify                       all that the lock files refer to
      pivot verify train -r backup       one stage, on another remote
      pivot verify --cache --deep        has this disk kept every byte?
      pivot verify --cache --repair      put damaged ones aside, fetch again
      pivot verify --sample 1%           read a part of what the remote has
    """
    if repair and not cache:
        raise UsageError("--repair is for the cache: add --cache", hint="see 'pivot verify --help'")
    if seed is not None and sample is None:
        raise UsageError("--seed chooses a sample: add --sample 1%")
    depth = Depth(sample or 100.0, seed) if deep or sample is not None else None
    scope = Scope(not cache or (remote is not None and not repair), cache, depth, repair)
    with deadline(timeout):
        session = common.session(jobs)
        result = api.verify(session, targets, remote=remote or None, scope=scope)
    return show(common, session, "verify", result, as_json=as_json, on_miss=on_miss)
