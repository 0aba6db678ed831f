"""Look into buckets, and fill them, with boto3: an independent client of the same server."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.servers import S3Server


def client(server: S3Server) -> Any:
    """Make a boto3 client; close it after use."""
    return boto3.session.Session(
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
    ).client(
        "s3",
        endpoint_url=server.url,
        verify=None if server.ca_bundle is None else str(server.ca_bundle),
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def fill(server: S3Server, bucket: str, folder: Path) -> None:
    """Store every file below *folder* under its relative path."""
    with closing(client(server)) as s3:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                key = path.relative_to(folder).as_posix()
                s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


def put(server: S3Server, bucket: str, key: str, body: bytes) -> None:
    """Store one object, over any other."""
    with closing(client(server)) as s3:
        s3.put_object(Bucket=bucket, Key=key, Body=body)


def delete(server: S3Server, bucket: str, key: str) -> None:
    """Delete one object."""
    with closing(client(server)) as s3:
        s3.delete_object(Bucket=bucket, Key=key)


def keys(server: S3Server, bucket: str) -> list[str]:
    """List every key of a bucket in order."""
    with closing(client(server)) as s3:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", ()))


def contents(server: S3Server, bucket: str) -> dict[str, bytes]:
    """Read every object of a (small) bucket by key."""
    with closing(client(server)) as s3:
        return {
            key: s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            for key in keys(server, bucket)
        }


def folder_contents(folder: Path) -> dict[str, bytes]:
    """Read every file below *folder* by relative path, as `contents` does of a bucket."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
