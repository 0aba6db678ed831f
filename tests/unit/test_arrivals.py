"""Verified files get their names in batches; what fails is told once, and can be tried again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pivot.cache import Cache
from pivot.errors import LocalError
from pivot.objects import Content, Digest, Promise, digest_bytes
from pivot.proofs import Proofs

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND = b"first", b"second"


def receive(cache: Cache, data: bytes) -> Digest:
    digest = digest_bytes(data)
    cache.receive(Promise(digest), Content(len(data), [data]))
    return digest


def block(root: Path, data: bytes) -> Path:
    """Put a file where the shelf of an object should be."""
    shelf = root / "files" / digest_bytes(data)[:2]
    shelf.parent.mkdir(exist_ok=True)
    shelf.write_text("in the way")
    return shelf


def test_a_full_batch_is_named_at_once(tmp_path: Path) -> None:
    with Cache(tmp_path) as cache:
        held = [receive(cache, b"%d" % number) for number in range(256)]

        assert len(cache.stat(held)) == len(held)


def test_what_cannot_be_named_is_told_once(tmp_path: Path) -> None:
    block(tmp_path, FIRST)
    with Cache(tmp_path) as cache:
        receive(cache, FIRST)
        with pytest.raises(LocalError):
            cache.publish()


def test_what_could_not_be_named_is_named_when_it_can_be(tmp_path: Path) -> None:
    shelf = block(tmp_path, SECOND)
    with Cache(tmp_path) as cache:
        held = [receive(cache, FIRST), receive(cache, SECOND)]
        with pytest.raises(LocalError):
            cache.publish()
        assert cache.stat(held) == {digest_bytes(FIRST): len(FIRST)}

        shelf.unlink()
        cache.publish()

    assert cache.stat(held).keys() == set(held)


def test_a_shelf_that_another_run_just_made_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def link(source: str, target: str) -> None:
        shelf = os.path.dirname(target)
        if not os.path.exists(shelf):
            os.makedirs(shelf)
            raise FileNotFoundError(target)
        real(source, target)

    with Cache(tmp_path) as cache:
        digest = receive(cache, FIRST)
        monkeypatch.setattr(os, "link", link)
        cache.publish()

    assert cache.path(digest).read_bytes() == FIRST


def test_what_was_hashed_on_its_way_need_not_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(FIRST)
    with Cache(tmp_path / "cache", Proofs(tmp_path / "proofs")) as cache:
        digest, _ = cache.add(tmp_path / "source")
        cache.publish()

        assert cache.is_proven(digest, cache.path(digest).lstat(), None)


@pytest.mark.parametrize("proofs", [True, False])
def test_what_is_there_stays_where_nothing_speaks_against_it(tmp_path: Path, proofs: bool) -> None:
    with Cache(tmp_path) as cache:
        path = cache.path(receive(cache, FIRST))
    before = path.stat().st_ino
    with Cache(tmp_path, Proofs(tmp_path / "proofs") if proofs else None) as cache:
        receive(cache, FIRST)

    assert path.stat().st_ino == before
    assert path.stat().st_nlink == 1


def test_proofs_find_what_was_damaged_at_its_size(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(FIRST)
    with Cache(tmp_path / "cache", Proofs(tmp_path / "proofs")) as cache:
        path = cache.path(digest_bytes(FIRST))
        path.parent.mkdir(parents=True)
        path.write_bytes(FIRST.upper())
        cache.add(tmp_path / "source")

    assert path.read_bytes() == FIRST
