"""Places of every kind, each empty, on servers that start when the first test wants them."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import obstore
import pytest

from pivot.crew import for_each
from pivot.objects import digest_bytes, object_name
from tests import servers
from tests.contract.remotes import Bucket, Folder, Place, chosen_kinds
from tests.servers import NotHere, NotReady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pivot.objects import Digest
    from tests.servers import S3Server

SERVERS: Mapping[str, Callable[[Path], AbstractContextManager[S3Server]]] = {
    "rclone": servers.rclone,
    "juicefs": servers.juicefs,
    "moto": servers.moto,
    "ceph": servers.ceph,
    "swift": servers.swift,
}
S3_KINDS = tuple(kind for kind in chosen_kinds() if kind != "folder")


@dataclass(frozen=True, slots=True)
class Crowd:
    """A place with more objects than LIST puts on two pages, by digest with their sizes."""

    place: Place
    sizes: Mapping[Digest, int]


@pytest.fixture(name="start", scope="session")
def _start(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], S3Server]]:
    """Start a server of a kind, once; one that cannot be had is not tried again."""
    started: dict[str, S3Server] = {}
    failed: dict[str, NotHere | NotReady] = {}
    with ExitStack() as stack:

        def start(kind: str) -> S3Server:
            if kind == "seaweedfs":
                server: S3Server = request.getfixturevalue("server")
                return server
            if kind in failed:
                raise failed[kind]
            if kind not in started:
                folder = tmp_path_factory.mktemp(kind)
                try:
                    started[kind] = stack.enter_context(serve(kind, folder))
                except (NotHere, NotReady) as error:
                    failed[kind] = error
                    raise
            return started[kind]

        def serve(kind: str, folder: Path) -> AbstractContextManager[S3Server]:
            if kind == "rclone-tls":
                return servers.tls(start("rclone"), folder)
            return SERVERS[kind](folder)

        yield start


@pytest.fixture(name="make_place", scope="session")
def _make_place(
    start: Callable[[str], S3Server], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Place]:
    """Make empty places of a kind."""

    def make(kind: str) -> Place:
        if kind == "folder":
            return Folder(tmp_path_factory.mktemp("shared"))
        server = start(kind)
        bucket = f"contract-{secrets.token_hex(6)}"
        server.make_bucket(bucket)
        return Bucket(server, bucket, kind)

    return make


@pytest.fixture(name="place", params=chosen_kinds())
def _place(request: pytest.FixtureRequest, make_place: Callable[[str], Place]) -> Place:
    return make_place(request.param)


@pytest.fixture(name="s3", params=S3_KINDS)
def _s3(request: pytest.FixtureRequest, make_place: Callable[[str], Place]) -> Place:
    return make_place(request.param)


@pytest.fixture(name="crowd", scope="session", params=chosen_kinds())
def _crowd(request: pytest.FixtureRequest, make_place: Callable[[str], Place]) -> Crowd:
    place = make_place(request.param)
    return Crowd(place, fill(place, 2300))


def fill(place: Place, count: int) -> dict[Digest, int]:
    """Store *count* small objects at the prefix `pre/fix` of *place*."""
    bodies = [f"object {number}".encode() for number in range(count)]
    named = {digest_bytes(body): body for body in bodies}
    if isinstance(place, Folder):
        for digest, body in named.items():
            place.put(f"pre/fix/{object_name(digest)}", body)
    else:
        store = place.server.store(place.bucket, retries=5)

        def put(digest: Digest) -> None:
            obstore.put(store, f"pre/fix/{object_name(digest)}", named[digest])

        for_each(named, put, jobs=4)
    return {digest: len(body) for digest, body in named.items()}
