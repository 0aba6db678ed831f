"""`pivot list`, `pivot schema` and `pivot completion`: what is there, and forms and scripts."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from pivot.cli.options import (
    EXIT_CODES,
    Common,
    common_options,
    complete_stages,
    json_option,
)
from pivot.overview import Row, overview
from pivot.report import dump, printable
from pivot.repro.decide import NOTHING_CHANGED
from pivot.results import Problem, exit_code
from pivot.schema import schema_text
from pivot.tables import Word, text_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pivot.report import Json

SCHEMAS = {
    "pipeline": "pivot.yaml, for editors",
    "report": "push, pull, fetch, checkout, verify; errors of all commands",
    "repro": "repro",
    "stages": "list",
    "dag": "dag",
    "status": "status",
    "inventory": "report",
    "doctor": "doctor",
    "gc": "gc",
    "ci-report": "pivot-ci, its report",
    "differences": "params diff, metrics diff",
    "metrics": "metrics show",
    "import": "import-dvc",
    "config": "config list",
    "value": "config get",
    "remotes": "remote list",
    "change": "config set, unset; remote add, remove, default; track; init",
}
"""The schemas that ship, and what has their form: most are printed by commands with `--json`."""

_SCHEMA_EPILOG = (
    "\b\nNAME, and the commands that print this form with --json:\n"
    + "".join(f"  {name:<12} {what}\n" for name, what in SCHEMAS.items())
    + f"\n{EXIT_CODES}"
)


@click.command("list", epilog=EXIT_CODES)
@click.argument("stages", nargs=-1, shell_complete=complete_stages)
@json_option
@common_options
def list_(common: Common, *, stages: tuple[str, ...], as_json: bool) -> int:
    """List stages with their outputs, and what 'repro' would do with them.

    Locks that have no stage in pivot.yaml (of the real Pivot, say) and tracked data follow.

    \b
    Examples:
      pivot list
      pivot list train
      pivot list --json
    """
    rows = overview(common.session(None), stages)
    if as_json:
        tree: dict[str, Json] = {"version": 1, "stages": [_row_tree(row) for row in rows]}
        click.echo(dump(tree))
    elif not rows:
        common.say("No stages, locks or tracked data")
    elif not common.quiet:
        for line in _table(rows):
            click.echo(line)
    problems = [
        Problem(row.error.code, row.error.message, row.error.hint, owner=row.name)
        for row in rows
        if row.error is not None
    ]
    return int(exit_code(tuple(problems)))


@click.command(epilog=_SCHEMA_EPILOG)
@click.argument("name", metavar="[NAME]", type=click.Choice([*SCHEMAS]), default="pipeline")
@common_options
def schema(common: Common, *, name: str) -> None:
    """Print a JSON Schema: that of pivot.yaml, or the one called NAME.

    \b
    Examples:
      pivot schema > .pivot/pipeline.schema.json
      pivot schema repro
    """
    del common
    click.echo(schema_text(name), nl=False)


@click.command(epilog=EXIT_CODES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common_options
def completion(common: Common, *, shell: str) -> None:
    """Print a script that lets a shell complete commands, stages, outputs, remotes and options.

    The script asks this command at every tab key; it holds no names itself, and need not be
    written anew.

    \b
    Examples:
      eval "$(pivot completion bash)"      in ~/.bashrc
      eval "$(pivot completion zsh)"       in ~/.zshrc, after compinit
      pivot completion fish | source       in ~/.config/fish/config.fish
    """
    from pivot.cli.completion import NAMES, script  # noqa: PLC0415  needed here alone

    del common
    own = os.path.basename(sys.argv[0])
    click.echo(script(shell, (own,) if own == NAMES[1] else NAMES), nl=False)


def _table(rows: Sequence[Row]) -> list[str]:
    head = ["Stage", "State", "Outputs", "Description"]
    lines = [
        [
            row.name,
            f"{row.state}: {row.reason}" if row.reason and _is_news(row) else row.state,
            ", ".join(_outputs(row)),
            row.description,
        ]
        for row in rows
    ]
    shown = len(head) if any(row.description for row in rows) else len(head) - 1
    words = [[Word(text) for text in line[:shown]] for line in (head, *lines)]
    return text_table(words[0], words[1:])


def _is_news(row: Row) -> bool:
    return row.reason != NOTHING_CHANGED


def _outputs(row: Row) -> list[str]:
    return [printable(o.path) + ("" if o.cached else " (git)") for o in row.outputs]


def _row_tree(row: Row) -> Json:
    return {
        "name": row.name,
        "state": row.state,
        "reason": row.reason,
        "description": row.description,
        "outputs": [{"path": o.path, "role": str(o.role), "cached": o.cached} for o in row.outputs],
    }
