"""`pivot push`, `fetch`, `checkout` and `pull`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from pivot import api
from pivot.changes import last_changes
from pivot.cli.options import (
    EXIT_CODES,
    Common,
    common_options,
    complete_remotes,
    complete_targets,
    integrity_option,
    json_option,
    quantity,
    timeout_option,
)
from pivot.deadline import deadline
from pivot.errors import UsageError
from pivot.keys import Link
from pivot.plan import Existing
from pivot.quantities import parse_size
from pivot.report import OnMiss, parts, report_json, report_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from pivot.report import Result
    from pivot.session import Session

    Command = TypeVar("Command", bound=Callable[..., object])

TARGETS_EPILOG = (
    """\b
TARGETS are stages ('train', also the unique end of 'demo/train'), outputs,
paths inside a directory output, directories that hold outputs, .pvt files.
Paths are relative to the current directory. Without targets: everything
that the lock and .pvt files of the project refer to.

"""
    + EXIT_CODES
)

TARGETS = click.argument("targets", nargs=-1, shell_complete=complete_targets)
_DRY_RUN = click.option(
    "-n", "--dry-run", is_flag=True, help="Print the plan: paths, bytes, totals. Change nothing."
)
ON_MISS = click.option(
    "--on-miss",
    type=click.Choice([str(choice) for choice in OnMiss]),
    default=str(OnMiss.FAIL),
    show_default=True,
    help="What a missing object means; nothing else is softened.",
)


def remote_options(function: Command) -> Command:
    """Give a command --jobs and --remote."""
    function = click.option(
        "-j",
        "--jobs",
        type=click.IntRange(min=1),
        help="Parallel transfers [default: remote.jobs].",
    )(function)
    return click.option(
        "-r",
        "--remote",
        metavar="NAME",
        shell_complete=complete_remotes,
        help="Use this remote instead of the default.",
    )(function)


def _limits(function: Command) -> Command:
    function = integrity_option(timeout_option(function))
    return click.option(
        "--max-size",
        metavar="SIZE",
        callback=quantity(parse_size),
        help="Move nothing when more than this is to be moved, e.g. 20GB.",
    )(function)


def _checkout_options(function: Command) -> Command:
    function = click.option(
        "--checkout-mode",
        type=click.Choice([str(Link.SYMLINK), str(Link.HARDLINK), str(Link.COPY)]),
        help="Place files this way [default: cache.checkout_mode]. A copy shares its blocks where "
        "the file system can.",
    )(function)
    function = click.option(
        "--only-missing", is_flag=True, help="Leave every file that exists, whatever it holds."
    )(function)
    return click.option(
        "-f", "--force", is_flag=True, help="Overwrite files that differ, and remove extra ones."
    )(function)


def show(
    common: Common, session: Session, command: str, result: Result, *, as_json: bool, on_miss: str
) -> int:
    """Print what *command* came to, and answer its exit code."""
    render = report_json if as_json else report_text
    changes = last_changes(session.project.root, parts(result)[2])
    return common.show(render(command, result, on_miss=OnMiss(on_miss), changes=changes))


def _existing(default: Existing, *, force: bool, only_missing: bool) -> Existing:
    if force and only_missing:
        raise UsageError("--force and --only-missing are mutually exclusive")
    return Existing.OVERWRITE if force else Existing.KEEP if only_missing else default


def _links(mode: str | None) -> tuple[Link, ...] | None:
    return None if mode is None else (Link(mode),)


@click.command(epilog=TARGETS_EPILOG)
@TARGETS
@remote_options
@_DRY_RUN
@click.option("--all-cache", is_flag=True, help="Push all that is cached, old versions included.")
@_limits
@ON_MISS
@json_option
@common_options
def push(
    common: Common,
    *,
    targets: tuple[str, ...],
    remote: str | None,
    jobs: int | None,
    dry_run: bool,
    all_cache: bool,
    max_size: int | None,
    timeout: int | None,
    integrity: str | None,
    on_miss: str,
    as_json: bool,
) -> int:
    """Upload cached outputs to the remote.

    What the remote has already is skipped; every object is verified before it goes up.

    \b
    Examples:
      pivot push                    all that the lock files refer to
      pivot push train              the outputs of one stage
      pivot push model/best.pkl     one file
      pivot push --dry-run          what would be uploaded
      pivot push --jobs 40          more uploads at a time
    """
    with deadline(timeout):
        session = common.session(jobs, max_size=max_size, integrity=integrity)
        result = api.push(
            session,
            targets,
            remote=remote,
            dry_run=dry_run,
            all_cache=all_cache,
        )
    return show(common, session, "push", result, as_json=as_json, on_miss=on_miss)


@click.command(epilog=TARGETS_EPILOG)
@TARGETS
@remote_options
@_DRY_RUN
@_limits
@ON_MISS
@json_option
@common_options
def fetch(
    common: Common,
    *,
    targets: tuple[str, ...],
    remote: str | None,
    jobs: int | None,
    dry_run: bool,
    max_size: int | None,
    timeout: int | None,
    integrity: str | None,
    on_miss: str,
    as_json: bool,
) -> int:
    """Download outputs into the local cache, and leave the workspace as it is.

    \b
    Examples:
      pivot fetch                   all that the lock files refer to
      pivot fetch train -r backup   one stage, from another remote
    """
    with deadline(timeout):
        session = common.session(jobs, max_size=max_size, integrity=integrity)
        result = api.fetch(session, targets, remote=remote, dry_run=dry_run)
    return show(common, session, "fetch", result, as_json=as_json, on_miss=on_miss)


@click.command(epilog=TARGETS_EPILOG)
@TARGETS
@click.option("-n", "--dry-run", is_flag=True, help="Print the plan. Change nothing.")
@_checkout_options
@timeout_option
@integrity_option
@ON_MISS
@json_option
@common_options
def checkout(
    common: Common,
    *,
    targets: tuple[str, ...],
    dry_run: bool,
    force: bool,
    only_missing: bool,
    checkout_mode: str | None,
    timeout: int | None,
    integrity: str | None,
    on_miss: str,
    as_json: bool,
) -> int:
    """Place outputs from the local cache in the workspace.

    A file that exists with another content is left, and the command fails, unless --force or
    --only-missing says what to do.

    \b
    Examples:
      pivot checkout                    everything
      pivot checkout model/best.pkl     one file
      pivot checkout --only-missing     what is not there
    """
    existing = _existing(Existing.REFUSE, force=force, only_missing=only_missing)
    links = _links(checkout_mode)
    with deadline(timeout):
        session = common.session(1, integrity=integrity)
        result = api.checkout(
            session,
            targets,
            existing=existing,
            links=links,
            dry_run=dry_run,
        )
    return show(common, session, "checkout", result, as_json=as_json, on_miss=on_miss)


@click.command(epilog=TARGETS_EPILOG)
@TARGETS
@remote_options
@_DRY_RUN
@_checkout_options
@_limits
@ON_MISS
@json_option
@common_options
def pull(
    common: Common,
    *,
    targets: tuple[str, ...],
    remote: str | None,
    jobs: int | None,
    dry_run: bool,
    force: bool,
    only_missing: bool,
    checkout_mode: str | None,
    max_size: int | None,
    timeout: int | None,
    integrity: str | None,
    on_miss: str,
    as_json: bool,
) -> int:
    """Download outputs and place them in the workspace: fetch, then checkout.

    Missing files are filled in, and files whose present content is in the cache are brought up to
    date. A file with changes that exist nowhere else is never overwritten without --force.

    \b
    Examples:
      pivot pull                        everything
      pivot pull train                  the outputs of one stage
      pivot pull --dry-run              what would be downloaded and placed
      pivot pull --on-miss warn         in CI: go on when something is not there yet
    """
    existing = _existing(Existing.UPDATE, force=force, only_missing=only_missing)
    links = _links(checkout_mode)
    with deadline(timeout):
        session = common.session(jobs, max_size=max_size, integrity=integrity)
        result = api.pull(
            session,
            targets,
            remote=remote,
            existing=existing,
            links=links,
            dry_run=dry_run,
        )
    return show(common, session, "pull", result, as_json=as_json, on_miss=on_miss)
