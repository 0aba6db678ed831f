"""The command line: arguments in, report and exit code out."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

import click

from pivot import __version__
from pivot.cli.manual import documented
from pivot.cli.options import EXIT_CODES, Common, common_options
from pivot.errors import Ended, ExitCode, PivotError, TimedOut, UsageError, local_error
from pivot.report import report_error

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

_COMMANDS = {
    "repro": "repro",
    "list": "look",
    "dag": "dag",
    "push": "transfer",
    "pull": "checkout",
    "fetch": "transfer",
    "checkout": "checkout",
    "status": "status",
    "verify": "status",
    "report": "report",
    "doctor": "doctor",
    "gc": "gc",
    "track": "track",
    "config": "config",
    "remote": "remote",
    "init": "init",
    "params": "compare",
    "metrics": "compare",
    "schema": "look",
    "completion": "look",
    "import-dvc": "import_dvc",
}

_NAMES = {"list": "list_", "import-dvc": "import_dvc"}
"""What commands are called in their modules, where that cannot be their name."""

_COMPLETION = "_PIVOT_COMPLETE"
"""The variable with which a shell asks click for completion."""


class _LazyGroup(click.Group):
    """Loads the module of a command when it is needed: `--version` needs none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"pivot.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, _NAMES.get(cmd_name, cmd_name))
        return documented(command, cmd_name, EXIT_CODES)


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, prog_name="pivot-remote")
@common_options
def pivot(common: Common) -> None:
    """Run pipelines, and share their cached outputs through S3 or a shared folder.

    Lock files in git say which outputs belong to a commit. 'repro' runs the stages that have
    changed and writes them, 'push' uploads what they name, 'pull' downloads it and puts it in
    place. No project code is ever imported.

    \b
    Start with:
      pivot repro
      pivot config set remotes.origin s3://my-bucket/pivot-cache
      pivot push
      pivot pull
    """
    click.get_current_context().obj = common


def run(arguments: Sequence[str]) -> ExitCode:
    """Run one command; the answer is the exit code. Bugs alone raise."""
    command, as_json = _asked(arguments)
    if _COMPLETION in os.environ:
        import_module("pivot.cli.completion").register()
    try:
        code = pivot.main(args=list(arguments), prog_name="pivot", standalone_mode=False)
        return ExitCode(code or 0)
    except click.exceptions.Exit as stop:
        return ExitCode(stop.exit_code)
    except click.Abort as stop:  # what click makes of every interrupt
        raise stop.__cause__ or KeyboardInterrupt from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except (click.ClickException, PivotError, OSError) as error:
        return _show_error(command, error, as_json=as_json)


def main() -> NoReturn:
    """Start from the shell: what `pivot` and `python -m pivot` call."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal may not know every character
            stream.reconfigure(errors="backslashreplace")
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup wants us to go on
            signal.signal(signal.SIGHUP, _interrupt)
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        code = ExitCode.TIMED_OUT if isinstance(stop, TimedOut) else ExitCode.INTERRUPTED
        try:
            _show_end(stop, code)
            sys.stdout.flush()
        except OSError:  # who was to read it may have ended, too
            pass
        finally:
            os._exit(code)  # transfers that are still under way are not waited for
    sys.exit(int(code))


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


def _asked(arguments: Sequence[str]) -> tuple[str, bool]:
    """Say which command was asked for, and whether it is to answer in JSON."""
    command = next((word for word in arguments if word in _COMMANDS), "")
    return command, "--json" in arguments


def _show_end(stop: KeyboardInterrupt, code: ExitCode) -> None:
    """Say that the command was interrupted, or was too slow."""
    said = f"Timed out after {stop.seconds} s" if isinstance(stop, TimedOut) else "Interrupted"
    click.echo(f"{said}. The same command again completes.", err=True)
    command, as_json = _asked(sys.argv[1:])
    if as_json:
        for line in report_error(command, Ended(said, code), as_json=True).out:
            click.echo(line)


def _show_error(
    command: str, error: click.ClickException | PivotError | OSError, *, as_json: bool
) -> ExitCode:
    if isinstance(error, click.ClickException):
        if not as_json:
            error.show()
            return ExitCode.USAGE
        error = UsageError(error.format_message())
    elif isinstance(error, OSError):
        error = local_error(error)
    report = report_error(command, error, as_json=as_json)
    for line in report.out:
        click.echo(line)
    for line in report.err:
        click.echo(line, err=True)
    return report.code
