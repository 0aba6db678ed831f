"""`pivot track`: data that no stage makes."""

from __future__ import annotations

import click

from pivot.cli.options import EXIT_CODES, Common, common_options, json_option
from pivot.objects import files_of
from pivot.track import track as run_track


@click.command(epilog=EXIT_CODES)
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option("-f", "--force", is_flag=True, help="Also what is tracked already: update it.")
@json_option
@common_options
def track(common: Common, *, paths: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Track files and directories that no stage makes, such as raw data.

    Their contents are kept in the cache, and a .pvt file beside them records it: commit that one.
    'push' and 'pull' move tracked data like outputs of stages.

    \b
    Examples:
      pivot track data/raw.csv          writes data/raw.csv.pvt
      pivot track data/images
      pivot track --force data/raw.csv  after it has changed
    """
    made = run_track(common.session(None), paths, force=force)
    text = "\n".join(f"Tracked: {each.given}" for each in made)
    common.answer(
        text,
        "track",
        {
            "changed": True,
            "tracked": [
                {
                    "path": each.output.path,
                    "document": each.document,
                    "digest": each.output.digest,
                    "files": len(files_of(each.output)),
                }
                for each in made
            ],
        },
        as_json=as_json,
    )
    for each in made:
        if each.links:
            click.echo(
                f"Warning: {each.given} leaves out symlinks {', '.join(each.links[:5])}: a symlink "
                "inside of tracked data is not stored; replace it with a real file or directory",
                err=True,
            )
