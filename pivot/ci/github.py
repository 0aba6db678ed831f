"""GitHub Actions: commands on standard output, and files that a step appends to."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pivot.ci.event import read_github_event
from pivot.errors import PivotError
from pivot.report import printable
from pivot.values import load_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pivot.ci.event import Event
    from pivot.values import Typed

SUMMARY_LIMIT = 512 * 1024
"""Bytes: GitHub drops a summary of 1 MiB, and some below, without a word."""

_CUT = "\n\n*The rest is left out: it is too long for a summary.*\n"


def open_github(environment: Mapping[str, str], stream: TextIO) -> GitHub:
    """Read who started the job and where it runs; what cannot be read is not trusted."""
    payload: Typed = None
    problem = ""
    try:
        if path := environment.get("GITHUB_EVENT_PATH"):
            payload = load_values(Path(path), "event.json").value
    except PivotError as error:
        problem = error.message
    github = GitHub(environment, stream, read_github_event(environment, payload))
    if problem:
        github.warning(f"the event file cannot be read: {printable(problem)}")
    return github


class GitHub:
    """A step of a job on GitHub Actions; see `Host`."""

    name = "github"

    def __init__(self, environment: Mapping[str, str], stream: TextIO, event: Event) -> None:
        self.event = event
        self.workspace = Path(environment.get("GITHUB_WORKSPACE") or Path.cwd())
        self.temporary = Path(environment.get("RUNNER_TEMP") or tempfile.gettempdir())
        self.debug = environment.get("RUNNER_DEBUG") == "1"
        self.job = "/".join(
            environment.get(part, "") for part in ("GITHUB_WORKFLOW", "GITHUB_JOB")
        ).strip("/")
        self._environment = environment
        self._stream = stream
        self._lock = threading.Lock()
        self._stopped = ""  # the word that ends a raw block, inside one

    def mask(self, secret: str) -> None:
        """See `Host.mask`; a secret of many lines is hidden line by line."""
        lines = (line.strip() for line in secret.splitlines())
        self._command(*(f"::add-mask::{_data(line)}" for line in lines if line))

    @contextlib.contextmanager
    def group(self, title: str) -> Iterator[None]:
        """See `Host.group`."""
        self._command(f"::group::{_data(printable(title))}")
        try:
            yield
        finally:
            self._command("::endgroup::")

    @contextlib.contextmanager
    def raw(self) -> Iterator[None]:
        """See `Host.raw`; what this object is told inside the block is a command all the same."""
        with self._lock:
            outermost = not self._stopped
            if outermost:
                self._stopped = _random()
                self._print(f"::stop-commands::{self._stopped}")
        try:
            yield
        finally:
            if outermost:
                with self._lock:
                    self._print(f"::{self._stopped}::")
                    self._stopped = ""

    def notice(self, text: str, *, file: str = "", title: str = "") -> None:
        """See `Host.notice`."""
        self._annotate("notice", text, file, title)

    def warning(self, text: str, *, file: str = "", title: str = "") -> None:
        """See `Host.warning`."""
        self._annotate("warning", text, file, title)

    def error(self, text: str, *, file: str = "", title: str = "") -> None:
        """See `Host.error`."""
        self._annotate("error", text, file, title)

    def outputs(self, values: Mapping[str, str]) -> None:
        """See `Host.outputs`."""
        mark = _random()  # no value can hold what nobody knew
        entries = (f"{name}<<{mark}\n{value}\n{mark}\n" for name, value in values.items())
        self._append("GITHUB_OUTPUT", "".join(entries), "the outputs are not set")

    def summary(self, markdown: str) -> None:
        """See `Host.summary`; what is too long is cut at the end of a line."""
        data = markdown.encode("utf-8", "backslashreplace")
        if len(data) > SUMMARY_LIMIT:
            kept = data[: SUMMARY_LIMIT - len(_CUT)]
            data = kept[: kept.rfind(b"\n") + 1] + _CUT.encode()
        text = data.decode().removesuffix("\n")
        self._append("GITHUB_STEP_SUMMARY", f"{text}\n", "there is no summary")

    def _annotate(self, level: str, text: str, file: str, title: str) -> None:
        given = [(name, value) for name, value in (("file", file), ("title", title)) if value]
        said = ",".join(f"{name}={_property(value)}" for name, value in given)
        self._command(f"::{level} {said}::{_data(text)}" if said else f"::{level}::{_data(text)}")

    def _command(self, *lines: str) -> None:
        """Print commands; inside a raw block, they are heard for a moment.

        All of it is one write, so that no line of another thread is heard with them. It begins
        on a line of its own, even if another thread has not ended its line yet: a mask that is
        not heard would show the secret.
        """
        if not lines:
            return
        with self._lock:
            if self._stopped:
                ended, self._stopped = self._stopped, _random()
                lines = ("", f"::{ended}::", *lines, f"::stop-commands::{self._stopped}")
            self._print(*lines)

    def _print(self, *lines: str) -> None:
        self._stream.write("".join(f"{line}\n" for line in lines))
        self._stream.flush()

    def _append(self, variable: str, text: str, otherwise: str) -> None:
        """Add *text* to the file that a variable names, in one write."""
        path = self._environment.get(variable)
        if not path:
            self.warning(f"{otherwise}: {variable} names no file")
            return
        data = text.encode("utf-8", "backslashreplace")
        try:
            with Path(path).open("ab", buffering=0) as file:
                while data:
                    data = data[file.write(data) or 0 :]
        except OSError as error:
            self.warning(f"{otherwise}: {path}: {error.strerror}")


def _random() -> str:
    return f"pivot-{secrets.token_hex(16)}"


def _data(text: str) -> str:
    """Escape what follows a command, so that it stays in its line."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape the value of a property of a command."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
