"""What a cache says of its objects: their SHA-256, whether they are right, what it remembers."""

from __future__ import annotations

import hashlib
import stat
from typing import TYPE_CHECKING

import pytest

from pivot.cache import Cache
from pivot.errors import LocalError, ObjectDamaged, ObjectFalse
from pivot.objects import Content, Digest, Promise, Sha256, digest_bytes
from pivot.proofs import Proofs
from tests.unit.values import put_object

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = b"what is read"
DIGEST = digest_bytes(DATA)
SHA256 = Sha256(hashlib.sha256(DATA).hexdigest())
OTHER = Sha256("0" * 64)


@pytest.fixture(name="cache", params=["proofs", "none"])
def _cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cache]:
    proofs = Proofs(tmp_path / "checked.json") if request.param == "proofs" else None
    with Cache(tmp_path / "cache", proofs) as cache:
        yield cache


@pytest.fixture(name="proving")
def _proving(tmp_path: Path) -> Iterator[Cache]:
    with Cache(tmp_path / "cache", Proofs(tmp_path / "checked.json")) as cache:
        yield cache


def is_proven(cache: Cache, sha256: Sha256 | None = SHA256, digest: Digest = DIGEST) -> bool:
    return cache.is_proven(digest, cache.path(digest).lstat(), sha256)


def test_an_object_is_read_for_its_sha256(cache: Cache) -> None:
    put_object(cache.root, DATA)

    assert cache.sha256(DIGEST) == SHA256
    assert cache.sha256(DIGEST) == SHA256


def test_what_is_not_there_has_none(cache: Cache) -> None:
    assert cache.sha256(DIGEST) is None


def test_what_is_wrong_has_none(cache: Cache) -> None:
    put_object(cache.root, DATA)
    path = cache.path(DIGEST)
    path.chmod(0o644)
    path.write_bytes(DATA.upper())

    assert cache.sha256(DIGEST) is None


@pytest.mark.parametrize("kind", ["symlink", "directory"])
def test_what_is_no_file_is_a_local_error(cache: Cache, kind: str) -> None:
    path = cache.path(DIGEST)
    path.parent.mkdir(parents=True)
    if kind == "symlink":
        path.symlink_to("elsewhere")
    else:
        path.mkdir()

    with pytest.raises(LocalError, match=DIGEST[2:]):
        cache.sha256(DIGEST)


def test_what_was_read_is_remembered_if_that_may_be(proving: Cache) -> None:
    put_object(proving.root, DATA)
    assert proving.sha256(DIGEST, read=False) is None
    assert proving.sha256(DIGEST, note=False) == SHA256
    assert not is_proven(proving)

    assert proving.sha256(DIGEST) == SHA256
    assert is_proven(proving)
    assert is_proven(proving, None)
    assert not is_proven(proving, OTHER)
    assert proving.sha256(DIGEST, read=False) == SHA256


def test_what_was_verified_is_remembered_if_that_may_be(proving: Cache) -> None:
    put_object(proving.root, DATA)
    proving.verify(Promise(DIGEST), note=False)
    assert not is_proven(proving)

    proving.verify(Promise(DIGEST))
    assert is_proven(proving)


def test_what_nobody_proves_is_not_proven(tmp_path: Path) -> None:
    put_object(tmp_path, DATA)
    with Cache(tmp_path) as cache:
        cache.verify(Promise(DIGEST))

        assert not is_proven(cache, None)


@pytest.mark.parametrize(("note", "mode"), [(True, 0o444), (False, 0o644)])
def test_what_was_writable_and_is_right_is_protected(cache: Cache, note: bool, mode: int) -> None:
    put_object(cache.root, DATA, mode=0o644)

    cache.verify(Promise(DIGEST), note=note)

    assert stat.S_IMODE(cache.path(DIGEST).stat().st_mode) == mode


def test_what_is_damaged_or_gone_is_told(cache: Cache) -> None:
    with pytest.raises(LocalError):
        cache.verify(Promise(DIGEST))

    put_object(cache.root, DATA)
    with pytest.raises(ObjectDamaged):
        cache.verify(Promise(DIGEST, len(DATA) + 1))
    with pytest.raises(ObjectFalse):
        cache.verify(Promise(DIGEST, sha256=OTHER, ledger="a ledger"))


def test_another_announced_sha256_is_refused_before_a_byte_is_read(cache: Cache) -> None:
    def never() -> Iterator[bytes]:
        pytest.fail("read")
        yield b""

    with pytest.raises(ObjectFalse):
        cache.receive(Promise(DIGEST, sha256=SHA256), Content(len(DATA), never(), OTHER))

    cache.receive(Promise(DIGEST, sha256=SHA256), Content(len(DATA), [DATA], SHA256))
    cache.publish()
    assert cache.stat([DIGEST]) == {DIGEST: len(DATA)}
