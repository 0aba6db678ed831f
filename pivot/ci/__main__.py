"""Start a CI job: what the action, its image and the GitLab template run."""

from __future__ import annotations

import os
import signal
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType


def main() -> NoReturn:
    """Run the job that the environment describes, and exit with its code.

    A job may be cancelled at once, so signals are heard before anything that takes time.
    """
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace", line_buffering=True)
        code = _run()
    except KeyboardInterrupt:  # no job has begun that could tell of it
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        code = _cancelled()
    sys.stdout.flush()
    os._exit(code)  # transfers that are still under way are not waited for


def _run() -> int:
    from pivot.ci.host import open_host  # noqa: PLC0415
    from pivot.ci.run import run  # noqa: PLC0415
    from pivot.errors import UsageError  # noqa: PLC0415

    try:
        host = open_host(os.environ, sys.stdout)
    except UsageError as error:
        print(f"Error: {error.message}\nTip: {error.hint}", file=sys.stderr)  # noqa: T201
        return error.code
    return run(host, os.environ, sys.stdout)


def _cancelled() -> int:
    """Set the outputs of a job that was cancelled before it began."""
    from pivot import __version__  # noqa: PLC0415
    from pivot.ci.host import open_host  # noqa: PLC0415
    from pivot.ci.outputs import failed_values  # noqa: PLC0415
    from pivot.errors import ExitCode, UsageError  # noqa: PLC0415

    try:
        host = open_host(os.environ, sys.stdout)
    except UsageError:
        return ExitCode.INTERRUPTED
    host.error("the job was cancelled", title="pivot")
    runtime = os.environ.get("PIVOT_RUNTIME", "python")
    host.outputs(failed_values(ExitCode.INTERRUPTED, __version__, runtime))
    return ExitCode.INTERRUPTED


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
