"""`pivot checkout` and `pivot pull`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from pivot import api
from pivot.cli.options import (
    Common,
    common_options,
    integrity_option,
    json_option,
    timeout_option,
)
from pivot.cli.scope import (
    choose,
    export_to,
    needed_option,
    output_option,
    revision_option,
)
from pivot.cli.transfer import (
    DRY_RUN,
    ON_MISS,
    TARGETS,
    TARGETS_EPILOG,
    limits,
    remote_options,
    show,
    told,
)
from pivot.deadline import deadline
from pivot.errors import UsageError
from pivot.keys import Link
from pivot.plan import Existing

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = TypeVar("Command", bound=Callable[..., object])


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


def _existing(default: Existing, *, force: bool, only_missing: bool) -> Existing:
    if force and only_missing:
        raise UsageError("--force and --only-missing are mutually exclusive")
    return Existing.OVERWRITE if force else Existing.KEEP if only_missing else default


def _links(mode: str | None) -> tuple[Link, ...] | None:
    return None if mode is None else (Link(mode),)


@click.command(epilog=TARGETS_EPILOG)
@TARGETS
@click.option("-n", "--dry-run", is_flag=True, help="Print the plan. Change nothing.")
@_checkout_options
@revision_option
@output_option
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
    revision: str | None,
    output: str | None,
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
      pivot checkout --rev v1.0 -o old  as of that tag, in a directory of its own
    """
    existing = _existing(Existing.REFUSE, force=force, only_missing=only_missing)
    links = _links(checkout_mode)
    with deadline(timeout):
        session = common.session(1, integrity=integrity)
        export = export_to(output, session, force=force)
        selection = choose(session, targets, revision=revision, in_place=export is None)
        result = api.checkout(
            session,
            targets,
            existing=existing,
            links=links,
            dry_run=dry_run,
            selection=told(common, selection, as_json=as_json),
            export=export,
        )
    return show(common, session, "checkout", result, as_json=as_json, on_miss=on_miss)


@click.command(epilog=TARGETS_EPILOG)
@TARGETS
@remote_options
@DRY_RUN
@_checkout_options
@revision_option
@output_option
@needed_option
@limits
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
    revision: str | None,
    output: str | None,
    needed_by: tuple[str, ...],
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
      pivot pull data/tree/a.csv        one file of a directory output
      pivot pull 'data/**/*.csv'        outputs and files in them, by a pattern
      pivot pull --needed-by eval       what stages read that run for eval
      pivot pull --rev v1.0 -o old      as of that tag, in a directory of its own
      pivot pull --dry-run              what would be downloaded and placed
      pivot pull -r nas -r origin       each object from the first that has it
      pivot pull --on-miss warn         in CI: go on when something is missing
    """
    existing = _existing(Existing.UPDATE, force=force, only_missing=only_missing)
    links = _links(checkout_mode)
    with deadline(timeout):
        session = common.session(jobs, max_size=max_size, integrity=integrity)
        export = export_to(output, session, force=force)
        selection = choose(
            session,
            targets,
            revision=revision,
            needed_by=needed_by,
            remote=remote,
            in_place=export is None,
        )
        result = api.pull(
            session,
            targets,
            remote=remote,
            existing=existing,
            links=links,
            dry_run=dry_run,
            selection=told(common, selection, as_json=as_json),
            export=export,
        )
    return show(common, session, "pull", result, as_json=as_json, on_miss=on_miss)
