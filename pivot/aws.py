"""AWS's control plane: whose credentials, which region, which endpoint. The only user of boto3."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pivot.authorities import find_authorities, read_authorities
from pivot.errors import (
    NoCredentials,
    RemoteDenied,
    RemoteError,
    RemoteUnavailable,
    UsageError,
)
from pivot.foreign_text import tell
from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import boto3
    import botocore.credentials

    from pivot.config import RemoteSettings

# botocore trusts what it parses: a process or a container that answers nonsense shows as these
TRUSTING = (RuntimeError, ValueError, OSError, AttributeError, LookupError, TypeError)

DEFAULT_REGION = "us-east-1"
_COMMERCIAL_ENDPOINT = re.compile(r"https://s3(?:\.[a-z]{2}(?:-[a-z]+)+-\d+)?\.amazonaws\.com")


@frozen
class Credentials:
    """One set of keys; it works until *expires_at*, with a time zone, if that is known."""

    key_id: str
    secret: str
    token: str | None
    expires_at: datetime | None


@frozen
class Access:
    """How to reach a bucket: *endpoint* is `None` for AWS itself, *authorities* a PEM text.

    *find_region* asks AWS where the bucket really is, when *region* turns out to be wrong.
    *source* says which link of the chain had the credentials; *guessed* that nobody named *region*.
    *anonymous* requests are not signed; *requester_pays* is said with each.
    """

    endpoint: str | None
    region: str
    credentials: Callable[[], Credentials]
    authorities: str | None
    find_region: Callable[[], str] | None = None
    source: str = ""
    guessed: bool = False
    anonymous: bool = False
    requester_pays: bool = False


def find_access(
    remote: RemoteSettings,
    bucket: str,
    environment: Mapping[str, str],
    credentials: Callable[[], Credentials] | None = None,
    *,
    guess: bool = False,
) -> Access:
    """Walk AWS's standard chain: environment, shared files, SSO, web identity, container, instance.

    Given *credentials* take its place; they are asked for again before they expire. boto3 is
    loaded only where the environment does not say it all. A region that nobody names is asked for,
    unless it is enough to *guess* one. Raises `RemoteDenied` when there are no
    credentials, or they cannot be had; `UsageError`, `LocalError`.
    """
    endpoint = remote.endpoint or service_endpoint(environment)
    region = (
        remote.region
        or environment.get("AWS_REGION")
        or environment.get("AWS_DEFAULT_REGION")
        or None
    )
    authorities = find_authorities(environment)
    if remote.anonymous:
        return _without_credentials(remote, bucket, endpoint, region, authorities, guess=guess)
    plain = None if remote.profile or credentials else _plain_credentials(environment)
    if plain is not None and _says_it_all(endpoint, region, environment):
        found = region
        if found is None:
            with _asking(remote.name):
                found = DEFAULT_REGION if endpoint or guess else find_bucket_region(bucket)
        find_region = None if endpoint else functools.partial(find_bucket_region, bucket)
        return Access(
            endpoint,
            found,
            lambda: plain,
            authorities,
            find_region,
            source=_SOURCES["env"],
            guessed=region is None,
            requester_pays=remote.requester_pays,
        )
    return _from_chain(remote, bucket, endpoint, region, authorities, credentials, guess=guess)


def _without_credentials(
    remote: RemoteSettings,
    bucket: str,
    endpoint: str | None,
    region: str | None,
    authorities: str | None,
    *,
    guess: bool,
) -> Access:
    """Look for no credentials at all: what is found could be sent."""

    def nobody() -> Credentials:
        raise NoCredentials(f"{remote.name}: is anonymous")

    find_region = functools.partial(find_bucket_region, bucket, anonymous=True)
    found = region
    if found is None:
        with _asking(remote.name):
            found = DEFAULT_REGION if endpoint or guess else find_region()
    return Access(
        endpoint,
        found,
        nobody,
        authorities,
        None if endpoint else find_region,
        guessed=region is None,
        anonymous=True,  # and so nobody could be charged
    )


def find_bucket_region(
    bucket: str,
    *,
    endpoint: str | None = None,
    session: boto3.Session | None = None,
    anonymous: bool = False,
) -> str:
    """Ask S3 in which region *bucket* is, which it tells even those whom it refuses.

    Raises `RemoteError` when there is no such bucket, `RemoteUnavailable` when S3 does not answer.
    """
    import boto3  # noqa: PLC0415
    from botocore import UNSIGNED  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import (  # noqa: PLC0415
        BotoCoreError,
        ClientError,
        ProfileNotFound,
    )

    try:
        client = (session or boto3.Session()).client(
            "s3",
            endpoint_url=endpoint,
            region_name=DEFAULT_REGION,
            config=Config(
                connect_timeout=5,
                read_timeout=10,
                retries={"max_attempts": 1},
                signature_version=UNSIGNED if anonymous else None,
            ),
        )
        answer = client.head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response
        if answer.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:  # noqa: PLR2004
            raise RemoteError(
                f"s3://{bucket}: there is no such bucket", hint="check the name: aws s3 ls"
            ) from error
    except ProfileNotFound:
        raise
    except (BotoCoreError, ValueError) as error:
        raise RemoteUnavailable(f"s3://{bucket}: cannot find its region: {tell(error)}") from error
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(headers.get("x-amz-bucket-region") or DEFAULT_REGION)


def assume_role(
    role: str, token: str, *, name: str, region: str, environment: Mapping[str, str]
) -> Credentials:
    """Exchange *token*, a web identity, for credentials of *role*, at the endpoint of *region*.

    The session is called *name*. Nothing is tried twice. Raises `RemoteUnavailable` for what may
    pass, with a new token; `RemoteDenied` for what will not.
    """
    from botocore import UNSIGNED  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import ClientError, HTTPClientError  # noqa: PLC0415
    from botocore.exceptions import ConnectionError as NoConnection  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    once = Config(
        signature_version=UNSIGNED,
        connect_timeout=5,
        read_timeout=10,
        retries={"total_max_attempts": 1},
    )
    with _asking(role):
        session = Session()
        session.set_config_variable("sts_regional_endpoints", "regional")
        client = session.create_client(
            "sts",
            region_name=region,
            endpoint_url=service_endpoint(environment, "STS"),
            config=once,
        )
        try:
            answer = client.assume_role_with_web_identity(
                RoleArn=role, RoleSessionName=name, WebIdentityToken=token
            )
            keys = answer["Credentials"]
            return Credentials(
                keys["AccessKeyId"],
                keys["SecretAccessKey"],
                keys["SessionToken"],
                keys["Expiration"].astimezone(UTC),
            )
        except ClientError as error:
            raise _role_error(role, error.response) from error
        except (HTTPClientError, NoConnection, ResponseParserError) as error:
            raise RemoteUnavailable(
                f"{role}: AWS STS does not answer: {tell(error)}", hint="try again later"
            ) from error


_PASSING = re.compile(
    "(Request)?Throttl|RequestLimitExceeded|TooManyRequests|IDPCommunicationError|ExpiredToken"
    "|InvalidIdentityToken: .*(verification key|not yet valid|future)"
)
"""What STS says when the same may go well a moment later, with a new token."""


def _role_error(role: str, answer: Mapping[str, Mapping[str, object]]) -> RemoteError:
    """Say why STS gave no credentials."""
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    error = answer.get("Error", {})
    said = tell(f"{error.get('Code')}: {error.get('Message')}")
    if _PASSING.match(said) or (isinstance(status, int) and (status >= 500 or status == 429)):  # noqa: PLR2004
        return RemoteUnavailable(
            f"{role}: AWS STS gives no credentials now: {said}", hint="try again later"
        )
    return RemoteDenied(
        f"{role}: the role cannot be assumed: {said}",
        hint="its trust policy must allow the token of this job, for sts.amazonaws.com",
    )


def service_endpoint(environment: Mapping[str, str], service: str = "S3") -> str | None:
    """Read which endpoint the environment names for a service; raises `UsageError`."""
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    for name in (f"AWS_ENDPOINT_URL_{service}", "AWS_ENDPOINT_URL"):
        if url := environment.get(name, "").strip():
            if not re.match(r"https?://[^/\s]+", url):
                raise UsageError(
                    f"{name} must be a URL such as https://s3.example.org, got: {tell(url)}"
                )
            return url
    return None


def _plain_credentials(environment: Mapping[str, str]) -> Credentials | None:
    key_id = environment.get("AWS_ACCESS_KEY_ID", "")
    secret = environment.get("AWS_SECRET_ACCESS_KEY", "")
    token = environment.get("AWS_SESSION_TOKEN") or environment.get("AWS_SECURITY_TOKEN") or None
    return Credentials(key_id, secret, token, None) if key_id and secret else None


def _says_it_all(endpoint: str | None, region: str | None, environment: Mapping[str, str]) -> bool:
    """Tell whether neither a file nor AWS's table of endpoints can add to what is known."""
    named = environment.get("AWS_CONFIG_FILE") or "~/.aws/config"
    if os.path.exists(os.path.expanduser(named)) and not (endpoint and region):
        return False
    special = (
        (region or "").startswith(("cn-", "us-iso", "eu-isoe"))
        or environment.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true"
        or environment.get("AWS_USE_DUALSTACK_ENDPOINT", "").lower() == "true"
    )
    return bool(endpoint) or not special


