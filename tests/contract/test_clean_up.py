"""What `pivot.gc.place.Place` promises, on a cache, a folder and S3 servers."""

from __future__ import annotations

import hashlib
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pivot.aws import find_access
from pivot.cache import Cache
from pivot.config import Config, RemoteSettings
from pivot.crew import Jobs
from pivot.errors import ObjectMissing, RemoteError
from pivot.gc.folder import FolderPlace
from pivot.gc.place import LIVE, name_on, receipt_name
from pivot.gc.s3 import S3Place
from pivot.objects import Digest, Hasher, Promise, Sha256, digest_bytes, object_name
from pivot.remote_url import S3Url
from pivot.remotes import limits_of
from pivot.s3 import PART
from tests.contract.remotes import Bucket, Folder, write_sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pivot.gc.place import Place
    from tests.contract import remotes

RECEIPT, OTHER = "20260302T101500Z-1a2b3c4d", "20260303T101500Z-00000000"
FOREIGN = "trash/somebody/files/ab/12345678901234"


def open_place(place: remotes.Place, prefix: str = "pre/fix", **options: int) -> Place:
    """Open what holds the remote at *prefix*."""
    if isinstance(place, Folder):
        return FolderPlace(place.root / prefix, (place.root / prefix).as_uri())
    settings = RemoteSettings("origin", f"s3://{place.bucket}/{prefix}")
    access = find_access(settings, place.bucket, place.server.environment(), None)
    limits = replace(limits_of(Config({}), Jobs.exactly(4)), retries=2)
    return S3Place(S3Url(place.bucket, prefix), access, limits, **options)


def fill(place: remotes.Place, *bodies: bytes) -> list[Digest]:
    for body in bodies:
        place.put(f"pre/fix/{object_name(digest_bytes(body))}", body)
    return [digest_bytes(body) for body in bodies]


def contents(place: remotes.Place) -> dict[str, bytes]:
    """Read all that is there; JuiceFS lists directories, which it keeps when they are empty."""
    if isinstance(place, Folder):
        return place.contents()
    names = [name for name in place.names() if not name.endswith("/")]
    with closing(place.server.client()) as s3:
        return {n: s3.get_object(Bucket=place.bucket, Key=n)["Body"].read() for n in names}


@pytest.fixture(name="opened")
def _opened(place: remotes.Place) -> Iterator[Place]:
    with closing(open_place(place)) as opened:
        yield opened


def test_objects_are_listed_with_size_and_age(place: remotes.Place, opened: Place) -> None:
    before = time.time()
    one, two = fill(place, b"one", b"two!")
    for other in ("files/ab/short", "files/x", FOREIGN, "pivot-gc.json"):
        place.put(f"pre/fix/{other}", b"foreign")
    place.put(f"pre/fixed/{object_name(one)}", b"of another remote")

    found = {each.digest: each for each in opened.objects()}

    assert {digest: each.size for digest, each in found.items()} == {one: 3, two: 4}
    assert all(before - 2 <= each.changed <= time.time() + 2 for each in found.values())
    assert list(opened.trash()) == []


def test_an_object_goes_to_the_trash_and_comes_back(place: remotes.Place, opened: Place) -> None:
    one, two = fill(place, b"one", b"two!")
    list(opened.objects())

    opened.copy(one, 3, source=LIVE, target=RECEIPT)
    both = contents(place)
    gone = opened.delete(LIVE, [one])
    away = [(each.receipt, each.digest, each.size) for each in opened.trash()]
    left = [each.digest for each in opened.objects()]
    opened.copy(one, 3, source=RECEIPT, target=LIVE)
    opened.delete(RECEIPT, [one])

    assert both[f"pre/fix/{object_name(one)}"] == both[f"pre/fix/{name_on(RECEIPT, one)}"] == b"one"
    assert set(gone) == {one}
    assert away == [(RECEIPT, one, 3)]
    assert left == [two]
    assert contents(place) == {
        f"pre/fix/{object_name(one)}": b"one",
        f"pre/fix/{object_name(two)}": b"two!",
    }


