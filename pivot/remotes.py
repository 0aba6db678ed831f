"""Open a remote of either kind from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.chain import Chain, Link
from pivot.crew import Jobs
from pivot.errors import UsageError
from pivot.remote_url import FolderUrl, parse_remote_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pivot.aws import Credentials
    from pivot.config import Config, RemoteSettings
    from pivot.remote import Remote
    from pivot.remote_url import RemoteUrl
    from pivot.s3_stores import Limits


def open_remote(
    remote: RemoteSettings,
    config: Config,
    environment: Mapping[str, str],
    *,
    jobs: int | Jobs,
    credentials: Callable[[], Credentials] | None = None,
) -> Remote:
    """Open *remote* for at most *jobs* requests at a time; nothing is sent yet.

    Given *credentials* take the place of those that AWS's chain would find.
    Raises `UsageError` for a URL that is none, `RemoteDenied` where there are no credentials.
    """
    if remote.chain:
        return _open_chain(remote, config, environment, jobs, credentials)
    url = url_of(remote)
    if isinstance(url, FolderUrl):
        from pivot.folder import FolderRemote  # noqa: PLC0415  only the kind that is needed

        return FolderRemote(url.path)
    from pivot.aws import find_access  # noqa: PLC0415
    from pivot.s3 import S3Remote  # noqa: PLC0415

    access = find_access(remote, url.bucket, environment, credentials)
    return S3Remote(url, access, limits_of(config, jobs))


def url_of(remote: RemoteSettings) -> RemoteUrl:
    """Say where *remote* is; raises `UsageError` for a URL that is none."""
    try:
        return parse_remote_url(remote.url)
    except UsageError as error:
        raise UsageError(f"remote '{remote.name}' {error.message}", hint=error.hint) from error


def limits_of(config: Config, jobs: int | Jobs) -> Limits:
    """Say how a bucket is to be asked."""
    from pivot.s3_stores import Limits  # noqa: PLC0415

    return Limits(
        jobs=Jobs.of(jobs),
        retries=config.number("remote.retries"),
        connect_timeout=config.number("remote.connect_timeout"),
        read_timeout=config.number("remote.read_timeout"),
    )


def _open_chain(
    remote: RemoteSettings,
    config: Config,
    environment: Mapping[str, str],
    jobs: int | Jobs,
    credentials: Callable[[], Credentials] | None,
) -> Chain:
    """Open none of them yet: those that are never asked cost nothing."""

    def link(settings: RemoteSettings) -> Link:
        def act() -> Remote:
            return open_remote(settings, config, environment, jobs=jobs, credentials=credentials)

        return Link(settings.name, settings.url, act)

    return Chain([link(settings) for settings in remote.chain])
