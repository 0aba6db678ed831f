"""Endpoints that are wrong, contend, or are no S3 service; variables that contradict each other."""

from __future__ import annotations

import contextlib
import functools
import math
import signal
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest
import yaml

from tests import buckets
from tests.conftest import Command
from tests.e2e.weather import OBJECTS, assert_sentence, make_project, through, without_cache
from tests.projects import Content, ProjectBuilder, digest, dump
from tests.servers import FaultProxy, S3Server, tls
from tests.servers.policy import Hangup, Refusal, Request
from tests.servers.process import LOOPBACK
from tests.servers.proxy import ReverseProxy

DATA = b"some data"


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str) -> Path:
    return make_project(tmp_path / "project", bucket)


@pytest.fixture(name="small")
def _small(tmp_path: Path, bucket: str) -> Path:
    return make_project(tmp_path / "small", bucket, {"data/a.bin": DATA})


class Contended(FaultProxy):
    """A service that says of some writes that another is under way."""

    def __init__(self, server: S3Server, code: str, times: float) -> None:
        super().__init__(server)
        self.code = code
        self.times = times

    def before(self, request: Request) -> Refusal | Hangup | None:
        with self._lock:
            if request.method == "PUT" and self.times > 0:
                self.times -= 1
                return Refusal(409, self.code)
        return super().before(request)


@contextlib.contextmanager
def contended(
    server: S3Server, pivot: Command, code: str, times: float
) -> Iterator[tuple[Contended, Command]]:
    proxy = Contended(server, code, times)
    upstream = urlsplit(server.url)
    with ReverseProxy((upstream.hostname or LOOPBACK, upstream.port or 80), proxy).serving() as at:
        proxy.url = f"http://{LOOPBACK}:{at}"
        yield proxy, Command(pivot.home, proxy.server.environment())