def test_the_trash_is_listed_whole_or_by_receipt(place: remotes.Place, opened: Place) -> None:
    one, two = fill(place, b"one", b"two!")
    list(opened.objects())
    opened.copy(one, 3, source=LIVE, target=RECEIPT)
    opened.copy(two, 4, source=LIVE, target=OTHER)
    place.put(f"pre/fix/{FOREIGN}", b"foreign")

    assert [each.digest for each in opened.trash(RECEIPT)] == [one]
    assert {(each.receipt, each.digest) for each in opened.trash()} == {
        (RECEIPT, one),
        (OTHER, two),
    }


def test_what_is_not_there_is_told_or_does_no_harm(place: remotes.Place, opened: Place) -> None:
    fill(place, b"one")
    absent = digest_bytes(b"absent")

    with pytest.raises(ObjectMissing):
        opened.copy(absent, 6, source=RECEIPT, target=LIVE)
    opened.delete(RECEIPT, [absent])

    assert opened.read_note(receipt_name(RECEIPT)) is None
    assert len(contents(place)) == 1


def test_notes_are_written_read_and_removed(place: remotes.Place, opened: Place) -> None:
    before = time.time()
    fill(place, b"one")

    written = opened.write_note(receipt_name(RECEIPT), b"first")
    opened.write_note(receipt_name(RECEIPT), b"second")
    read = opened.read_note(receipt_name(RECEIPT))
    receipts = opened.receipts()
    opened.delete_note(receipt_name(RECEIPT))

    assert before - 2 <= written <= time.time() + 2
    assert read == b"second"
    assert receipts.keys() == {RECEIPT}
    assert opened.receipts() == {}
    assert len(contents(place)) == 1


@pytest.mark.parametrize("moment", ["before it is copied", "after that", "never"])
def test_an_object_that_is_added_anew_meanwhile_stays(moment: str, tmp_path: Path) -> None:
    root, source = tmp_path / "cache", tmp_path / "source"
    source.write_bytes(b"content")

    def add() -> Digest:
        with Cache(root) as cache:
            return cache.add(source)[0]

    digest = add()
    place = FolderPlace(root, str(root))
    list(place.objects())

    if moment == "before it is copied":
        add()
    place.copy(digest, 7, source=LIVE, target=RECEIPT)
    if moment == "after that":
        add()
    gone = place.delete(LIVE, [digest])

    assert (digest in gone) is (moment == "never")
    assert Cache(root).stat([digest]) == ({} if moment == "never" else {digest: 7})


def test_what_went_meanwhile_is_added_anew(tmp_path: Path) -> None:
    root, source = tmp_path / "cache", tmp_path / "source"
    source.write_bytes(b"content")
    with Cache(root) as cache:
        digest, _ = cache.add(source)
    with Cache(root) as cache:
        cache.add(source)
        cache.path(digest).unlink()

    assert Cache(root).stat([digest]) == {digest: 7}


def test_a_bucket_that_is_not_there_is_not_an_empty_one(s3: Bucket) -> None:
    absent = replace(s3, bucket=f"{s3.bucket}-absent")

    for ask in (lambda place: list(place.objects()), lambda place: list(place.trash())):
        with closing(open_place(absent)) as opened, pytest.raises(RemoteError, match="no such"):
            ask(opened)


@pytest.mark.parametrize("most", [5 * 2**30, 0], ids=["by the service", "through this machine"])
def test_the_claimed_sha256_goes_and_comes_with_an_object(
    most: int, s3: Bucket, tmp_path: Path
) -> None:
    size = PART + 1000
    digest, source = write_sample(tmp_path, size)
    sha256 = Sha256(hashlib.sha256(source.read_bytes()).hexdigest())
    promise = Promise(digest, size, sha256)
    with closing(s3.open()) as remote:
        remote.upload(promise, source, Hasher(strong=True), count=lambda _: None)
        before = remote.download(digest)
        list(before.chunks)

    with closing(open_place(s3, most_copied=most)) as opened:
        opened.copy(digest, size, source=LIVE, target=RECEIPT)
        opened.delete(LIVE, [digest])
        opened.copy(digest, size, source=RECEIPT, target=LIVE)

    with closing(s3.open()) as remote:
        after = remote.download(digest)
        assert b"".join(after.chunks) == source.read_bytes()
    assert after.claimed == before.claimed == sha256
