"""`pivot gc`: put aside what no commit needs any more."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from pivot.cli.options import (
    EXIT_CODES,
    Common,
    common_options,
    complete_remotes,
    json_option,
    offer,
    one_alone,
    quantity,
    started_in,
    timeout_option,
)
from pivot.deadline import deadline
from pivot.errors import UsageError
from pivot.gc.places import is_shared, open_place
from pivot.gc.protected import Rules
from pivot.gc.report import MIN_AGE, gc_json, gc_text
from pivot.gc.run import claim, collect, empty_trash, undo
from pivot.quantities import parse_age
from pivot.remote_choice import check_writable
from pivot.report import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.shell_completion import CompletionItem

    from pivot.config import RemoteSettings
    from pivot.gc.results import Cleanup
    from pivot.session import Session

_DEFAULT = "\0"  # no name of a remote: stands for the one that others take by default


def _complete_receipts(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the receipts of the cache, or of the remote if that is in a folder."""
    from pivot.cli.candidates import Candidate  # noqa: PLC0415

    del param
    common = started_in(ctx)

    def find() -> Iterator[Candidate]:
        session = common.session(None)
        remote = _settings(session, ctx.params.get("remote"), writing=False)
        if remote is not None and not remote.url.startswith("file:"):
            return  # nobody asks a network at each key
        with contextlib.closing(open_place(session, remote)) as place:
            yield from map(Candidate, sorted(place.receipts()))

    return offer(incomplete, find)


@click.command(epilog=EXIT_CODES)
@click.option(
    "-r",
    "--remote",
    metavar="[NAME]",
    is_flag=False,
    flag_value=_DEFAULT,
    multiple=True,
    callback=one_alone,
    shell_complete=complete_remotes,
    help="Clean up this remote instead of the local cache; without a name, the default one.",
)
@click.option(
    "--yes", is_flag=True, help="Do it. Without this, only what would be done is printed."
)
@click.option(
    "--commits",
    type=click.IntRange(min=1),
    metavar="N",
    help="Of each branch, tag and stash, keep the last N commits alone.",
)
@click.option(
    "--all-commits", is_flag=True, help="Keep what any commit refers to that git has. The default."
)
@click.option(
    "--min-age",
    metavar="TIME",
    callback=quantity(parse_age),
    help="Keep what has changed within this time, e.g. 12h [default: 1d; 14d of a remote, or of a "
    "cache outside of the project].",
)
@click.option(
    "--undo",
    "receipt",
    metavar="RECEIPT",
    shell_complete=_complete_receipts,
    help="Bring back all that a run put away.",
)
@click.option(
    "--empty-trash",
    "emptying",
    is_flag=True,
    help="Delete for good what has been in the trash for --min-age.",
)
@click.option(
    "--claim",
    "claiming",
    is_flag=True,
    help="Say that no other project keeps objects there; needed once for each remote.",
)
@click.option(
    "--workspace-only",
    is_flag=True,
    help="Keep what this workspace refers to, and leave git aside.",
)
@click.option(
    "--offline", is_flag=True, help="Do not ask git's remotes whether they have more branches."
)
@click.option(
    "--shallow", is_flag=True, help="Take the history of a shallow clone for all that there is."
)
@click.option(
    "--skip-unreadable",
    is_flag=True,
    help="Take lock files of the past that cannot be read for empty, and warn.",
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Copies at a time.")
@timeout_option
@json_option
@common_options
def gc(
    common: Common,
    *,
    remote: str | None,
    yes: bool,
    commits: int | None,
    all_commits: bool,
    min_age: int | None,
    receipt: str | None,
    emptying: bool,
    claiming: bool,
    workspace_only: bool,
    offline: bool,
    shallow: bool,
    skip_unreadable: bool,
    jobs: int | None,
    timeout: int | None,
    as_json: bool,
) -> int:
    """Put objects aside that nothing refers to any more: of the local cache, or of a remote.

    Kept is what lock and .pvt files name that are in any commit of any branch, tag or stash, that
    are staged, or in the files of any worktree. All of these have to be readable, or nothing is
    done. What goes lies in the trash of the same place, where --undo finds it, until --empty-trash.

    \b
    Examples:
      pivot gc                           what would go from the local cache
      pivot gc --yes                     put it into the trash
      pivot gc --commits 20              keep 20 commits of each branch
      pivot gc --empty-trash --yes       get the room back, after a day
      pivot gc -r origin --claim         once: this project alone pushes there
      pivot gc -r origin                 what would go from the remote
      pivot gc -r origin --yes           put it into the trash of the remote
      pivot gc -r origin --undo 20260302T101500Z-1a2b3c4d
    """
    if commits is not None and all_commits:
        raise UsageError("--commits and --all-commits are mutually exclusive")
    asked = [
        name
        for name, given in (("--undo", receipt), ("--empty-trash", emptying), ("--claim", claiming))
        if given
    ]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} are mutually exclusive")
    with deadline(timeout):
        session = common.session(jobs)
        settings = _settings(session, remote, writing=yes or claiming or bool(receipt))
        rules = Rules(
            MIN_AGE[is_shared(session, settings)] if min_age is None else min_age,
            commits,
            workspace_only=workspace_only,
            offline=offline,
            shallow=shallow,
            skip_unreadable=skip_unreadable,
        )
        done = _act(
            common, session, settings, rules, receipt, emptying=emptying, claiming=claiming, yes=yes
        )
    return common.show((gc_json if as_json else gc_text)(done))


def _settings(session: Session, remote: str | None, *, writing: bool) -> RemoteSettings | None:
    if remote is None:
        return None
    found = session.config.remote(None if remote == _DEFAULT else remote)
    if writing:
        check_writable(session.config, found)
    return found


def _act(
    common: Common,
    session: Session,
    settings: RemoteSettings | None,
    rules: Rules,
    receipt: str | None,
    *,
    emptying: bool,
    claiming: bool,
    yes: bool,
) -> Cleanup:
    if claiming:
        return claim(session, settings)
    if receipt:
        return undo(session, settings, receipt)

    def waiting(who: str) -> None:
        if not common.quiet:
            click.echo(printable(f"Waiting for {who}"), err=True)

    act = empty_trash if emptying else collect
    return act(session, settings, rules, yes=yes, waiting=waiting)
