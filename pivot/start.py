"""Where `pivot` begins: what is asked most is answered before the command line is loaded."""

from __future__ import annotations

import os
import sys

from pivot import __version__

_WIDTH = 80
"""Columns for which help.txt was written, by `make generate`."""


def main() -> None:
    """Start from the shell: what `pivot` and `python -m pivot` call."""
    text = _known(sys.argv[1:])
    if text is None:
        try:
            from pivot.cli import main as run  # noqa: PLC0415  it takes five times as long to load

            run()
        except KeyboardInterrupt:  # of somebody who was quicker than that
            os._exit(130)
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _known(words: list[str]) -> str | None:
    """Give the answer to *words*, if it is always the same."""
    if "_PIVOT_COMPLETE" in os.environ:
        return None
    if words == ["--version"]:
        return f"pivot-remote, version {__version__}\n"
    if words in (["--help"], ["-h"]) and _columns() >= _WIDTH:
        with open(os.path.join(os.path.dirname(__file__), "help.txt"), encoding="ascii") as file:
            return file.read()
    return None


def _columns() -> int:
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _WIDTH
    except (OSError, ValueError):  # no terminal
        return _WIDTH
