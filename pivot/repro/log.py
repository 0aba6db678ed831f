"""Show what stages print, each line with its stage's name; in CI as groups that can be folded."""

from __future__ import annotations

import re
import secrets
import tempfile
import threading
import time
from typing import IO, TYPE_CHECKING, TextIO

from pivot.errors import Interrupted
from pivot.report import printable
from pivot.repro.results import State
from pivot.repro.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pivot.repro.decide import Decision
    from pivot.repro.results import StageResult

_HEARTBEAT = 30.0
_LONGEST = 16 * 1024
_BYTES = 2**20


class StageLog(Watcher):
    """Writes lines to *stream* as they come, and one now and then when a stage is silent.

    With *verbose* it shows every command as well.
    """

    def __init__(self, stream: TextIO, *, verbose: bool = False) -> None:
        self._stream = stream
        self._verbose = verbose
        self._lock = threading.Lock()
        self._rest: dict[str, bytes] = {}
        self._began: dict[str, float] = {}
        self._last = time.monotonic()
        self._stop = threading.Event()
        self._beats = threading.Thread(target=self._beat, daemon=True)

    def waiting(self, who: str) -> None:
        """See `Watcher.waiting`."""
        self._say(f"Waiting for another run of stages in this workspace: {who}")

    def start(self) -> None:
        """See `Watcher.start`."""
        self._beats.start()

    def begin(self, stage: str, decision: Decision) -> None:
        """See `Watcher.begin`."""
        with self._lock:
            self._began[stage] = time.monotonic()
        self._open(stage, f"Running {stage}: {decision.reason}")

    def command(self, stage: str, command: str) -> None:
        """See `Watcher.command`."""
        if self._verbose:
            self._lines(stage, [b"$ " + line.encode() for line in command.strip().split("\n")])

    def output(self, stage: str, piece: bytes) -> None:
        """See `Watcher.output`."""
        with self._lock:
            *whole, rest = (self._rest.pop(stage, b"") + piece).split(b"\n")
            self._rest[stage] = rest[-_LONGEST:]
        if whole:
            self._lines(stage, whole)

    def end(self, result: StageResult) -> None:
        """See `Watcher.end`."""
        stage = result.stage
        with self._lock:
            ran = self._began.pop(stage, None) is not None
            rest = self._rest.pop(stage, b"")
        if rest:
            self._lines(stage, [rest])
        match result.state:
            case State.RAN:
                kept = f" ({seconds(result.around)} more for its inputs and outputs)"
                text = f"Finished {stage} in {seconds(result.seconds)}"
                text += kept if result.around >= 1 else ""
            case State.FAILED:
                word = "Interrupted" if isinstance(result.error, Interrupted) else "Failed"
                text = f"{word} {stage}" + (f" after {seconds(result.seconds)}" if ran else "")
            case State.RESTORED:
                text = f"Restored {stage}: {result.decision.reason}"
            case _:
                text = ""
        if ran:
            self._close(stage)
        if text:
            self._say(text)
        for warning in result.warnings:
            self._say(f"Warning: {warning}")

    def note(self, text: str) -> None:
        """See `Watcher.note`."""
        self._say(f"Note: {text}")

    def close(self) -> None:
        """See `Watcher.close`."""
        self._stop.set()

    def _open(self, stage: str, title: str) -> None:
        del stage
        self._say(title)

    def _close(self, stage: str) -> None:
        """Everything of *stage* has been said."""

    def _lines(self, stage: str, lines: list[bytes]) -> None:
        self._write("".join(self._line(stage, line) for line in lines))

    def _line(self, stage: str, line: bytes) -> str:
        """Make a line that does what it says: what a carriage return overwrites is gone."""
        shown = line[-_LONGEST:].rstrip(b"\r").rpartition(b"\r")[2]
        text = shown.decode("utf-8", "backslashreplace").expandtabs()
        return f"{printable(stage)} | {printable(_COLOURS.sub('', text))}\n"

    def _say(self, text: str) -> None:
        self._write(f"{printable(text)}\n")

    def _write(self, text: str) -> None:
        with self._lock:
            self._last = time.monotonic()
            self._stream.write(text)
            self._stream.flush()

    def _beat(self) -> None:
        while not self._stop.wait(1.0):
            with self._lock:
                silent = time.monotonic() - self._last >= _HEARTBEAT
                running = dict(self._began)
            if not silent:
                continue
            now = time.monotonic()
            told = [f"{stage} for {seconds(now - then)}" for stage, then in running.items()]
            self._say(f"Still running: {', '.join(told)}" if told else "Still looking at files")


