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
    from collections.abc import Callable, Iterable

    from click.shell_completion import CompletionItem

    from pivot.cli.candidates import Candidate
    from pivot.config import Config
    from pivot.report import Json, Report
    from pivot.session import Session

    Command = TypeVar("Command", bound=Callable[..., object])
    Quantity = TypeVar("Quantity", int, float)

EXIT_CODES = "\b\nExit codes:\n" + "\n".join(
    f"  {code.value:<4} {meaning}" for code, meaning in MEANINGS.items()
)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def quantity(parse: Callable[[str], Quantity]) -> Callable[..., Quantity | None]:
    """Let click read a size, a time or a share."""

    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> Quantity | None:
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

    @click.option(
        "-C",
        "directory",
        metavar="DIR",
        shell_complete=complete_directories,
        help="Run as if started in DIR.",
    )
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


def chained(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> str | None:
    """Join the remotes that were named, as `read_chain` takes them; `None` if none was."""
    del ctx, param
    return ",".join(names) if names else None


def remotes_option(what: str) -> Callable[[Command], Command]:
    """Give a command --remote, which may be given again; its help says *what* it does."""
    return click.option(
        "-r",
        "--remote",
        metavar="NAME",
        multiple=True,
        callback=chained,
        shell_complete=complete_remotes,
        help=what,
    )


def one_alone(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> str | None:
    """Take the one remote that was named; raises `click.BadParameter` for several."""
    if len(names) > 1:
        raise click.BadParameter("one remote at a time", ctx, param)
    return names[0] if names else None


def started_in(ctx: click.Context) -> Common:
    """Say where a command that is being typed would run, by the -C that stand before here."""
    place = Path.cwd()
    chain: list[click.Context] = []
    while True:
        chain.insert(0, ctx)
        if ctx.parent is None:
            break
        ctx = ctx.parent
    for each in chain:
        place /= each.params.get("directory") or ""
    return Common(place)


def complete_remotes(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the names of the configured remotes."""
    from pivot.cli import candidates  # noqa: PLC0415

    del param
    return offer(incomplete, lambda: candidates.list_remotes(_config(ctx)))


def complete_keys(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer keys of the configuration."""
    from pivot.cli import candidates  # noqa: PLC0415

    del param
    return offer(incomplete, lambda: candidates.list_keys(_config(ctx)))


def complete_values(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer what the key that stands before can be set to."""
    from pivot.cli import candidates  # noqa: PLC0415

    del param
    key = str(ctx.params.get("key"))
    return offer(incomplete, lambda: candidates.list_values(_config(ctx), key))


def complete_targets(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer stages and outputs of lock files, and tracked data."""
    from pivot.cli import candidates  # noqa: PLC0415

    list_ = candidates.list_any if ctx.info_name == "status" else candidates.list_targets
    del param
    return offer(incomplete, lambda: list_(started_in(ctx).project(), incomplete))


def complete_stages(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the stages of the pipeline, and what they make."""
    from pivot.cli import candidates  # noqa: PLC0415

    del param
    return offer(incomplete, lambda: candidates.list_stages(started_in(ctx).project(), incomplete))


def complete_needs(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the stages of the pipeline, and those of locks alone."""
    from pivot.cli import candidates  # noqa: PLC0415

    del param
    return offer(incomplete, lambda: candidates.list_needs(started_in(ctx).project()))


def complete_revisions(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer branches and tags."""
    from pivot.cli import candidates  # noqa: PLC0415

    del param
    return offer(incomplete, lambda: candidates.list_revisions(started_in(ctx).project()))


def complete_directories(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Leave directories to the shell."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    del ctx, param
    return [CompletionItem(incomplete, type="dir")]


def offer(incomplete: str, find: Callable[[], Iterable[Candidate]]) -> list[CompletionItem]:
    """Offer what *find* finds and what begins so; names that a shell cannot take are left out.

    Errors are not told: a completion has nobody to complain to.
    """
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    try:
        found = [one for one in find() if one.word.startswith(incomplete)]
    except (PivotError, OSError, UnicodeError):
        return []
    return [
        CompletionItem(
            one.word, type="file" if one.leads_on else "plain", help=printable(one.about) or None
        )
        for one in found
        if one.word.isprintable()
    ]


def _config(ctx: click.Context) -> Config:
    """Read the configuration, that of the user alone outside of a project."""
    common = started_in(ctx)
    try:
        project = common.project()
    except UsageError:
        return common.config(None)
    return common.config(project)
