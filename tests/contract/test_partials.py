"""Downloads that are cut off: what is left is gone on with, and never believed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pivot.cache import Cache
from pivot.errors import LocalError, ObjectDamaged, ObjectError, ObjectMissing, ObjectUnreachable
from pivot.objects import CHUNK, Content, Promise, Sha256, digest_bytes
from pivot.owner import own_name
from pivot.partials import WORTH

LARGE = os.urandom(WORTH + 100)
DIGEST = digest_bytes(LARGE)
ROOT = Path(__file__).parents[2]
ELSEWHERE = "another-machine-4026531836-1-00000000"


class Source:
    """Gives *data* from any byte on; a download ends with *error* after *cut* bytes of it."""

    def __init__(
        self, data: bytes = LARGE, cut: int | None = None, error: Exception | None = None
    ) -> None:
        self.data = data
        self.cut = cut
        self.error = error or ObjectUnreachable("the connection was lost")
        self.starts: list[int] = []

    def __call__(self, start: int) -> Content:
        self.starts.append(start)
        return Content(len(self.data), self._chunks(start))

    def _chunks(self, start: int) -> Iterator[bytes]:
        end = len(self.data) if self.cut is None else self.cut
        for place in range(start, end, CHUNK):
            yield self.data[place : min(place + CHUNK, end)]
        if self.cut is not None:
            raise self.error


class WithoutRanges(Source):
    """A service that gives all or nothing."""

    def __call__(self, start: int) -> Content:
        if start:
            self.starts.append(start)
            raise ObjectError("the service answered 416")
        return super().__call__(start)


def left(cache: Path) -> list[Path]:
    return sorted((cache / "partial").glob("*"))


def dead_owner() -> str:
    """Name a process that is over."""
    program = "from pivot.owner import own_name; print(own_name())"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return done.stdout.strip()


def leave(cache: Path, data: bytes, owner: str) -> Path:
    """Lay down what a process has left of the object."""
    path = cache / "partial" / f"{DIGEST}.{owner}"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return path


def collected(place: Path, source: Source, size: int | None = None) -> bytes:
    with Cache(place) as cache:
        cache.collect(Promise(DIGEST, size), source)
    return cache.path(DIGEST).read_bytes()


@pytest.mark.parametrize("size", [None, len(LARGE)])
def test_what_a_dead_process_left_is_gone_on_with(tmp_path: Path, size: int | None) -> None:
    leave(tmp_path, LARGE[:5000], dead_owner())
    source = Source()

    assert collected(tmp_path, source, size) == LARGE
    assert source.starts == [5000]
    assert left(tmp_path) == []


def test_the_same_process_goes_on_with_what_it_left(tmp_path: Path) -> None:
    broken, whole = Source(cut=3 * CHUNK), Source()
    with Cache(tmp_path) as cache:
        with pytest.raises(ObjectUnreachable):
            cache.collect(Promise(DIGEST), broken)
        cache.collect(Promise(DIGEST), whole)

    assert cache.path(DIGEST).read_bytes() == LARGE
    assert 0 < whole.starts[0] <= 3 * CHUNK
    assert left(tmp_path) == []


def test_all_of_it_is_counted(tmp_path: Path) -> None:
    leave(tmp_path, LARGE[:5000], dead_owner())
    passed: list[int] = []
    with Cache(tmp_path) as cache:
        cache.collect(Promise(DIGEST), Source(), count=passed.append)

    assert sum(passed) == len(LARGE)


def test_what_was_left_whole_is_not_asked_for(tmp_path: Path) -> None:
    leave(tmp_path, LARGE, dead_owner())
    source = Source()

    assert collected(tmp_path, source) == LARGE
    assert source.starts == []


@pytest.mark.parametrize(
    "rubbish", [b"", b"\0" * 5000, LARGE[1:5000], LARGE + b"more", b"\0" * len(LARGE)], ids=len
)
def test_what_was_left_wrong_is_dropped_and_all_is_fetched(tmp_path: Path, rubbish: bytes) -> None:
    leave(tmp_path, rubbish, dead_owner())
    source = Source()

    assert collected(tmp_path, source, len(LARGE)) == LARGE
    assert source.starts[-1] == 0
    assert left(tmp_path) == []


def test_a_service_that_knows_no_ranges_is_asked_for_all(tmp_path: Path) -> None:
    leave(tmp_path, LARGE[:5000], dead_owner())
    source = WithoutRanges()

    assert collected(tmp_path, source) == LARGE
    assert source.starts == [5000, 0]
    assert left(tmp_path) == []


@pytest.mark.parametrize("owner", [own_name(), ELSEWHERE], ids=["alive", "on another machine"])
def test_what_belongs_to_somebody_else_is_left_alone(tmp_path: Path, owner: str) -> None:
    path = leave(tmp_path, LARGE[:5000], owner)
    source = Source()

    assert collected(tmp_path, source) == LARGE
    assert source.starts == [0]
    assert left(tmp_path) == [path]


def test_after_a_week_it_is_removed_whoever_it_belongs_to(tmp_path: Path) -> None:
    path = leave(tmp_path, LARGE[:5000], ELSEWHERE)
    os.utime(path, (0, 0))
    with Cache(tmp_path):
        pass

    assert not path.parent.exists()


def test_what_is_left_of_an_object_that_is_here_is_removed(tmp_path: Path) -> None:
    collected(tmp_path, Source())
    path = leave(tmp_path, LARGE[:5000], dead_owner())
    with Cache(tmp_path):
        pass

    assert not path.parent.exists()


def test_what_is_left_of_an_object_that_is_not_here_stays(tmp_path: Path) -> None:
    path = leave(tmp_path, LARGE[:5000], dead_owner())
    with Cache(tmp_path):
        pass

    assert path.read_bytes() == LARGE[:5000]


def test_a_download_of_wrong_bytes_leaves_nothing(tmp_path: Path) -> None:
    wrong = Source(b"x" + LARGE[1:])
    with Cache(tmp_path) as cache, pytest.raises(ObjectDamaged):
        cache.collect(Promise(DIGEST), wrong)

    assert left(tmp_path) == []
    assert cache.stat([DIGEST]) == {}


def test_what_was_left_is_checked_by_sha256_too(tmp_path: Path) -> None:
    leave(tmp_path, LARGE[:5000], dead_owner())
    promise = Promise(DIGEST, len(LARGE), Sha256("0" * 64), "a ledger")
    with Cache(tmp_path) as cache, pytest.raises(ObjectDamaged, match="SHA-256"):
        cache.collect(promise, Source())

    assert left(tmp_path) == []
    assert cache.stat([DIGEST]) == {}


@pytest.mark.parametrize(
    "error", [ObjectMissing("is gone"), LocalError("the disk is full")], ids=["gone", "full"]
)
def test_what_does_not_pass_leaves_nothing(tmp_path: Path, error: Exception) -> None:
    with Cache(tmp_path) as cache, pytest.raises(type(error)):
        cache.collect(Promise(DIGEST), Source(cut=2 * CHUNK, error=error))

    assert left(tmp_path) == []


def test_a_small_object_leaves_nothing(tmp_path: Path) -> None:
    data = b"small" * 1000
    with Cache(tmp_path) as cache, pytest.raises(ObjectUnreachable):
        cache.collect(Promise(digest_bytes(data)), Source(data, cut=2000))

    assert list(tmp_path.iterdir()) == []


def test_a_symlink_in_the_place_of_what_was_left_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"precious")
    cache = tmp_path / "cache"
    path = leave(cache, b"", dead_owner())
    path.unlink()
    path.symlink_to(other)

    assert collected(cache, Source()) == LARGE
    assert other.read_bytes() == b"precious"


def test_the_room_that_is_taken_is_that_of_dead_owners(tmp_path: Path) -> None:
    leave(tmp_path, LARGE[:5000], dead_owner())
    (tmp_path / "partial" / f"{DIGEST}.{own_name()}").write_bytes(b"in use")
    (tmp_path / "partial" / "notes.txt").write_text("not ours")
    with Cache(tmp_path) as cache:
        assert cache.room_taken([DIGEST]) == 5000
        assert cache.room_taken([digest_bytes(b"other")]) == 0


def test_room_is_made_of_what_is_not_needed_now(tmp_path: Path) -> None:
    path = leave(tmp_path, LARGE[:5000], dead_owner())
    with Cache(tmp_path) as cache:
        assert not cache.make_room([DIGEST])
        assert path.exists()
        assert cache.make_room([digest_bytes(b"other")])
        assert not path.exists()
        assert not cache.make_room([])


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_what_is_no_file_is_not_gone_on_with(kind: str, tmp_path: Path) -> None:
    path = leave(tmp_path, b"", dead_owner())
    path.unlink()
    if kind == "directory":
        path.mkdir()
    else:
        os.mkfifo(path)

    assert collected(tmp_path, Source()) == LARGE


def test_each_object_has_its_own(tmp_path: Path) -> None:
    other = tmp_path / "partial" / f"{'0' * 16}.{dead_owner()}"
    leave(tmp_path, LARGE[:5000], dead_owner())
    other.write_bytes(b"of another")
    source = Source()

    assert collected(tmp_path, source) == LARGE
    assert source.starts == [5000]
    assert other.read_bytes() == b"of another"


def test_other_names_are_left_alone(tmp_path: Path) -> None:
    names = [f"notes.{dead_owner()}", f"{DIGEST}-{dead_owner()}"]
    for name in names:
        (tmp_path / "partial").mkdir(exist_ok=True)
        (tmp_path / "partial" / name).write_text("not ours")
    with Cache(tmp_path) as cache:
        cache.make_room([])

    assert sorted(path.name for path in left(tmp_path)) == sorted(names)


def test_a_place_that_cannot_be_had_is_a_local_error(tmp_path: Path) -> None:
    (tmp_path / "partial").write_text("a file")

    with Cache(tmp_path) as cache, pytest.raises(LocalError, match="partial: "):
        cache.collect(Promise(DIGEST), Source())


def test_a_download_leaves_nothing_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Cache(tmp_path) as cache:
        cache.collect(Promise(DIGEST), Source())

    assert len(os.listdir("/proc/self/fd")) == before


def test_what_lacked_only_its_name_can_be_gone_on_with_by_its_owner(tmp_path: Path) -> None:
    path = leave(tmp_path, LARGE[:5000], dead_owner())
    path.chmod(0o444)
    modes: list[int] = []

    class Looking(Source):
        def __call__(self, start: int) -> Content:
            modes.extend(file.stat().st_mode & 0o777 for file in left(tmp_path))
            return super().__call__(start)

    source = Looking()

    assert collected(tmp_path, source) == LARGE
    assert source.starts == [5000]
    assert modes == [0o600]


def test_what_has_another_name_is_not_written_to(tmp_path: Path) -> None:
    path = leave(tmp_path, LARGE[:5000], dead_owner())
    (tmp_path / "output").hardlink_to(path)
    source = Source()

    assert collected(tmp_path, source) == LARGE
    assert source.starts == [0]
    assert (tmp_path / "output").read_bytes() == LARGE[:5000]


def test_many_objects_are_looked_for_with_one_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []
    real = os.listdir
    with Cache(tmp_path) as cache:
        monkeypatch.setattr(os, "listdir", lambda path: looks.append(path) or real(path))
        for number in range(20):
            data = b"%d" % number
            cache.collect(Promise(digest_bytes(data)), Source(data))
        monkeypatch.undo()

    assert looks.count(tmp_path / "partial") <= 1


def test_a_file_that_cannot_be_opened_is_a_local_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pivot.partials.own_name", lambda: ELSEWHERE)
    (tmp_path / "partial" / f"{DIGEST}.{ELSEWHERE}").mkdir(parents=True)

    with Cache(tmp_path) as cache, pytest.raises(LocalError, match=f"{DIGEST}.*Is a directory"):
        cache.collect(Promise(DIGEST), Source())


def test_what_is_on_its_way_is_its_owners_alone(tmp_path: Path) -> None:
    modes: list[int] = []

    class Looking(Source):
        def _chunks(self, start: int) -> Iterator[bytes]:
            modes.extend(file.stat().st_mode & 0o777 for file in left(tmp_path))
            yield from super()._chunks(start)

    assert collected(tmp_path, Looking()) == LARGE
    assert modes == [0o600]


def test_an_object_is_worth_going_on_with_from_a_size_on(tmp_path: Path) -> None:
    kept: list[int] = []
    for size in (WORTH - 1, WORTH):
        data = LARGE[:size]
        with Cache(tmp_path) as cache, pytest.raises(ObjectUnreachable):
            cache.collect(Promise(digest_bytes(data)), Source(data, cut=CHUNK))
        kept.append(len(left(tmp_path)))

    assert kept == [0, 1]
