"""What the answers of a service say about it, where nobody is refused anything; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.aws_service import Kept, Knock, Refused
from pivot.doctor.checks import Check, State
from pivot.errors import ExitCode

if TYPE_CHECKING:
    from pivot.aws import Access
    from pivot.s3_errors import Answer

_MOST_SKEW = 300.0  # seconds: more S3 refuses, less five minutes of grace in each direction
_SOME_SKEW = 60.0
_SOON = 900.0  # seconds
_SHORT_ID = 8


def credentials_seen(access: Access, now: float) -> tuple[str, State, str]:
    """Say whose credentials were found, and until when they work; with state and cure."""
    if access.anonymous:
        return "none: the remote is read anonymously", State.OK, ""
    keys = access.credentials()
    shown = f"…{keys.key_id[-4:]}" if len(keys.key_id) > _SHORT_ID else "…"
    told = f"{access.source}, key {shown}"
    if keys.expires_at is None:
        ends = "temporary, until nobody knows when" if keys.token else "without an end"
        return f"{told}, {ends}", State.OK, ""
    left = keys.expires_at.timestamp() - now
    seen = f"{told}, for {_span(left)} more"
    if left <= 0:
        return f"{told}, expired {_span(-left)} ago", State.WARNING, "get new ones: aws sso login"
    if left < _SOON:
        return seen, State.WARNING, "get new ones before a long transfer: aws sso login"
    return seen, State.OK, ""


def judge_clock(ahead: float | None) -> Check:
    """Compare the clocks; that of the service is so many seconds *ahead*, if it told."""
    if ahead is None:
        return Check("clock", State.OK, "the service does not tell the time")
    if abs(ahead) < _SOME_SKEW:
        return Check("clock", State.OK, "within a minute of the service's")
    which = "behind" if ahead > 0 else "ahead of"
    seen = f"{_span(abs(ahead))} {which} the service's"
    if abs(ahead) <= _MOST_SKEW:
        return Check("clock", State.WARNING, seen, "set the clock: timedatectl set-ntp true")
    return Check(
        "clock",
        State.FAILED,
        f"{seen}: more than 5 minutes are refused",
        "set the clock: timedatectl set-ntp true",
        code=ExitCode.DENIED,
    )


def judge_identity(caller: str | Refused, *, aws: bool) -> Check:
    """Say who we are, if anybody can tell."""
    if isinstance(caller, str):
        return Check("identity", State.OK, caller)
    if aws:
        cure = "ask yourself: aws sts get-caller-identity"
        return Check("identity", State.WARNING, f"AWS STS does not tell: {caller.text}", cure)
    return Check("identity", State.OK, "the service has no STS that could tell")


def judge_region(access: Access, knock: Knock | Refused, name: str) -> Check:
    """Compare the bucket's region with the one that is configured for the remote *name*."""
    told = knock.region if isinstance(knock, Knock) else ""
    if told and told != access.region:
        return Check(
            "region",
            State.WARNING,
            f"the bucket is in {told}, {access.region} is configured: each run asks twice",
            f"pivot config set remote_options.{name}.region {told}",
        )
    if access.guessed:
        how = "as AWS tells" if told else "since nobody names one"
        return Check("region", State.OK, f"{access.region}, {how}")
    return Check("region", State.OK, f"{access.region}, as configured")


def judge_bytes(*, same: bool) -> Check:
    """Say whether what was written came back the *same*."""
    if same:
        return Check("get", State.OK, "may read: what was written comes back")
    return Check(
        "get",
        State.FAILED,
        "what was written comes back as something else",
        "look for what is between this machine and the service",
        code=ExitCode.INTEGRITY,
    )


def judge_condition(answer: Answer | None, *, known: bool) -> Check:
    """Say what became of a second write, if the condition for it was not refused as not *known*."""
    if answer is not None and not answer.unconditional:
        return Check("put-if-absent", State.OK, "a second write of the same name is refused")
    seen = "If-None-Match is not heeded: a second write replaces the first"
    if not known or answer is not None:
        seen = "the service does not know If-None-Match"
    cure = "none is needed: what is pushed twice at once is replaced by the same bytes"
    return Check("put-if-absent", State.WARNING, seen, cure)


def judge_encryption(kept: Kept | Refused) -> Check:
    """Say how objects are encrypted, as far as the service tells."""
    if not isinstance(kept, Kept) or not kept.encryption:
        return Check("encryption", State.OK, "the service tells of none")
    by = f" by {kept.kms_key}" if kept.kms_key else ""
    return Check("encryption", State.OK, f"{kept.encryption}{by}")


def judge_checksum(false: Refused | None, kept: Kept | Refused) -> Check:
    """Say what became of an object with a *false* checksum, and what the service keeps."""
    names = kept.checksums if isinstance(kept, Kept) else ()
    keeps = f"; keeps {', '.join(names)}" if names else ""
    if false is None:
        seen = "a false SHA-256 is not noticed: what arrives is verified by Pivot alone"
    elif false.status == 400:  # noqa: PLR2004
        seen = "a false SHA-256 is refused"
    else:
        seen = f"could not be tried ({false.text})"
    return Check("checksum", State.OK, f"{seen}{keeps}")


def _span(seconds: float) -> str:
    """Say how long that is, roughly."""
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{round(seconds / length)} {unit}"
    return f"{round(seconds)} s"
