"""What S3 services say, as obstore tells it, in our words: real answers from a local server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import obstore
import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

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
from pivot.s3_errors import Answer, of_first_miss, of_object, of_remote, parse_answer

URL = "s3://bucket/p"
SECRETS = ("wJalrXUtnFEMI", "X-Amz-Signature", "<", "Host-Id-9", "?")
XML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>Something about '
    "wJalrXUtnFEMI.</Message>{more}<RequestId>1</RequestId><HostId>Host-Id-9</HostId></Error>"
)


class Scripted(ThreadingHTTPServer):
    """Gives every request the same answer."""

    answer: tuple[int, str] = (500, "")
    daemon_threads = True


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Scripted)
        status, text = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(name="server", scope="module")
def _server() -> Iterator[Scripted]:
    with Scripted(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def store_at(port: int) -> S3Store:
    return S3Store(
        "bucket",
        endpoint=f"http://127.0.0.1:{port}",
        access_key_id="AKIDEXAMPLE",
        secret_access_key="wJalrXUtnFEMI",
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True, "timeout": "10s"},
        retry_config={
            "max_retries": 0,
            "retry_timeout": timedelta(seconds=1),
            "backoff": {"init_backoff": timedelta(0), "max_backoff": timedelta(0), "base": 2},
        },
    )


def answer_of(server: Scripted, status: int, code: str, more: str = "") -> Answer:
    """Let obstore meet the answer, and read what it raises."""
    server.answer = (status, XML.format(code=code, more=more) if code else "")
    with pytest.raises((BaseError, FileNotFoundError)) as caught:
        obstore.get(store_at(server.server_port), "files/ab/x?y=wJalrXUtnFEMI&X-Amz-Signature=1")
    return parse_answer(caught.value)


D, U, E, M, R = RemoteDenied, RemoteUnavailable, RemoteError, ObjectMissing, ObjectRefused
N = ObjectUnreachable
# status, code, more; of the remote: kind, exit code; of one object: kind, exit code
TABLE: list[tuple[int, str, type[PivotError], int, type[PivotError], int]] = [
    (404, "NoSuchKey", E, 1, M, 3),
    (404, "", E, 1, M, 3),
    (404, "NoSuchBucket", E, 1, E, 1),
    (403, "AccessDenied", D, 4, R, 4),
    (403, "", D, 4, R, 4),
    (401, "Unauthorized", E, 1, ObjectError, 1),
    (403, "InvalidAccessKeyId", D, 4, D, 4),
    (403, "SignatureDoesNotMatch", D, 4, D, 4),
    (403, "RequestTimeTooSkewed", D, 4, D, 4),
    (400, "ExpiredToken", D, 4, D, 4),
    (400, "InvalidToken", D, 4, D, 4),
    (400, "AuthorizationHeaderMalformed", E, 1, E, 1),
    (301, "PermanentRedirect", E, 1, E, 1),
    (400, "InvalidRequest", E, 1, ObjectError, 1),
    (403, "InvalidObjectState", D, 4, ObjectError, 1),
    (429, "TooManyRequests", U, 6, N, 6),
    (503, "SlowDown", U, 6, N, 6),
    (503, "", U, 6, N, 6),
    (500, "InternalError", U, 6, N, 6),
    (502, "", U, 6, N, 6),
]
IDS = [f"{status} {code}".strip() for status, code, *_ in TABLE]


@pytest.mark.parametrize(("status", "code", "kind", "exit_code", "_kind", "_code"), TABLE, ids=IDS)
def test_what_an_answer_means_for_the_remote(
    server: Scripted,
    status: int,
    code: str,
    kind: type[PivotError],
    exit_code: int,
    _kind: object,
    _code: object,
) -> None:
    error = of_remote(answer_of(server, status, code), URL)

    assert (type(error), error.code) == (kind, exit_code)
    assert error.message.startswith(f"{URL}: ")
    assert not [word for word in SECRETS if word in error.message + error.hint.split("<name>")[0]]


@pytest.mark.parametrize(("status", "code", "_kind", "_code", "kind", "exit_code"), TABLE, ids=IDS)
def test_what_an_answer_means_for_one_object(
    server: Scripted,
    status: int,
    code: str,
    _kind: object,
    _code: object,
    kind: type[PivotError],
    exit_code: int,
) -> None:
    error = of_object(answer_of(server, status, code), URL)

    assert (type(error), error.code) == (kind, exit_code)
    assert not [word for word in SECRETS if word in error.message]


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "InvalidAccessKeyId", "the key id is not known here"),
        (403, "SignatureDoesNotMatch", "the secret key is wrong"),
        (400, "ExpiredToken", "the AWS credentials have expired"),
        (403, "RequestTimeTooSkewed", "this machine's clock differs"),
        (404, "NoSuchBucket", "there is no such bucket"),
        (403, "AccessDenied", "access denied"),
        (503, "SlowDown", "HTTP 503 SlowDown"),
        (500, "InternalError", "HTTP 500 InternalError"),
        (400, "InvalidRequest", "HTTP 400 InvalidRequest"),
    ],
)
def test_the_sentence_says_what_it_is(server: Scripted, status: int, code: str, words: str) -> None:
    assert words in of_remote(answer_of(server, status, code), URL).message


def test_a_bucket_elsewhere_is_said_with_its_region(server: Scripted) -> None:
    told = answer_of(server, 400, "AuthorizationHeaderMalformed", "<Region>eu-central-1</Region>")
    error = of_remote(told, URL)

    assert told.wrong_region
    assert told.region == "eu-central-1"
    assert "it is in eu-central-1" in error.message
    assert "AWS_REGION" in error.hint


def test_a_redirect_without_a_region_is_still_another_region(server: Scripted) -> None:
    told = answer_of(server, 301, "PermanentRedirect")

    assert told.wrong_region
    assert "the bucket is in another region" in of_remote(told, URL).message


@pytest.mark.parametrize(
    ("status", "code", "flags"),
    [
        (404, "NoSuchKey", {"missing"}),
        (404, "NoSuchBucket", set()),
        (403, "AccessDenied", {"denied"}),
        (403, "InvalidAccessKeyId", set()),
        (501, "NotImplemented", {"unconditional"}),
        (503, "SlowDown", {"busy"}),
        (429, "", {"busy"}),
        (500, "InternalError", set()),
    ],
)
def test_an_answer_is_one_thing_at_most(
    server: Scripted, status: int, code: str, flags: set[str]
) -> None:
    answer = answer_of(server, status, code)

    names = ("missing", "denied", "unconditional", "busy", "wrong_region")
    assert {name for name in names if getattr(answer, name)} == flags
    assert answer.connected
    assert (answer.status, answer.code) == (status, code)


def test_where_nobody_listens_there_is_no_connection() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_port
    with pytest.raises(BaseError) as caught:
        obstore.get(store_at(port), "files/ab/x?X-Amz-Signature=1")

    answer = parse_answer(caught.value)

    assert (answer.status, answer.connected) == (0, False)
    for error in (of_remote(answer, URL), of_object(answer, URL)):
        assert isinstance(error, RemoteUnavailable)
        assert "no connection" in error.message
        assert "X-Amz-Signature" not in error.message
        assert "endpoint" in error.hint


@pytest.mark.parametrize(
    "error", [OSError(), ValueError("x" * 500), OSError("https://h/p?secret=1")]
)
def test_an_error_of_any_other_form_becomes_a_short_sentence(error: Exception) -> None:
    said = of_object(parse_answer(error), URL)

    assert isinstance(said, ObjectUnreachable)
    assert 0 < len(said.message) <= 200
    assert "secret" not in said.message


def test_credentials_that_cannot_be_renewed_are_said_to_be_the_matter() -> None:
    def provide() -> Any:
        raise RemoteDenied("origin: AWS credentials cannot be had: the SSO session is over")

    config = {"region": "us-east-1", "endpoint": "http://127.0.0.1:9"}
    options = {"allow_http": True}
    store = S3Store("b", config=config, client_options=options, credential_provider=provide)
    with pytest.raises(BaseError) as caught:
        obstore.head(store, "x")

    error = of_object(parse_answer(caught.value), "s3://b/p")

    assert isinstance(error, RemoteDenied)
    assert (
        error.message == "s3://b/p: origin: AWS credentials cannot be had: the SSO session is over"
    )


def signs(answer: Answer) -> set[str]:
    names = ("missing", "denied", "unconditional", "busy", "unlistable", "passing", "wrong_region")
    return {name for name in names if getattr(answer, name) is True}


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (0, "", {"passing"}),
        (400, "InvalidRequest", set()),
        (400, "RequestTimeout", {"busy", "passing"}),
        (403, "", {"denied"}),
        (404, "NoSuchKey", {"missing"}),
        (404, "NoSuchBucket", set()),
        (412, "PreconditionFailed", set()),
        (429, "", {"busy", "passing"}),
        (499, "", set()),
        (500, "", {"passing"}),
        (500, "NotImplemented", {"unconditional"}),
        (501, "", {"unconditional"}),
        (503, "", {"busy", "passing"}),
        (504, "", {"passing"}),
    ],
)
def test_what_an_answer_is_a_sign_of(
    server: Scripted, status: int, code: str, expected: set[str]
) -> None:
    if status:
        assert signs(answer_of(server, status, code)) == expected
    else:
        with pytest.raises(BaseError) as caught:
            obstore.get(store_at(1), "x")
        assert signs(parse_answer(caught.value)) == expected


def test_a_key_that_is_no_path_makes_a_listing_useless(server: Scripted) -> None:
    listing = (
        '<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated><Contents>'
        "<Key>files//ab</Key><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified>"
        "<ETag>1</ETag></Contents></ListBucketResult>"
    )
    server.answer = (200, listing)

    with pytest.raises(BaseError) as caught:
        list(obstore.list(store_at(server.server_port)))

    assert signs(parse_answer(caught.value)) == {"unlistable", "passing"}


def test_a_permission_that_the_service_names_is_heard(server: Scripted) -> None:
    said = "User: arn:aws:iam::1:user/ana is not authorized to perform: kms:Decrypt on resource: x"
    server.answer = (403, XML.format(code="AccessDenied", more="").replace("Something", said))
    with pytest.raises(BaseError) as caught:
        obstore.get(store_at(server.server_port), "files/ab/x")

    answer = parse_answer(caught.value)

    assert (answer.lacks, answer.denied) == ("kms:Decrypt", True)
    assert answer_of(server, 403, "AccessDenied").lacks == ""


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "NoSuchKey", M),
        (404, "", E),
        (403, "AccessDenied", R),
        (500, "", N),
    ],
)
def test_a_404_without_a_code_is_no_first_answer_of_s3(
    server: Scripted, status: int, code: str, kind: type[PivotError]
) -> None:
    error = of_first_miss(answer_of(server, status, code), URL)

    assert type(error) is kind
    assert ("no S3 service" in error.message) == (kind is E)
