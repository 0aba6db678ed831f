"""Open a bucket with obstore: credentials, endpoint, time-outs, retries."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import MemoryStore, S3Store

from pivot import __version__
from pivot.errors import UsageError
from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
_WORKERS = "TOKIO_WORKER_THREADS"
_CORES_OF_A_WORKER = 4


@frozen
class Limits:
    """Requests at a time, retries of one, and seconds to wait for a connection or byte."""

    jobs: Jobs
    retries: int
    connect_timeout: int
    read_timeout: int


_ENVIRONMENT = threading.RLock()
"""Held while variables are hidden from obstore, so that nobody misses them meanwhile."""


class Stores:
    """One bucket, for purposes that differ in their patience; each is opened when it is needed.

    The *first* request tells soon that nobody is there. *reads* may last, but not be silent.
    *writes* have no read time-out: it would count from the start of a request, and so cut off
    what a slow line is still sending. A *trial* is a write that is not tried again, since what a
    service answers to a condition that it does not know looks like a passing failure.
    """

    def __init__(self, opening: Mapping[str, Callable[[], S3Store]]) -> None:
        self._opening = opening
        self._opened: dict[str, S3Store] = {}

    @property
    def first(self) -> S3Store:
        """For the first request."""
        return self._get("first")

    @property
    def reads(self) -> S3Store:
        """For what is read after it."""
        return self._get("reads")

    @property
    def writes(self) -> S3Store:
        """For uploads in parts."""
        return self._get("writes")

    @property
    def trial(self) -> S3Store:
        """For a write that is sent once."""
        return self._get("trial")

    def _get(self, name: str) -> S3Store:
        found = self._opened.get(name)
        if found is None:
            with _ENVIRONMENT:  # many threads may need it first
                if name not in self._opened:
                    self._opened[name] = self._opening[name]()
                found = self._opened[name]
        return found


def open_stores(url: S3Url, access: Access, limits: Limits, region: str) -> Stores:
    """Open the bucket of *url*, as if it were in *region*; nothing is sent.

    The first of its stores is opened now, so that what is wrong with the settings is said now.
    """

    def store(options: ClientConfig, tries: int, patience: timedelta) -> S3Store:
        with _own_options_alone(url):
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
                credential_provider=None if access.anonymous else lambda: _credentials(access),
            )

    tries, silence = limits.retries, f"{limits.read_timeout}s"
    first: ClientConfig = {"timeout": _FIRST_ANSWER}
    reads: ClientConfig = {"timeout": _SLOWEST_READ, "read_timeout": silence}
    writes: ClientConfig = {"timeout": _SLOWEST_PART}
    stores = Stores(
        {
            "first": lambda: store(first, min(tries, _FIRST_TRIES), _FIRST_PATIENCE),
            "reads": lambda: store(reads, tries, _PATIENCE),
            "writes": lambda: store(writes, tries, _PATIENCE),
            "trial": lambda: store(writes, 0, _PATIENCE),
        }
    )
    _start_workers()
    _ = stores.first
    return stores


@functools.cache
def _start_workers() -> None:
    """Start obstore's own threads: fewer than one for each core, as it would.

    They wait for sockets and do TLS; the threads that call do the rest. Each more of them wakes up
    the others (docs/decisions/0032). A number that the user has set is kept, and none is left in
    the environment, which commands of stages inherit.
    """
    with _ENVIRONMENT:
        if _WORKERS in os.environ:
            return
        os.environ[_WORKERS] = str(max(1, (os.cpu_count() or 1) // _CORES_OF_A_WORKER))
        try:
            obstore.put(MemoryStore(), "any", b"")  # the first call starts them
        finally:
            del os.environ[_WORKERS]


@contextlib.contextmanager
def _own_options_alone(url: S3Url) -> Iterator[None]:
    """Hide the AWS variables from obstore, which reads many on its own, some that AWS never had.

    They would contradict what `aws` found, and a wrong value ends in a panic.
    """
    with _ENVIRONMENT:
        hidden = {name: os.environ.pop(name) for name in [*os.environ] if name.startswith("AWS_")}
        try:
            yield
        except (BaseError, ValueError) as error:
            reason = str(error).splitlines()[0]
            place = f"s3://{url.bucket}/{url.prefix}"
            raise UsageError(f"{place}: cannot be opened: {reason}") from error
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
    config: S3Config = {"region": region}
    if access.anonymous:
        config["skip_signature"] = True
    if access.requester_pays:
        config["request_payer"] = True
    if access.endpoint:
        config["endpoint"] = access.endpoint.rstrip("/")
    # a bucket's name with dots does not fit the certificate of *.s3.amazonaws.com
    config["virtual_hosted_style_request"] = not access.endpoint and "." not in url.bucket
    return config


def _credentials(access: Access) -> S3Credential:
    with _ENVIRONMENT:  # some of the chain are read again from there
        found = access.credentials()
    return {
        "access_key_id": found.key_id,
        "secret_access_key": found.secret,
        "token": found.token,
        "expires_at": found.expires_at,
    }
