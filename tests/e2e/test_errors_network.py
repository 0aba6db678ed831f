"""Bad days on the way: what passes is retried, what does not ends soon and says why."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import buckets
from tests.conftest import Command
from tests.e2e.forward import forward_proxy
from tests.e2e.weather import (
    OBJECTS,
    OUTPUTS,
    assert_sentence,
    leftovers,
    make_project,
    through,
    without_cache,
)
from tests.projects import digest, objects
from tests.servers import FaultProxy, S3Server
from tests.servers.process import LOOPBACK, free_ports


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str) -> Path:
    return make_project(tmp_path / "project", bucket)


@pytest.fixture(name="clone")
def _clone(project: Path, tmp_path: Path, pivot: Command) -> Path:
    done = pivot("push", cwd=project)
    assert done.code == 0, done
    return without_cache(project, tmp_path / "clone")


@pytest.fixture(name="weather")
def _weather(server: S3Server, pivot: Command) -> Iterator[tuple[FaultProxy, Command]]:
    with through(server, pivot) as pair:
        yield pair


def assert_restored(clone: Path) -> None:
    for path, content in OUTPUTS.items():
        if isinstance(content, bytes):
            assert (clone / path).read_bytes() == content
    assert (clone / "data/tree/sub/y.txt").read_bytes() == b"y" * 700
    assert leftovers(clone) == []


@pytest.mark.parametrize("fault", ["slow_down", "server_error", "reset"])
@pytest.mark.parametrize("direction", ["push", "pull"])
def test_a_fault_that_passes_is_retried(
    direction: str,
    fault: str,
    project: Path,
    clone: Path,
    weather: tuple[FaultProxy, Command],
    bucket: str,
    server: S3Server,
) -> None:
    proxy, command = weather
    if direction == "push":
        for name in buckets.keys(server, bucket):
            buckets.delete(server, bucket, name)
    {"slow_down": proxy.slow_down, "server_error": proxy.server_error, "reset": proxy.reset}[fault](
        3
    )

    done = command(direction, cwd=project if direction == "push" else clone)

    assert done.code == 0, done
    if direction == "pull":
        assert_restored(clone)
    else:
        bodies = buckets.contents(server, bucket)
        assert len(bodies) == OBJECTS
        assert all(digest(body) == name[8:].replace("/", "") for name, body in bodies.items())


@pytest.mark.parametrize("fault", ["truncate", "corrupt", "short"])
def test_a_body_that_is_damaged_on_its_way_once_is_fetched_again(
    fault: str, clone: Path, weather: tuple[FaultProxy, Command]
) -> None:
    proxy, command = weather
    {"truncate": proxy.truncate, "corrupt": proxy.corrupt, "short": proxy.short}[fault](1)

    done = command("pull", cwd=clone)

    assert done.code == 0, done
    assert_restored(clone)


def test_a_body_that_is_always_cut_off_is_a_network_failure(
    clone: Path, weather: tuple[FaultProxy, Command]
) -> None:
    proxy, command = weather
    proxy.truncate(math.inf)

    done = command("pull", cwd=clone)
    proxy.heal()
    again = command("pull", cwd=clone)

    assert_sentence(done, 6, "data/a.bin")
    assert again.code == 0, again
    assert_restored(clone)


def test_a_body_that_is_always_wrong_is_an_integrity_failure(
    clone: Path, weather: tuple[FaultProxy, Command]
) -> None:
    proxy, command = weather
    proxy.corrupt(math.inf)

    done = command("pull", cwd=clone)

    assert_sentence(done, 5, "data/a.bin", "damaged")
    assert objects(clone / ".pivot/cache") == {}
    assert not (clone / "data").exists()
    assert leftovers(clone) == []


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_throttled_for_ever(
    direction: str, project: Path, clone: Path, weather: tuple[FaultProxy, Command]
) -> None:
    proxy, command = weather
    proxy.slow_down(math.inf)

    done = command(direction, cwd=project if direction == "push" else clone)

    assert_sentence(done, 6, "503", "--jobs")


@pytest.mark.parametrize("seed", range(3))
def test_a_push_survives_connections_that_are_lost_again_and_again(
    seed: int,
    project: Path,
    weather: tuple[FaultProxy, Command],
    bucket: str,
    server: S3Server,
) -> None:
    proxy, command = weather
    proxy.rain(seed, reset=0.3)

    done = command("push", cwd=project)

    assert done.code == 0, done
    assert len(buckets.contents(server, bucket)) == OBJECTS


def test_a_closed_port(project: Path, pivot: Command) -> None:
    (port,) = free_ports(1)
    began = time.monotonic()

    done = pivot("push", cwd=project, AWS_ENDPOINT_URL=f"http://{LOOPBACK}:{port}")

    assert_sentence(done, 6, "no connection", "endpoint")
    assert time.monotonic() - began < 20


def test_a_name_that_does_not_exist(project: Path, pivot: Command) -> None:
    began = time.monotonic()

    done = pivot("push", cwd=project, AWS_ENDPOINT_URL="http://nowhere.invalid:80")

    assert_sentence(done, 6, "no connection")
    assert time.monotonic() - began < 20


def test_an_address_that_swallows_packets(project: Path, pivot: Command) -> None:
    with socket.socket() as full:
        full.bind((LOOPBACK, 0))
        full.listen(0)
        # on Linux, a queue of pending connections that is full drops the next one silently
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        began = time.monotonic()

        done = pivot(
            "push", cwd=project, AWS_ENDPOINT_URL=f"http://{LOOPBACK}:{full.getsockname()[1]}"
        )
        for each in waiting:
            each.close()

    assert_sentence(done, 6, "no connection")
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_a_server_that_never_answers(
    direction: str, project: Path, clone: Path, weather: tuple[FaultProxy, Command]
) -> None:
    proxy, command = weather
    proxy.stall = True
    began = time.monotonic()

    done = command(direction, cwd=project if direction == "push" else clone)

    assert_sentence(done, 6, "no connection")
    assert time.monotonic() - began < 20


def test_a_server_that_does_not_know_if_none_match(
    project: Path, weather: tuple[FaultProxy, Command], bucket: str, server: S3Server
) -> None:
    proxy, command = weather
    proxy.not_implemented_conditional = True

    done = command("push", cwd=project)
    again = command("push", cwd=project)

    assert done.code == 0, done
    assert len(buckets.keys(server, bucket)) == OBJECTS
    assert f"0 transferred, {OBJECTS} skipped" in again.out


def test_a_listing_that_breaks_off_is_not_taken_for_empty(
    tmp_path: Path, bucket: str, weather: tuple[FaultProxy, Command]
) -> None:
    many = {f"data/{number:02}.bin": b"%d" % number for number in range(20)}
    project = make_project(tmp_path / "many", bucket, dict(many))
    proxy, command = weather
    first = command("push", cwd=project)
    proxy.fail_list_page(1)
    puts = proxy.count("PUT")

    done = command("push", cwd=project)

    assert first.code == 0, first
    assert_sentence(done, 6)
    assert proxy.count("PUT") == puts


def test_nothing_that_is_said_contains_a_secret(
    project: Path, clone: Path, weather: tuple[FaultProxy, Command]
) -> None:
    proxy, command = weather
    secrets = {"AWS_SECRET_ACCESS_KEY": "topsecretkey", "AWS_SESSION_TOKEN": "topsecrettoken"}
    command = Command(command.home, {**command.variables, **secrets})
    said = [command("-v", "pull", "-v", cwd=clone)]
    proxy.slow_down(math.inf)
    said.append(command("-v", "push", cwd=project))
    proxy.heal()
    proxy.deny_all("SignatureDoesNotMatch")
    said.append(command("-vv", "push", "--json", cwd=project))

    for done in said:
        assert done.code != 0, done
        for word in ("topsecret", "Signature=", "X-Amz", "Authorization"):
            assert word not in done.out + done.err, done


def test_http_proxy_is_honoured(
    project: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    with forward_proxy() as (url, seen):
        done = pivot("push", cwd=project, http_proxy=url, HTTP_PROXY=url)

    assert done.code == 0, done
    assert len(buckets.keys(server, bucket)) == OBJECTS
    assert len(seen) >= OBJECTS
    assert {urlsplit(target).netloc for target in seen} == {urlsplit(server.url).netloc}
