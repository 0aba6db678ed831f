"""Look into buckets, and fill them, with boto3: an independent client of the same server."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from tests.servers import S3Server


def fill(server: S3Server, bucket: str, folder: Path) -> None:
    """Store every file below *folder* under its relative path."""
    with closing(server.client()) as s3:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                key = path.relative_to(folder).as_posix()
                s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


def put(server: S3Server, bucket: str, key: str, body: bytes) -> None:
    """Store one object, over any other."""
    with closing(server.client()) as s3:
        s3.put_object(Bucket=bucket, Key=key, Body=body)


def delete(server: S3Server, bucket: str, key: str) -> None:
    """Delete one object."""
    with closing(server.client()) as s3:
        s3.delete_object(Bucket=bucket, Key=key)


def keys(server: S3Server, bucket: str) -> list[str]:
    """List every key of a bucket in order."""
    with closing(server.client()) as s3:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", ()))


def contents(server: S3Server, bucket: str) -> dict[str, bytes]:
    """Read every object of a (small) bucket by key."""
    with closing(server.client()) as s3:
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
