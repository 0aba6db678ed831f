"""What the answers of S3 services mean, in our words: one table, used by `s3` alone."""

from __future__ import annotations

import re

from pivot.errors import (
    ObjectError,
    ObjectMissing,
    ObjectRefused,
    ObjectUnreachable,
    PivotError,
    RemoteDenied,
    RemoteError,
    RemoteUnavailable,
)
from pivot.foreign_text import tell
from pivot.frozen import frozen

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>\s*([A-Za-z0-9.]+)\s*</Code>")
_REGION = re.compile(
    r"<Region>\s*([a-z0-9-]+)\s*</Region>|expecting '([a-z0-9-]+)'"
    r"|<Endpoint>[^<]*s3[.-]([a-z]+-[a-z-]+-[0-9]+)\.amazonaws"
)
_NO_KEYS = re.compile(r"External AWS credential provider: (?:\w+: )?(.*)")
_NO_CONNECTION = re.compile(r"kind: Connect\b")  # not of ConnectionReset
_LACKS = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)")
_REDIRECTED = "incorrectly configured region"  # obstore's words for a 301 without an address

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_UNKNOWN_KEY = frozenset({"InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken"})
_WRONG_SECRET = frozenset({"SignatureDoesNotMatch", "AuthFailure"})
_CLOCK = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
_WRONG_REGION = frozenset(
    {"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"}
)
_ARCHIVED = "InvalidObjectState"
_BUSY = frozenset(
    {"SlowDown", "TooManyRequests", "RequestLimitExceeded", "ServiceUnavailable", "RequestTimeout"}
)


@frozen
class Answer:
    """What an S3 service said: *status* is 0 when there was no answer, *code* its word for it."""

    status: int
    code: str
    region: str
    connected: bool
    redirected: bool
    text: str
    no_keys: str = ""
    """Why there are no credentials any more."""
    unconfirmed: bool = False
    """A write was accepted without an ETag: Swift's way to say that another one was newer."""
    lacks: str = ""
    """The permission that is missing, where the service names it: AWS does."""

    @property
    def missing(self) -> bool:
        """The object is not there. Only 404 says so: an error never means "absent"."""
        return self.status == 404 and self.code != "NoSuchBucket"  # noqa: PLR2004

    @property
    def denied(self) -> bool:
        """Refused, without a word against the credentials: perhaps for this object alone."""
        told = self.archived or self.accuses_credentials
        return self.status == 403 and not told  # noqa: PLR2004

    @property
    def unconditional(self) -> bool:
        """The service does not know conditional writes."""
        return self.status == 501 or self.code == "NotImplemented"  # noqa: PLR2004

    @property
    def busy(self) -> bool:
        """The service answers, and asks for patience."""
        return self.status in {429, 503} or self.code in _BUSY

    @property
    def unlistable(self) -> bool:
        """Among the keys of a listing is one that obstore does not take for a path."""
        return "object with invalid path" in self.text

    @property
    def passing(self) -> bool:
        """The same request may succeed another time."""
        return self.busy or not self.status or (self.status >= 500 and not self.unconditional)  # noqa: PLR2004

    @property
    def wrong_region(self) -> bool:
        """The bucket is in another region."""
        return self.code in _WRONG_REGION or self.status in {301, 307} or self.redirected

    @property
    def archived(self) -> bool:
        """The object is in a cold storage class."""
        return self.code == _ARCHIVED

    @property
    def accuses_credentials(self) -> bool:
        """The keys, or the clock with which they signed, are what is wrong."""
        return self.code in _EXPIRED | _UNKNOWN_KEY | _WRONG_SECRET | _CLOCK


def parse_answer(error: BaseException) -> Answer:
    """Read the text of an error of obstore, which holds the service's answer."""
    text = str(error).partition("\n\nDebug source:")[0]
    status = _STATUS.search(text)
    code = _CODE.search(text)
    region = _REGION.search(text)
    no_keys = _NO_KEYS.search(text)
    lacks = _LACKS.search(text)
    return Answer(
        int(status[1]) if status else 0,
        code[1] if code else "",
        next(filter(None, region.groups())) if region else "",
        connected=_NO_CONNECTION.search(str(error)) is None,
        redirected=_REDIRECTED in text,
        text=_plain(text) if status else _cause(str(error)),
        no_keys=no_keys[1] if no_keys else "",
        unconfirmed="MissingEtag" in str(error),
        lacks=lacks[1] if lacks else "",
    )


def of_remote(answer: Answer, url: str) -> PivotError:
    """Say what *answer* means for the whole remote at *url*."""
    if error := _about_bucket(answer, url) or _about_credentials(answer, url):
        return error
    if answer.status == 404 and not answer.code:  # noqa: PLR2004
        return of_first_miss(answer, url)
    if answer.status == 403:  # noqa: PLR2004
        return RemoteDenied(
            f"{url}: access denied",
            hint="the credentials lack s3:GetObject or s3:ListBucket; see whose they are: "
            "aws sts get-caller-identity",
        )
    if not answer.status:
        return _no_connection(answer, url)
    if answer.busy or answer.status >= 500:  # noqa: PLR2004
        return unavailable(answer.text, url)
    return RemoteError(f"{url}: {answer.text}")


