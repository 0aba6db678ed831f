"""A large object comes by as many connections as the line needs, and never by more than asked."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import obstore
import pytest

from pivot.errors import ObjectError
from pivot.objects import Digest, digest_bytes, object_name
from pivot.s3_download import LARGE
from pivot.transfer import move_all
from tests import servers
from tests.contract.conftest import fill
from tests.contract.remotes import Bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.contract.remotes import Place
    from tests.servers import FaultProxy

SIZE = LARGE + 21 * 2**20 + 1
DATA = bytes(range(251)) * (SIZE // 251) + b"!" * (SIZE % 251)
LARGEST = digest_bytes(DATA)
SLOW = 80 * 2**20
"""Bytes a second by one connection."""


@pytest.fixture(name="full", scope="module")
def _full(make_place: Callable[[str], Place]) -> Bucket:
    """A bucket with one large object, and small ones."""
    return filled(make_place("seaweedfs"))


def filled(place: Place) -> Bucket:
    assert isinstance(place, Bucket)
    fill(place, 40)
    store = place.server.store(place.bucket, retries=5)
    obstore.put(store, f"pre/fix/{object_name(LARGEST)}", DATA, use_multipart=False)
    return place


@pytest.fixture(name="proxy")
def _proxy(full: Bucket) -> Iterator[FaultProxy]:
    with servers.fault_proxy(full.server) as proxy:
        yield proxy


def read(full: Bucket, proxy: FaultProxy, *, jobs: int, start: int = 0) -> bytes:
    with closing(full.seen_through(proxy.server).open(jobs=jobs, retries=0)) as remote:
        content = remote.download(LARGEST, start=start, size=SIZE)
        assert content.size == SIZE
        return b"".join(content.chunks)


@pytest.mark.parametrize(("jobs", "most"), [(1, 1), (3, 3), (16, 5)])
def test_a_slow_line_gets_the_connections_that_are_free(
    full: Bucket, proxy: FaultProxy, jobs: int, most: int
) -> None:
    proxy.rate = SLOW
    assert read(full, proxy, jobs=jobs) == DATA
    assert proxy.max_in_flight == most
    assert sum(proxy.lengths) == SIZE  # each byte once


def test_what_is_left_of_it_comes_so_too(full: Bucket, proxy: FaultProxy) -> None:
    proxy.rate = SLOW
    start = 5 * 2**20 + 7

    assert read(full, proxy, jobs=16, start=start) == DATA[start:]
    assert sum(proxy.lengths) == SIZE - start
    assert proxy.max_in_flight == 5


def test_other_downloads_wait_for_what_was_lent(full: Bucket, proxy: FaultProxy) -> None:
    proxy.rate = SLOW
    small = [digest_bytes(f"object {number}".encode()) for number in range(40)]
    lent = threading.Event()
    with closing(full.seen_through(proxy.server).open(jobs=3, retries=0)) as remote:

        def move(digest: Digest) -> bool:
            size = SIZE if digest == LARGEST else None
            if size is None:
                lent.wait(30)
            for _ in remote.download(digest, size=size).chunks:
                if proxy.max_in_flight > 1:
                    lent.set()
            return False

        moves = move_all([LARGEST, *small], move, jobs=3)

    assert moves.stopped is None
    assert len(moves.outcomes) == 41
    assert proxy.max_in_flight == 3


def test_a_part_that_breaks_off_is_an_error_of_the_object(full: Bucket, proxy: FaultProxy) -> None:
    proxy.rate = SLOW
    got = 0
    with closing(full.seen_through(proxy.server).open(jobs=16, retries=0)) as remote:
        with pytest.raises(ObjectError):
            for chunk in remote.download(LARGEST, size=SIZE).chunks:
                if not got:
                    proxy.truncate(1)  # the first is under way: one of the next
                assert chunk == DATA[got : got + len(chunk)]
                got += len(chunk)
        proxy.heal()
        assert b"".join(remote.download(LARGEST, size=SIZE).chunks) == DATA
    assert got >= 16 * 2**20


def test_less_than_was_expected_is_what_it_is(full: Bucket, proxy: FaultProxy) -> None:
    small = digest_bytes(b"object 7")
    with closing(full.seen_through(proxy.server).open()) as remote:
        content = remote.download(small, size=SIZE)
        assert (content.size, b"".join(content.chunks)) == (8, b"object 7")


def test_a_service_that_sends_no_parts_sends_all(make_place: Callable[[str], Place]) -> None:
    full = filled(make_place("rclone"))  # it says 200 where it sends a part
    with servers.fault_proxy(full.server) as proxy:
        with closing(full.seen_through(proxy.server).open(jobs=16, retries=0)) as remote:
            for _ in range(2):
                assert b"".join(remote.download(LARGEST, size=SIZE).chunks) == DATA
            with pytest.raises(ObjectError, match="does not send parts"):
                remote.download(LARGEST, start=7, size=SIZE)
        assert proxy.count("GET", "object") == 1 + 2 + 1
