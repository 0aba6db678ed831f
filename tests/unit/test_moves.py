"""`push`, `fetch` and `checkout` as calls, with a folder as the remote: what they decide."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml

from pivot import api
from pivot.errors import LocalError, UsageError
from pivot.keys import Link
from pivot.plan import Existing
from pivot.transfer import Failed, Moved, Moves
from tests.projects import digest, dump
from tests.unit.bench import Bench

if TYPE_CHECKING:
    from pathlib import Path

    from pivot.session import Session

ONE, TWO = b"one", b"two"


@pytest.fixture(name="bench")
def _bench(tmp_path: Path) -> Bench:
    """Two stages, whose objects are in the cache alone."""
    bench = Bench(tmp_path / "project")
    bench.builder.stage("one", {"one.txt": ONE})
    bench.builder.stage("two", {"two.txt": TWO})
    return bench


def damage(bench: Bench, content: bytes) -> Path:
    """Give an object of the cache other bytes."""
    name = digest(content)
    path = bench.root / f".pivot/cache/files/{name[:2]}/{name[2:]}"
    path.chmod(0o644)
    path.write_bytes(content.upper())
    path.chmod(0o444)
    return path


def taken(bench: Bench) -> None:
    """Track what was imported from a project whose remote is none."""
    document = bench.builder.tracked("taken.txt", b"taken")
    source = dict.fromkeys(("repo", "rev", "rev_lock", "stage", "path"), "x") | {
        "remote": "nonsense://x"
    }
    document.write_text(dump(yaml.safe_load(document.read_text()) | {"source": source}))


def on_remote(bench: Bench) -> set[str]:
    return {path.read_text() for path in bench.nas.rglob("*") if path.is_file()}


def ledgers(bench: Bench) -> list[str]:
    return sorted(path.name for path in bench.root.glob(".pivot/digests/*"))


def test_push_sends_what_the_remote_lacks_and_writes_ledgers(bench: Bench) -> None:
    done = api.push(bench.session())

    assert on_remote(bench) == {"one", "two"}
    assert done.ledgers == (".pivot/digests/one.sha256", ".pivot/digests/two.sha256")
    again = api.push(bench.session())
    assert again.moves == Moves()
    assert again.ledgers == ()


def test_a_dry_push_plans_and_does_nothing(bench: Bench) -> None:
    done = api.push(bench.session(), dry_run=True)

    assert done.plan.transfer.keys() == {digest(ONE), digest(TWO)}
    assert done.moves is None
    assert on_remote(bench) == set()
    assert ledgers(bench) == []


def test_what_could_not_be_pushed_gets_no_ledger(bench: Bench) -> None:
    damage(bench, TWO)

    done = api.push(bench.session())

    assert [problem.digest for problem in done.problems] == [digest(TWO)]
    assert ledgers(bench) == ["one.sha256"]


def test_targets_and_all_of_the_cache_exclude_each_other(bench: Bench) -> None:
    with pytest.raises(UsageError):
        api.push(bench.session(), ["one"], all_cache=True)

    assert on_remote(bench) == set()


def test_all_of_the_cache_is_more_than_the_documents_name(bench: Bench) -> None:
    bench.builder.store(b"three")

    api.push(bench.session(), all_cache=True)

    assert on_remote(bench) == {"one", "two", "three"}


def test_nothing_to_push_needs_no_remote(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "project")
    bench.nas.rmdir()

    done = api.push(bench.session())

    assert (done.moves, done.stopped, done.problems) == (Moves(), None, ())
    assert not bench.nas.exists()


def test_what_the_workspace_alone_has_is_pushed_from_there(bench: Bench) -> None:
    shutil.rmtree(bench.root / ".pivot/cache")
    (bench.root / "one.txt").write_bytes(ONE)

    done = api.push(bench.session())

    assert on_remote(bench) == {"one"}
    assert done.plan.missing == (digest(TWO),)


def test_nothing_to_fetch_needs_no_remote(bench: Bench) -> None:
    bench.nas.rmdir()

    (done,) = api.fetch(bench.session())

    assert (done.moves, done.stopped) == (Moves(), None)
    assert done.plan.present.keys() == {digest(ONE), digest(TWO)}


def test_what_cannot_be_named_in_the_cache_was_not_fetched(bench: Bench) -> None:
    bench.share()
    shutil.rmtree(bench.root / ".pivot/cache/files")
    shelf = bench.root / ".pivot/cache/files" / digest(TWO)[:2]
    shelf.parent.mkdir()
    shelf.write_text("in the way")

    (done,) = api.fetch(bench.session())

    assert done.moves is not None
    assert isinstance(done.moves.stopped, LocalError)
    assert digest(TWO) not in {each.digest for each in done.moves.outcomes}
    shelf.unlink()
    (again,) = api.fetch(bench.session())
    assert not again.problems


def test_a_remote_that_is_none_harms_nobody_but_its_imports(bench: Bench) -> None:
    bench.share()
    taken(bench)
    shutil.rmtree(bench.root / ".pivot/cache")

    own, imported = api.fetch(bench.session())

    assert own.moves is not None
    assert {type(each) for each in own.moves.outcomes} == {Moved}
    assert isinstance(imported.stopped, UsageError)


def test_wrong_bytes_are_not_fetched(bench: Bench) -> None:
    bench.share()
    place = bench.nas / "files" / digest(ONE)[:2] / digest(ONE)[2:]
    place.chmod(0o644)
    place.write_bytes(ONE.upper())
    shutil.rmtree(bench.root / ".pivot/cache")

    (done,) = api.fetch(bench.session())

    assert done.moves is not None
    kinds = {each.digest: type(each) for each in done.moves.outcomes}
    assert kinds == {digest(ONE): Failed, digest(TWO): Moved}


def crowded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Let all of the disk be what is to be spared."""
    monkeypatch.setattr("pivot.room._SPARE", 1 << 60)
    return replace(bench.session(), spare=True)


