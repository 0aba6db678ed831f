"""What a test knows of an S3 server: where it listens and the keys it accepts."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


_MAKING = threading.Lock()  # a session makes one client at a time


@functools.lru_cache(maxsize=64)
def _session(access_key: str, secret_key: str) -> Any:
    """Make a session, which is what a client takes its time for."""
    import boto3

    return boto3.session.Session(
        aws_access_key_id=access_key, aws_secret_access_key=secret_key, region_name="us-east-1"
    )


@dataclasses.dataclass(frozen=True)
class S3Server:
    """A running S3 server; `data` is its plain folder of objects, where it keeps one."""

    name: str
    url: str
    access_key: str
    secret_key: str
    ca_bundle: Path | None = None
    data: Path | None = None

    def environment(self) -> dict[str, str]:
        """Return the standard AWS variables that lead any S3 client to this server."""
        variables = {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
        }
        if self.ca_bundle is not None:
            variables["AWS_CA_BUNDLE"] = str(self.ca_bundle)
        return variables

    def with_keys(self, access_key: str, secret_key: str) -> S3Server:
        """Return the same server as somebody else sees it, whether it knows these keys or not."""
        return dataclasses.replace(self, access_key=access_key, secret_key=secret_key)

    def client(self) -> Any:
        """Make a boto3 client of this server, an independent witness; close it after use."""
        from botocore.config import Config

        with _MAKING:
            return _session(self.access_key, self.secret_key).client(
                "s3",
                endpoint_url=self.url,
                verify=None if self.ca_bundle is None else str(self.ca_bundle),
                config=Config(
                    s3={"addressing_style": "path"},
                    # several servers answer 411 or 501 to checksums that boto3 sends of its own
                    # accord
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                ),
            )

    def store(self, bucket: str, *, retries: int = 0) -> Any:
        """Open a bucket with obstore, for many objects: at a fifth of the time of boto3.

        A new bucket may answer with errors while the server makes room for it: *retries* pass them.
        """
        from obstore.store import S3Store

        options: dict[str, Any] = {"timeout": "10s", "allow_http": True}
        if self.ca_bundle is not None:
            options["root_certificate"] = self.ca_bundle.read_bytes()
        return S3Store(
            bucket,
            endpoint=self.url,
            access_key_id=self.access_key,
            secret_access_key=self.secret_key,
            region="us-east-1",
            virtual_hosted_style_request=False,
            client_options=options,
            retry_config={"max_retries": retries},
        )

    def make_bucket(self, name: str) -> None:
        """Create a bucket; raises `botocore.exceptions.ClientError` when the server refuses."""
        with contextlib.closing(self.client()) as s3:
            s3.create_bucket(Bucket=name)
