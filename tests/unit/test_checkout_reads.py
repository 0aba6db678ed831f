"""What a checkout reads of files that are in place: nothing, once it knows them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pivot import api
from pivot.cache import Cache
from pivot.errors import ExitCode
from pivot.keys import Link
from pivot.objects import Promise
from pivot.plan import Existing
from tests.projects import digest
from tests.unit.bench import Bench
from tests.unit.values import put_object

SIZE = 4 << 20
BIG = bytes(range(256)) * (SIZE // 256)


def read_by_us() -> int:
    """Say how many bytes this process has read so far."""
    for line in Path("/proc/self/io").read_text().splitlines():
        if line.startswith("rchar:"):
            return int(line.partition(":")[2])
    raise AssertionError


@pytest.fixture(name="bench")
def _bench(tmp_path: Path) -> Bench:
    """Outputs that are in place as copies, with ledgers, and old enough to be known again."""
    bench = Bench(tmp_path / "project")
    bench.builder.stage("make", {"out.bin": BIG, "many": {f"{n}": b"%d" % n for n in range(50)}})
    bench.share()
    api.push(bench.session())
    checkout(bench)
    time.sleep(0.05)  # what was written in the tick in which it is read is never believed
    return bench


def checkout(bench: Bench, link: Link = Link.COPY, *, dry_run: bool = False) -> int:
    """Check out, by copies or links; the answer is how many bytes were read for it."""
    before = read_by_us()
    done = api.checkout(bench.session(), existing=Existing.UPDATE, links=[link], dry_run=dry_run)
    assert not done.problems
    return read_by_us() - before


def test_what_has_not_changed_is_read_once(bench: Bench) -> None:
    assert (bench.root / ".pivot/digests/make.sha256").exists()

    first, second = checkout(bench), checkout(bench)

    assert first > SIZE
    assert second < SIZE // 4


def test_a_dry_run_writes_nothing_down(bench: Bench) -> None:
    assert checkout(bench, dry_run=True) > SIZE
    assert checkout(bench, dry_run=True) > SIZE


def test_a_change_that_sets_the_time_back_is_seen(bench: Bench) -> None:
    place = bench.root / "out.bin"
    checkout(bench)
    before = place.stat()
    place.chmod(0o644)
    with place.open("r+b") as file:
        file.write(b"edited")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))

    done = api.checkout(bench.session(), existing=Existing.REFUSE, links=[Link.COPY])

    assert [problem.path for problem in done.problems] == ["out.bin"]
    assert place.read_bytes().startswith(b"edited")


def test_what_was_read_for_its_digest_alone_is_read_for_a_ledger(bench: Bench) -> None:
    ledger = bench.root / ".pivot/digests/make.sha256"
    text = ledger.read_text()
    ledger.unlink()
    checkout(bench)  # there is nothing to read it by SHA-256 for
    ledger.write_text(text)

    assert checkout(bench) > SIZE
    assert checkout(bench) < SIZE // 4


def test_a_content_that_is_remembered_is_not_believed_against_a_ledger(bench: Bench) -> None:
    checkout(bench)
    ledger = bench.root / ".pivot/digests/make.sha256"
    lines = ledger.read_text().splitlines()
    (_, place) = (n for n, line in enumerate(lines) if line.endswith("  out.bin"))
    lines[place] = f"{'0' * 64}  out.bin"
    ledger.write_text("\n".join([*lines, ""]))
    (bench.root / f".pivot/cache/files/{digest(BIG)[:2]}/{digest(BIG)[2:]}").unlink()

    done = api.checkout(bench.session(), existing=Existing.REFUSE, links=[Link.COPY])

    assert [problem.path for problem in done.problems] == ["out.bin"]


@pytest.mark.parametrize("link", [Link.HARDLINK, Link.SYMLINK])
@pytest.mark.parametrize("ledger", [True, False])
def test_objects_that_are_linked_to_are_read_once(tmp_path: Path, link: Link, ledger: bool) -> None:
    bench = Bench(tmp_path / "project")
    bench.builder.stage("make", {"out.bin": BIG})
    if ledger:
        bench.share()
        api.push(bench.session())
        (bench.root / ".pivot/cache/checked.json").unlink()

    checkout(bench, link)

    assert checkout(bench, link) < SIZE // 4


def test_a_linked_object_that_changed_is_read_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "project")
    bench.builder.stage("make", {"out.bin": BIG})
    checkout(bench, Link.SYMLINK)
    place = bench.root / "out.bin"
    place.chmod(0o644)  # that of the object
    with place.open("r+b") as file:
        file.write(b"edited")
    place.chmod(0o444)

    done = api.checkout(bench.session(), existing=Existing.UPDATE, links=[Link.SYMLINK])

    assert [problem.path for problem in done.problems] == ["out.bin"]


@pytest.mark.parametrize("coming", [True, False], ids=["brought", "removed"])
def test_what_others_did_while_objects_were_read_counts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, coming: bool
) -> None:
    """An object that comes, or goes, while another one is read is seen as it is then."""
    number = b"7"
    (bench.root / ".pivot/cache/checked.json").unlink()
    (bench.root / "many/7").unlink()
    if coming:
        bench.lose(number, also_on_remote=False)
    verify = Cache.verify

    def slow(cache: Cache, promise: Promise, *, note: bool = True) -> None:
        verify(cache, promise, note=note)
        if coming and promise.digest == digest(BIG):
            put_object(cache.root, number)
        elif promise.digest == digest(number):
            bench.lose(number)

    monkeypatch.setattr(Cache, "verify", slow)
    done = api.checkout(bench.session(), existing=Existing.UPDATE, links=[Link.COPY])

    assert (bench.root / "many/7").exists() == coming
    assert [problem.code for problem in done.problems] == ([] if coming else [ExitCode.MISSING])
