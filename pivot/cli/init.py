"""`pivot init`: make a project."""

from __future__ import annotations

import click

from pivot.cli.options import EXIT_CODES, Common, common_options, json_option
from pivot.project import init_project


@click.command(epilog=EXIT_CODES)
@click.option("-f", "--force", is_flag=True, help="Write .pivot/.gitignore again.")
@json_option
@common_options
def init(common: Common, *, force: bool, as_json: bool) -> None:
    """Make a Pivot project in the current directory.

    \b
    Examples:
      pivot init
      pivot -C analysis init
    """
    made = init_project(common.directory, force=force)
    names = "".join(f"  {name}\n" for name in made)
    text = (
        f"Initialized Pivot project.\n\nCreated:\n{names}\n"
        "Next steps:\n"
        "  1. Write your stages into pivot.yaml, and run them with 'pivot repro'\n"
        "  2. Run 'pivot config set remotes.origin s3://<bucket>/<prefix>'\n"
        "  3. Run 'pivot push' and 'pivot pull' to share outputs\n"
        "  4. See 'pivot --help' for more commands"
    )
    common.answer(text, "init", {"changed": True, "created": list(made)}, as_json=as_json)
