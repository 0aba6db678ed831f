"""moto: AWS in memory, which accepts any keys and checks no signatures."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from tests.servers.process import LOOPBACK, NotHere, answers, free_ports, program, running
from tests.servers.server import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def moto(directory: Path) -> Iterator[S3Server]:
    """Serve from memory with `$PIVOT_MOTO_SERVER` or `moto_server`; raises `NotHere` without."""
    binary = _moto_server()
    directory.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    command = [binary, f"--host={LOOPBACK}", f"--port={port}"]
    with running(command, directory, lambda: answers(port, "/moto-api/", below=400)):
        yield S3Server("moto", f"http://{LOOPBACK}:{port}", "testkey", "testsecret")


def _moto_server() -> str:
    named = os.environ.get("PIVOT_MOTO_SERVER")
    if not named:
        return program("moto_server")
    found = shutil.which(named)
    if found is None:
        raise NotHere(f"PIVOT_MOTO_SERVER names {named}, which is no program")
    return found
