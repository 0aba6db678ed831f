"""SeaweedFS: a production object store with signatures, conditional writes and checksums."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.process import LOOPBACK, answers, free_ports, program, running
from tests.servers.server import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


OPEN = "open-to-everybody"
"""The name of the one bucket that is read without credentials, for who makes it."""


@contextlib.contextmanager
def seaweedfs(directory: Path, roles: Mapping[str, object] | None = None) -> Iterator[S3Server]:
    """Serve S3 with an administrator's keys; `reader`/`readersecret` may only read and list.

    With *roles*, a configuration of its IAM, it is also an STS; see `identity.roles`.
    """
    data = directory / "data"
    data.mkdir(parents=True, exist_ok=True)
    identities = directory / "identities.json"
    identities.write_text(
        json.dumps(
            {
                "identities": [
                    _identity("testkey", "testsecret", "Admin", "Read", "Write", "List", "Tagging"),
                    _identity("reader", "readersecret", "Read", "List"),
                    {"name": "anonymous", "actions": [f"Read:{OPEN}", f"List:{OPEN}"]},
                ]
            }
        )
    )
    parts = ("master", "volume", "filer", "s3")
    ports = free_ports(2 * len(parts))
    http_ports = dict(zip(parts, ports, strict=False))
    grpc_ports = dict(zip(parts, reversed(ports), strict=False))
    server = S3Server("seaweedfs", f"http://{LOOPBACK}:{http_ports['s3']}", "testkey", "testsecret")
    command = [
        program("weed"),
        "-logtostderr=true",
        "server",
        f"-ip={LOOPBACK}",
        f"-ip.bind={LOOPBACK}",
        f"-dir={data}",
        *(f"-{part}.port={port}" for part, port in http_ports.items()),
        *(f"-{part}.port.grpc={port}" for part, port in grpc_ports.items()),
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=256",
        "-volume.max=20000",  # each bucket takes some, and a worker makes hundreds
        "-volume.preStopSeconds=0",
        "-filer",
        # relative to the working directory: the path of a socket has to be short
        "-filer.localSocket=filer.sock",
        "-s3",
        f"-s3.config={identities}",
        "-s3.localSocket=s3.sock",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]

    if roles is not None:
        iam = directory / "iam.json"
        iam.write_text(json.dumps(roles))
        command.append(f"-s3.iam.config={iam}")

    def ready() -> bool:
        # the gateway answers seconds before the master knows of a volume to write to
        return (
            answers(http_ports["master"], "/dir/assign", below=400)
            and answers(http_ports["filer"], below=400)
            and answers(http_ports["s3"])
        )

    try:
        with running(command, directory, ready):
            yield server
    finally:
        for port in grpc_ports.values():
            # a place that cannot be chosen, and weed clears it only when it takes its time to stop
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink()


def _identity(access_key: str, secret_key: str, *actions: str) -> dict[str, object]:
    return {
        "name": access_key,
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": actions,
    }
