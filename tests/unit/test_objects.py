"""Contents and their names: hashing, checking while bytes pass, naming objects."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.errors import LocalError, ObjectDamaged, ObjectFalse
from pivot.objects import (
    CHUNK,
    Content,
    Digest,
    Directory,
    File,
    Hasher,
    Promise,
    Sha256,
    digest_bytes,
    digest_descriptor,
    digest_file,
    files_of,
    is_digest,
    is_sha256,
    object_name,
    parse_object_name,
    read_chunks,
    read_small,
    read_verified,
    tree_digest,
    verified,
)
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

SHA = Sha256(hashlib.sha256(b"data").hexdigest())
DIGESTS = st.integers(0, 2**64 - 1).map(lambda number: Digest(f"{number:016x}"))


def vectors() -> list[tuple[bytes, str]]:
    """Read the test vectors of docs/format.md."""
    text = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
    found = re.search(r"```vectors\n(.*?)```", text, re.DOTALL)
    assert found is not None
    pairs = [line.split(" -> ") for line in found[1].splitlines()]
    return [
        ((json.loads(left) if left[0] == '"' else left).encode(), right) for left, right in pairs
    ]


@pytest.mark.parametrize(("content", "expected"), vectors())
def test_the_vectors_of_the_format_hash_as_documented(
    content: bytes, expected: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)

    assert digest_bytes(content) == expected
    assert digest_file(file) == expected


def test_a_file_of_several_chunks_hashes_like_its_bytes(tmp_path: Path) -> None:
    content = os.urandom(2 * CHUNK + 17)
    (tmp_path / "large").write_bytes(content)

    assert digest_file(tmp_path / "large") == digest_bytes(content)
    assert b"".join(read_chunks(tmp_path / "large")) == content


def test_a_symlink_is_not_hashed_as_the_file_behind_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")

    with pytest.raises(OSError, match="symbolic link"):
        digest_file(tmp_path / "link")


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="absent: No such file"):
        list(read_chunks(tmp_path / "absent"))


@given(DIGESTS)
def test_the_name_of_an_object_reads_back(digest: Digest) -> None:
    name = object_name(digest)

    assert re.fullmatch(r"files/[0-9a-f]{2}/[0-9a-f]{14}", name)
    assert parse_object_name(name) == digest


@pytest.mark.parametrize(
    "name",
    [
        "",
        "files",
        "files/ab",
        "files/ab/.pivot_cache.lock",
        "files/ab/0123456789abc",
        "files/ab/0123456789abcdef",
        "files/ab/0123456789ABCD",
        "files/ab/0123456789abcd.verified",
        "files/ab/0123456789abcd/x",
        "files/abc/0123456789abc",
        "files/a/b0123456789abcd",
        "other/ab/0123456789abcd",
        "x/files/ab/0123456789abcd",
        "files/ab/0123456789abcd\n",
    ],
)
def test_other_names_are_not_ours(name: str) -> None:
    assert parse_object_name(name) is None


@pytest.mark.parametrize(
    "text", [None, 5, "", "0" * 15, "0" * 17, "A" * 16, "g" * 16, "\u0661" * 16]
)
def test_only_sixteen_lower_case_digits_are_a_digest(text: object) -> None:
    assert not is_digest(text)


@given(st.lists(st.binary(max_size=9)))
def test_right_bytes_pass_unchanged(chunks: list[bytes]) -> None:
    data = b"".join(chunks)

    assert b"".join(verified(chunks, Promise(digest_bytes(data), len(data)))) == data
    assert b"".join(verified(chunks, Promise(digest_bytes(data)))) == data


@given(st.lists(st.binary(min_size=1, max_size=9), min_size=1), st.booleans())
def test_wrong_bytes_never_pass_whole(chunks: list[bytes], sized: bool) -> None:
    data = b"".join(chunks)
    passed: list[bytes] = []

    with pytest.raises(ObjectDamaged, match=f"hashes to {digest_bytes(data)}"):
        passed.extend(
            verified(chunks, Promise(digest_bytes(data + b"!"), len(data) if sized else None))
        )

    assert passed == chunks[:-1]


def test_too_few_bytes_are_damage() -> None:
    with pytest.raises(ObjectDamaged, match="has 2 bytes instead of 3"):
        list(verified([b"ab"], Promise(digest_bytes(b"ab"), 3)))


def test_reading_stops_as_soon_as_there_are_too_many_bytes() -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(5):
            yield b"ab"
        pytest.fail("read on beyond the recorded size")

    with pytest.raises(ObjectDamaged, match="more than the recorded 3 bytes"):
        list(verified(endless(), Promise(digest_bytes(b"abc"), 3)))


@given(st.lists(st.binary(max_size=9)))
def test_a_hasher_counts_and_hashes_what_passes(chunks: list[bytes]) -> None:
    data = b"".join(chunks)
    hasher = Hasher()
    for chunk in chunks:
        hasher.update(chunk)
        hasher.digest()

    assert (hasher.digest(), hasher.size) == (digest_bytes(data), len(data))


@pytest.mark.parametrize("size", [0, 1, CHUNK, 2 * CHUNK + 17])
def test_an_open_file_is_hashed_from_its_start(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    with (tmp_path / "file").open("rb") as file:
        file.seek(size // 2)

        assert digest_descriptor(file.fileno()) == (digest_bytes(content), size)


def test_a_directory_hashes_as_documented() -> None:
    files = [
        File("out/d/a.txt", Digest("fbbde8981eccc855"), 2, executable=False),
        File("out/d/sub/b.txt", Digest("afc37974405adf22"), 2),
    ]

    assert tree_digest([], [], above="out/d") == "ccab0b28617f1f56"
    assert tree_digest(files, [], above="out/d") == "5baa5815b4154508"
    assert tree_digest(files, ["out/d/emptyd"], above="out/d") == "b233bfb7bb031f05"


@pytest.mark.parametrize("count", [999, 1000, 1001, 2000])
@pytest.mark.parametrize("empty", [[], ["d/é", "d/z"]], ids=["full", "empty ones too"])
def test_a_long_directory_hashes_as_its_whole_text_does(count: int, empty: list[str]) -> None:
    files = [
        File(f"d/{n}\té'", Digest(f"{n:016x}"), n, executable=n % 2 == 0) for n in range(count)
    ]
    entries = [
        {"relpath": f.path[2:], "hash": f.digest, "size": f.size, "isexec": f.executable}
        for f in files
    ]
    names = [name[2:] for name in empty]
    listed = {"manifest": entries, "empty_dirs": names} if empty else entries
    text = json.dumps(listed, sort_keys=True, separators=(",", ":"))

    assert tree_digest(files, empty, above="d") == digest_bytes(text.encode())


def test_the_files_of_an_output_are_itself_or_those_in_it() -> None:
    file = File("d/a", Digest("fbbde8981eccc855"), 2)

    assert files_of(file) == (file,)
    assert files_of(Directory("d", Digest("5baa5815b4154508"), (file,))) == (file,)
    assert files_of(Directory("d", Digest("ccab0b28617f1f56"), ())) == ()


def test_bytes_of_the_right_name_and_another_sha256_are_false() -> None:
    promise = Promise(digest_bytes(b"data"), 4, Sha256("0" * 64), "a ledger")

    with pytest.raises(ObjectFalse, match=f"the SHA-256 {SHA}, and a ledger says 0000"):
        list(verified([b"da", b"ta"], promise))


def test_bytes_of_the_right_sha256_pass() -> None:
    promise = Promise(digest_bytes(b"data"), 4, SHA, "a ledger")
    hasher = Hasher(strong=True)

    assert b"".join(verified([b"da", b"ta"], promise, hasher)) == b"data"
    assert hasher.sha256() == SHA


def test_a_hasher_that_was_not_asked_for_it_knows_no_sha256() -> None:
    hasher = Hasher()
    hasher.update(b"data")

    assert hasher.sha256() is None


def test_a_file_is_read_for_an_upload_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    right = Promise(digest_bytes(b"data"), 4)
    wrong = Promise(digest_bytes(b"other"), 4)

    assert b"".join(read_verified(tmp_path / "file", right)) == b"data"
    with pytest.raises(ObjectDamaged, match="the local copy is damaged and was not pushed"):
        list(read_verified(tmp_path / "file", wrong))


@pytest.mark.parametrize("data", [b"", b"data", b"x" * 100])
def test_a_small_file_is_read_at_once(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    hasher = Hasher(strong=True)

    assert read_small(tmp_path / "file", Promise(digest_bytes(data)), hasher, most=100) == data
    assert (hasher.size, hasher.digest()) == (len(data), digest_bytes(data))


def test_a_file_that_is_not_small_is_left_unread(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 101)
    hasher = Hasher()

    assert read_small(tmp_path / "file", Promise(digest_bytes(b"")), hasher, most=100) is None
    assert hasher.size == 0


@pytest.mark.parametrize(
    ("promise", "told"),
    [
        (Promise(digest_bytes(b"other")), "hashes to"),
        (Promise(digest_bytes(b"data"), 5), "has 4 bytes instead of 5"),
        (Promise(digest_bytes(b"data"), 4, Sha256("0" * 64)), "has the SHA-256"),
    ],
)
def test_a_small_file_is_read_only_if_it_is_what_was_promised(
    tmp_path: Path, promise: Promise, told: str
) -> None:
    (tmp_path / "file").write_bytes(b"data")

    with pytest.raises(ObjectDamaged, match=f"was not pushed: it {told}"):
        read_small(tmp_path / "file", promise, Hasher(strong=True))


@pytest.mark.parametrize("size", [None, 4])
def test_a_small_file_that_is_not_read_to_its_end_at_once_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int | None
) -> None:
    (tmp_path / "file").write_bytes(b"data")
    read = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, _: read(descriptor, 2))
    hasher = Hasher()

    assert read_small(tmp_path / "file", Promise(digest_bytes(b"data"), size), hasher) is None
    assert hasher.size == 0


def test_a_small_file_that_is_gone_is_said_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="file: No such file"):
        read_small(tmp_path / "file", Promise(digest_bytes(b"")), Hasher())


def test_a_file_is_read_from_any_byte_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")

    assert list(read_chunks(tmp_path / "file", 4, start=3)) == [b"3456", b"789"]
    assert list(read_chunks(tmp_path / "file", 4)) == [b"0123", b"4567", b"89"]


def test_what_a_remote_claims_counts_for_nothing_by_default() -> None:
    assert Content(4, [b"data"]).claimed is None
    assert not Directory("d", digest_bytes(b""), ()).skips_ignored
    assert not File("f", digest_bytes(b"")).lenient


def test_what_has_too_many_bytes_is_not_read_to_its_end() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"dat"
        yield b"ab"
        pytest.fail("it has one byte too many already")

    with pytest.raises(ObjectDamaged, match="more than the recorded 4 bytes"):
        list(verified(chunks(), Promise(digest_bytes(b"data"), 4)))


def test_chunks_pass_as_they_come() -> None:
    promise = Promise(digest_bytes(b"data"), 4)

    assert list(verified([b"da", b"ta"], promise)) == [b"da", b"ta"]


@pytest.mark.parametrize("text", [None, 5, "", "0" * 63, "0" * 65, "A" * 64, "0" * 64 + "\n"])
def test_what_is_no_sha256(text: object) -> None:
    assert not is_sha256(text)
    assert is_sha256(SHA)


def test_hashing_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    before = len(os.listdir("/proc/self/fd"))

    digest_file(tmp_path / "file")

    assert len(os.listdir("/proc/self/fd")) == before