def test_copies_that_do_not_fit_are_not_begun(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = api.checkout(crowded(bench, monkeypatch), links=[Link.COPY])

    assert isinstance(done.stopped, LocalError)
    assert "checkout_mode" in done.stopped.hint
    assert not (bench.root / "one.txt").exists()


def test_copies_that_are_in_place_need_no_room(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.checkout(bench.session(), links=[Link.COPY])

    done = api.checkout(crowded(bench, monkeypatch), links=[Link.COPY])

    assert (done.stopped, done.problems) == (None, ())


def test_what_does_not_fit_is_not_fetched(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.share()
    shutil.rmtree(bench.root / ".pivot/cache")

    (done,) = api.fetch(crowded(bench, monkeypatch))

    assert isinstance(done.stopped, LocalError)
    assert not (bench.root / ".pivot/cache/files").exists()


def test_a_stale_ledger_is_told_of_where_its_output_is_placed(bench: Bench) -> None:
    api.push(bench.session())
    ledger = bench.root / ".pivot/digests/one.sha256"
    ledger.write_text(ledger.read_text().replace(digest(ONE), "0" * 16))

    first = api.checkout(bench.session(), existing=Existing.UPDATE)
    second = api.checkout(bench.session(), existing=Existing.UPDATE)

    assert ["one.txt" in warning for warning in first.warnings] == [True]
    assert second.warnings == ()


def test_what_is_imported_gets_no_ledger_here(bench: Bench) -> None:
    taken(bench)

    api.push(bench.session())

    assert ledgers(bench) == ["one.sha256", "two.sha256"]
    assert on_remote(bench) == {"one", "two"}


@pytest.mark.parametrize("instead", [b"longer", None])
def test_a_damaged_object_that_is_likely_to_be_placed_is_read_first(
    bench: Bench, instead: bytes | None
) -> None:
    damage(bench, ONE)
    if instead is not None:
        (bench.root / "one.txt").write_bytes(instead)

    done = api.checkout(bench.session(), existing=Existing.OVERWRITE, links=[Link.COPY])

    assert [problem.path for problem in done.problems] == ["one.txt"]
    assert (bench.root / "one.txt").exists() == (instead is not None)