def of_first_miss(answer: Answer, url: str) -> PivotError:
    """Say what *answer* means where it may be the first that the service gives.

    S3 gives a 404 a code; one without comes from a proxy, or from what is no S3 service at all.
    """
    if answer.status == 404 and not answer.code:  # noqa: PLR2004
        return RemoteError(
            f"{url}: what answers there is no S3 service (404 without a code)",
            hint="check the endpoint: AWS_ENDPOINT_URL, remote_options.<name>.endpoint",
        )
    return of_object(answer, url)


def of_object(answer: Answer, url: str) -> PivotError:
    """Say what *answer* means for one object of the remote at *url*, or for all of it."""
    if answer.missing:
        return ObjectMissing("is not there")
    if answer.denied:
        return ObjectRefused(
            "access denied",
            hint="the credentials lack the permission, or the object is missing and they lack "
            "s3:ListBucket, without which S3 says 403 for a missing object too",
        )
    if answer.archived:
        return ObjectError("is archived in a cold storage class", hint="restore it first")
    fatal = not answer.connected or answer.code == "NoSuchBucket" or answer.wrong_region
    if fatal or _about_credentials(answer, url):
        return of_remote(answer, url)
    if answer.busy or answer.status >= 500 or not answer.status:  # noqa: PLR2004
        return ObjectUnreachable(answer.text)
    return ObjectError(answer.text)


def _about_bucket(answer: Answer, url: str) -> RemoteError | None:
    if answer.code == "NoSuchBucket":
        return RemoteError(f"{url}: there is no such bucket", hint="check the name: aws s3 ls")
    if answer.wrong_region:
        where = f" (it is in {answer.region})" if answer.region else ""
        return RemoteError(
            f"{url}: the bucket is in another region{where}",
            hint="set AWS_REGION, or 'pivot config set remote_options.<name>.region <region>'",
        )
    return None


def _about_credentials(answer: Answer, url: str) -> RemoteDenied | None:
    if answer.no_keys:
        return RemoteDenied(
            f"{url}: {answer.no_keys}", hint="test them: aws sts get-caller-identity"
        )
    if answer.code in _EXPIRED:
        return RemoteDenied(
            f"{url}: the AWS credentials have expired",
            hint="get new ones: aws sso login, or a new AWS_SESSION_TOKEN",
        )
    if answer.code in _UNKNOWN_KEY | _WRONG_SECRET:
        what = "key id is not known here" if answer.code in _UNKNOWN_KEY else "secret key is wrong"
        return RemoteDenied(
            f"{url}: the AWS credentials were refused: the {what} ({answer.code})",
            hint="check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: aws sts get-caller-identity",
        )
    if answer.code in _CLOCK:
        return RemoteDenied(
            f"{url}: this machine's clock differs too much from the server's", hint="set the clock"
        )
    return None


def unavailable(said: str, url: str) -> RemoteUnavailable:
    """Say that the service at *url* answers, with the words *said*, but does not serve us now."""
    return RemoteUnavailable(
        f"{url}: the service is not available: {said}",
        hint="try again later; if it is throttled, lower --jobs",
    )


def _no_connection(answer: Answer, url: str) -> RemoteUnavailable:
    return RemoteUnavailable(
        f"{url}: no connection: {answer.text}",
        hint="check the network, proxy and endpoint (AWS_ENDPOINT_URL, remote_options)",
    )


_CAUSES = {
    "dns error": "its name is not known",
    "InvalidCertificate": "its certificate is not trusted (AWS_CA_BUNDLE names authorities)",
    "InvalidContentType": "it does not speak TLS: http:// instead of https://?",
    "Connection refused": "connection refused",
    "unsuccessful tunnel": "the proxy does not let us through",
    "TimedOut": "no answer in time",
    "kind: Timeout": "no answer in time",
    "Connection reset": "connection reset",
    "ConnectionReset": "connection reset",
    "IncompleteMessage": "connection closed in the middle of an answer",
}


def _cause(text: str) -> str:
    """Say why there was no answer, and from where: what obstore knows is in its debug text."""
    cause = next((words for sign, words in _CAUSES.items() if sign in text), _plain(text))
    server = re.search(r"https?://[^/?\s]+", text)
    return f"{tell(server[0])}: {cause}" if server else cause


def _plain(text: str) -> str:
    """Keep of a foreign error what a reader can use: no XML, no addresses with their queries."""
    code = _CODE.search(text)
    status = _STATUS.search(text)
    words = [f"HTTP {status[1]}"] if status else []
    words += [code[1]] if code else []
    if words:
        return " ".join(words)
    reason = (text.splitlines() or ["no answer"])[0].rpartition(" - ")[2]
    return tell(reason).removeprefix("HTTP error: ")
