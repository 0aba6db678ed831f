"""`pivot init`: make a project."""

from __future__ import annotations

import click

from pivot.cli.options import EXIT_CODES, Common, common_options
from pivot.project import init_project


@click.command(epilog=EXIT_CODES)
@click.option("-f", "--force", is_flag=True, help="Write .pivot/.gitignore again.")
@common_options
def init(common: Common, *, force: bool) -> None:
    """Make a Pivot project in the current directory."""
    made = init_project(common.directory, force=force)
    common.say("Initialized Pivot project.\n\nCreated:")
    for name in made:
        common.say(f"  {name}")
    common.say(
        "\nNext steps:\n"
        "  1. Run 'pivot config set remotes.origin s3://<bucket>/<prefix>'\n"
        "  2. Run 'pivot push' and 'pivot pull' to share outputs\n"
        "  3. See 'pivot --help' for more commands"
    )
