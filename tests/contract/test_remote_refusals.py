"""What `pivot.remote.Remote` promises of remotes that refuse: an error never means "not here"."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pivot.errors import ExitCode, ObjectDamaged, RemoteDenied, RemoteError
from pivot.objects import Digest, Hasher, Promise, Sha256, digest_bytes, object_name
from tests.contract.remotes import LACKS, SIGNATURES, Bucket, write_sample

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.remotes import Place
    from tests.servers import S3Server

FEW_AND_MANY = pytest.mark.parametrize("count", [1, 5, 100])
SMALL_AND_LARGE = pytest.mark.parametrize("size", [1000, 9 * 2**20], ids=["small", "large"])
BAD_KEYS = pytest.mark.parametrize("bad", ["secret", "key id"])


def digests(count: int) -> list[Digest]:
    return [digest_bytes(f"{number}".encode()) for number in range(count)]


def with_bad(s3: Bucket, what: str) -> Bucket:
    key, secret = s3.server.access_key, s3.server.secret_key
    bad = (key, "wrong") if what == "secret" else ("nobody", secret)
    return s3.seen_through(s3.server.with_keys(*bad))


@FEW_AND_MANY
@BAD_KEYS
def test_stat_with_bad_keys_is_denied(s3: Bucket, bad: str, count: int) -> None:
    s3.need(SIGNATURES)
    with closing(with_bad(s3, bad).open()) as remote, pytest.raises(RemoteDenied) as caught:
        remote.stat(digests(count))

    assert caught.value.code == ExitCode.DENIED


@BAD_KEYS
def test_a_download_with_bad_keys_is_denied(s3: Bucket, bad: str) -> None:
    s3.need(SIGNATURES)
    with closing(with_bad(s3, bad).open()) as remote, pytest.raises(RemoteDenied):
        remote.download(digests(1)[0])


@SMALL_AND_LARGE
@BAD_KEYS
def test_an_upload_with_bad_keys_is_denied(s3: Bucket, tmp_path: Path, bad: str, size: int) -> None:
    s3.need(SIGNATURES)
    digest, source = write_sample(tmp_path, size)
    with closing(with_bad(s3, bad).open()) as remote, pytest.raises(RemoteDenied):
        remote.upload(Promise(digest, size), source, Hasher(), count=lambda _: None)

    assert s3.names() == []


@SMALL_AND_LARGE
def test_an_upload_by_a_reader_is_denied(
    server: S3Server, bucket: str, tmp_path: Path, size: int
) -> None:
    place = Bucket(server, bucket, "seaweedfs")
    reader = place.seen_through(server.with_keys("reader", "readersecret"))
    digest, source = write_sample(tmp_path, size)
    with closing(reader.open()) as remote, pytest.raises(RemoteDenied):
        remote.upload(Promise(digest, size), source, Hasher(), count=lambda _: None)

    assert place.names() == []


@SMALL_AND_LARGE
def test_an_upload_refuses_an_object_that_claims_another_sha256(
    server: S3Server, bucket: str, tmp_path: Path, size: int
) -> None:
    place = Bucket(server, bucket, "seaweedfs")
    digest, source = write_sample(tmp_path, size)
    name = f"pre/fix/{object_name(digest)}"
    claimed, own = "0" * 64, Sha256(hashlib.sha256(source.read_bytes()).hexdigest())
    with closing(server.client()) as client:
        claim = {"pivot-sha256": claimed}
        client.put_object(Bucket=bucket, Key=name, Body=b"!" * size, Metadata=claim)
    with closing(place.open()) as remote, pytest.raises(ObjectDamaged) as caught:
        remote.upload(Promise(digest, size, own), source, Hasher(), count=lambda _: None)

    assert f"SHA-256 {claimed} instead of {own}" in caught.value.message
    assert place.contents() == {name: b"!" * size}


@SMALL_AND_LARGE
def test_an_upload_takes_an_object_that_claims_the_same_sha256_for_its_own(
    server: S3Server, bucket: str, tmp_path: Path, size: int
) -> None:
    place = Bucket(server, bucket, "seaweedfs")
    digest, source = write_sample(tmp_path, size)
    own = Sha256(hashlib.sha256(source.read_bytes()).hexdigest())
    answers = []
    with closing(place.open()) as remote:
        for _ in range(2):
            promise, hasher = Promise(digest, size, own), Hasher(strong=True)
            answers.append(remote.upload(promise, source, hasher, count=lambda _: None))

    assert answers == [False, True]


@FEW_AND_MANY
def test_stat_of_a_missing_bucket_or_folder_is_an_error(place: Place, count: int) -> None:
    before = place.places()
    with closing(place.open_absent()) as remote, pytest.raises(RemoteError) as caught:
        remote.stat(digests(count))

    assert caught.value.code == ExitCode.FAILED
    assert "no such" in caught.value.message
    assert place.places() == before


def test_a_download_from_a_missing_bucket_is_an_error_of_the_remote(s3: Bucket) -> None:
    with closing(s3.open_absent()) as remote, pytest.raises(RemoteError, match="no such bucket"):
        remote.download(digests(1)[0])


def test_a_server_lacks_only_what_is_known(s3: Bucket) -> None:
    assert s3.lacks() == LACKS[s3.kind]
