"""Copy a directory to S3 or from it with boto3 and threads, as many a project does by itself.

Usage: boto3_script.py push|sync|fetch DIRECTORY BUCKET PREFIX
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3

_THREADS = 20


def main(verb: str, directory: str, bucket: str, prefix: str) -> None:
    """Do it."""
    s3, root = boto3.client("s3"), Path(directory)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    there = (
        {}
        if verb == "push"
        else {o["Key"]: o["Size"] for p in pages for o in p.get("Contents", ())}
    )

    def push(path: Path) -> None:
        key = f"{prefix}/{path.relative_to(root)}"
        if there.get(key) != path.stat().st_size:
            s3.upload_file(str(path), bucket, key)

    def fetch(key: str) -> None:
        path = root / key.removeprefix(f"{prefix}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, key, str(path))

    with ThreadPoolExecutor(_THREADS) as pool:
        if verb == "fetch":
            list(pool.map(fetch, there))
        else:
            list(pool.map(push, (path for path in root.rglob("*") if path.is_file())))


if __name__ == "__main__":
    main(*sys.argv[1:])
