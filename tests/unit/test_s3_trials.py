"""What killed runs of the doctor left is told from what is anybody else's."""

from __future__ import annotations

from pivot.aws import Access, Credentials
from pivot.crew import Jobs
from pivot.remote_url import S3Url
from pivot.s3_errors import Answer
from pivot.s3_stores import Limits
from pivot.s3_trials import Trials
from tests.servers.hostile import Bucket, Told, error, hostile

OURS = f"doctor/{'0a' * 16}"
LIMITS = Limits(Jobs.exactly(1), retries=0, connect_timeout=5, read_timeout=5)


def trials(endpoint: str) -> Trials:
    keys = Credentials("key", "secret", None, None)
    return Trials(S3Url("bucket", "p"), Access(endpoint, "r", lambda: keys, None), LIMITS)


def test_only_old_objects_with_names_like_ours_are_strays() -> None:
    keys = (OURS, f"{OURS}0", "doctor/left", f"doctor/more/{'0' * 32}", f"files/{'0' * 32}")
    bucket = Bucket({f"p/{key}": b"x" for key in keys})
    with hostile(bucket) as url:
        found = list(trials(url).strays())

    assert found == [OURS]


def test_who_may_not_list_finds_none() -> None:
    with hostile(Bucket({}, lie=lambda *_: Told(403, error("AccessDenied")))) as url:
        first = trials(url).first()
        found = list(trials(url).strays())

    assert isinstance(first, Answer)
    assert first.denied
    assert found == []


def test_no_more_is_read_than_is_needed() -> None:
    bucket = Bucket({"p/files/aa/b": b"x" * 50_000_000})
    with hostile(bucket) as url:
        read = trials(url).get("files/aa/b", most=1)

    assert isinstance(read, bytes)
    assert set(read) == set(b"x")
    assert bucket.sent < 50_000_000
