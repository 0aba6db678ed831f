"""`pivot push` and `pivot fetch`, and what all transfers have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from pivot import api
from pivot.changes import last_changes
from pivot.cli.options import (
    EXIT_CODES,
    Common,
    common_options,
    complete_revisions,
    complete_targets,
    integrity_option,
    json_option,
    quantity,
    remotes_option,
    timeout_option,
)
from pivot.cli.scope import (
    choose,
    needed_option,
    ref_options,
    revision_option,
)
from pivot.deadline import deadline
from pivot.errors import UsageError
from pivot.quantities import parse_size
from pivot.report import OnMiss, parts, printable, report_json, report_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from pivot.report import Result
    from pivot.session import Session
    from pivot.targets import Selection

    Command = TypeVar("Command", bound=Callable[..., object])

TARGETS_EPILOG = (
    """\b
TARGETS are stages ('train', also the unique end of 'demo/train'), outputs,
paths inside a directory output, directories that hold outputs, .pvt files,
or patterns of outputs and of files in them, quoted: 'data/*.csv', 'model/**'.
Paths are relative to the current directory. Without targets: everything
that the lock and .pvt files of the project refer to.

"""
    + EXIT_CODES
)

TARGETS = click.argument("targets", nargs=-1, shell_complete=complete_targets)
DRY_RUN = click.option(
    "-n", "--dry-run", is_flag=True, help="Print the plan: paths, bytes, totals. Change nothing."
)
ON_MISS = click.option(
    "--on-miss",
    type=click.Choice([str(choice) for choice in OnMiss]),
    default=str(OnMiss.FAIL),
    show_default=True,
    help="What a missing object means; nothing else is softened.",
)


_PUSHED = ["PRE_COMMIT_TO_REF", "PRE_COMMIT_LOCAL_BRANCH"]
"""The variables in which pre-commit says what `git push` is pushing."""

_GIVEN = click.core.ParameterSource.COMMANDLINE


def remote_options(function: Command) -> Command:
    """Give a command --jobs and --remote."""
    function = click.option(
        "-j",
        "--jobs",
        type=click.IntRange(min=1),
        help="Parallel transfers [default: remote.jobs].",
    )(function)
    return remotes_option(
        "Use this remote instead of the default. Given again: read from the first that has "
        "it, push to each."
    )(function)


def limits(function: Command) -> Command:
    """Give a command --max-size, --timeout and --integrity."""
    function = integrity_option(timeout_option(function))
    return click.option(
        "--max-size",
        metavar="SIZE",
        callback=quantity(parse_size),
        help="Move nothing when more than this is to be moved, e.g. 20GB.",
    )(function)


def show(
    common: Common,
    session: Session,
    command: str,
    result: Result,
    *,
    as_json: bool,
    on_miss: str,
    revision: str = "HEAD",
) -> int:
    """Print what *command* came to, and answer its exit code; see `last_changes`."""
    render = report_json if as_json else report_text
    changes = last_changes(session.project.root, parts(result)[2], revision)
    return common.show(render(command, result, on_miss=OnMiss(on_miss), changes=changes))


def told(common: Common, selection: Selection | None, *, as_json: bool) -> Selection | None:
    """Let the user see what was chosen from."""
    if selection is not None and selection.told and not (common.quiet or as_json):
        click.echo(printable(selection.told), err=True)
    return selection


@click.command(epilog=TARGETS_EPILOG)
@TARGETS
@remote_options
@DRY_RUN
@click.option("--all-cache", is_flag=True, help="Push all that is cached, old versions included.")
@click.option(
    "--check",
    is_flag=True,
    help="Upload nothing; fail unless the remote has all that the last commit refers to.",
)
@click.option(
    "--rev",
    metavar="COMMIT",
    envvar=_PUSHED,
    shell_complete=complete_revisions,
    help="With --check: this commit instead of HEAD.",
)
@ref_options
@limits
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
    all_branches: bool,
    all_tags: bool,
    check: bool,
    rev: str | None,
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
      pivot push 'data/*.csv'       outputs and files in them, by a pattern
      pivot push --all-branches     also what other branches refer to and is here
      pivot push --dry-run          what would be uploaded
      pivot push --jobs 40          more uploads at a time
      pivot push -r origin -r nas   to two remotes
      pivot push --check            has somebody forgotten to push?
    """
    if check and (dry_run or all_cache or all_branches or all_tags or max_size is not None):
        raise UsageError(
            "--check uploads nothing: no --dry-run, --all-cache, --all-branches, --all-tags or "
            "--max-size with it"
        )
    if not check and click.get_current_context().get_parameter_source("rev") is _GIVEN:
        raise UsageError("--rev is for --check: what is pushed is what the workspace refers to")
    with deadline(timeout):
        session = common.session(jobs, max_size=max_size, integrity=integrity)
        if check:
            asked = api.verify_commit(session, targets, remote=remote, revision=rev)
            return show(
                common,
                session,
                "push",
                asked,
                as_json=as_json,
                on_miss=on_miss,
                revision=rev or "HEAD",
            )
        if all_cache and targets:
            raise UsageError("--all-cache takes no targets: it pushes the whole cache")
        selection = choose(session, targets, branches=all_branches, tags=all_tags)
        result = api.push_each(
            session,
            targets,
            remote=remote,
            dry_run=dry_run,
            all_cache=all_cache,
            selection=told(common, selection, as_json=as_json),
        )
    return show(common, session, "push", result, as_json=as_json, on_miss=on_miss)


@click.command(epilog=TARGETS_EPILOG)
@TARGETS
@remote_options
@DRY_RUN
@revision_option
@ref_options
@needed_option
@limits
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
    revision: str | None,
    all_branches: bool,
    all_tags: bool,
    needed_by: tuple[str, ...],
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
      pivot fetch --rev v1.0        all that the lock files of that tag refer to
      pivot fetch --all-branches    to work offline, on any branch
      pivot fetch --needed-by eval  what stages read that run for eval
    """
    with deadline(timeout):
        session = common.session(jobs, max_size=max_size, integrity=integrity)
        selection = choose(
            session,
            targets,
            revision=revision,
            needed_by=needed_by,
            branches=all_branches,
            tags=all_tags,
            remote=remote,
        )
        result = api.fetch(
            session,
            targets,
            remote=remote,
            dry_run=dry_run,
            selection=told(common, selection, as_json=as_json),
        )
    return show(common, session, "fetch", result, as_json=as_json, on_miss=on_miss)
