"""What the doctor's answers mean, and how they are told."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from pivot.aws import Access, Credentials
from pivot.aws_service import Kept, Knock, Refused, is_aws
from pivot.doctor.answers import (
    credentials_seen,
    judge_checksum,
    judge_clock,
    judge_condition,
    judge_encryption,
    judge_identity,
    judge_region,
)
from pivot.doctor.checks import (
    Check,
    Diagnosis,
    Kind,
    State,
    Works,
    probes_here,
    probes_there,
    skipped,
)
from pivot.doctor.grants import Grants
from pivot.doctor.report import doctor_json, doctor_text
from pivot.errors import ExitCode, RemoteUnavailable
from pivot.remote_url import S3Url
from pivot.s3_errors import Answer
from pivot.schema import schema_text

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def access(*, endpoint: str | None = None, region: str = "eu-west-1", **more: bool) -> Access:
    keys = Credentials(KEY, SECRET, None, None)
    return Access(endpoint, region, lambda: keys, None, source="environment variables", **more)


def lasting(seconds: float | None, token: str | None = "TOKEN") -> Access:
    ends = None if seconds is None else datetime.fromtimestamp(NOW + seconds, UTC)
    keys = Credentials(KEY, SECRET, token, ends)
    return Access(None, "eu-west-1", lambda: keys, None, source="SSO, profile 'lab'")


@pytest.mark.parametrize(
    ("found", "state", "told"),
    [
        (lasting(3600), State.OK, "SSO, profile 'lab', key …MPLE, for 60 min more"),
        (lasting(600), State.WARNING, "SSO, profile 'lab', key …MPLE, for 10 min more"),
        (lasting(-7200), State.WARNING, "SSO, profile 'lab', key …MPLE, expired 2 h ago"),
        (lasting(None), State.OK, "SSO, profile 'lab', key …MPLE, temporary, until nobody knows"),
        (lasting(None, token=None), State.OK, "SSO, profile 'lab', key …MPLE, without an end"),
    ],
)
def test_credentials_are_told_without_what_is_secret(
    found: Access, state: State, told: str
) -> None:
    seen, how, cure = credentials_seen(found, NOW)

    assert (seen.removesuffix(" when"), how) == (told, state)
    assert bool(cure) == (state is State.WARNING)
    assert not {KEY, SECRET, "TOKEN"} & set(f"{seen} {cure}".replace(",", "").split())


def test_of_a_short_key_nothing_is_shown() -> None:
    keys = Credentials("testkey", "testsecret", None, None)
    seen, _, _ = credentials_seen(Access(None, "r", lambda: keys, None, source="x"), NOW)

    assert seen == "x, key …, without an end"


@pytest.mark.parametrize(
    ("ahead", "state", "told"),
    [
        (None, State.OK, "the service does not tell the time"),
        (0.4, State.OK, "within a minute of the service's"),
        (-59, State.OK, "within a minute of the service's"),
        (90, State.WARNING, "90 s behind the service's"),
        (-299, State.WARNING, "5 min ahead of the service's"),
        (301, State.FAILED, "5 min behind the service's: more than 5 minutes are refused"),
        (-86400 * 3, State.FAILED, "3 d ahead of the service's: more than 5 minutes are refused"),
    ],
)
def test_the_clocks_may_differ_by_five_minutes(
    ahead: float | None, state: State, told: str
) -> None:
    check = judge_clock(ahead)

    assert (check.state, check.seen) == (state, told)
    assert check.code == (ExitCode.DENIED if state is State.FAILED else ExitCode.DONE)
    assert bool(check.cure) == (state is not State.OK)


@pytest.mark.parametrize(
    ("found", "knock", "state", "told"),
    [
        (access(), Knock(403, None, "eu-west-1"), State.OK, "eu-west-1, as configured"),
        (access(), Knock(403, None, ""), State.OK, "eu-west-1, as configured"),
        (access(), Refused(0, "no"), State.OK, "eu-west-1, as configured"),
        (access(guessed=True), Knock(403, None, "eu-west-1"), State.OK, "eu-west-1, as AWS tells"),
        (access(guessed=True), Knock(200, None, ""), State.OK, "eu-west-1, since nobody names one"),
        (
            access(),
            Knock(403, None, "us-west-2"),
            State.WARNING,
            "the bucket is in us-west-2, eu-west-1 is configured: each run asks twice",
        ),
    ],
)
def test_the_region_of_the_bucket_is_compared(
    found: Access, knock: Knock | Refused, state: State, told: str
) -> None:
    check = judge_region(found, knock, "origin")

    assert (check.state, check.seen) == (state, told)
    if state is State.WARNING:
        assert check.cure == "pivot config set remote_options.origin.region us-west-2"


@pytest.mark.parametrize(
    ("endpoint", "aws"),
    [
        (None, True),
        ("https://s3.cn-north-1.amazonaws.com.cn", True),
        ("https://s3.dualstack.eu-west-1.amazonaws.com", True),
        ("https://amazonaws.com.example.org", False),
        ("http://127.0.0.1:9000", False),
    ],
)
def test_keys_of_another_service_do_not_go_to_aws(endpoint: str | None, aws: bool) -> None:
    assert is_aws(access(endpoint=endpoint)) is aws


def test_a_service_without_sts_is_no_failure_and_aws_that_does_not_tell_is_a_warning() -> None:
    mine = judge_identity("arn:aws:iam::111122223333:user/ana", aws=True)
    other = judge_identity(Refused(405, "MethodNotAllowed"), aws=False)
    silent = judge_identity(Refused(403, "ExpiredToken"), aws=True)

    assert (mine.state, mine.seen) == (State.OK, "arn:aws:iam::111122223333:user/ana")
    assert (other.state, other.seen) == (State.OK, "the service has no STS that could tell")
    assert silent.state is State.WARNING
    assert "ExpiredToken" in silent.seen


def test_a_checksum_is_refused_or_not_noticed() -> None:
    kept = Kept("AES256", "", ("CRC64NVME",))

    assert judge_checksum(Refused(400, "BadDigest"), kept).seen == (
        "a false SHA-256 is refused; keeps CRC64NVME"
    )
    assert "not noticed" in judge_checksum(None, Refused(403, "no")).seen
    assert judge_checksum(Refused(501, "NotImplemented"), kept).state is State.OK


def answer(status: int, code: str = "", *, lacks: str = "", text: str = "") -> Answer:
    return Answer(status, code, "", connected=True, redirected=False, text=text, lacks=lacks)


GRANTS = Grants("origin", S3Url("b", "p"), "eu-west-1", "s3://b/p")


def test_a_refusal_is_about_what_was_tried_unless_the_service_says_more() -> None:
    plain = GRANTS.judge("get", answer(403, "AccessDenied"), "s3:GetObject", "may read")
    told = GRANTS.judge("put", answer(403, lacks="kms:GenerateDataKey"), "s3:PutObject", "may")

    assert plain.permission == "s3:GetObject on arn:aws:s3:::b/p/*"
    assert plain.cure == "a policy to paste: pivot remote policy origin --role pull-request"
    assert told.permission == "kms:GenerateDataKey on the KMS key of the bucket"
    assert told.cure.endswith("--role main --kms-key ARN")
    assert plain.code is told.code is ExitCode.DENIED


def test_what_is_no_refusal_is_none() -> None:
    assert GRANTS.judge("get", None, "s3:GetObject", "may read").seen == "may read"
    cold = GRANTS.judge("get", answer(403, "InvalidObjectState"), "s3:GetObject", "may read")
    assert cold.state is State.WARNING
    with pytest.raises(RemoteUnavailable):
        GRANTS.judge("put", answer(503, "SlowDown"), "s3:PutObject", "may write")


def test_who_may_not_list_is_warned() -> None:
    strange = answer(0, text="an object with invalid path")

    assert GRANTS.judge_list(("files/aa/b",)).seen == "may list"
    assert GRANTS.judge_list(()).state is State.OK
    assert (
        GRANTS.judge_list(answer(403)).permission
        == "s3:ListBucket on arn:aws:s3:::b, s3:prefix p/*"
    )
    assert "cannot be listed" in GRANTS.judge_list(strange).seen


def test_a_deletion_may_be_refused_and_may_not_be_known() -> None:
    done = GRANTS.judge_delete(None, "doctor/1", 2)
    refused = GRANTS.judge_delete(Refused(403, "AccessDenied"), "doctor/left", 0)
    unknown = GRANTS.judge_delete(Refused(0, "no answer"), "doctor/1", 0)
    abort = GRANTS.judge_abort(Refused(403, "AccessDenied"))

    assert done.seen == "may delete: nothing is left of this; 2 of runs that were killed as well"
    assert (refused.state, unknown.state, abort.state) == (State.OK, State.WARNING, State.WARNING)
    assert refused.permission == "s3:DeleteObject on arn:aws:s3:::b/p/*"
    assert "doctor/1 may stay" in unknown.seen
    assert abort.permission == "s3:AbortMultipartUpload on arn:aws:s3:::b/p/*"


def test_a_second_write_is_refused_or_replaces_the_first() -> None:
    assert judge_condition(answer(412), known=True).state is State.OK
    assert "replaces the first" in judge_condition(None, known=True).seen
    for found in (judge_condition(None, known=False), judge_condition(answer(501), known=True)):
        assert found.seen == "the service does not know If-None-Match"


def test_an_encryption_is_named_with_its_key() -> None:
    assert judge_encryption(Kept("aws:kms", "arn:1", ())).seen == "aws:kms by arn:1"
    assert judge_encryption(Kept("", "", ())).seen == "the service tells of none"
    assert judge_encryption(Refused(403, "no")).state is State.OK


def diagnosis(*failed: str, read_only: bool = False, kind: Kind = Kind.S3) -> Diagnosis:
    """Make the diagnosis in which these things fail, and the others do not."""
    checks: list[Check] = []
    for probe in (*probes_here(), *probes_there(kind)):
        check = skipped(probe, checks, unwritten="--read-only" if read_only else "")
        state = State.FAILED if probe.name in failed else State.OK
        code = ExitCode.DENIED if probe.name in failed else ExitCode.DONE
        checks.append(check or Check(probe.name, state, "seen", code=code))
    return Diagnosis("origin", "s3://b/p", kind, tuple(checks), read_only=read_only)


@pytest.mark.parametrize(
    ("failed", "pull", "push"),
    [
        ((), Works.YES, Works.YES),
        (("put",), Works.YES, Works.NO),
        (("multipart",), Works.YES, Works.NO),
        (("get",), Works.NO, Works.YES),
        (("links",), Works.NO, Works.YES),
        (("delete", "abort", "list"), Works.YES, Works.YES),
        (("clock",), Works.NO, Works.NO),
        (("project",), Works.NO, Works.NO),
        (("remote",), Works.NO, Works.NO),
    ],
)
def test_what_failed_says_what_works(failed: tuple[str, ...], pull: Works, push: Works) -> None:
    found = diagnosis(*failed)

    assert (found.pull, found.push) == (pull, push)
    assert found.code == (ExitCode.DENIED if failed else ExitCode.DONE)


@pytest.mark.parametrize("kind", Kind)
def test_who_writes_nothing_does_not_know_of_push(kind: Kind) -> None:
    found = diagnosis(read_only=True, kind=kind)

    assert (found.pull, found.push) == (Works.YES, Works.UNKNOWN)
    asked = {check.name for check in found.checks if check.state is State.OK}
    assert not asked & {"links", "put", "put-if-absent", "multipart", "abort", "delete"}


def test_what_depends_on_a_failure_is_not_asked_and_names_the_first() -> None:
    found = diagnosis("endpoint")
    after = {c.name: c.seen for c in found.checks if c.state is State.NOT_ASKED}

    assert set(after.values()) == {"endpoint failed"}
    assert list(after) == [p.name for p in probes_there(Kind.S3)[2:]]
    assert [p.message for p in found.problems] == ["endpoint: seen"]


def test_every_probe_needs_one_that_comes_before() -> None:
    for kind in Kind:
        names: list[str] = []
        for probe in (*probes_here(), *probes_there(kind)):
            assert not probe.needs or probe.needs in names, probe
            names.append(probe.name)
        assert len(names) == len(set(names))


def test_the_schema_knows_every_check_and_state() -> None:
    form = json.loads(schema_text("doctor"))["$defs"]["check"]["properties"]
    probes = {p.name for kind in Kind for p in (*probes_here(), *probes_there(kind))}

    assert set(form["name"]["enum"]) == probes
    assert form["state"]["enum"] == [str(state) for state in State]


def test_a_failure_is_told_with_its_cure_and_the_permission_that_is_missing() -> None:
    checks = (
        Check("list", State.OK, "may list"),
        Check(
            "put",
            State.FAILED,
            "refused\x1b[2J",
            "a policy",
            "s3:PutObject on arn:aws:s3:::b/p/*",
            ExitCode.DENIED,
        ),
        Check("abort", State.NOT_ASKED, "put failed"),
        Check("checksum", State.NOT_ASKED, "put failed"),
        Check("delete", State.OK, "refused", permission="s3:DeleteObject on arn:aws:s3:::b/p/*"),
    )
    found = Diagnosis("origin", "s3://b/p", Kind.S3, checks)

    assert doctor_text(found).out == (
        "ok         list           may list",
        "failed     put            refused\\x1b[2J",
        "                          missing: s3:PutObject on arn:aws:s3:::b/p/*",
        "                          cure: a policy",
        "not asked  abort, checksum: put failed",
        "ok         delete         refused",
        "",
        "'origin': pull was not tried, push does not work",
    )
    assert doctor_text(found).code is ExitCode.DENIED
    assert doctor_text(found, quiet=True).out == ()
    assert len(doctor_text(found, quiet=True).err) == 3
    assert json.loads(doctor_json(found).out[0])["checks"][1]["permission"].startswith("s3:Put")
