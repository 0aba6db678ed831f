"""`pivot report`: what the project has and where it is, as a page, as text or as JSON."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from pivot.changes import last_changes
from pivot.cli.options import (
    EXIT_CODES,
    Common,
    common_options,
    json_option,
    remotes_option,
)
from pivot.documents import write_atomically
from pivot.errors import UsageError
from pivot.inventory.look import take_inventory
from pivot.inventory.page import render_page
from pivot.inventory.told import report_json, report_text
from pivot.report import human_size

if TYPE_CHECKING:
    from pathlib import Path


@click.command(epilog=EXIT_CODES)
@click.option(
    "--html",
    "page",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write a page for a browser: one file, which loads nothing.",
)
@click.option("-f", "--force", is_flag=True, help="Write over FILE.")
@click.option("--online", is_flag=True, help="Ask the remote for every object.")
@remotes_option(
    "Like --online, with this remote. Given again: each object of the first that has it."
)
@click.option(
    "--commits",
    metavar="N",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Look back over so many commits that changed lock files.",
)
@json_option
@common_options
def report(
    common: Common,
    *,
    page: str | None,
    force: bool,
    online: bool,
    remote: str | None,
    commits: int,
    as_json: bool,
) -> int:
    """Say what the project has, where it is, and how it grew. Moves nothing.

    Stages with their states, outputs with their sizes, what workspace, cache and remote have of
    them, contents that are there twice, and what the last commits refer to. --html writes all of
    it as one page to read in a browser or to keep with a CI job.

    \b
    Examples:
      pivot report                              in short
      pivot report --html report.html           by what is on this machine
      pivot report --html report.html --online  also what the remote has
      pivot report --commits 100 --json
    """
    target = None if page is None else _target(common, page, force=force)
    session = common.session(None)
    taken = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    inventory = take_inventory(
        session, taken=taken, commits=commits, remote=remote, online=online or remote is not None
    )
    changes = last_changes(session.project.root, inventory.problems)
    said = (report_json if as_json else report_text)(inventory, changes=changes)
    if target is not None:
        data = render_page(inventory).encode()
        _target(common, str(target), force=force)  # nobody made one meanwhile
        write_atomically(target, data)
        if not as_json:
            common.say(f"Wrote {page} ({human_size(len(data))})")
            said = replace(said, out=())
    return common.show(said)


def _target(common: Common, page: str, *, force: bool) -> Path:
    """Find where the page goes; refuse to write over a file, unless told to."""
    target = common.directory / page
    if os.path.lexists(target) and not force:
        raise UsageError(f"{page} exists already", hint="--force writes over it")
    if not target.parent.is_dir():
        raise UsageError(f"{page}: there is no directory {os.path.dirname(page) or '.'}")
    return target
