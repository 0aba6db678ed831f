"""What `pivot.cache.Cache` promises: only verified objects get names, and nothing else stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pivot.cache import Cache
from pivot.crew import for_each
from pivot.errors import LocalError, ObjectDamaged
from pivot.objects import Content, Digest, Promise, digest_bytes, object_name

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = b"0123456789" * 1000
DIGEST = digest_bytes(DATA)
ROOT = Path(__file__).parents[2]

KEEPER = """
import sys
from pathlib import Path
from pivot.scratch import Scratch
with Scratch(Path(sys.argv[1])).file() as (path, descriptor):
    print(Path(path).parent.name, flush=True)
    sys.stdin.read()
"""


def content(data: bytes, size: int | None = None, *, whole: bool = False) -> Content:
    chunks = (data[start : start + 999] for start in range(0, len(data), 999))
    return Content(len(data) if size is None else size, tuple(chunks) if whole else chunks)


in_memory_or_not = pytest.mark.parametrize("whole", [False, True], ids=["stream", "in memory"])


def files(cache: Path) -> list[str]:
    """Name all files, and directories that are empty."""
    return sorted(
        path.relative_to(cache).as_posix()
        for path in cache.rglob("*")
        if not path.is_dir() or not any(path.iterdir())
    )


@pytest.fixture(name="keeper")
def _keeper(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is in the middle of writing a file."""
    with subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(tmp_path / "tmp")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


@in_memory_or_not
@pytest.mark.parametrize("size", [0, 1, 999, 1_000_000])
def test_what_is_received_is_there_byte_for_byte(tmp_path: Path, size: int, whole: bool) -> None:
    data = os.urandom(size)
    digest = digest_bytes(data)
    passed: list[int] = []
    with Cache(tmp_path) as cache:
        cache.receive(Promise(digest, size), content(data, whole=whole), count=passed.append)

    assert (tmp_path / object_name(digest)).read_bytes() == data
    assert sum(passed) == size
    assert files(tmp_path) == [object_name(digest)]


@in_memory_or_not
@pytest.mark.parametrize(
    ("data", "announced", "recorded"),
    [
        (DATA[:-1] + b"!", len(DATA), len(DATA)),
        (DATA[:-1] + b"!", len(DATA), None),
        (DATA[:-1], len(DATA), len(DATA)),
        (DATA[:-1], len(DATA) - 1, None),
        (DATA + b"!", len(DATA), len(DATA)),
        (DATA + b"!", len(DATA) + 1, None),
        (b"", 0, None),
        (DATA, len(DATA), len(DATA) + 1),
        (DATA, len(DATA) - 1, None),
    ],
    ids=[
        "wrong bytes",
        "wrong bytes, size unknown",
        "too short",
        "too short, size unknown",
        "too long",
        "too long, size unknown",
        "nothing",
        "recorded size differs",
        "announced size differs",
    ],
)
def test_wrong_bytes_are_refused_and_leave_nothing(
    tmp_path: Path, data: bytes, announced: int, recorded: int | None, whole: bool
) -> None:
    with Cache(tmp_path) as cache:
        with pytest.raises(ObjectDamaged):
            cache.receive(Promise(DIGEST, recorded), content(data, announced, whole=whole))
        cache.publish()

        assert not [name for name in files(tmp_path) if name.startswith("files")]
    assert files(tmp_path) == []


def test_another_announced_size_is_refused_before_a_byte_is_read(tmp_path: Path) -> None:
    chunks = iter([b"bytes"])
    with Cache(tmp_path) as cache, pytest.raises(ObjectDamaged, match="5 bytes instead of 6"):
        cache.receive(Promise(DIGEST, 6), Content(5, chunks))

    assert next(chunks) == b"bytes"


def test_a_refused_object_does_not_take_others_along(tmp_path: Path) -> None:
    with Cache(tmp_path) as cache:
        cache.receive(Promise(DIGEST), content(DATA))
        with pytest.raises(ObjectDamaged):
            cache.receive(Promise(digest_bytes(b"other")), content(DATA))

    assert files(tmp_path) == [object_name(DIGEST)]


