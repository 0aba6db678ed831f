"""`pivot params` and `pivot metrics`: what a reviewer of a change looks at."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import click

from pivot.cli.options import (
    EXIT_CODES,
    Common,
    common_options,
    complete_revisions,
    json_option,
    offer,
    started_in,
)
from pivot.compare import choose
from pivot.compare_report import Form, Style, report_differences, report_metrics
from pivot.errors import UsageError
from pivot.readings import find_metrics, read_metrics, read_parameters
from pivot.report import printable
from pivot.revision import open_places
from pivot.tables import MOST_DIGITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from click.shell_completion import CompletionItem

    from pivot.compare import Side
    from pivot.config import Config
    from pivot.project import Project

    Command = TypeVar("Command", bound=Callable[..., object])

_DIGITS = 5
_EPILOG = (
    """\b
A and B are commits, branches, tags, or what else git calls a revision.
Without B, A is compared with the workspace; A is HEAD if not given.

"""
    + EXIT_CODES
)


def _complete_metrics(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer stages with metrics, and metric files."""
    from pivot.cli.candidates import Candidate  # noqa: PLC0415

    del param
    common = started_in(ctx)

    def find() -> Iterator[Candidate]:
        project = common.project()
        cache = _cache(project, common.config(project))
        with open_places(project, cache, (ctx.params.get("rev"),)) as (place,):
            found = find_metrics(place)
        names = {part for owner in found.values() for part in (owner, owner.partition("@")[0])}
        files = sorted(os.path.relpath(project.root / path, project.here) for path in found)
        yield from map(Candidate, (*sorted(names), *files))

    return offer(incomplete, find)


def _table_options(function: Command) -> Command:
    function = click.option(
        "--precision",
        metavar="N",
        type=click.IntRange(1, MOST_DIGITS),
        help="Significant digits of numbers [default: display.precision].",
    )(function)
    function = click.option("--md", "as_markdown", is_flag=True, help="Print Markdown.")(function)
    return json_option(common_options(function))


def _diff_options(function: Command) -> Command:
    function = click.option("--all", "every", is_flag=True, help="Print unchanged values too.")(
        _table_options(function)
    )
    function = click.argument(
        "new", metavar="[B]", required=False, shell_complete=complete_revisions
    )(function)
    return click.argument("old", metavar="[A]", default="HEAD", shell_complete=complete_revisions)(
        function
    )


@click.group(epilog=EXIT_CODES)
def params() -> None:
    """Compare parameters between revisions.

    They are those that stages declare, and all of params.yaml.

    \b
    Examples:
      pivot params diff
      pivot params diff main --md
      pivot params diff v1.0 v1.1 --all
    """


@params.command("diff", epilog=_EPILOG)
@_diff_options
def diff_params(
    common: Common,
    *,
    old: str,
    new: str | None,
    every: bool,
    as_json: bool,
    as_markdown: bool,
    precision: int | None,
) -> int:
    """Print the parameters that differ between A and B.

    \b
    Examples:
      pivot params diff                 since the last commit
      pivot params diff main --md       since main, for a pull request
      pivot params diff v1.0 v1.1 --all
    """
    project = common.project()
    config = common.config(project)
    style = _style(config, precision, every=every, as_json=as_json, as_markdown=as_markdown)
    with open_places(project, _cache(project, config), (old, new)) as places:
        before, after = read_parameters(places)
    _tell_commits(common, before, after)
    return common.show(report_differences("params diff", before, after, style))


@click.group(epilog=EXIT_CODES)
def metrics() -> None:
    """Print metrics, or compare them between revisions.

    They are the numbers that stages leave in JSON, YAML or TOML files.

    \b
    Examples:
      pivot metrics show
      pivot metrics show --rev HEAD~1 'train@*'
      pivot metrics diff
      pivot metrics diff main --md
    """


@metrics.command(epilog=EXIT_CODES)
@click.argument("targets", nargs=-1, shell_complete=_complete_metrics)
@click.option(
    "--rev",
    metavar="REV",
    shell_complete=complete_revisions,
    help="A commit, branch or tag, instead of the workspace.",
)
@_table_options
def show(
    common: Common,
    *,
    targets: tuple[str, ...],
    rev: str | None,
    as_json: bool,
    as_markdown: bool,
    precision: int | None,
) -> int:
    """Print the metrics of the workspace or of a revision.

    TARGETS are stages ('train' is all of 'train@a' too), patterns ('train@*'), metric files, or
    directories that hold some. Without TARGETS: all.

    \b
    Examples:
      pivot metrics show
      pivot metrics show train
      pivot metrics show --rev HEAD~1 'train@*'
    """
    project = common.project()
    config = common.config(project)
    cache = _cache(project, config)
    style = _style(config, precision, as_json=as_json, as_markdown=as_markdown)
    here, root = str(project.here), str(project.root)

    def chosen(owners: Mapping[str, str]) -> Iterable[str]:
        return choose(owners, targets, here=here, root=root) if targets else owners

    with open_places(project, cache, (rev,)) as places:
        (side,) = read_metrics(places, cache, choose=chosen)
    _tell_commits(common, side)
    return common.show(report_metrics(side, style))


@metrics.command("diff", epilog=_EPILOG)
@_diff_options
def diff_metrics(
    common: Common,
    *,
    old: str,
    new: str | None,
    every: bool,
    as_json: bool,
    as_markdown: bool,
    precision: int | None,
) -> int:
    """Print the metrics that differ between A and B.

    \b
    Examples:
      pivot metrics diff                since the last commit
      pivot metrics diff main --md      since main, for a pull request
      pivot metrics diff v1.0 v1.1 --all
    """
    project = common.project()
    config = common.config(project)
    cache = _cache(project, config)
    style = _style(config, precision, every=every, as_json=as_json, as_markdown=as_markdown)
    with open_places(project, cache, (old, new)) as places:
        before, after = read_metrics(places, cache)
    _tell_commits(common, before, after)
    return common.show(report_differences("metrics diff", before, after, style))


def _cache(project: Project, config: Config) -> Path:
    return config.cache_dir(project, os.environ)


def _style(
    config: Config,
    precision: int | None,
    *,
    as_json: bool,
    as_markdown: bool,
    every: bool = False,
) -> Style:
    if as_json and as_markdown:
        raise UsageError("--json and --md are mutually exclusive")
    form = Form.JSON if as_json else Form.MARKDOWN if as_markdown else Form.TEXT
    if precision is None:
        configured, _ = config.get("display.precision")
        precision = configured if isinstance(configured, int) else _DIGITS
    return Style(form, precision, every)


def _tell_commits(common: Common, *sides: Side) -> None:
    if common.verbose:
        for side in sides:
            if side.commit:
                click.echo(printable(f"{side.name}: {side.commit}"), err=True)
