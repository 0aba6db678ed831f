"""AWS's chain of credentials through the command, each link against a real server."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import Command
from tests.e2e.weather import OBJECTS, assert_sentence, make_project, through
from tests.servers import NotHere, S3Server, moto
from tests.servers.process import LOOPBACK


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str) -> Path:
    return make_project(tmp_path / "project", bucket)


def aws_files(command: Command, *, config: str = "", credentials: str = "") -> None:
    """Write the user's ~/.aws/config and ~/.aws/credentials."""
    (command.home / ".aws").mkdir()
    for name, text in (("config", config), ("credentials", credentials)):
        if text:
            (command.home / ".aws" / name).write_text(text)


def test_the_environment(project: Path, bare_pivot: Command, server: S3Server) -> None:
    done = Command(bare_pivot.home, server.environment())("push", cwd=project)

    assert done.code == 0, done


@pytest.mark.parametrize("how", ["AWS_PROFILE", "the user's configuration"])
def test_a_profile_of_the_shared_files(
    how: str, project: Path, bare_pivot: Command, server: S3Server, bucket: str
) -> None:
    aws_files(
        bare_pivot,
        config=f"[profile lab]\nregion = us-east-1\nendpoint_url = {server.url}\n",
        credentials=(
            "[default]\naws_access_key_id = nobody\naws_secret_access_key = wrong\n"
            f"[lab]\naws_access_key_id = {server.access_key}\n"
            f"aws_secret_access_key = {server.secret_key}\n"
        ),
    )
    if how == "AWS_PROFILE":
        command = Command(bare_pivot.home, {"AWS_PROFILE": "lab"})
    else:
        command = bare_pivot
        command("config", "set", "--global", "remote_options.origin.profile", "lab", cwd=project)

    done = command("push", cwd=project)

    assert done.code == 0, done
    assert len(buckets.keys(server, bucket)) == OBJECTS


def test_the_default_profile_with_a_services_section(
    project: Path, bare_pivot: Command, server: S3Server
) -> None:
    aws_files(
        bare_pivot,
        config=(
            "[default]\nregion = us-east-1\nservices = local\n"
            f"[services local]\ns3 =\n  endpoint_url = {server.url}\n"
        ),
        credentials=(
            f"[default]\naws_access_key_id = {server.access_key}\n"
            f"aws_secret_access_key = {server.secret_key}\n"
        ),
    )

    done = bare_pivot("push", cwd=project)

    assert done.code == 0, done


def test_keys_of_the_environment_with_the_endpoint_of_a_file(
    project: Path, bare_pivot: Command, server: S3Server
) -> None:
    aws_files(bare_pivot, config=f"[default]\nregion = us-east-1\nendpoint_url = {server.url}\n")

    done = bare_pivot(
        "push",
        cwd=project,
        AWS_ACCESS_KEY_ID=server.access_key,
        AWS_SECRET_ACCESS_KEY=server.secret_key,
    )

    assert done.code == 0, done


def test_a_profile_that_is_unknown(project: Path, bare_pivot: Command, server: S3Server) -> None:
    done = bare_pivot("push", cwd=project, AWS_PROFILE="nobody", AWS_ENDPOINT_URL=server.url)

    assert_sentence(done, 4, "nobody", "aws configure list-profiles")


def test_a_project_may_not_choose_a_profile(project: Path, bare_pivot: Command) -> None:
    with (project / ".pivot/config.yaml").open("a") as file:
        file.write("remote_options:\n  origin:\n    profile: somebody\n")

    done = bare_pivot("push", cwd=project)

    assert_sentence(done, 8, "remote_options.origin.profile", ".pivot/config.yaml")


