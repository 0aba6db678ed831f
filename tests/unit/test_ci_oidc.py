"""Credentials of a role for a job's token: when they are asked for, and what may go wrong."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from pivot.aws import Credentials
from pivot.ci.oidc import ATTEMPTS, find_role_credentials
from pivot.errors import NoCredentials, RemoteDenied, RemoteUnavailable
from tests.servers.listener import Answer, Asked, listening
from tests.servers.process import free_ports

ROLE = "arn:aws:iam::111122223333:role/pivot"
BEGIN = dt.datetime(2031, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)


class Cloud:
    """What gives a job its token, and the STS that takes it; the clock is the test's."""

    def __init__(self) -> None:
        self.url = ""
        self.now = BEGIN
        self.lifetime = HOUR
        self.tokens: list[Asked] = []
        self.roles: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.masked: list[str] = []
        self.pauses: list[float] = []
        self.said_of_tokens: Iterator[Answer] = iter(())
        """What is answered instead of the next tokens."""
        self.said_of_roles: Iterator[Answer] = iter(())
        """What is answered instead of the next credentials."""
        self._lock = threading.Lock()

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            return self._token(asked) if asked.path == "/token" else self._role(asked)

    def _token(self, asked: Asked) -> Answer:
        self.tokens.append(asked)
        number = len(self.tokens)
        usual = Answer(200, json.dumps({"value": f"canary-token-{number}"}).encode())
        return next(self.said_of_tokens, usual)

    def _role(self, asked: Asked) -> Answer:
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        assert form["WebIdentityToken"] in self.masked, "used before it was masked"
        self.roles.append(form)
        self.headers.append(dict(asked.headers))
        number = len(self.roles)
        until = (self.now + self.lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")
        usual = Answer(
            200,
            '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            "<AssumeRoleWithWebIdentityResult><Credentials>"
            f"<AccessKeyId>canary-key-{number}</AccessKeyId>"
            f"<SecretAccessKey>canary-secret-{number}</SecretAccessKey>"
            f"<SessionToken>canary-session-{number}</SessionToken>"
            f"<Expiration>{until}</Expiration>"
            "</Credentials></AssumeRoleWithWebIdentityResult>"
            "</AssumeRoleWithWebIdentityResponse>".encode(),
            {"Content-Type": "text/xml"},
        )
        return next(self.said_of_roles, usual)

    def environment(self) -> dict[str, str]:
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_RUN_ID": "1234567",
            "GITHUB_RUN_ATTEMPT": "2",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary-bearer",
            "AWS_ENDPOINT_URL_STS": self.url,
        }

    def provider(self, draw: float = 1.0, **variables: str) -> Callable[[], Credentials]:
        return find_role_credentials(
            self.environment() | variables,
            ROLE,
            region="eu-west-1",
            mask=self.masked.append,
            now=lambda: self.now,
            sleep=self.pauses.append,
            draw=lambda: draw,
        )


def refusal(code: str, message: str = "no", status: int = 400) -> Answer:
    body = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
        f"<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    )
    return Answer(status, body.encode(), {"Content-Type": "text/xml"})


BUSY = refusal("Throttling", "Rate exceeded")


@pytest.fixture(name="cloud")
def _cloud() -> Iterator[Cloud]:
    cloud = Cloud()
    with listening(cloud.answer) as cloud.url:
        yield cloud


def test_nothing_is_asked_for_before_it_is_needed(cloud: Cloud) -> None:
    cloud.provider()

    assert not cloud.tokens
    assert not cloud.roles


def test_the_jobs_token_becomes_credentials(cloud: Cloud) -> None:
    found = cloud.provider()()

    assert found == Credentials("canary-key-1", "canary-secret-1", "canary-session-1", BEGIN + HOUR)
    (token,) = cloud.tokens
    assert token.method == "GET"
    assert token.query == {"api-version": ["2.0"], "audience": ["sts.amazonaws.com"]}
    assert token.headers["authorization"] == "Bearer canary-bearer"
    assert cloud.roles == [
        {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": ROLE,
            "RoleSessionName": "pivot-1234567-2",
            "WebIdentityToken": "canary-token-1",
        }
    ]
    assert "authorization" not in cloud.headers[0]


