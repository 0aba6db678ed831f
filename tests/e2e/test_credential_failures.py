"""Every link of AWS's chain of credentials that breaks: one sentence, and exit code 4."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import Command, Done
from tests.e2e.weather import assert_sentence, make_project
from tests.servers.process import LOOPBACK

PLAIN = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
EXPIRED = (
    '{"Version": 1, "AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "example",'
    ' "Expiration": "2020-01-01T00:00:00Z"}'
)


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", "bucket", {"data/a.bin": b"some data"})


def aws_config(command: Command, text: str) -> None:
    (command.home / ".aws").mkdir()
    (command.home / ".aws/config").write_text(text)


def assert_one_sentence(done: Done, *words: str) -> None:
    assert_sentence(done, 4, *words)
    assert len([line for line in done.err.splitlines() if line.startswith("Error: ")]) == 1, done
    assert len(done.err.splitlines()) <= 3, done


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("exit 1", "process"),
        ("echo no such vault >&2; exit 3", "no such vault"),
        ("echo this is no JSON", "credentials"),
        ("echo '{}'", "credentials"),
        ("echo '[]'", "credentials"),
        (f"echo '{EXPIRED}'", "expired"),
    ],
)
def test_a_credential_process_that_gives_none(
    script: str, word: str, project: Path, tmp_path: Path, bare_pivot: Command
) -> None:
    program = tmp_path / "process.sh"
    program.write_text(f"{script}\n")
    aws_config(bare_pivot, f"[default]\nregion = us-east-1\ncredential_process = sh {program}\n")

    done = bare_pivot("push", cwd=project, AWS_ENDPOINT_URL=f"http://{LOOPBACK}:9")

    assert_one_sentence(done, "origin", word)


def test_plain_keys_with_an_unknown_profile_and_no_region(
    project: Path, bare_pivot: Command
) -> None:
    command = Command(bare_pivot.home, PLAIN | {"AWS_PROFILE": "nobody"})

    done = command("push", cwd=project)

    assert_one_sentence(done, "nobody", "aws configure list-profiles")


@pytest.mark.parametrize("key", ["endpoint_url", "services"])
def test_an_endpoint_without_scheme_in_the_users_file(
    key: str, project: Path, bare_pivot: Command
) -> None:
    text = {
        "endpoint_url": "[default]\nregion = us-east-1\nendpoint_url = 127.0.0.1:9000\n",
        "services": (
            "[default]\nregion = us-east-1\nservices = local\n"
            "[services local]\ns3 =\n  endpoint_url = 127.0.0.1:9000\n"
        ),
    }
    aws_config(bare_pivot, text[key])

    done = Command(bare_pivot.home, PLAIN)("push", cwd=project)

    assert_one_sentence(done, "127.0.0.1:9000")


def test_a_file_that_is_no_configuration(project: Path, bare_pivot: Command) -> None:
    aws_config(bare_pivot, "this is = no\nconfiguration\n")

    done = bare_pivot("push", cwd=project)

    assert_one_sentence(done, ".aws/config")


@contextlib.contextmanager
def refusing_sts() -> Iterator[str]:
    """Refuse every token, as STS does for a role that does not trust its issuer."""
    body = (
        b'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
        b"<Type>Sender</Type><Code>AccessDenied</Code>"
        b"<Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message>"
        b"</Error></ErrorResponse>"
    )

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response_only(403)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{listener.server_address[1]}"
        finally:
            listener.shutdown()
            thread.join()


def test_a_role_that_does_not_trust_the_token(
    project: Path, tmp_path: Path, bare_pivot: Command
) -> None:
    token = tmp_path / "token"
    token.write_text("a.web.identity.token")

    with refusing_sts() as url:
        done = bare_pivot(
            "push",
            cwd=project,
            AWS_ROLE_ARN="arn:aws:iam::111122223333:role/pivot",
            AWS_WEB_IDENTITY_TOKEN_FILE=str(token),
            AWS_ENDPOINT_URL=url,
            AWS_REGION="us-east-1",
        )

    assert_one_sentence(done, "AssumeRoleWithWebIdentity", "aws sts get-caller-identity")


def test_a_token_file_that_is_not_there(project: Path, bare_pivot: Command) -> None:
    done = bare_pivot(
        "push",
        cwd=project,
        AWS_ROLE_ARN="arn:aws:iam::111122223333:role/pivot",
        AWS_WEB_IDENTITY_TOKEN_FILE="/nonexistent/token",
        AWS_REGION="us-east-1",
        AWS_ENDPOINT_URL=f"http://{LOOPBACK}:9",
    )

    assert_one_sentence(done, "/nonexistent/token")