def test_a_credential_process_is_asked_again_when_they_expire(
    tmp_path: Path, bare_pivot: Command, server: S3Server, bucket: str
) -> None:
    calls = tmp_path / "calls"
    script = tmp_path / "process.py"
    script.write_text(
        "import datetime, json\n"
        f"open({str(calls)!r}, 'a').write('x')\n"
        "soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)\n"
        f"print(json.dumps({{'Version': 1, 'AccessKeyId': {server.access_key!r},"
        f" 'SecretAccessKey': {server.secret_key!r}, 'Expiration': soon.isoformat()}}))\n"
    )
    command = f'"{sys.executable}" "{script}"'
    aws_files(bare_pivot, config=f"[default]\ncredential_process = {command}\n")
    many = {f"data/{number:02}.bin": b"%d" % number for number in range(12)}
    project = make_project(tmp_path / "project", bucket, dict(many))

    with through(server, bare_pivot) as (proxy, _):
        proxy.delay = 1.0
        done = bare_pivot(
            "push", "-j", "2", cwd=project, AWS_ENDPOINT_URL=proxy.url, AWS_REGION="us-east-1"
        )

    assert done.code == 0, done
    assert len(buckets.keys(server, bucket)) == len(many)
    assert len(calls.read_text()) >= 2


def test_a_credential_process_that_fails(
    project: Path, bare_pivot: Command, server: S3Server
) -> None:
    aws_files(bare_pivot, config="[default]\ncredential_process = false\n")

    done = bare_pivot("push", cwd=project, AWS_ENDPOINT_URL=server.url)

    assert_sentence(done, 4, "origin", "aws sts get-caller-identity")


@contextlib.contextmanager
def container(server: S3Server) -> Iterator[tuple[str, list[str]]]:
    """Give credentials as ECS and EKS do to their containers."""
    tokens: list[str] = []
    until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    body = json.dumps(
        {
            "AccessKeyId": server.access_key,
            "SecretAccessKey": server.secret_key,
            "Token": "",
            "Expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    ).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers.get("Authorization", ""))
            self.send_response_only(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{listener.server_address[1]}/creds", tokens
        finally:
            listener.shutdown()
            thread.join()


def test_the_credentials_of_a_container(
    project: Path, bare_pivot: Command, server: S3Server
) -> None:
    with container(server) as (url, tokens):
        done = bare_pivot(
            "push",
            cwd=project,
            AWS_CONTAINER_CREDENTIALS_FULL_URI=url,
            AWS_CONTAINER_AUTHORIZATION_TOKEN="let-me-in",
            AWS_ENDPOINT_URL=server.url,
            AWS_REGION="us-east-1",
        )

    assert done.code == 0, done
    assert set(tokens) == {"let-me-in"}


def test_web_identity(tmp_path: Path, bare_pivot: Command) -> None:
    try:
        running = moto(tmp_path / "moto")
        with running as aws:
            aws.make_bucket("web")
            project = make_project(tmp_path / "project", "web")
            token = tmp_path / "token"
            token.write_text("a.web.identity.token")

            done = bare_pivot(
                "push",
                cwd=project,
                AWS_ROLE_ARN="arn:aws:iam::111122223333:role/pivot",
                AWS_WEB_IDENTITY_TOKEN_FILE=str(token),
                AWS_ENDPOINT_URL=aws.url,
                AWS_REGION="us-east-1",
            )

            assert done.code == 0, done
            assert len(buckets.keys(aws, "web")) == OBJECTS
    except NotHere as reason:
        pytest.skip(f"no STS on this machine (PIVOT_MOTO_SERVER): {reason}")


def test_assumed_role(tmp_path: Path, bare_pivot: Command) -> None:
    try:
        with moto(tmp_path / "moto") as aws:
            aws.make_bucket("assumed")
            project = make_project(tmp_path / "project", "assumed")
            aws_files(
                bare_pivot,
                config=(
                    f"[profile base]\nregion = us-east-1\n[profile role]\nregion = us-east-1\n"
                    f"endpoint_url = {aws.url}\nsource_profile = base\n"
                    "role_arn = arn:aws:iam::111122223333:role/pivot\n"
                ),
                credentials="[base]\naws_access_key_id = a\naws_secret_access_key = b\n",
            )

            done = bare_pivot("push", cwd=project, AWS_PROFILE="role")

            assert done.code == 0, done
            assert len(buckets.keys(aws, "assumed")) == OBJECTS
    except NotHere as reason:
        pytest.skip(f"no STS on this machine (PIVOT_MOTO_SERVER): {reason}")