def test_every_secret_is_masked(cloud: Cloud) -> None:
    cloud.provider()()

    secrets = ["canary-token-1", "canary-key-1", "canary-secret-1", "canary-session-1"]
    assert cloud.masked == secrets


def test_credentials_are_kept_while_they_last(cloud: Cloud) -> None:
    provide = cloud.provider()
    first = provide()
    cloud.now = BEGIN + HOUR - dt.timedelta(minutes=5) - SECOND

    assert provide() == first
    assert len(cloud.tokens) == len(cloud.roles) == 1


@pytest.mark.parametrize(
    ("lifetime", "margin"),
    [
        (dt.timedelta(hours=12), dt.timedelta(minutes=5)),
        (HOUR, dt.timedelta(minutes=5)),
        (dt.timedelta(minutes=15), dt.timedelta(minutes=3, seconds=45)),
        (dt.timedelta(seconds=8), dt.timedelta(seconds=2)),
    ],
)
def test_new_ones_come_before_they_expire_for_a_new_token(
    lifetime: dt.timedelta, margin: dt.timedelta, cloud: Cloud
) -> None:
    cloud.lifetime = lifetime
    provide = cloud.provider()
    provide()
    cloud.now = BEGIN + lifetime - margin

    second = provide()

    assert second.key_id == "canary-key-2"
    assert second.expires_at == cloud.now + lifetime
    assert [form["WebIdentityToken"] for form in cloud.roles] == [
        "canary-token-1",
        "canary-token-2",
    ]