class GroupedLog(StageLog):
    """Writes what a stage prints as one group: at its end, or as it comes if stages run *alone*."""

    def __init__(self, stream: TextIO, *, verbose: bool = False, alone: bool = False) -> None:
        super().__init__(stream, verbose=verbose)
        self._alone = alone
        self._kept: dict[str, IO[str]] = {}
        self._ends: dict[str, str] = {}

    def _open(self, stage: str, title: str) -> None:
        begin, end = self._marks(printable(title))
        with self._lock:
            self._ends[stage] = end
            if not self._alone:
                self._kept[stage] = tempfile.SpooledTemporaryFile(  # noqa: SIM115  closed in _close
                    max_size=_BYTES,
                    mode="w+",
                    encoding="utf-8",
                    errors="backslashreplace",
                    newline="",
                )
                self._kept[stage].write(begin)
        if self._alone:
            self._write(begin)

    def _lines(self, stage: str, lines: list[bytes]) -> None:
        kept = self._kept.get(stage)
        if kept is None:
            super()._lines(stage, lines)
        else:
            kept.writelines(self._line(stage, line) for line in lines)

    def _close(self, stage: str) -> None:
        kept, end = self._kept.pop(stage, None), self._ends.pop(stage)
        with self._lock:  # nothing else may come between
            self._last = time.monotonic()
            if kept is not None:
                kept.seek(0)
                while piece := kept.read(_BYTES):
                    self._stream.write(piece)
                kept.close()
            self._stream.write(end)
            self._stream.flush()

    def close(self) -> None:
        """See `Watcher.close`; what stages have printed that did not end is shown as well."""
        super().close()
        for stage in list(self._ends):
            self._close(stage)

    def _marks(self, title: str) -> tuple[str, str]:
        """Say how the runner marks a group's begin and end."""
        raise NotImplementedError


class GithubLog(GroupedLog):
    """Groups of GitHub Actions; no line that a stage prints can be taken for a command."""

    def _marks(self, title: str) -> tuple[str, str]:
        return f"::group::{title}\n", "::endgroup::\n"


class GitlabLog(GroupedLog):
    """Sections of GitLab CI."""

    def _marks(self, title: str) -> tuple[str, str]:
        name, now = f"stage_{secrets.token_hex(4)}", int(time.time())
        begin = f"\x1b[0Ksection_start:{now}:{name}[collapsed=true]\r\x1b[0K{title}\n"
        return begin, f"\x1b[0Ksection_end:{now}:{name}\r\x1b[0K\n"


_COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # CSI sequences of ECMA-48


def stage_log(
    stream: TextIO, environment: Mapping[str, str], *, jobs: int, verbose: bool
) -> StageLog:
    """Choose the form that suits where we run; at most *jobs* stages run at a time."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return GithubLog(stream, verbose=verbose, alone=jobs == 1)
    if environment.get("GITLAB_CI"):
        return GitlabLog(stream, verbose=verbose, alone=jobs == 1)
    return StageLog(stream, verbose=verbose)


def seconds(count: float) -> str:
    """Say a duration: `0.8 s`, `4 min 12 s`."""
    if count < 60:  # noqa: PLR2004
        return f"{count:.1f} s"
    minutes, rest = divmod(round(count), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
