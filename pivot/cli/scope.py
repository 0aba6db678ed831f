"""Options that say which documents count: of a commit, of all branches, of what stages need."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from pivot import api
from pivot.cli.options import complete_directories, complete_needs, complete_revisions
from pivot.errors import UsageError
from pivot.export import Export

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pivot.session import Session
    from pivot.targets import Selection

    Command = TypeVar("Command", bound=Callable[..., object])


revision_option = click.option(
    "--rev",
    "revision",
    metavar="COMMIT",
    shell_complete=complete_revisions,
    help="Go by the lock files of this commit, branch or tag, not by those of the workspace.",
)

output_option = click.option(
    "-o",
    "--output",
    metavar="DIR",
    shell_complete=complete_directories,
    help="Place outputs below DIR, as copies, and leave the workspace as it is.",
)

needed_option = click.option(
    "--needed-by",
    "needed_by",
    metavar="STAGE",
    multiple=True,
    shell_complete=complete_needs,
    help="Only what STAGE, and stages before it, read that 'repro' would run. Repeatable.",
)


def ref_options(function: Command) -> Command:
    """Give a command --all-branches and --all-tags."""
    function = click.option(
        "--all-tags", is_flag=True, help="Also what the lock files of all tags refer to."
    )(function)
    return click.option(
        "--all-branches",
        is_flag=True,
        help="Also what the lock files of all branches refer to, origin's as well.",
    )(function)


def choose(
    session: Session,
    targets: Sequence[str],
    *,
    revision: str | None = None,
    needed_by: Sequence[str] = (),
    branches: bool = False,
    tags: bool = False,
    remote: str | None = None,
    in_place: bool = False,
) -> Selection | None:
    """Find what these options mean; `None` where there are none, and targets are as ever.

    Raises `UsageError` for options that contradict each other, and what looking raises.
    """
    given = {
        "--rev": revision is not None,
        "--needed-by": bool(needed_by),
        "--all-branches or --all-tags": branches or tags,
    }
    names = [name for name, is_given in given.items() if is_given]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} are mutually exclusive")
    if revision is not None:
        return api.select_revision(session, targets, revision, in_place=in_place)
    if needed_by:
        if targets:
            raise UsageError("--needed-by takes no targets: what stages need says what is meant")
        return api.select_needed(session, needed_by, remote=remote)
    if branches or tags:
        return api.select_refs(session, targets, branches=branches, tags=tags)
    return None


def export_to(directory: str | None, session: Session, *, force: bool) -> Export | None:
    """Say where to place outputs, if not in the workspace; see `Export.check` for errors."""
    if directory is None:
        return None
    if not directory:
        raise UsageError("-o: the name of a directory may not be empty")
    export = Export(Path(os.path.abspath(session.project.here / directory)))
    export.check(force=force)
    return export
