"""What `pivot.remote.Remote` promises of objects, on every kind of remote."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pivot.crew import for_each
from pivot.errors import ObjectDamaged, ObjectMissing, ObjectUnchanged
from pivot.objects import CHUNK, Digest, Hasher, Promise, digest_bytes, object_name
from pivot.s3 import PART
from tests.contract.remotes import CONDITIONAL_PUT, PENDING_UPLOADS, sample, write_sample

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.conftest import Crowd
    from tests.contract.remotes import Place

MIB = 2**20
FEW = 5
LARGE = 20 * MIB
SMALL_AND_LARGE = pytest.mark.parametrize(
    "size", [1000, 2 * CHUNK + 1, PART + MIB], ids=["small", "middle", "large"]
)


def upload(place: Place, digest: Digest, source: Path, size: int | None) -> bool:
    with closing(place.open()) as remote:
        return remote.upload(Promise(digest, size), source, Hasher(), count=lambda _: None)


def download(place: Place, digest: Digest) -> bytes:
    with closing(place.open()) as remote:
        return b"".join(remote.download(digest).chunks)


def absent(count: int) -> list[Digest]:
    return [digest_bytes(f"absent {number}".encode()) for number in range(count)]


def spread(sizes: dict[Digest, int], count: int) -> list[Digest]:
    return sorted(sizes)[:: len(sizes) // count][:count]


@pytest.mark.parametrize("present", [3, 60, 2000])
def test_stat_tells_sizes_and_leaves_out_what_is_not_there(crowd: Crowd, present: int) -> None:
    wanted = spread(dict(crowd.sizes), present)
    with closing(crowd.place.open()) as remote:
        answer = remote.stat([*absent(present // 3), *wanted])

    assert answer == {digest: crowd.sizes[digest] for digest in wanted}


def test_stat_of_few_and_of_many_agree(crowd: Crowd) -> None:
    asked = spread(dict(crowd.sizes), 40) + absent(20)
    with closing(crowd.place.open()) as remote:
        few = [remote.stat(asked[start : start + FEW]) for start in range(0, len(asked), FEW)]
        many = remote.stat(asked)

    assert many == {digest: size for answer in few for digest, size in answer.items()}
    assert len(many) == 40


@pytest.mark.parametrize("count", [1, 100])
def test_stat_finds_nothing_where_nobody_stored_anything(place: Place, count: int) -> None:
    with closing(place.open()) as remote:
        answer = remote.stat(absent(count))

    assert answer == {}


def test_stat_ignores_foreign_keys_under_the_prefix(place: Place) -> None:
    digest = Digest("ab0123456789abcd")
    place.put(f"pre/fix/{object_name(digest)}", b"ours")
    for name in (
        "README",
        "files/zz",
        "files/ab/README",
        "files/ab/0123",
        "files/AB/0123456789ABCE",
        "files/ab/0123456789abcf.tmp",
        "files/a/b0123456789abcf",
    ):
        place.put(f"pre/fix/{name}", b"foreign")
    place.put("pre/fixed/files/ab/0123456789abcf", b"of a neighbour")
    others = [Digest(f"ab0123456789ab{number:02x}") for number in range(40)]
    with closing(place.open()) as remote:
        few = remote.stat([digest, *others[:FEW]])
        many = remote.stat([digest, *others])

    assert few == many == {digest: 4}


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, PART, PART + 1, LARGE], ids=str
)
def test_what_is_uploaded_comes_back(place: Place, tmp_path: Path, size: int) -> None:
    digest, source = write_sample(tmp_path, size)
    passed: list[int] = []
    with closing(place.open()) as remote:
        was_there = remote.upload(Promise(digest, size), source, Hasher(), count=passed.append)
    with closing(place.open()) as remote:
        told = remote.stat([digest])
        content = remote.download(digest)
        data = b"".join(content.chunks)

    assert not was_there
    assert sum(passed) == size
    assert told == {digest: size}
    assert content.size == size
    assert data == source.read_bytes()


@SMALL_AND_LARGE
def test_an_upload_writes_the_object_and_nothing_else(
    place: Place, tmp_path: Path, size: int
) -> None:
    digest, source = write_sample(tmp_path, size)
    upload(place, digest, source, None)

    assert place.contents() == {f"pre/fix/{object_name(digest)}": source.read_bytes()}


@SMALL_AND_LARGE
@pytest.mark.parametrize("wrong", ["last byte", "shorter", "longer", "shorter, size unknown"])
def test_an_upload_of_wrong_bytes_stores_nothing(
    place: Place, tmp_path: Path, size: int, wrong: str
) -> None:
    digest, source = write_sample(tmp_path, size)
    data = source.read_bytes()
    source.write_bytes({"last byte": data[:-1] + b"!", "longer": data + b"!"}.get(wrong, data[:-1]))
    with pytest.raises(ObjectDamaged):
        upload(place, digest, source, None if "unknown" in wrong else size)

    assert place.names() == []


def test_a_failed_upload_of_many_parts_is_not_left_pending(place: Place, tmp_path: Path) -> None:
    place.need(PENDING_UPLOADS)
    _, source = write_sample(tmp_path, LARGE)
    with pytest.raises(ObjectDamaged):
        upload(place, absent(1)[0], source, LARGE)

    assert place.pending_uploads() == []


@SMALL_AND_LARGE
def test_an_upload_may_be_repeated(place: Place, tmp_path: Path, size: int) -> None:
    digest, source = write_sample(tmp_path, size)
    upload(place, digest, source, size)
    upload(place, digest, source, size)

    assert place.contents() == {f"pre/fix/{object_name(digest)}": source.read_bytes()}


def test_many_may_upload_the_same_at_once(place: Place, tmp_path: Path) -> None:
    digest, source = write_sample(tmp_path, 1000)

    def one(_: int) -> None:
        upload(place, digest, source, 1000)

    for_each(range(8), one, jobs=8)

    assert place.contents() == {f"pre/fix/{object_name(digest)}": source.read_bytes()}


@SMALL_AND_LARGE
def test_an_upload_leaves_an_object_that_is_there(place: Place, tmp_path: Path, size: int) -> None:
    if size < PART:
        place.need(CONDITIONAL_PUT)
    digest, source = write_sample(tmp_path, size)
    place.put(f"pre/fix/{object_name(digest)}", b"!" * size)
    was_there = upload(place, digest, source, size)

    assert was_there
    assert download(place, digest) == b"!" * size


@pytest.mark.parametrize("size", [1000, PART + 1], ids=["small", "large"])
def test_an_upload_refuses_an_object_that_has_another_size(
    place: Place, tmp_path: Path, size: int
) -> None:
    if size < PART:
        place.need(CONDITIONAL_PUT)
    digest, source = write_sample(tmp_path, size)
    place.put(f"pre/fix/{object_name(digest)}", b"of somebody else")
    with pytest.raises(ObjectDamaged, match=f"holds 16 bytes instead of {size}"):
        upload(place, digest, source, size)

    assert download(place, digest) == b"of somebody else"


def test_a_download_of_what_is_not_there_says_so(place: Place) -> None:
    with pytest.raises(ObjectMissing):
        download(place, absent(1)[0])


def test_a_copy_that_is_known_is_told_from_any_other(place: Place) -> None:
    data, other = sample(1000), sample(1000, seed=1)
    digest = digest_bytes(data)
    name = f"pre/fix/{object_name(digest)}"
    place.put(name, data)
    time.sleep(0.05)  # a file that is too young has no version
    with closing(place.open()) as remote:
        known = remote.download(digest).version
        try:
            same = b"".join(remote.download(digest, known=known).chunks)
        except ObjectUnchanged:
            same = data
        place.put(name, other)
        changed = b"".join(remote.download(digest, known=known).chunks)

    assert known
    assert (same, changed) == (data, other)


@pytest.mark.parametrize("prefix", ["", "p q", "é", "a+b", "a%20b", "a&b=c", "x..y/z"])
def test_a_prefix_is_taken_literally(place: Place, tmp_path: Path, prefix: str) -> None:
    digest, source = write_sample(tmp_path, 10)
    with closing(place.open(prefix)) as remote:
        remote.upload(Promise(digest, 10), source, Hasher(), count=lambda _: None)
    with closing(place.open(prefix)) as remote:
        few = remote.stat([digest])
        many = remote.stat([digest, *absent(100)])
        data = b"".join(remote.download(digest).chunks)

    assert place.names() == [f"{prefix}/{object_name(digest)}".removeprefix("/")]
    assert few == many == {digest: 10}
    assert data == sample(10)
