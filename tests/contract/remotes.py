"""The kinds of remotes that keep the contract, and an independent look at what they hold."""

from __future__ import annotations

import os
import random
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from pivot.config import Config, RemoteSettings
from pivot.keys import Level
from pivot.objects import Digest, digest_bytes
from pivot.remotes import open_remote
from tests import buckets

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import TypeAlias

    from pivot.remote import Remote
    from tests.servers import S3Server

EVERY_RUN = ("folder", "seaweedfs", "juicefs", "rclone-tls")
"""The kinds that each run tries; over TLS, rclone is the same as without it."""

CHOICE = "PIVOT_CONTRACT_KINDS"
"""The environment variable that names other kinds, separated by blanks."""

SIGNATURES = "checks who asks"
CONDITIONAL_PUT = "conditional put"
PENDING_UPLOADS = "lists pending uploads"

LACKS: Mapping[str, frozenset[str]] = {
    "seaweedfs": frozenset(),
    "rclone": frozenset({CONDITIONAL_PUT}),
    "rclone-tls": frozenset({CONDITIONAL_PUT}),
    "juicefs": frozenset({CONDITIONAL_PUT}),
    "moto": frozenset({SIGNATURES}),
    "ceph": frozenset(),
    "swift": frozenset({CONDITIONAL_PUT}),
}
"""What a server does for nobody; a test asks each of them whether that is so."""


def chosen_kinds() -> tuple[str, ...]:
    """Name the kinds that this run is about."""
    return tuple(os.environ.get(CHOICE, "").split()) or EVERY_RUN


@dataclass(frozen=True, slots=True)
class Folder:
    """Remotes in a shared folder, each at a prefix below *root*."""

    root: Path
    kind: str = "folder"

    def open(self, prefix: str = "pre/fix", *, jobs: int = 8) -> Remote:
        """Open the remote at *prefix*, in a folder that somebody made."""
        (self.root / prefix).mkdir(parents=True, exist_ok=True)
        return _open((self.root / prefix).as_uri(), {}, jobs=jobs)

    def open_absent(self) -> Remote:
        """Open a remote in a folder that nobody made."""
        return _open((self.root / "absent").as_uri(), {})

    def put(self, name: str, body: bytes) -> None:
        """Store a file by other means."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def names(self) -> list[str]:
        """List all files."""
        return sorted(self.contents())

    def contents(self) -> dict[str, bytes]:
        """Read all files by name."""
        return buckets.folder_contents(self.root)

    def places(self) -> list[str]:
        """List the folders in which remotes could be."""
        return sorted(path.name for path in self.root.iterdir())

    def pending_uploads(self) -> list[str]:
        """List what began to arrive and did not end: any file, where nothing arrived."""
        return self.names()

    def need(self, ability: str) -> None:
        """Skip a test of what cannot be done here; a folder can do all."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Remotes in one bucket of an S3 server, seen by boto3."""

    server: S3Server
    bucket: str
    kind: str

    def open(self, prefix: str = "pre/fix", *, jobs: int = 8, retries: int = 2) -> Remote:
        """Open the remote at *prefix*."""
        url = f"s3://{self.bucket}/{prefix}"
        return _open(url, self.server.environment(), jobs=jobs, retries=retries)

    def open_absent(self) -> Remote:
        """Open a remote in a bucket that nobody made."""
        return _open(f"s3://{self.bucket}-absent/pre/fix", self.server.environment())

    def seen_through(self, server: S3Server) -> Bucket:
        """Return the same bucket with other keys or at another address."""
        return replace(self, server=server)

    def put(self, name: str, body: bytes) -> None:
        """Store an object by other means."""
        buckets.put(self.server, self.bucket, name, body)

    def names(self) -> list[str]:
        """List all keys."""
        return buckets.keys(self.server, self.bucket)

    def contents(self) -> dict[str, bytes]:
        """Read all objects by key."""
        return buckets.contents(self.server, self.bucket)

    def places(self) -> list[str]:
        """List the buckets of the server."""
        with closing(self.server.client()) as s3:
            return sorted(entry["Name"] for entry in s3.list_buckets()["Buckets"])

    def pending_uploads(self) -> list[str]:
        """List the keys of uploads in parts that began and did not end."""
        with closing(self.server.client()) as s3:
            answer = s3.list_multipart_uploads(Bucket=self.bucket)
        return sorted(entry["Key"] for entry in answer.get("Uploads", ()))

    def need(self, ability: str) -> None:
        """Skip a test of what this server does for nobody."""
        if ability in LACKS[self.kind]:
            pytest.skip(f"{self.kind} lacks: {ability}")

    def lacks(self) -> frozenset[str]:
        """Ask the server what it can do, with boto3."""
        return frozenset(
            ability
            for ability, works in (
                (SIGNATURES, self._checks_who_asks()),
                (CONDITIONAL_PUT, self._puts_on_condition()),
                (PENDING_UPLOADS, self._tells_pending_uploads()),
            )
            if not works
        )

    def _checks_who_asks(self) -> bool:
        stranger = self.server.with_keys(self.server.access_key, "wrong")
        with closing(stranger.client()) as s3:
            try:
                s3.list_objects_v2(Bucket=self.bucket)
            except ClientError:
                return True
        return False

    def _puts_on_condition(self) -> bool:
        with closing(self.server.client()) as s3:
            try:
                for body in (b"first", b"second"):
                    s3.put_object(Bucket=self.bucket, Key="probe", Body=body, IfNoneMatch="*")
            except ClientError as error:
                return bool(error.response["Error"]["Code"] == "PreconditionFailed")
        return False

    def _tells_pending_uploads(self) -> bool:
        with closing(self.server.client()) as s3:
            begun = s3.create_multipart_upload(Bucket=self.bucket, Key="a/pending")["UploadId"]
            told = self.pending_uploads()
            s3.abort_multipart_upload(Bucket=self.bucket, Key="a/pending", UploadId=begun)
        return told == ["a/pending"]


Place: TypeAlias = "Folder | Bucket"


def sample(size: int, seed: int = 0) -> bytes:
    """Make up *size* bytes, the same ones each time."""
    return random.Random(f"{seed}/{size}").randbytes(size)


def write_sample(folder: Path, size: int, seed: int = 0) -> tuple[Digest, Path]:
    """Write a file of *size* bytes below *folder*; return its digest and where it is."""
    data = sample(size, seed)
    path = folder / f"sample-{size}-{seed}"
    path.write_bytes(data)
    return digest_bytes(data), path


def _open(url: str, environment: Mapping[str, str], *, jobs: int = 8, retries: int = 2) -> Remote:
    """Open a remote as a command does."""
    config = Config({"remote.retries": (retries, Level.LOCAL)})
    return open_remote(RemoteSettings("origin", url), config, environment, jobs=jobs)