@pytest.mark.parametrize("how", ["publish", "close"])
def test_a_name_appears_only_with_publish_or_close(tmp_path: Path, how: str) -> None:
    cache = Cache(tmp_path)
    cache.receive(Promise(DIGEST, len(DATA)), content(DATA))
    before = (cache.stat([DIGEST]), list(cache.scan()))
    getattr(cache, how)()
    after = (cache.stat([DIGEST]), list(cache.scan()))
    cache.close()

    assert before == ({}, [])
    assert after == ({DIGEST: len(DATA)}, [(DIGEST, len(DATA))])


@in_memory_or_not
@pytest.mark.parametrize(("executable", "mode"), [(False, 0o444), (True, 0o555)])
def test_an_object_is_read_only(tmp_path: Path, executable: bool, mode: int, whole: bool) -> None:
    old = os.umask(0o027)
    try:
        with Cache(tmp_path) as cache:
            cache.receive(Promise(DIGEST), content(DATA, whole=whole), executable=executable)
    finally:
        os.umask(old)

    assert cache.path(DIGEST).stat().st_mode & 0o7777 == mode


def test_foreign_names_are_not_objects(tmp_path: Path) -> None:
    shelf = tmp_path / "files" / "ab"
    (shelf / "0123456789abce").mkdir(parents=True)
    (shelf / "0123456789abce" / "file").write_text("of a tree")
    (shelf / "0123456789abcd").write_text("ours")
    (shelf / "0123456789abcf").symlink_to("0123456789abcd")
    for name in (
        ".pivot_cache.lock",
        ".pivot_tmp_x",
        "tmp1.tmp",
        "0123456789abce.verified",
        "0123",
    ):
        (shelf / name).touch()
    (shelf / "0123456789ABCD").touch()
    (tmp_path / "files" / "zz").mkdir()
    (tmp_path / "files" / "zz" / "0123456789abcd").touch()
    (tmp_path / "files" / "abc").mkdir()
    (tmp_path / "files" / "cd").touch()
    asked = [Digest(f"ab0123456789abc{last}") for last in "cdef"] + [Digest("cd" + 14 * "0")]
    with Cache(tmp_path) as cache:
        told = cache.stat(asked)
        listed = list(cache.scan())

    assert told == {Digest("ab0123456789abcd"): 4}
    assert listed == [(Digest("ab0123456789abcd"), 4)]


def test_a_cache_that_was_never_made_is_empty(tmp_path: Path) -> None:
    with Cache(tmp_path / "none") as cache:
        assert cache.stat([DIGEST]) == {}
        assert list(cache.scan()) == []
    assert not (tmp_path / "none").exists()


def test_a_good_object_is_never_replaced(tmp_path: Path) -> None:
    with Cache(tmp_path) as cache:
        cache.receive(Promise(DIGEST), content(DATA))
    first = cache.path(DIGEST).stat()
    with Cache(tmp_path) as cache:
        cache.receive(Promise(DIGEST), content(DATA), executable=True)
    second = cache.path(DIGEST).stat()

    assert (second.st_ino, second.st_mode) == (first.st_ino, first.st_mode)
    assert files(tmp_path) == [object_name(DIGEST)]


