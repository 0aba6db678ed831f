"""GitLab CI: sections and plain lines in the log, and outputs in a dotenv report."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pivot.ci.event import read_gitlab_event
from pivot.report import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pivot.ci.event import Event

DOTENV = "pivot.env"
"""Name of the file in the project directory that holds the outputs."""

DOTENV_LIMIT = 5 * 1024
"""Bytes: GitLab refuses a longer one, and fails the job."""


def open_gitlab(environment: Mapping[str, str], stream: TextIO) -> GitLab:
    """Read who started the job and where it runs."""
    return GitLab(environment, stream, read_gitlab_event(environment))


class GitLab:
    """A job on GitLab CI; see `Host`."""

    name = "gitlab"

    def __init__(self, environment: Mapping[str, str], stream: TextIO, event: Event) -> None:
        self.event = event
        self.workspace = Path(environment.get("CI_PROJECT_DIR") or Path.cwd())
        self.temporary = Path(environment.get("RUNNER_TEMP_PROJECT_DIR") or tempfile.gettempdir())
        self.debug = environment.get("CI_DEBUG_TRACE") == "true"
        self.job = environment.get("CI_JOB_NAME", "")
        self._stream = stream

    def mask(self, secret: str) -> None:
        """Do nothing: GitLab masks variables only, and nothing here prints a secret."""

    @contextlib.contextmanager
    def group(self, title: str) -> Iterator[None]:
        """See `Host.group`."""
        section = f"pivot_{secrets.token_hex(4)}"
        start, end = (f"\033[0Ksection_{edge}:{{}}:{section}\r\033[0K" for edge in ("start", "end"))
        self._print(start.format(int(time.time())) + printable(title))
        try:
            yield
        finally:
            self._print(end.format(int(time.time())))

    @contextlib.contextmanager
    def raw(self) -> Iterator[None]:
        """See `Host.raw`: GitLab takes no line of a log for a command."""
        yield

    def notice(self, text: str, *, file: str = "", title: str = "") -> None:
        """See `Host.notice`."""
        self._tell("Notice", title, file, text)

    def warning(self, text: str, *, file: str = "", title: str = "") -> None:
        """See `Host.warning`."""
        self._tell("Warning", title, file, text)

    def error(self, text: str, *, file: str = "", title: str = "") -> None:
        """See `Host.error`."""
        self._tell("Error", title, file, text)

    def outputs(self, values: Mapping[str, str]) -> None:
        """Write `pivot.env`: `PIVOT_CACHE_HIT` for `cache-hit`; what is too long is left out."""
        lines = {name: _line(name, value) for name, value in values.items()}
        left_out = [name for name, value in values.items() if not value.isprintable()]
        for name in left_out:
            del lines[name]
        while sum(map(len, lines.values())) > DOTENV_LIMIT:
            longest = max(lines, key=lambda name: len(lines[name]))
            left_out.append(longest)
            del lines[longest]
        path = self.workspace / DOTENV
        try:
            _replace(path, b"".join(lines.values()))
        except OSError as error:
            self.warning(f"the outputs are not set: {path}: {error.strerror}")
            return
        if missed := [name for name in left_out if name != "json"]:
            self.warning(f"{', '.join(missed)}: left out of {DOTENV}, which holds 5 kB of lines")

    def summary(self, markdown: str) -> None:
        """Do nothing: a job on GitLab has no page of its own."""

    def _tell(self, level: str, *said: str) -> None:
        """Print a line for each line of the text, without what would move a cursor."""
        text = ": ".join(printable(part) for part in said[:-1] if part)
        first, *rest = said[-1].splitlines() or [""]
        line = f"{level}: {text}: {printable(first)}" if text else f"{level}: {printable(first)}"
        self._print(line, *(f"  {printable(line)}" for line in rest))

    def _print(self, *lines: str) -> None:
        self._stream.write("".join(f"{line}\n" for line in lines))
        self._stream.flush()


def _line(name: str, value: str) -> bytes:
    text = f"PIVOT_{name.upper().replace('-', '_')}={value}\n"
    return text.encode("utf-8", "backslashreplace")


def _replace(path: Path, data: bytes) -> None:
    """Put a file at *path*, whatever stands there: a link that somebody committed is not followed.

    A link to a file elsewhere would have that file overwritten.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:
            file.write(data)
        os.replace(aside, path)
    except OSError:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise
