"""Run the command in children of one process that has loaded it: in a tenth of the time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

_SERVER = """
import json, os, sys
import obstore, obstore.store
import pivot.api, pivot.cli, pivot.cli.gc, pivot.cli.track, pivot.cli.transfer
import pivot.folder, pivot.fetch, pivot.gc.s3, pivot.push, pivot.s3
import yaml
for line in sys.stdin:
    order = json.loads(line)
    if "wait" in order:
        status = os.waitpid(order["wait"], 0)[1]
        print(os.waitstatus_to_exitcode(status), flush=True)
        continue
    child = os.fork()
    if not child:
        os.chdir(order["cwd"])
        for number, name in ((0, os.devnull), (1, order["out"]), (2, order["err"])):
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.dup2(os.open(name, flags, 0o600), number)
        sys.argv = ["pivot", *order["words"]]
        sys.stdout, sys.stderr = open(1, "w"), open(2, "w")
        try:
            pivot.cli.main()
        except SystemExit as stop:
            sys.stdout.flush(); sys.stderr.flush()
            os._exit(stop.code or 0)
        except BaseException:
            import traceback
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(70)
    print(child, flush=True)
"""


class Child:
    """A command that was started; what it says goes into files."""

    def __init__(self, forks: Forks, process: int, out: Path, err: Path) -> None:
        self._forks = forks
        self.process = process
        self._out, self._err = out, err

    def kill(self) -> None:
        """End it as a loss of power would; its parent has not waited for it yet."""
        os.kill(self.process, 9)

    def wait(self) -> int:
        """Wait for its end; the answer is its exit code, or minus the signal that ended it."""
        return self._forks.ask(wait=self.process)

    @property
    def said(self) -> tuple[str, str]:
        """What it said on both streams."""
        return self._out.read_text(), self._err.read_text()


class Forks:
    """Starts commands with *environment*; use it in a `with` statement."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        directory.mkdir(parents=True)
        self._directory = directory
        self._number = 0
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVER],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.__exit__(kind, error, trace)

    def start(self, *words: str, cwd: Path) -> Child:
        """Start one command in *cwd*."""
        self._number += 1
        out, err = (self._directory / f"{self._number}.{name}" for name in ("out", "err"))
        for file in (out, err):
            file.touch()  # it may be killed before it gets there
        process = self.ask(words=list(words), cwd=str(cwd), out=str(out), err=str(err))
        return Child(self, process, out, err)

    def ask(self, **order: object) -> int:
        """Send an order, and read the number that answers it."""
        write, read = self._process.stdin, self._process.stdout
        assert write is not None
        assert read is not None
        return _ask(write, read, json.dumps(order))


def _ask(write: IO[str], read: IO[str], order: str) -> int:
    write.write(f"{order}\n")
    write.flush()
    return int(read.readline())