@pytest.mark.parametrize("damaged", [b"", DATA[:-1], DATA + b"!"])
def test_a_damaged_object_is_replaced(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / object_name(DIGEST)
    path.parent.mkdir(parents=True)
    path.write_bytes(damaged)
    with Cache(tmp_path) as cache:
        cache.receive(Promise(DIGEST), content(DATA))

    assert path.read_bytes() == DATA
    assert files(tmp_path) == [object_name(DIGEST)]


def test_a_dead_link_under_the_name_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / object_name(DIGEST)
    path.parent.mkdir(parents=True)
    path.symlink_to("nowhere")
    with Cache(tmp_path) as cache:
        cache.receive(Promise(DIGEST), content(DATA))

    assert not path.is_symlink()
    assert path.read_bytes() == DATA


def test_what_a_killed_process_left_is_removed(
    tmp_path: Path, keeper: subprocess.Popen[str]
) -> None:
    assert keeper.stdout is not None
    left = tmp_path / "tmp" / keeper.stdout.readline().strip()
    keeper.send_signal(signal.SIGKILL)
    keeper.wait()
    assert list(left.iterdir())
    with Cache(tmp_path) as cache:
        cache.receive(Promise(DIGEST), content(DATA))

    assert files(tmp_path) == [object_name(DIGEST)]


def test_what_a_running_process_writes_is_kept(
    tmp_path: Path, keeper: subprocess.Popen[str]
) -> None:
    assert keeper.stdout is not None
    used = tmp_path / "tmp" / keeper.stdout.readline().strip()
    with Cache(tmp_path) as cache:
        cache.receive(Promise(DIGEST), content(DATA))

    assert len(list(used.iterdir())) == 1
    assert cache.stat([DIGEST]) == {DIGEST: len(DATA)}


def test_many_threads_may_store_at_once(tmp_path: Path) -> None:
    bodies = [f"object {number % 400}".encode() for number in range(800)]
    with Cache(tmp_path) as cache:
        for_each(
            bodies, lambda body: cache.receive(Promise(digest_bytes(body)), content(body)), jobs=8
        )

    expected = {digest_bytes(body): len(body) for body in bodies}
    assert dict(cache.scan()) == expected
    assert files(tmp_path) == sorted(map(object_name, expected))


def test_many_runs_may_store_at_once(tmp_path: Path) -> None:
    def store(number: int) -> None:
        with Cache(tmp_path) as cache:
            for body in (b"same", f"own {number}".encode()):
                cache.receive(Promise(digest_bytes(body)), content(body))

    for_each(range(100), store, jobs=8)

    assert len(dict(Cache(tmp_path).scan())) == 101
    assert not (tmp_path / "tmp").exists()


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_what_is_added_is_there_byte_for_byte(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "source").write_bytes(data)
    with Cache(tmp_path / "cache") as cache:
        added = cache.add(tmp_path / "source")

    assert added == (digest_bytes(data), size)
    assert cache.path(added[0]).read_bytes() == data
    assert files(tmp_path / "cache") == [object_name(added[0])]


def test_what_is_added_is_not_the_source_itself(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(DATA)
    with Cache(tmp_path / "cache") as cache:
        cache.add(tmp_path / "source")
    (tmp_path / "source").write_bytes(b"changed")

    assert cache.path(DIGEST).read_bytes() == DATA


@pytest.mark.parametrize(("executable", "mode"), [(False, 0o444), (True, 0o555)])
def test_what_is_added_is_read_only(tmp_path: Path, executable: bool, mode: int) -> None:
    (tmp_path / "source").write_bytes(DATA)
    (tmp_path / "source").chmod(0o777)
    with Cache(tmp_path / "cache") as cache:
        cache.add(tmp_path / "source", executable=executable)

    assert cache.path(DIGEST).stat().st_mode & 0o7777 == mode


def test_what_is_added_has_a_name_only_with_publish(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(DATA)
    with Cache(tmp_path / "cache") as cache:
        cache.add(tmp_path / "source")
        before = cache.stat([DIGEST])
        cache.publish()
        after = cache.stat([DIGEST])

    assert (before, after) == ({}, {DIGEST: len(DATA)})


def test_what_is_added_twice_is_one_object(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(DATA)
    with Cache(tmp_path / "cache") as cache:
        cache.add(tmp_path / "source")
        cache.publish()
        first = cache.path(DIGEST).stat().st_ino
        cache.add(tmp_path / "source", executable=True)
        cache.receive(Promise(DIGEST), content(DATA))

    assert cache.path(DIGEST).stat().st_ino == first
    assert files(tmp_path / "cache") == [object_name(DIGEST)]


@pytest.mark.parametrize("kind", ["absent", "directory", "link", "pipe"])
def test_what_is_no_file_is_not_added_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("directory")
    os.mkfifo(tmp_path / "pipe")
    with Cache(tmp_path / "cache") as cache:
        with pytest.raises(LocalError, match=kind):
            cache.add(tmp_path / kind)
        cache.publish()

    assert files(tmp_path / "cache") == []


def test_many_threads_may_add_at_once(tmp_path: Path) -> None:
    sources = [tmp_path / f"source{number}" for number in range(300)]
    for number, source in enumerate(sources):
        source.write_bytes(b"%d" % (number % 100))
    with Cache(tmp_path / "cache") as cache:

        def add(source: Path) -> None:
            cache.add(source)

        for_each(sources, add, jobs=8)

    expected = {digest_bytes(b"%d" % number) for number in range(100)}
    assert {digest for digest, _ in cache.scan()} == expected
    assert files(tmp_path / "cache") == sorted(map(object_name, expected))
