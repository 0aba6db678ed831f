"""Open a bucket with obstore: credentials, endpoint, time-outs, retries."""

from __future__ import annotations

import contextlib
import os
from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError
from obstore.store import S3Store

from pivot import __version__
from pivot.errors import UsageError
from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from obstore.store import ClientConfig, S3Config, S3Credential

    from pivot.aws import Access
    from pivot.crew import Jobs
    from pivot.remote_url import S3Url

_FIRST_ANSWER = timedelta(seconds=12)
_FIRST_TRIES = 4
_FIRST_PATIENCE = timedelta(seconds=5)
_PATIENCE = timedelta(minutes=3)
_SLOWEST_READ = timedelta(days=1)
_SLOWEST_PART = timedelta(minutes=10)  # 8 MiB at 14 kB/s


@frozen
class Limits:
    """Requests at a time, retries of one, and seconds to wait for a connection or byte."""

    jobs: Jobs
    retries: int
    connect_timeout: int
    read_timeout: int


@frozen
class Stores:
    """One bucket, opened for purposes that differ in their patience.

    The *first* request tells soon that nobody is there. *reads* may last, but not be silent.
    *writes* have no read time-out: it would count from the start of a request, and so cut off
    what a slow line is still sending. A *trial* is a write that is not tried again, since what a
    service answers to a condition that it does not know looks like a passing failure.
    """

    first: S3Store
    reads: S3Store
    writes: S3Store
    trial: S3Store


def open_stores(url: S3Url, access: Access, limits: Limits, region: str) -> Stores:
    """Open the bucket of *url*, as if it were in *region*; nothing is sent."""

    def store(options: ClientConfig, tries: int, patience: timedelta) -> S3Store:
        return S3Store(
            url.bucket,
            prefix=url.prefix or None,
            config=_config(url, access, region),
            client_options=_client(access, limits) | options,
            retry_config={
                "max_retries": tries,
                "retry_timeout": patience,
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=15),
                    "base": 2,
                },
            },
            credential_provider=lambda: _credentials(access),
        )

    silence = f"{limits.read_timeout}s"
    with _own_options_alone(url):
        return Stores(
            store({"timeout": _FIRST_ANSWER}, min(limits.retries, _FIRST_TRIES), _FIRST_PATIENCE),
            store({"timeout": _SLOWEST_READ, "read_timeout": silence}, limits.retries, _PATIENCE),
            store({"timeout": _SLOWEST_PART}, limits.retries, _PATIENCE),
            store({"timeout": _SLOWEST_PART}, 0, _PATIENCE),
        )


@contextlib.contextmanager
def _own_options_alone(url: S3Url) -> Iterator[None]:
    """Hide the AWS variables from obstore, which reads many on its own, some that AWS never had.

    They would contradict what `aws` found, and a wrong value ends in a panic.
    """
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("AWS_")}
    try:
        yield
    except (BaseError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"s3://{url.bucket}/{url.prefix}: cannot be opened: {reason}") from error
    finally:
        os.environ.update(hidden)


def _client(access: Access, limits: Limits) -> ClientConfig:
    options: ClientConfig = {
        "allow_http": bool(access.endpoint and access.endpoint.startswith("http:")),
        "connect_timeout": f"{limits.connect_timeout}s",
        "pool_max_idle_per_host": str(limits.jobs.most),
        "user_agent": f"pivot-remote/{__version__}",
    }
    if access.authorities:
        options["root_certificate"] = access.authorities
    return options


def _config(url: S3Url, access: Access, region: str) -> S3Config:
    if access.endpoint:
        return {
            "region": region,
            "endpoint": access.endpoint.rstrip("/"),
            "virtual_hosted_style_request": False,
        }
    # a bucket's name with dots does not fit the certificate of *.s3.amazonaws.com
    return {"region": region, "virtual_hosted_style_request": "." not in url.bucket}


def _credentials(access: Access) -> S3Credential:
    found = access.credentials()
    return {
        "access_key_id": found.key_id,
        "secret_access_key": found.secret,
        "token": found.token,
        "expires_at": found.expires_at,
    }
