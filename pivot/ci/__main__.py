"""Start a CI job: what the action, its image and the GitLab template run."""

from __future__ import annotations

import os
import signal
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

from pivot.ci.host import open_host
from pivot.ci.run import run
from pivot.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType


def main() -> NoReturn:
    """Run the job that the environment describes, and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        host = open_host(os.environ, sys.stdout)
    except UsageError as error:
        print(f"Error: {error.message}\nTip: {error.hint}", file=sys.stderr)  # noqa: T201
        sys.exit(error.code)
    code = run(host, os.environ, sys.stdout)
    sys.stdout.flush()
    os._exit(code)  # transfers that are still under way are not waited for


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
