"""The JuiceFS gateway: MinIO's HTTP and signature layer over sqlite and files."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tests.servers.process import LOOPBACK, answers, free_ports, program, run, running
from tests.servers.server import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def juicefs(directory: Path, *, region: str = "us-east-1") -> Iterator[S3Server]:
    """Serve a volume under this directory, made at the first start, every bucket a folder of it.

    Requests that are signed for another *region* are refused with its name, as AWS does.
    """
    data = directory / "data"
    data.mkdir(parents=True, exist_ok=True)
    binary = program("juicefs")
    metadata = f"sqlite3://{directory / 'meta.db'}"
    if not (directory / "meta.db").exists():
        volume = ["--storage=file", f"--bucket={data}/", "--trash-days=0", metadata, "volume"]
        run([binary, "format", *volume], directory)
    port, metrics = free_ports(2)
    server = S3Server("juicefs", f"http://{LOOPBACK}:{port}", "testkey", "testsecret")
    command = [
        binary,
        "--no-agent",
        "gateway",
        "--no-usage-report",
        "--no-banner",
        "--multi-buckets",
        "--keep-etag",
        "--object-meta",
        f"--cache-dir={directory / 'cache'}",
        f"--log={directory / 'gateway.log'}",
        f"--metrics={LOOPBACK}:{metrics}",
        metadata,
        f"{LOOPBACK}:{port}",
    ]
    keys = {
        "MINIO_ROOT_USER": server.access_key,
        "MINIO_ROOT_PASSWORD": server.secret_key,
        "MINIO_REGION": region,
    }
    with running(
        command,
        directory,
        lambda: answers(port, "/minio/health/live", below=400),
        environment=keys,
    ):
        yield server
