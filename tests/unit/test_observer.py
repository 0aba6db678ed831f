"""What a path of the workspace holds: files, directories, links, and what cannot be read."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pivot.cache import Cache
from pivot.errors import LocalError, PivotError
from pivot.objects import Digest, Directory, File, digest_bytes
from pivot.observer import Observer
from pivot.remembered import Remembered
from tests.unit.values import digest, directory_of, file_of, put_object, write

LONG_AGO = (1_700_000_000_000_000_005, 1_700_000_000_000_000_005)


@dataclass
class Place:
    """A workspace with its cache; counts the files that are read."""

    root: Path
    read: list[str] = field(default_factory=list)

    @property
    def cache(self) -> Path:
        return self.root / ".pivot" / "cache"

    @property
    def state(self) -> Path:
        return self.cache / "remembered.json"

    def observer(self, remembered: Remembered | None = None) -> Observer:
        return Observer(self.root, Cache(self.cache), remembered or Remembered(self.state))

    def link(self, path: str, content: bytes, *, mode: int = 0o444) -> None:
        """Make *path* a symlink to an object, as a checkout does."""
        name = put_object(self.cache, content, mode=mode)
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(self.cache / "files" / name[:2] / name[2:])


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> Place:
    (tmp_path / ".pivot").mkdir()
    return Place(tmp_path)


def test_nothing_is_nothing(place: Place) -> None:
    write(place.root, "file")
    observer = place.observer()

    assert observer.look("absent") is None
    assert observer.look("absent/below") is None
    assert observer.look("file/below") is None


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 1_000_000])
def test_a_file_has_its_digest_and_size(place: Place, content: bytes) -> None:
    write(place.root, "a/b", content)

    assert place.observer().look("a/b") == file_of("a/b", content)


def test_a_file_that_its_owner_may_execute_says_so(place: Place) -> None:
    write(place.root, "run").chmod(0o744)
    write(place.root, "others").chmod(0o655)
    observer = place.observer()

    assert observer.look("run") == file_of("run", b"", executable=True)
    assert observer.look("others") == file_of("others", b"")


def test_a_directory_lists_all_that_is_in_it(place: Place) -> None:
    for name in ("b", "a/x", "a-b", "a.b", "é", "a/y/z", "1e5"):
        write(place.root, f"d/{name}", name.encode())
    for name in ("e", "a/f/g", "a/y/h"):
        (place.root / "d" / name).mkdir(parents=True)

    seen = place.observer().look("d")

    names = ["1e5", "a-b", "a.b", "a/x", "a/y/z", "b", "é"]
    expected = directory_of(
        "d", {name: name.encode() for name in names}, empty=("a/f/g", "a/y/h", "e")
    )
    assert seen == expected


def test_an_empty_directory_is_one(place: Place) -> None:
    (place.root / "d").mkdir()

    assert place.observer().look("d") == directory_of("d", {})


def test_the_digest_of_a_directory_is_that_of_the_documentation(place: Place) -> None:
    write(place.root, "d/café.txt", b"caf")

    seen = place.observer().look("d")

    assert isinstance(seen, Directory)
    assert seen.files[0].path == "d/café.txt"
    assert seen.digest == digest_bytes(
        b'[{"hash":"%s","isexec":false,"relpath":"caf\\u00e9.txt","size":3}]'
        % digest_bytes(b"caf").encode()
    )


def test_executable_bits_count_in_a_directory(place: Place) -> None:
    write(place.root, "d/run").chmod(0o755)
    write(place.root, "d/data")

    seen = place.observer().look("d")

    assert isinstance(seen, Directory)
    assert [(file.path, file.executable) for file in seen.files] == [
        ("d/data", False),
        ("d/run", True),
    ]


def test_links_into_the_cache_are_the_files_that_they_stand_for(place: Place) -> None:
    place.link("d/a", b"linked")
    place.link("d/run", b"linked too", mode=0o555)
    place.link("single", b"linked")
    observer = place.observer()

    seen = observer.look("d")

    assert isinstance(seen, Directory)
    assert seen.files == (
        file_of("d/a", b"linked", executable=False),
        file_of("d/run", b"linked too", executable=True),
    )
    assert observer.look("single") == file_of("single", b"linked")


def test_links_into_the_cache_may_be_relative_or_through_another_name(
    place: Place, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = put_object(place.cache, b"x")
    other = tmp_path_factory.mktemp("other") / "project"
    other.symlink_to(place.root)
    (place.root / "d").mkdir()
    (place.root / "d" / "a").symlink_to(f"../.pivot/cache/files/{name[:2]}/{name[2:]}")
    (place.root / "d" / "b").symlink_to(other / ".pivot/cache/files" / name[:2] / name[2:])
    observer = place.observer()

    seen = observer.look("d")

    assert isinstance(seen, Directory)
    assert [file.path for file in seen.files] == ["d/a", "d/b"]
    assert observer.is_own_link("d/a")
    assert observer.is_own_link("d/b")


def test_the_users_own_links_inside_of_a_directory_do_not_count(place: Place) -> None:
    write(place.root, "elsewhere/x", b"x")
    write(place.root, "d/file", b"f")
    write(place.root, "shelf/files/ab/cdefabcdefabcd", b"no cache")
    for name, target in {
        "to-file": "../elsewhere/x",
        "to-directory": "../elsewhere",
        "to-nothing": "absent",
        "to-itself": "to-itself",
        "around": "..",
        "like-an-object": "../shelf/files/ab/cdefabcdefabcd",
        "only/link": "../../elsewhere/x",
    }.items():
        (place.root / "d" / name).parent.mkdir(exist_ok=True)
        (place.root / "d" / name).symlink_to(target)

    observer = place.observer()

    assert observer.look("d") == directory_of("d", {"file": b"f"}, empty=("only",))
    assert not observer.is_own_link("d/like-an-object")
    assert not observer.is_own_link("d/to-nothing")
    assert not observer.is_own_link("d/file")
    assert not observer.is_own_link("d/absent")


def test_a_link_to_an_object_that_is_gone_is_nothing(place: Place) -> None:
    place.link("d/a", b"x")
    place.link("single", b"x")
    name = digest_bytes(b"x")
    (place.cache / "files" / name[:2] / name[2:]).unlink()
    observer = place.observer()

    assert observer.look("d") == directory_of("d", {})
    assert observer.look("single") is None


def test_a_link_to_a_directory_of_the_cache_is_no_file(place: Place) -> None:
    (place.cache / "files" / "ab" / "cdefabcdefabcd").mkdir(parents=True)
    (place.root / "d").mkdir()
    (place.root / "d" / "tree").symlink_to(place.cache / "files/ab/cdefabcdefabcd")

    assert place.observer().look("d") == directory_of("d", {})


def test_a_path_that_is_the_users_own_link_is_what_it_leads_to(place: Place) -> None:
    write(place.root, "real/x", b"x")
    (place.root / "link").symlink_to("real")
    (place.root / "file").symlink_to("real/x")
    observer = place.observer()

    assert observer.look("link") == directory_of("link", {"x": b"x"})
    assert observer.look("file") == file_of("file", b"x")
    assert observer.look("link/x") == file_of("link/x", b"x")


def test_a_link_to_itself_is_an_error(place: Place) -> None:
    (place.root / "loop").symlink_to("loop")

    with pytest.raises(LocalError, match=r"^loop: "):
        place.observer().look("loop")


def test_a_pipe_is_no_file_and_nobody_waits_for_it(place: Place) -> None:
    write(place.root, "d/file", b"f")
    os.mkfifo(place.root / "d" / "pipe")
    os.mkfifo(place.root / "pipe")
    observer = place.observer()

    assert observer.look("d") == directory_of("d", {"file": b"f"})
    with pytest.raises(LocalError, match=r"^pipe is neither a file nor a directory$"):
        observer.look("pipe")


def test_a_name_that_no_lock_can_hold_is_an_error(place: Place) -> None:
    write(place.root, "d/ok")
    Path(os.fsdecode(os.fsencode(place.root / "d") + b"/caf\xe9")).touch()

    with pytest.raises(PivotError, match=r"^d: the name caf\\udce9 is not UTF-8"):
        place.observer().look("d")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_an_error(place: Place) -> None:
    write(place.root, "d/secret").chmod(0)

    with pytest.raises(LocalError, match=r"^d/secret: Permission denied"):
        place.observer().look("d")


def test_compiled_files_of_a_source_are_left_out(place: Place) -> None:
    for name in ("a.py", "sub/b.py", "sub/__pycache__/b.cpython-311.pyc", "old.pyc", "x.pyo"):
        write(place.root, f"lib/{name}")
    observer = place.observer()

    source, whole = observer.look("lib", source=True), observer.look("lib")

    assert source == directory_of("lib", {"a.py": b"", "sub/b.py": b"", "x.pyo": b""})
    assert isinstance(whole, Directory)
    assert len(whole.files) == 5


def test_a_directory_of_compiled_files_alone_is_empty(place: Place) -> None:
    write(place.root, "lib/sub/__pycache__/x.pyc")

    seen = place.observer().look("lib", source=True)

    assert seen == directory_of("lib", {}, empty=("sub",))


def test_what_was_seen_is_not_looked_at_again_until_it_is_forgotten(place: Place) -> None:
    write(place.root, "d/x", b"1")
    observer = place.observer()
    first = [observer.look(path) for path in ("d", "d/x", "dd")]
    write(place.root, "d/x", b"2")
    write(place.root, "dd", b"2")
    second = [observer.look(path) for path in ("d", "d/x", "dd")]
    observer.forget("d/x")
    third = [observer.look(path) for path in ("d", "d/x", "dd")]

    assert second == first
    assert third == [directory_of("d", {"x": b"2"}), file_of("d/x", b"2"), None]


def test_forgetting_a_directory_forgets_what_is_in_it(place: Place) -> None:
    write(place.root, "d/x", b"1")
    observer = place.observer()
    observer.look("d/x")
    observer.look("d", source=True)
    write(place.root, "d/x", b"2")
    observer.forget("d")

    assert observer.look("d/x") == file_of("d/x", b"2")
    assert observer.look("d", source=True) == directory_of("d", {"x": b"2"})


def test_another_may_read_the_files(place: Place) -> None:
    write(place.root, "d/x", b"1")

    def read(path: str, found: os.stat_result) -> tuple[Digest, int]:
        place.read.append(path)
        return digest_bytes(b"other"), found.st_size + 4

    seen = place.observer().look("d", read=read)

    assert seen == directory_of("d", {"x": b"other"})
    assert place.read == ["d/x"]


def settled(place: Place, path: str, content: bytes) -> Path:
    """Write a file whose time is long past."""
    file = write(place.root, path, content)
    os.utime(file, ns=LONG_AGO)
    return file


def test_what_is_remembered_is_not_read(place: Place) -> None:
    remembered = Remembered(place.state)
    found = settled(place, "x", b"before").stat()
    remembered.note("x", found, digest(1), read_at=found.st_ctime_ns + 3 * 10**9)

    assert place.observer(remembered).look("x") == File("x", digest(1), 6)
    assert place.observer().look("x") == file_of("x", b"before")


@pytest.mark.parametrize("change", ["content", "replaced", "longer", "touched"])
def test_what_is_remembered_and_has_changed_is_read(place: Place, change: str) -> None:
    file = settled(place, "x", b"before")
    remembered = Remembered(place.state)
    place.observer(remembered).look("x")
    content = b"before" if change == "touched" else b"after!!" if change == "longer" else b"after!"
    if change == "replaced":
        write(place.root, "new", content)
        os.replace(place.root / "new", file)
    else:
        file.write_bytes(content)

    assert place.observer(remembered).look("x") == file_of("x", content)


def test_a_file_that_was_just_written_is_read_again_the_next_time(place: Place) -> None:
    """Changed within a tick of the clock, it would have the same time and size."""
    remembered = Remembered(place.state)
    seen = []
    for content in (b"aaaa", b"bbbb", b"cccc", b"dddd"):
        with (place.root / "x").open("wb") as stream:
            stream.write(content)
        seen.append(place.observer(remembered).look("x"))

    assert seen == [file_of("x", content) for content in (b"aaaa", b"bbbb", b"cccc", b"dddd")]


def test_a_file_that_is_written_while_it_is_read_is_an_error_or_read_whole(place: Place) -> None:
    file = write(place.root, "x", b"0" * 16_000_000)
    stop = threading.Event()

    def churn() -> None:
        with file.open("r+b") as stream:
            for number in range(10**9):
                if stop.is_set():
                    return
                stream.seek(0)
                stream.write(b"%d" % number)
                stream.flush()

    other = threading.Thread(target=churn)
    other.start()
    try:
        with pytest.raises(PivotError, match=r"^x changes while it is read$") as caught:
            for _ in range(1000):
                place.observer().look("x")
    finally:
        stop.set()
        other.join()

    assert caught.value.hint == "let what writes it end first"


def test_a_file_that_grows_once_while_it_is_read_is_read_again(place: Place) -> None:
    file = write(place.root, "x", b"before")
    observer = place.observer()
    found = file.stat()
    file.write_bytes(b"before and after")

    assert observer.digest("x", found) == (digest_bytes(b"before and after"), 16)


def test_a_file_that_goes_before_it_is_read_is_an_error(place: Place) -> None:
    found = write(place.root, "x").stat()
    (place.root / "x").unlink()

    with pytest.raises(LocalError, match=r"^x: No such file"):
        place.observer().digest("x", found)


def test_many_threads_may_look_and_forget(place: Place) -> None:
    for number in range(200):
        settled(place, f"d/{number % 20}/{number}", b"%d" % number)
    observer = place.observer()
    errors: list[BaseException] = []
    expected = place.observer().look("d")

    def work(step: Callable[[], object]) -> None:
        try:
            for _ in range(20):
                step()
        except BaseException as error:  # noqa: BLE001  it is what is looked for
            errors.append(error)

    steps: list[Callable[[], object]] = [
        lambda: observer.look("d"),
        lambda: observer.look("d/3"),
        lambda: observer.forget("d/3"),
        lambda: observer.forget("d"),
    ]
    threads = [threading.Thread(target=work, args=(step,)) for step in steps * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert observer.look("d") == expected


def test_a_deep_directory_is_no_trouble(place: Place) -> None:
    deep = "/".join(["d"] * 400)
    (place.root / deep).mkdir(parents=True)

    assert place.observer().look("d") == directory_of("d", {}, empty=(deep[2:],))


def test_looking_changes_nothing(place: Place) -> None:
    file = settled(place, "d/x", b"x")
    before = file.stat()
    place.observer().look("d")

    after = file.stat()
    assert (after.st_mtime_ns, after.st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns)
    assert not place.state.exists()
