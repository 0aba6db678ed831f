"""What a service says that obstore does not tell: its clock, who we are, how objects are kept.

Only `doctor` asks. Nothing is tried twice.
"""

from __future__ import annotations

import base64
import hashlib
import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pivot.authorities import authorities_path
from pivot.aws import TRUSTING, service_endpoint
from pivot.foreign_text import tell
from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from botocore.client import BaseClient
    from botocore.session import Session

    from pivot.aws import Access

_AWS = re.compile(r"(?:.*\.)?amazonaws\.com(?:\.cn)?")
_LACKS = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)")


@frozen
class Refused:
    """What a service answered instead: its *status* (0 when there was no answer) and its words.

    *lacks* is the permission that is missing, where the service names it.
    """

    status: int
    text: str
    lacks: str = ""


@frozen
class Knock:
    """The *status* of an answer, when the service says it is, and where it says the bucket is."""

    status: int
    date: datetime | None
    region: str


@frozen
class Kept:
    """How an object is kept: how it is encrypted, and which checksums are kept with it."""

    encryption: str
    kms_key: str
    checksums: tuple[str, ...]


def is_aws(access: Access) -> bool:
    """Tell whether it is AWS itself that is asked, and no service like it."""
    host = urlsplit(access.endpoint).hostname if access.endpoint else "amazonaws.com"
    return _AWS.fullmatch(host or "") is not None


class Service:
    """The S3 service behind *access*, for one bucket, and its STS."""

    def __init__(
        self, access: Access, bucket: str, profile: str, environment: Mapping[str, str]
    ) -> None:
        self._access = access
        self._bucket = bucket
        self._profile = profile
        self._environment = environment
        self._known: Session | None = None
        self._client: BaseClient | None = None

    def knock(self) -> Knock | Refused:
        """Ask for the bucket without credentials: any answer has the time, and AWS's the region."""
        endpoint = self._access.endpoint
        reply = _ask(
            lambda: self._open("s3", endpoint, signed=False).head_bucket(Bucket=self._bucket)
        )
        if not reply.status:
            return Refused(0, reply.refused)
        return Knock(reply.status, reply.date, reply.region)

    def caller(self) -> str | Refused:
        """Ask STS whose credentials they are: an ARN."""
        endpoint = service_endpoint(self._environment, "STS")
        if endpoint is None and not is_aws(self._access):
            endpoint = self._access.endpoint
        reply = _ask(lambda: self._open("sts", endpoint).get_caller_identity())
        return reply.refusal or reply.text("Arn") or Refused(reply.status, "it names nobody")

    def look(self, key: str) -> Kept | Refused:
        """Ask how an object is kept."""
        reply = _ask(
            lambda: self._s3.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
        )
        names = (name for name in reply.fields if name.startswith("Checksum"))
        checksums = tuple(sorted(name.removeprefix("Checksum") for name in names))
        return reply.refusal or Kept(
            reply.text("ServerSideEncryption"),
            reply.text("SSEKMSKeyId"),
            tuple(name for name in checksums if name != "Type"),
        )

    def put_false(self, key: str, data: bytes) -> Refused | None:
        """Store *data* with the SHA-256 of something else, which a service that looks refuses."""
        wrong = base64.b64encode(hashlib.sha256(data + b"!").digest()).decode()
        return _ask(
            lambda: self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=data, ChecksumSHA256=wrong
            )
        ).refusal

    def begin(self, key: str) -> str | Refused:
        """Begin an upload in parts; the answer is what `abort` wants to know."""
        reply = _ask(lambda: self._s3.create_multipart_upload(Bucket=self._bucket, Key=key))
        return reply.refusal or reply.text("UploadId")

    def abort(self, key: str, upload: str) -> Refused | None:
        """Take back what was begun."""
        return _ask(
            lambda: self._s3.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)
        ).refusal

    def delete(self, key: str) -> Refused | None:
        """Delete an object; one that is not there is no error."""
        return _ask(lambda: self._s3.delete_object(Bucket=self._bucket, Key=key)).refusal

    @property
    def _s3(self) -> BaseClient:
        if self._client is None:
            self._client = self._open("s3", self._access.endpoint)
        return self._client

    def _session(self) -> Session:
        """Make a session, once: it reads the descriptions of services, which takes its time."""
        from botocore.session import Session  # noqa: PLC0415

        if self._known is None:
            self._known = Session(profile=self._profile or None)
            keys = self._access.credentials()
            self._known.set_credentials(keys.key_id, keys.secret, keys.token)
            self._known.set_config_variable("sts_regional_endpoints", "regional")
        return self._known

    def _open(self, name: str, endpoint: str | None, *, signed: bool = True) -> BaseClient:
        from botocore import UNSIGNED  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        session = self._session()
        config = Config(
            connect_timeout=5,
            read_timeout=15,
            retries={"total_max_attempts": 1},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if self._access.endpoint else None,
            signature_version=None if signed else UNSIGNED,
        )
        return session.create_client(
            name,
            region_name=self._access.region,
            endpoint_url=endpoint,
            config=config,
            verify=authorities_path(self._environment),
        )


@frozen
class _Reply:
    """An answer: its *status* (0 for none), what it says, and how it *refused*, if it did."""

    status: int
    fields: Mapping[str, object]
    date: datetime | None = None
    region: str = ""
    refused: str = ""
    lacks: str = ""

    @property
    def refusal(self) -> Refused | None:
        return Refused(self.status, self.refused, self.lacks) if self.refused else None

    def text(self, name: str) -> str:
        return str(self.fields.get(name) or "")


def _ask(act: Callable[[], Mapping[str, Mapping[str, object]]]) -> _Reply:
    """Send a request, once; whatever comes of it is an answer."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        answer = act()
        refused, lacks = "", None
    except ClientError as error:
        answer = error.response
        told = answer.get("Error", {})
        refused = tell(told.get("Code") or "refused")
        lacks = _LACKS.search(str(told.get("Message", "")))
    except ResponseParserError:  # its text is the whole answer
        return _Reply(0, {}, refused="the answer is none that AWS would give")
    except (BotoCoreError, *TRUSTING) as error:
        return _Reply(0, {}, refused=tell(error))
    metadata = answer.get("ResponseMetadata", {})
    headers = metadata.get("HTTPHeaders")
    known = headers if isinstance(headers, dict) else {}
    status = metadata.get("HTTPStatusCode")
    return _Reply(
        status if isinstance(status, int) else 0,
        answer,
        _date(known.get("date", "")),
        str(known.get("x-amz-bucket-region", "")),
        refused,
        lacks[1] if lacks else "",
    )


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