def test_many_threads_ask_once(cloud: Cloud) -> None:
    provide = cloud.provider()
    found: list[Credentials] = []
    threads = [threading.Thread(target=lambda: found.append(provide())) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 12
    assert len(set(found)) == len(cloud.roles) == 1


PASSING = [
    BUSY,
    refusal("ThrottlingException"),
    refusal("RequestThrottled"),
    refusal("RequestLimitExceeded", status=503),
    refusal("IDPCommunicationError"),
    refusal(
        "InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider"
    ),
    refusal("InvalidIdentityToken", "Token is not yet valid"),
    refusal("InvalidIdentityToken", "The iat of the token is in the future"),
    refusal("ExpiredTokenException"),
    refusal("InternalFailure", status=500),
    refusal("TooMany", status=429),
    Answer(502, b"<html>Bad gateway</html>"),
    Answer(200, b"this is no XML"),
    Answer(0),
]


@pytest.mark.parametrize("answer", PASSING, ids=lambda answer: answer.body[-90:-30].decode())
def test_what_may_pass_is_tried_again_with_a_new_token(answer: Answer, cloud: Cloud) -> None:
    cloud.said_of_roles = iter([answer, answer])

    found = cloud.provider()()

    assert found.key_id == "canary-key-3"
    assert [form["WebIdentityToken"] for form in cloud.roles] == [
        f"canary-token-{number}" for number in (1, 2, 3)
    ]
    assert cloud.pauses == [0.5, 1.0]


FINAL = [
    refusal("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403),
    refusal("InvalidIdentityToken", "No OpenIDConnect provider found in your account"),
    refusal("InvalidIdentityToken", "Incorrect token audience"),
    refusal("ValidationError", "1 validation error detected"),
    refusal("RegionDisabledException", status=403),
]


@pytest.mark.parametrize("answer", FINAL, ids=lambda answer: answer.body[-90:-30].decode())
def test_what_will_not_pass_is_said_at_once(answer: Answer, cloud: Cloud) -> None:
    cloud.said_of_roles = itertools.repeat(answer)

    with pytest.raises(RemoteDenied, match=f"{ROLE}: the role cannot be assumed: ") as caught:
        cloud.provider()()

    assert caught.value.hint.startswith("its trust policy must allow the token of this job")
    assert len(cloud.roles) == 1
    assert not cloud.pauses


def test_an_answer_without_credentials_is_said(cloud: Cloud) -> None:
    cloud.said_of_roles = iter([Answer(200, b"<AssumeRoleWithWebIdentityResponse/>")])

    with pytest.raises(RemoteDenied, match=ROLE):
        cloud.provider()()


def test_it_gives_up_in_the_end(cloud: Cloud) -> None:
    cloud.said_of_roles = itertools.repeat(BUSY)

    with pytest.raises(RemoteUnavailable, match="Throttling: Rate exceeded") as caught:
        cloud.provider()()

    assert caught.value.hint == "try again later"
    assert len(cloud.tokens) == len(cloud.roles) == ATTEMPTS
    assert cloud.pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_jobs_that_are_throttled_together_come_back_at_different_times(cloud: Cloud) -> None:
    for draw in (0.1, 0.4, 0.9):
        cloud.said_of_roles = iter([BUSY] * 2)
        cloud.provider(draw)()

    assert cloud.pauses == [0.05, 0.1, 0.2, 0.4, 0.45, 0.9]


def test_they_are_renewed_in_time_or_later_while_they_still_work(cloud: Cloud) -> None:
    provide = cloud.provider()
    first = provide()
    cloud.said_of_roles = itertools.repeat(BUSY)
    cloud.now = BEGIN + HOUR - dt.timedelta(minutes=4)
    kept = provide()
    asked = len(cloud.roles)
    provide()  # at once: nobody is asked
    not_asked = len(cloud.roles)
    cloud.said_of_roles = iter(())
    cloud.now += dt.timedelta(seconds=30)

    renewed = provide()

    assert kept == first
    assert asked == not_asked == 1 + ATTEMPTS
    assert renewed.key_id == f"canary-key-{asked + 1}"


def test_a_role_that_is_taken_away_works_to_its_end_and_no_longer(cloud: Cloud) -> None:
    provide = cloud.provider()
    first = provide()
    cloud.said_of_roles = itertools.repeat(FINAL[0])
    cloud.now = BEGIN + HOUR - SECOND
    last = provide()
    cloud.now = BEGIN + HOUR

    with pytest.raises(RemoteDenied, match="AccessDenied"):
        provide()

    assert last == first


@pytest.mark.parametrize(
    "answer",
    [Answer(500), Answer(503), Answer(0), Answer(200, b"<html>"), Answer(200, b"[]"),
     Answer(200, b'{"value": null}'), Answer(200, b'{"value": ""}'), Answer(302)],
    ids=repr,
)  # fmt: skip
def test_a_token_is_asked_for_again(answer: Answer, cloud: Cloud) -> None:
    cloud.said_of_tokens = iter([answer])

    found = cloud.provider()()

    assert found.key_id == "canary-key-1"
    assert cloud.pauses == [0.5]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_job_that_may_not_ask_for_tokens(status: int, cloud: Cloud) -> None:
    cloud.said_of_tokens = itertools.repeat(Answer(status, b"canary-bearer"))

    with pytest.raises(RemoteDenied, match=f"identity token: refused .HTTP {status}.") as caught:
        cloud.provider()()

    assert "`permissions: id-token: write`" in caught.value.hint
    assert len(cloud.tokens) == 1


def test_a_redirect_does_not_get_the_bearer(cloud: Cloud) -> None:
    elsewhere: list[Asked] = []

    def hear(asked: Asked) -> Answer:
        elsewhere.append(asked)
        return Answer()

    with listening(hear) as url:
        cloud.said_of_tokens = itertools.repeat(Answer(302, b"", {"Location": f"{url}/token"}))
        with pytest.raises(RemoteUnavailable, match="identity token: no answer"):
            cloud.provider()()

    assert not elsewhere


def test_a_netrc_does_not_replace_the_bearer(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login ana password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))

    cloud.provider()()

    assert cloud.tokens[0].headers["authorization"] == "Bearer canary-bearer"


@pytest.mark.parametrize(
    "variable", ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
)
def test_a_job_without_the_permission_is_told_so(variable: str, cloud: Cloud) -> None:
    provide = cloud.provider(**{variable: ""})

    with pytest.raises(NoCredentials, match="may not ask for an identity token") as caught:
        provide()

    assert "`permissions: id-token: write`" in caught.value.hint


def test_on_gitlab_the_token_is_a_variable(cloud: Cloud) -> None:
    gitlab = {
        "GITLAB_CI": "true",
        "PIVOT_ID_TOKEN": "canary-gitlab",
        "CI_PIPELINE_ID": "77",
        "CI_JOB_ID": "88",
        "GITHUB_RUN_ID": "",
        "GITHUB_RUN_ATTEMPT": "",
    }

    found = cloud.provider(**gitlab)()

    assert found.key_id == "canary-key-1"
    assert not cloud.tokens
    assert cloud.roles[0]["WebIdentityToken"] == "canary-gitlab"
    assert cloud.roles[0]["RoleSessionName"] == "pivot-77-88"


def test_on_gitlab_a_job_without_a_token_is_told_so(cloud: Cloud) -> None:
    with pytest.raises(NoCredentials, match="PIVOT_ID_TOKEN") as caught:
        cloud.provider(GITLAB_CI="true")()

    assert "id_tokens: {PIVOT_ID_TOKEN: {aud: sts.amazonaws.com}}" in caught.value.hint


@pytest.mark.parametrize(
    ("run", "name"),
    [("", "pivot-0-2"), ("a b/ü", "pivot-a-b---2"), ("9" * 99, "pivot-" + "9" * 58)],
)
def test_the_session_has_a_name_that_aws_takes(run: str, name: str, cloud: Cloud) -> None:
    cloud.provider(GITHUB_RUN_ID=run)()

    assert cloud.roles[0]["RoleSessionName"] == name


def test_one_endpoint_for_all_services_is_that_of_sts_too(cloud: Cloud) -> None:
    cloud.provider(AWS_ENDPOINT_URL_STS="", AWS_ENDPOINT_URL=cloud.url)()

    assert len(cloud.roles) == 1


def test_without_one_the_endpoint_of_the_region_is_asked(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def proxy(asked: Asked) -> Answer:
        seen.append(f"{asked.method} {asked.path}")
        return Answer(403)

    for name in ("no_proxy", "NO_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with listening(proxy) as url:
        monkeypatch.setenv("HTTPS_PROXY", url)
        with pytest.raises(RemoteUnavailable, match="AWS STS does not answer"):
            cloud.provider(AWS_ENDPOINT_URL_STS="")()

    assert set(seen) == {"CONNECT sts.eu-west-1.amazonaws.com:443"}


def test_without_a_network_it_is_said(cloud: Cloud) -> None:
    nowhere = f"http://127.0.0.1:{free_ports(1)[0]}"

    with pytest.raises(RemoteUnavailable, match="identity token: no answer"):
        cloud.provider(ACTIONS_ID_TOKEN_REQUEST_URL=nowhere)()
    with pytest.raises(RemoteUnavailable, match="AWS STS does not answer"):
        cloud.provider(AWS_ENDPOINT_URL_STS=nowhere)()


def test_no_error_shows_a_secret(cloud: Cloud) -> None:
    texts = []
    for answers in ([BUSY] * ATTEMPTS, [FINAL[0]], [Answer(200, b"<Credentials>")] * ATTEMPTS):
        cloud.said_of_roles = iter(answers)
        with pytest.raises((RemoteDenied, RemoteUnavailable)) as caught:
            cloud.provider()()
        texts.append(f"{caught.value.message} {caught.value.hint}")

    assert all("canary" not in text for text in texts)
