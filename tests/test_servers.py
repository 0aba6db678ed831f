"""The servers that other tests stand on serve S3, and each fault does what it is named for."""

from __future__ import annotations

import contextlib
import http.client
import math
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
import pytest
from obstore.exceptions import GenericError, PermissionDeniedError
from obstore.store import S3Store

from tests import servers
from tests.servers.proxy import ReverseProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.servers import FaultProxy, S3Server

BUCKET = "bucket"
BODY = bytes(range(256)) * 40


def names(store: S3Store) -> list[str]:
    return sorted(entry["path"] for page in obstore.list(store) for entry in page)


@pytest.fixture(params=["seaweedfs", "rclone", "juicefs", "tls"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[S3Server]:
    if request.param == "tls":
        with servers.rclone(tmp_path / "rclone") as plain, servers.tls(plain, tmp_path) as secure:
            yield secure
    else:
        with getattr(servers, request.param)(tmp_path) as plain:
            yield plain


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with servers.rclone(tmp_path_factory.mktemp("rclone")) as server:
        server.make_bucket(BUCKET)
        obstore.put(server.store(BUCKET), "some/key", BODY)
        yield server


@pytest.fixture
def proxy(behind: S3Server) -> Iterator[FaultProxy]:
    with servers.fault_proxy(behind) as proxy:
        yield proxy


@pytest.fixture
def store(proxy: FaultProxy) -> S3Store:
    return proxy.server.store(BUCKET)


def get(store: S3Store) -> bytes:
    return bytes(obstore.get(store, "some/key").bytes())


def raw(
    proxy: FaultProxy, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Ask without a signature, which only a proxy that answers by itself may answer."""
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=5)
    try:
        connection.request(method, f"/{BUCKET}/some/key", headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_server_stores_and_lists_and_refuses_a_wrong_secret(server: S3Server) -> None:
    server.make_bucket(BUCKET)
    store = server.store(BUCKET)
    obstore.put(store, "a/one", BODY)
    obstore.put(store, "a/two", b"")
    assert bytes(obstore.get(store, "a/one").bytes()) == BODY
    assert names(store) == ["a/one", "a/two"]
    with pytest.raises(FileNotFoundError):
        obstore.head(store, "a/three")
    with pytest.raises(PermissionDeniedError):
        obstore.get(server.with_keys(server.access_key, "wrong").store(BUCKET), "a/one")


def test_seaweedfs_reader_cannot_write_and_ranges_pass_the_proxy(tmp_path: Path) -> None:
    with servers.seaweedfs(tmp_path) as server, servers.fault_proxy(server) as proxy:
        server.make_bucket(BUCKET)
        obstore.put(server.store(BUCKET), "key", BODY)
        reader = proxy.server.with_keys("reader", "readersecret").store(BUCKET)
        assert bytes(obstore.get_range(reader, "key", start=10, end=20)) == BODY[10:20]
        assert names(reader) == ["key"]
        with pytest.raises(PermissionDeniedError):
            obstore.put(reader, "other", BODY)
        proxy.short(1)
        with pytest.raises(GenericError, match=r"got 10\.\.15"):
            obstore.get_range(reader, "key", start=10, end=20)


def test_rclone_objects_are_plain_files(behind: S3Server) -> None:
    assert behind.data is not None
    assert (behind.data / BUCKET / "some" / "key").read_bytes() == BODY


def test_environment_leads_to_the_server(behind: S3Server, tmp_path: Path) -> None:
    assert "AWS_CA_BUNDLE" not in behind.environment()
    with servers.tls(behind, tmp_path) as secure:
        environment = secure.environment()
    assert environment["AWS_ENDPOINT_URL"].startswith("https://localhost:")
    assert environment["AWS_CA_BUNDLE"] == str(tmp_path / "ca.pem")


@pytest.mark.parametrize("name", ["ceph", "moto", "swift"])
def test_server_that_cannot_be_had_says_why(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("PIVOT_MOTO_SERVER", "/no/such/program")
    with pytest.raises(servers.NotHere, match=r"root only|no program"):
        getattr(servers, name)(tmp_path).__enter__()


def test_process_that_ends_is_reported_with_its_log(tmp_path: Path) -> None:
    from tests.servers.process import running

    with (
        pytest.raises(servers.NotReady, match=r"ended with 3(?s:.*)no such luck"),
        running(["sh", "-c", "echo no such luck; exit 3"], tmp_path, lambda: False),
    ):
        pass


def test_process_is_gone_after_an_error_in_the_block(tmp_path: Path) -> None:
    from tests.servers.process import listens

    port = 0
    with pytest.raises(RuntimeError, match="in the block"), servers.rclone(tmp_path) as server:
        port = urlsplit(server.url).port or 0
        assert listens(port)
        raise RuntimeError("in the block")
    assert not listens(port)


def test_proxy_without_faults_changes_nothing(proxy: FaultProxy, store: S3Store) -> None:
    assert get(store) == BODY
    obstore.put(store, "other", BODY * 100)
    assert names(store) == ["other", "some/key"]
    assert obstore.head(store, "other")["size"] == len(BODY) * 100
    obstore.delete(store, "other")
    assert proxy.count("GET", "object") == 1
    assert proxy.count(kind="list") == 1
    assert proxy.count("HEAD") == 1
    assert proxy.requests[0] == ("GET", f"/{BUCKET}/some/key")


def test_proxy_passes_what_boto3_sends(proxy: FaultProxy) -> None:
    proxy.server.make_bucket("another")
    assert proxy.requests == [("PUT", "/another")]


def test_faults_stand_behind_tls(proxy: FaultProxy, tmp_path: Path) -> None:
    proxy.corrupt(1)
    with servers.tls(proxy.server, tmp_path) as secure:
        assert get(secure.store(BUCKET)) != BODY
        assert get(secure.store(BUCKET)) == BODY


def test_deny_list_refuses_listings_only(proxy: FaultProxy, store: S3Store) -> None:
    proxy.deny_list = True
    with pytest.raises(GenericError, match="AccessDenied"):
        names(store)
    assert get(store) == BODY


def test_deny_head_of_missing_hides_whether_an_object_exists(
    proxy: FaultProxy, store: S3Store
) -> None:
    proxy.deny_head_of_missing = True
    with pytest.raises(PermissionDeniedError):
        obstore.head(store, "missing")
    with pytest.raises(PermissionDeniedError, match="AccessDenied"):
        obstore.get(store, "missing")
    assert obstore.head(store, "some/key")["size"] == len(BODY)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDenied", 403),
        ("InvalidAccessKeyId", 403),
        ("RequestTimeTooSkewed", 403),
        ("ExpiredToken", 400),
    ],
)
def test_deny_all_answers_with_the_code(
    proxy: FaultProxy, store: S3Store, code: str, status: int
) -> None:
    proxy.deny_all(code)
    answered, body = raw(proxy)
    assert answered == status
    assert f"<Code>{code}</Code>".encode() in body
    assert raw(proxy, "HEAD") == (status, b"")
    proxy.heal()
    assert get(store) == BODY


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("slow_down", 503, b"SlowDown"), ("server_error", 500, b"InternalError")],
)
def test_counted_refusals_end(
    proxy: FaultProxy, store: S3Store, fault: str, status: int, code: bytes
) -> None:
    getattr(proxy, fault)(2)
    for _ in range(2):
        answered, body = raw(proxy)
        assert answered == status
        assert code in body
    assert get(store) == BODY


def test_infinite_faults_go_on_until_replaced(proxy: FaultProxy, store: S3Store) -> None:
    proxy.slow_down(math.inf)
    assert [raw(proxy)[0] for _ in range(5)] == [503] * 5
    proxy.slow_down(0)
    assert get(store) == BODY


def test_reset_gives_no_answer(proxy: FaultProxy, store: S3Store) -> None:
    proxy.reset(1)
    with pytest.raises(ConnectionResetError):
        raw(proxy)
    assert get(store) == BODY


def test_truncate_breaks_off(proxy: FaultProxy, store: S3Store) -> None:
    proxy.truncate(1)
    with pytest.raises(GenericError):
        get(store)
    assert get(store) == BODY


def test_corrupt_changes_one_byte(proxy: FaultProxy, store: S3Store) -> None:
    proxy.corrupt(1)
    damaged = get(store)
    assert len(damaged) == len(BODY)
    assert sum(a != b for a, b in zip(damaged, BODY, strict=True)) == 1
    assert get(store) == BODY


def test_short_is_consistent(proxy: FaultProxy, store: S3Store) -> None:
    proxy.short(2)
    assert get(store) == BODY[: len(BODY) // 2]
    assert get(store) == BODY[: len(BODY) // 2]
    assert get(store) == BODY


def test_stall_never_answers_and_does_not_hold_up_the_end(proxy: FaultProxy) -> None:
    proxy.stall = True
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=0.3)
    connection.request("GET", "/")
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()


def test_conditional_put_is_not_implemented(proxy: FaultProxy, store: S3Store) -> None:
    proxy.not_implemented_conditional = True
    with pytest.raises((GenericError, NotImplementedError)):
        obstore.put(store, "new", BODY, mode="create")
    status, body = raw(proxy, "PUT", {"If-None-Match": "*"})
    assert status == 501
    assert b"NotImplemented" in body
    obstore.put(store, "new", BODY)
    obstore.delete(store, "new")


def test_fail_list_page_spares_the_pages_before(proxy: FaultProxy, store: S3Store) -> None:
    proxy.fail_list_page(2)
    assert names(store) == ["some/key"]
    for _ in range(2):
        with pytest.raises(GenericError, match="500"):
            names(store)


def test_delay_holds_a_request_up(proxy: FaultProxy) -> None:
    proxy.deny_all("AccessDenied")
    proxy.delay = 0.3
    start = time.monotonic()
    assert raw(proxy)[0] == 403
    assert time.monotonic() - start >= 0.3


def test_max_in_flight_counts_requests_without_an_answer(proxy: FaultProxy) -> None:
    raw(proxy)
    raw(proxy)
    assert proxy.max_in_flight == 1
    proxy.stall = True
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=5)
            stack.enter_context(contextlib.closing(connection))
            connection.request("GET", "/")
        deadline = time.monotonic() + 20
        while proxy.max_in_flight < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert proxy.max_in_flight == 4


def test_proxy_ends_a_connection_that_arrives_while_it_stops(
    behind: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = ReverseProxy.connected

    def late(self: ReverseProxy, client: socket.socket) -> AbstractContextManager[None]:
        self.stopping.wait(5)
        return at_once(self, client)

    monkeypatch.setattr(ReverseProxy, "connected", late)
    with contextlib.ExitStack() as stack:
        with servers.fault_proxy(behind) as proxy:
            parts = urlsplit(proxy.url)
            address = (parts.hostname or "", parts.port or 0)
            stack.enter_context(socket.create_connection(address))
            time.sleep(0.2)  # to be accepted
            start = time.monotonic()
        assert time.monotonic() - start < 10