def _from_chain(
    remote: RemoteSettings,
    bucket: str,
    endpoint: str | None,
    region: str | None,
    authorities: str | None,
    credentials: Callable[[], Credentials] | None,
    *,
    guess: bool,
) -> Access:
    import boto3  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    first = credentials() if credentials is not None else None
    with _asking(remote.name):
        core = Session(profile=remote.profile or None)
        if first is not None:
            core.set_credentials(first.key_id, first.secret, first.token)
        session = boto3.Session(botocore_session=core, region_name=region)
        found = session.get_credentials()
        if found is None:
            raise NoCredentials(
                f"{remote.name}: no AWS credentials found: not in the environment, not in "
                "~/.aws/credentials or ~/.aws/config, no SSO, container or instance role",
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run "
                "'aws configure'",
            )
        region = region or session.region_name
        if not endpoint:
            url = session.client("s3").meta.endpoint_url
            endpoint = None if _COMMERCIAL_ENDPOINT.fullmatch(url) else url
        if authorities is None and (path := core.get_config_variable("ca_bundle")):
            authorities = read_authorities("ca_bundle of the AWS profile", path)
        guessed = region is None
        if region is None and (endpoint or guess):
            region = DEFAULT_REGION
        elif region is None:
            region = find_bucket_region(bucket, session=session)

    source = "the job's role" if credentials else _source(found.method, core.profile)
    if credentials is None:
        credentials = functools.partial(_freeze, found, remote.name)
        credentials()  # what cannot be had is said now, not in the middle of a transfer
    find_region = functools.partial(find_bucket_region, bucket, session=session)
    return Access(
        endpoint,
        region,
        credentials,
        authorities,
        None if endpoint else find_region,
        source=source,
        guessed=guessed,
        requester_pays=remote.requester_pays,
    )