@pytest.mark.parametrize("code", ["OperationAborted", "ConditionalRequestConflict"])
def test_a_write_that_conflicts_is_tried_again(
    code: str, project: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    with contended(server, pivot, code, 3) as (proxy, command):
        done = command("push", cwd=project)

    assert done.code == 0, done
    assert f"{OBJECTS} transferred, 0 skipped, 0 failed" in done.out
    assert proxy.times == 0
    assert len(buckets.keys(server, bucket)) == OBJECTS


def test_writes_that_always_conflict_are_not_taken_for_done(
    project: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    with contended(server, pivot, "OperationAborted", math.inf) as (_, command):
        done = command("push", cwd=project)

    assert_sentence(done, 6, "data/a.bin", "data/tree/sub/y.txt")
    assert f"0 transferred, 0 skipped, {OBJECTS} failed" in done.out
    assert buckets.keys(server, bucket) == []


@pytest.fixture(name="web", scope="module")
def _web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve an empty folder as plain HTTP: every name is a 404, with a page in HTML."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    handler = functools.partial(Silent, directory=str(tmp_path_factory.mktemp("web")))
    with ThreadingHTTPServer((LOOPBACK, 0), handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{listener.server_address[1]}"
        finally:
            listener.shutdown()
            thread.join()


@pytest.mark.parametrize("count", [1, 12], ids=["asked one by one", "listed"])
@pytest.mark.parametrize("arguments", [["push"], ["pull", "--on-miss", "ignore"]], ids=str)
def test_what_answers_404_to_everything_is_no_s3_service(
    arguments: list[str], count: int, tmp_path: Path, bucket: str, pivot: Command, web: str
) -> None:
    outputs: dict[str, Content] = {f"data/{n:02}.bin": b"%d" % n for n in range(count)}
    project = make_project(tmp_path / "many", bucket, outputs)
    place = project if arguments[0] == "push" else without_cache(project, tmp_path / "clone")

    done = pivot(*arguments, cwd=place, AWS_ENDPOINT_URL=web)

    assert_sentence(done, 1, "404", "endpoint")
    assert "is not on remote" not in done.err


FOREIGN = {
    "AWS_ENDPOINT_URL": "",
    "AWS_ENDPOINT_URL_S3": " ",
    "AWS_ENDPOINT": "http://127.0.0.1:9",
    "AWS_SKIP_SIGNATURE": "true",
    "AWS_SERVER_SIDE_ENCRYPTION": "bogus",
    "AWS_CONDITIONAL_PUT": "disabled",
    "AWS_S3_EXPRESS": "true",
    "AWS_DISABLE_TAGGING": "maybe",
    "AWS_UNSIGNED_PAYLOAD": "maybe",
    "AWS_CHECKSUM_ALGORITHM": "bogus",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
    "AWS_BUCKET_NAME": "another",
    "AWS_REQUEST_PAYER": "maybe",
    "AWS_ALLOW_HTTP": "maybe",
}
ALONE = ("AWS_SKIP_SIGNATURE", "AWS_S3_EXPRESS", "AWS_CONDITIONAL_PUT")


@pytest.mark.parametrize(
    "names", [(name,) for name in ALONE] + [tuple(FOREIGN)], ids=lambda names: names[-1]
)
def test_variables_that_are_empty_or_not_of_aws_change_nothing(
    names: tuple[str, ...], small: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    with (small / ".pivot/config.yaml").open("a") as file:
        file.write(f"remote_options:\n  origin:\n    endpoint: {server.url}\n")
    command = Command(pivot.home, {**pivot.variables, **{name: FOREIGN[name] for name in names}})

    done = command("push", cwd=small)

    assert done.code == 0, done
    assert list(buckets.contents(server, bucket).values()) == [DATA]


def test_a_variable_that_aws_does_not_have_leads_nobody_astray(
    small: Path, tmp_path: Path, bare_pivot: Command, server: S3Server
) -> None:
    with (
        through(server, bare_pivot) as (stranger, _),
        tls(stranger.server, tmp_path / "tls") as front,
    ):
        variables = front.environment() | {"AWS_ENDPOINT": front.url}
        del variables["AWS_ENDPOINT_URL"]
        nowhere = {"HTTPS_PROXY": f"http://{LOOPBACK}:9", "NO_PROXY": "localhost"}
        done = Command(bare_pivot.home, variables | nowhere)("push", cwd=small)
        asked = stranger.count()

    assert_sentence(done, 6)
    assert asked == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", "127.0.0.1:9000"),
        ("AWS_ENDPOINT_URL_S3", "localhost"),
        ("AWS_ENDPOINT_URL", "http://"),
        ("AWS_CA_BUNDLE", "/etc/hostname"),
        ("REQUESTS_CA_BUNDLE", "/dev/null"),
    ],
)
def test_a_variable_that_is_wrong_is_named(
    name: str, value: str, small: Path, pivot: Command
) -> None:
    done = Command(pivot.home, {**pivot.variables, name: value})("push", cwd=small)

    assert_sentence(done, 2, name, value)


def test_keys_in_a_url_are_refused_and_not_repeated(small: Path, pivot: Command) -> None:
    url = "s3://AKIAEXAMPLE:topsecret@bucket/p"
    config = small / ".pivot/config.yaml"

    given = pivot("config", "set", "remotes.other", url, cwd=small)
    kept = config.read_text()
    config.write_text(f"remotes:\n  origin: {url}\n")
    found = pivot("push", cwd=small)

    assert "topsecret" not in kept
    for done in (given, found):
        assert_sentence(done, 2, "bucket")
        assert "topsecret" not in done.out + done.err


def add_import(project: Path, path: str, content: bytes, remote: str) -> None:
    """Track data that another project made, as `pivot import` does."""
    document = ProjectBuilder(project).tracked(path, content)
    tree = yaml.safe_load(document.read_text())
    names = ("repo", "rev", "rev_lock", "stage", "path")
    source = dict.fromkeys(names, "x") | {"remote": remote}
    document.write_text(dump(tree | {"source": source}))


@pytest.mark.parametrize("url", ["gs://elsewhere/p", "nonsense"])
def test_an_import_from_nowhere_does_not_harm_the_rest(
    url: str, small: Path, tmp_path: Path, pivot: Command
) -> None:
    pushed = pivot("push", cwd=small)
    add_import(small, "data/imported.csv", b"theirs", url)
    clone = without_cache(small, tmp_path / "clone")

    done = pivot("pull", cwd=clone)

    assert pushed.code == 0, pushed
    assert_sentence(done, 2, url)
    assert "Fetched from 'origin': 1 transferred" in done.out
    assert (clone / "data/a.bin").read_bytes() == DATA
    assert not (clone / "data/imported.csv").exists()


def test_an_import_from_a_remote_of_ours_uses_its_endpoint(
    small: Path, tmp_path: Path, bucket: str, bare_pivot: Command, server: S3Server
) -> None:
    imported = b"theirs"
    name = digest(imported)
    buckets.put(server, bucket, f"theirs/files/{name[:2]}/{name[2:]}", imported)
    add_import(small, "data/imported.csv", imported, f"s3://{bucket}/theirs/")
    (small / ".pivot/config.yaml").write_text(
        f"remotes:\n  origin: s3://{bucket}/p\n  lab: s3://{bucket}/theirs\n"
        "default_remote: origin\nremote_options:\n"
        f"  origin:\n    endpoint: {server.url}\n  lab:\n    endpoint: {server.url}\n"
    )
    keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
    command = Command(bare_pivot.home, keys)
    pushed = command("push", cwd=small)
    clone = without_cache(small, tmp_path / "clone")

    done = command("pull", cwd=clone)

    assert pushed.code == 0, pushed
    assert done.code == 0, done
    assert (clone / "data/imported.csv").read_bytes() == imported
    assert (clone / "data/a.bin").read_bytes() == DATA


@pytest.mark.parametrize("level", ["project", "user"])
def test_an_endpoint_without_tls_that_the_project_chose_is_warned_of(
    level: str, small: Path, tmp_path: Path, bare_pivot: Command, server: S3Server
) -> None:
    keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
    command = Command(bare_pivot.home, keys)
    exposed = f"http://0.0.0.0:{urlsplit(server.url).port}"  # not loopback by its name
    words = ["config", "set", *(["--global"] if level == "user" else [])]
    command(*words, "remote_options.origin.endpoint", exposed, cwd=small)
    clone = without_cache(small, tmp_path / "clone")

    told = [
        command(*arguments, cwd=place)
        for place, arguments in (
            (small, ["push", "--dry-run"]),
            (small, ["push"]),
            (clone, ["pull", "--dry-run"]),
            (clone, ["pull"]),
        )
    ]

    assert [done.code for done in told] == [0] * 4, told
    warned = [f"endpoint without TLS for remote 'origin', {exposed}" in done.err for done in told]
    assert warned == [level == "project"] * 4


def parts_under_way(server: S3Server, bucket: str) -> list[str]:
    with contextlib.closing(server.client()) as s3:
        listed = s3.list_multipart_uploads(Bucket=bucket)
    return [upload["Key"] for upload in listed.get("Uploads", ())]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_push_in_parts_leaves_no_parts_behind(
    number: signal.Signals, tmp_path: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    big = Random(3).randbytes(48 << 20)
    project = make_project(tmp_path / "big", bucket, {"data/big.bin": big})

    with through(server, pivot) as (proxy, command):
        proxy.delay = 0.3
        process = command.start("push", cwd=project)
        with process:
            deadline = time.monotonic() + 30
            while not any("partNumber=" in target for _, target in list(proxy.requests)):
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline, "it never came so far"
                time.sleep(0.01)
            during = parts_under_way(server, bucket)
            process.send_signal(number)
            process.communicate(timeout=30)

    assert process.returncode == 130
    assert len(during) == 1
    assert parts_under_way(server, bucket) == []
    assert buckets.keys(server, bucket) == []
