"""Where a remote is: its URL, parsed."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from pivot.errors import UsageError
from pivot.frozen import frozen

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")  # old names have capitals, ARNs colons
_S3 = re.compile(r"s3://([^/]+)(/.*)?", re.DOTALL)


@frozen
class S3Url:
    """A bucket, and the prefix of our keys in it: empty, or without slashes at its ends."""

    bucket: str
    prefix: str


@frozen
class FolderUrl:
    """A folder that several machines see."""

    path: Path


RemoteUrl: TypeAlias = S3Url | FolderUrl


def parse_remote_url(url: str) -> RemoteUrl:
    """Read `s3://bucket/prefix` or `file:///folder`; `UsageError` says what is wrong."""
    if found := _S3.fullmatch(url):
        prefix = (found[2] or "").strip("/")
        if prefix and any(name in {"", ".", ".."} for name in prefix.split("/")):
            raise UsageError(
                f"'{url}': the prefix may not have empty names, '.' or '..' between its slashes"
            )
        if "@" in found[1]:
            bucket = found[1].rpartition("@")[2]
            raise UsageError(
                f"the URL has keys before the bucket '{bucket}'",
                hint="keys belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                "~/.aws/credentials",
            )
        if not _BUCKET.fullmatch(found[1]):
            raise UsageError(f"'{found[1]}' is no name of a bucket", hint="s3://bucket/prefix")
        return S3Url(found[1], prefix)
    if url.startswith("file:"):
        parts = urlsplit(url)
        if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path[:1] == "/":
            return FolderUrl(Path(unquote(parts.path)))
    raise UsageError(
        f"must be a valid S3 URL (s3://bucket/prefix), got: {url}",
        hint="a shared folder is written file:///folder",
    )


def is_exposed(endpoint: str) -> bool:
    """Tell whether what is sent to *endpoint* leaves this machine and is not encrypted."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return True