_SOURCES = {
    "env": "environment variables",
    "shared-credentials-file": "~/.aws/credentials",
    "config-file": "~/.aws/config",
    "assume-role": "an assumed role",
    "assume-role-with-web-identity": "a web identity",
    "sso": "SSO",
    "login": "aws login",
    "custom-process": "a process",
    "container-role": "the container's role",
    "iam-role": "the instance's role",
}
"""The links of botocore's chain by the names that it has for them."""


def _source(method: str, profile: str | None) -> str:
    """Say in words which link of the chain answered, and for which profile."""
    words = _SOURCES.get(method, method)
    return f"{words}, profile '{profile}'" if profile and method != "env" else words


def _freeze(found: botocore.credentials.Credentials, name: str) -> Credentials:
    """Take the keys as they are now; botocore gets new ones where these expire soon."""
    with _asking(name):
        frozen = found.get_frozen_credentials()
        # Only botocore knows when they expire, and it has no public name for that.
        expires_at: datetime | None = getattr(found, "_expiry_time", None)
    if expires_at is not None:
        expires_at = expires_at.astimezone(UTC)  # the only zone that obstore takes
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token, expires_at)


@contextlib.contextmanager
def _asking(name: str) -> Iterator[None]:
    """Say in a sentence what any link of the chain may raise; botocore lets much through."""
    from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound  # noqa: PLC0415

    try:
        yield
    except ProfileNotFound as error:
        raise RemoteDenied(f"{name}: {error}", hint="aws configure list-profiles") from error
    except (BotoCoreError, ClientError, *TRUSTING) as error:
        said = tell(error)
        sso = "sso" in said.lower()
        raise RemoteDenied(
            f"{name}: AWS credentials cannot be had: {said}",
            hint="run 'aws sso login'" if sso else "test them: aws sts get-caller-identity",
        ) from error
