"""What every command has in common: its options, where it runs, how it answers."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from pivot.config import load_config
from pivot.errors import MEANINGS, PivotError, UsageError
from pivot.frozen import frozen
from pivot.keys import Integrity
from pivot.project import Project, find_project, user_config
from pivot.quantities import parse_duration
from pivot.report import dump, printable
from pivot.transfer import Meter

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from pivot.config import Config
    from pivot.report import Json, Report
    from pivot.session import Session

    Command = TypeVar("Command", bound=Callable[..., object])

EXIT_CODES = "\b\nExit codes:\n" + "\n".join(
    f"  {code.value:<4} {meaning}" for code, meaning in MEANINGS.items()
)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def quantity(parse: Callable[[str], int]) -> Callable[..., int | None]:
    """Let click read a size or a time."""

    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
        try:
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(f"{value!r} {error}", ctx, param) from error

    return read


timeout_option = click.option(
    "--timeout",
    metavar="TIME",
    callback=quantity(parse_duration),
    help="End cleanly after so long, e.g. 30m, with exit code 124.",
)


integrity_option = click.option(
    "--integrity",
    type=click.Choice([str(choice) for choice in Integrity]),
    help="What to do with contents whose SHA-256 is in no ledger: auto checks them by xxh64 alone, "
    "require refuses them [default: integrity].",
)


@frozen
class Common:
    """The options that stand before or after the command alike."""

    directory: Path
    verbose: int = 0
    quiet: bool = False

    def project(self) -> Project:
        """Find the project; says which root was chosen when asked to be verbose."""
        project = find_project(self.directory, os.environ)
        if self.verbose:
            click.echo(f"Project root: {project.root}", err=True)
        return project

    def config(self, project: Project | None) -> Config:
        """Read the configuration, inside or outside of a project."""
        home = Path(os.environ.get("HOME") or os.path.expanduser("~"))
        return load_config(project, user_config(home) if project is None else project.user_config)

    def session(
        self, jobs: int | None, *, max_size: int | None = None, integrity: str | None = None
    ) -> Session:
        """Prepare a transfer with so many *jobs*, or as many as are configured."""
        from pivot.session import Session, choose_jobs  # noqa: PLC0415  config commands do not need it

        project = self.project()
        config = self.config(project)
        policy = Integrity(integrity) if integrity else config.integrity(os.environ)
        return Session(
            project,
            config,
            os.environ,
            choose_jobs(config, jobs),
            self.meter(),
            max_size=max_size,
            integrity=policy,
        )

    def show(self, report: Report) -> int:
        """Print a report and answer its exit code."""
        if not self.quiet or (report.out[:1] and report.out[0].startswith("{")):
            for line in report.out:
                click.echo(line)
        for line in () if self.quiet else report.notes:
            click.echo(line, err=True)
        for line in report.err:
            click.echo(line, err=True)
        return int(report.code)

    def say(self, text: str) -> None:
        """Print a line, unless quiet."""
        if not self.quiet:
            click.echo("\n".join(printable(line) for line in text.split("\n")))

    def answer(self, text: str, command: str, tree: dict[str, Json], *, as_json: bool) -> None:
        """Say what was changed, in words or in the form of `schemas/change.json`."""
        if as_json:
            head: dict[str, Json] = {"version": 1, "command": command}
            click.echo(dump(head | tree))
        else:
            self.say(text)

    def meter(self) -> Meter:
        """Choose who shows how far it is."""
        from pivot.progress import BarMeter, LineMeter, VerboseMeter  # noqa: PLC0415

        if self.quiet:
            return Meter()
        if self.verbose:
            return VerboseMeter(sys.stderr)
        return BarMeter(sys.stderr) if sys.stderr.isatty() else LineMeter(sys.stderr)


def common_options(function: Command) -> Command:
    """Give a command -C, -v and -q; it gets them as `common`, joined with the group's."""

    @click.option("-C", "directory", metavar="DIR", help="Run as if started in DIR.")
    @click.option("-v", "--verbose", count=True, help="Say more, a line for every object.")
    @click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
    @functools.wraps(function)
    def wrapped(*, directory: str | None, verbose: int, quiet: bool, **rest: object) -> object:
        ctx = click.get_current_context()
        common = ctx.obj if isinstance(ctx.obj, Common) else Common(Path.cwd())
        if directory is not None:
            place = common.directory / directory
            if not place.is_dir():
                raise UsageError(f"-C {directory}: there is no such directory")
            common = replace(common, directory=place)
        common = replace(common, verbose=common.verbose + verbose, quiet=common.quiet or quiet)
        return function(common, **rest)

    return wrapped  # type: ignore[return-value]


def complete_remotes(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the names of the configured remotes."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    del ctx, param
    common = Common(Path.cwd())
    try:
        remotes = common.config(common.project()).remotes
    except PivotError:
        return []  # a completion has nobody to complain to
    return [
        CompletionItem(name, help=remote.url)
        for name, remote in remotes.items()
        if name.startswith(incomplete)
    ]


def complete_targets(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer stages and outputs."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    from pivot.references import load_references  # noqa: PLC0415

    del ctx, param
    try:
        project = find_project(Path.cwd(), os.environ)
        references = load_references(project)
    except PivotError:
        return []
    paths = [
        os.path.relpath(project.root / entry.output.path, project.here)
        for entry in references.entries
    ]
    names = [*sorted(references.stages), *sorted(paths)]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_stages(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the stages of the pipeline."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    from pivot.pipeline.workspace import load_workspace_pipeline  # noqa: PLC0415
    from pivot.references import load_documents  # noqa: PLC0415

    del ctx, param
    try:
        project = find_project(Path.cwd(), os.environ)
        stages = load_workspace_pipeline(project, load_documents(project)).stages.values()
    except PivotError:
        return []
    names = dict.fromkeys(name for stage in stages for name in (stage.group, stage.name))
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_needs(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the stages of the pipeline, and those of locks alone."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    from pivot.stage_needs import stage_needs  # noqa: PLC0415

    del ctx, param
    try:
        names = stage_needs(find_project(Path.cwd(), os.environ))
    except PivotError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_revisions(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer branches and tags."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    from pivot.git import list_branches  # noqa: PLC0415

    del ctx, param
    try:
        names = ["HEAD", *list_branches(find_project(Path.cwd(), os.environ).root)]
    except PivotError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
