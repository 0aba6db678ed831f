"""How many requests a remote sends, how many at a time, and what it makes of wrong answers."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pivot.errors import ObjectError, PivotError, RemoteUnavailable
from pivot.objects import Digest, Hasher, Promise, digest_bytes, object_name
from pivot.s3 import PART
from pivot.transfer import Moves, move_all
from tests import servers
from tests.contract.conftest import fill
from tests.contract.remotes import Bucket, write_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.contract.remotes import Place
    from tests.servers import FaultProxy

JOBS = 16


@dataclass(frozen=True, slots=True)
class Filled:
    """A bucket and what is in it."""

    bucket: Bucket
    sizes: Mapping[Digest, int]

    def some(self, count: int) -> list[Digest]:
        """Choose *count* objects, spread over all."""
        return sorted(self.sizes)[:: len(self.sizes) // count][:count]


def absent(count: int) -> list[Digest]:
    return [digest_bytes(f"absent {number}".encode()) for number in range(count)]


def filled(make_place: Callable[[str], Place], count: int) -> Filled:
    place = make_place("rclone")
    assert isinstance(place, Bucket)
    return Filled(place, fill(place, count))


@pytest.fixture(name="of_600", scope="session")
def _of_600(make_place: Callable[[str], Place]) -> Filled:
    return filled(make_place, 600)


@pytest.fixture(name="of_2300", scope="session")
def _of_2300(make_place: Callable[[str], Place]) -> Filled:
    return filled(make_place, 2300)


@pytest.fixture(name="proxy")
def _proxy(of_600: Filled) -> Iterator[FaultProxy]:
    with servers.fault_proxy(of_600.bucket.server) as proxy:
        yield proxy


@pytest.fixture(name="through")
def _through(make_place: Callable[[str], Place], proxy: FaultProxy) -> Bucket:
    """An empty bucket behind the proxy."""
    place = make_place("rclone")
    assert isinstance(place, Bucket)
    return place.seen_through(proxy.server)


def stat(
    filled: Filled, proxy: FaultProxy, digests: list[Digest], *, jobs: int = JOBS, retries: int = 0
) -> dict[Digest, int | None]:
    place = filled.bucket.seen_through(proxy.server)
    with closing(place.open(jobs=jobs, retries=retries)) as remote:
        return remote.stat(digests)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_few_are_asked_for_one_by_one(of_600: Filled, proxy: FaultProxy, count: int) -> None:
    stat(of_600, proxy, of_600.some(count))

    assert proxy.count("HEAD", "object") == proxy.count() == count


def test_a_bucket_of_one_page_is_listed_once(of_600: Filled, proxy: FaultProxy) -> None:
    stat(of_600, proxy, of_600.some(500))

    assert proxy.count(kind="list") == proxy.count() == 1


def test_a_bucket_of_many_pages_is_listed_in_slices(of_2300: Filled, proxy: FaultProxy) -> None:
    wanted = of_2300.some(2000)
    answer = stat(of_2300, proxy, wanted)

    assert answer == {digest: of_2300.sizes[digest] for digest in wanted}
    assert proxy.count("HEAD") == 0
    assert proxy.count() <= JOBS + 2


def test_what_one_page_does_not_tell_is_asked_for_when_that_is_less(
    of_2300: Filled, proxy: FaultProxy
) -> None:
    last = max(of_2300.sizes)
    first = sorted(of_2300.sizes)[:20]
    stat(of_2300, proxy, [*first, last])

    assert (proxy.count(kind="list"), proxy.count("HEAD")) == (1, 1)


def test_who_may_not_list_is_answered_one_by_one(of_600: Filled, proxy: FaultProxy) -> None:
    proxy.deny_list = True
    wanted = of_600.some(20)
    answer = stat(of_600, proxy, wanted + absent(10))

    assert answer == {digest: of_600.sizes[digest] for digest in wanted}
    assert proxy.count("HEAD") == 30


@pytest.mark.parametrize("count", [2, 20])
def test_what_may_not_be_told_is_none(of_600: Filled, proxy: FaultProxy, count: int) -> None:
    proxy.deny_list = proxy.deny_head_of_missing = True
    wanted = of_600.some(count)
    answer = stat(of_600, proxy, wanted + absent(count))

    sizes: dict[Digest, int | None] = {digest: of_600.sizes[digest] for digest in wanted}
    assert answer == sizes | dict.fromkeys(absent(count))


@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_listing_that_fails_is_never_an_empty_one(
    of_2300: Filled, proxy: FaultProxy, page: int
) -> None:
    proxy.fail_list_page(page)
    with pytest.raises(RemoteUnavailable):
        stat(of_2300, proxy, of_2300.some(2000))


@pytest.mark.parametrize("count", [3, 500])
def test_a_busy_service_gets_another_try(of_600: Filled, proxy: FaultProxy, count: int) -> None:
    proxy.slow_down(2)
    wanted = of_600.some(count)
    answer = stat(of_600, proxy, wanted, retries=4)

    assert answer == {digest: of_600.sizes[digest] for digest in wanted}


def test_stat_keeps_to_jobs(of_600: Filled, proxy: FaultProxy) -> None:
    proxy.deny_list = True
    proxy.delay = 0.05
    stat(of_600, proxy, of_600.some(40), jobs=5)

    assert proxy.max_in_flight == 5


@pytest.mark.parametrize("jobs", [1, 5])
def test_uploads_of_small_objects_keep_to_jobs(
    through: Bucket, proxy: FaultProxy, tmp_path: Path, jobs: int
) -> None:
    sources = dict(write_sample(tmp_path, 100, seed) for seed in range(60 if jobs > 1 else 10))
    proxy.delay = 0.02
    moves = upload_all(through, sources, jobs=jobs)

    assert moves.stopped is None
    assert len(through.names()) == len(sources)
    assert proxy.max_in_flight == jobs


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_parts_of_one_object_keep_to_jobs(
    through: Bucket, proxy: FaultProxy, tmp_path: Path, jobs: int
) -> None:
    digest, source = write_sample(tmp_path, 5 * PART)
    proxy.delay = 0.2
    moves = upload_all(through, {digest: source}, jobs=jobs)

    assert moves.stopped is None
    assert through.names() == [f"pre/fix/{object_name(digest)}"]
    assert proxy.max_in_flight == jobs


def test_uploads_of_all_sizes_together_keep_to_jobs(
    through: Bucket, proxy: FaultProxy, tmp_path: Path
) -> None:
    sizes = [100] * 12 + [2 * PART + 1] * 3
    sources = dict(write_sample(tmp_path, size, seed) for seed, size in enumerate(sizes))
    proxy.delay = 0.05
    moves = upload_all(through, sources, jobs=4)

    assert moves.stopped is None
    assert len(through.names()) == len(sources)
    assert proxy.max_in_flight == 4


def test_downloads_keep_to_jobs(of_600: Filled, proxy: FaultProxy) -> None:
    proxy.delay = 0.05
    place = of_600.bucket.seen_through(proxy.server)
    with closing(place.open(jobs=5)) as remote:

        def move(digest: Digest) -> bool:
            return not b"".join(remote.download(digest).chunks)

        moves = move_all(of_600.some(40), move, jobs=5)

    assert moves.stopped is None
    assert proxy.max_in_flight == 5


def test_a_download_that_always_breaks_off_is_an_error_of_the_object(
    of_600: Filled, proxy: FaultProxy
) -> None:
    proxy.truncate(math.inf)
    place = of_600.bucket.seen_through(proxy.server)
    with closing(place.open(retries=1)) as remote, pytest.raises(ObjectError):
        b"".join(remote.download(of_600.some(1)[0]).chunks)


def test_a_service_without_conditional_writes_is_recognised_once(
    through: Bucket, proxy: FaultProxy, tmp_path: Path
) -> None:
    proxy.not_implemented_conditional = True
    sources = dict(write_sample(tmp_path, 100, seed) for seed in range(10))
    moves = upload_all(through, sources, jobs=1)

    assert moves.stopped is None
    assert len(through.names()) == 10
    assert proxy.count("PUT", "object") == 1 + len(sources)


def upload_all(place: Bucket, sources: Mapping[Digest, Path], *, jobs: int) -> Moves:
    with closing(place.open(jobs=jobs)) as remote:

        def move(digest: Digest) -> bool:
            return remote.upload(Promise(digest), sources[digest], Hasher(), count=lambda _: None)

        return move_all(sources, move, jobs=jobs)


def test_an_empty_bucket_is_asked_twice(through: Bucket, proxy: FaultProxy) -> None:
    with closing(through.open()) as remote:
        assert remote.stat(absent(40)) == {}

    assert (proxy.count(kind="list"), proxy.count("HEAD"), proxy.count()) == (1, 1, 2)


@pytest.mark.parametrize(("retries", "sent"), [(0, 2), (2, 4)])
def test_a_write_is_sent_as_often_as_was_asked_for(
    through: Bucket, proxy: FaultProxy, tmp_path: Path, retries: int, sent: int
) -> None:
    proxy.server_error(math.inf)
    sources = dict([write_sample(tmp_path, 100)])
    with closing(through.open(retries=retries)) as remote:
        ((digest, source),) = sources.items()
        with pytest.raises(ObjectError):
            remote.upload(Promise(digest), source, Hasher(), count=lambda _: None)

    assert proxy.count("PUT", "object") == sent  # once more to learn of conditions


def test_a_write_that_is_refused_is_not_sent_again(
    through: Bucket, proxy: FaultProxy, tmp_path: Path
) -> None:
    proxy.deny_all()
    digest, source = write_sample(tmp_path, 100)
    with closing(through.open(retries=3)) as remote, pytest.raises(PivotError):
        remote.upload(Promise(digest), source, Hasher(), count=lambda _: None)

    assert proxy.count("PUT", "object") == 2


def test_a_write_to_a_service_that_is_known_is_sent_again(
    through: Bucket, proxy: FaultProxy, tmp_path: Path
) -> None:
    sources = dict(write_sample(tmp_path, 100, seed) for seed in range(2))
    (first, one), (second, other) = sources.items()
    with closing(through.open(retries=2)) as remote:
        remote.upload(Promise(first), one, Hasher(), count=lambda _: None)
        proxy.server_error(math.inf)
        with pytest.raises(ObjectError):
            remote.upload(Promise(second), other, Hasher(), count=lambda _: None)

    assert proxy.count("PUT", "object") == 1 + 3
