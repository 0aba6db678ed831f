"""Rclone's S3 gateway over a plain folder, which tests may look into."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tests.servers.process import LOOPBACK, answers, free_ports, program, running
from tests.servers.server import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def rclone(directory: Path) -> Iterator[S3Server]:
    """Serve `directory/data`, in which every bucket is a folder and every object a file."""
    data = directory / "data"
    data.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    server = S3Server("rclone", f"http://{LOOPBACK}:{port}", "testkey", "testsecret", data=data)
    command = [
        program("rclone"),
        "serve",
        "s3",
        "--config=",
        f"--auth-key={server.access_key},{server.secret_key}",
        f"--addr={LOOPBACK}:{port}",
        "--vfs-cache-mode=off",
        # tests look into the folder and leave it as it is; 1ms takes a third of a core
        "--dir-cache-time=100ms",
        str(data),
    ]
    with running(command, directory, lambda: answers(port)):
        yield server
