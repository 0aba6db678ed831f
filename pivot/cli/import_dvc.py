"""`pivot import-dvc`: make a DVC project one of ours."""

from __future__ import annotations

import os

import click

from pivot.cli.options import EXIT_CODES, Common, common_options, json_option
from pivot.dvc.conversion import import_dvc as convert
from pivot.dvc.told import import_json, import_text


@click.command("import-dvc", epilog=EXIT_CODES)
@click.option("-n", "--dry-run", is_flag=True, help="Print what would be written.")
@click.option("-f", "--force", is_flag=True, help="Overwrite what is there.")
@json_option
@common_options
def import_dvc(common: Common, *, dry_run: bool, force: bool, as_json: bool) -> int:
    """Make the DVC project in the current directory a Pivot project.

    Writes pivot.yaml, lock files, .pvt files and remotes, and takes the contents from DVC's cache.
    No stage is run, and what DVC has stays as it is. What has no counterpart is listed, with what
    to do by hand. A dry run does not read the contents: whether they are damaged, the run says.

    \b
    Examples:
      pivot import-dvc --dry-run
      pivot import-dvc
    """
    imported = convert(common.directory, os.environ, dry_run=dry_run, force=force)
    return common.show(import_json(imported) if as_json else import_text(imported))
