"""Where an output is: what differs in the workspace, and what a cache or remote has of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pivot.objects import Digest, Directory, File, Output, tree_digest
from pivot.whereabouts import Count, Here, There, Whereabouts, locate, total

D = [Digest(f"{number:016x}") for number in range(9)]
FILES = (
    File("out/a", D[1], 10, executable=False),
    File("out/b", D[2], 20, executable=True),
    File("out/c", D[1], 10, executable=False),
)


def directory(*files: File, empty: tuple[str, ...] = (), old: bool = False) -> Directory:
    return Directory("out", tree_digest(files, empty, above="out"), files, empty, old)


OUT = directory(*FILES)


def find(
    output: Output,
    now: Output | None,
    cached: tuple[int, ...] = (),
    kept: dict[int, bool | None] | None = None,
) -> Whereabouts:
    have = {D[number]: 5 for number in cached}
    told = {D[number]: answer for number, answer in (kept or {}).items()}
    ask = None if kept is None else lambda digest: told.get(digest, False)
    return locate(output, lambda: now, have.get, ask)


CHANGED = replace(FILES[0], digest=D[5])
NOT_EXECUTABLE = replace(FILES[1], executable=False)
EXTRA = File("out/x/y.pyc", D[6], 1, executable=False)
CASES = {
    "same": (OUT, OUT, Here.SAME, 3, 0, 0, 0),
    "missing": (OUT, None, Here.MISSING, 0, 0, 3, 0),
    "changed": (OUT, directory(CHANGED, *FILES[1:]), Here.MODIFIED, 2, 1, 0, 0),
    "in part": (OUT, directory(FILES[0]), Here.MODIFIED, 1, 0, 2, 0),
    "mode": (OUT, directory(FILES[0], NOT_EXECUTABLE, FILES[2]), Here.MODIFIED, 2, 1, 0, 0),
    "extra": (OUT, directory(*FILES, EXTRA), Here.MODIFIED, 3, 0, 0, 1),
    "left out": (directory(*FILES, old=True), directory(*FILES, EXTRA), Here.SAME, 3, 0, 0, 0),
    "empty": (OUT, directory(*FILES, empty=("out/e",)), Here.MODIFIED, 3, 0, 0, 0),
    "a file": (OUT, File("out", D[1], 10), Here.MODIFIED, 0, 0, 3, 1),
    "instead": (File("out", D[1]), directory(), Here.MODIFIED, 0, 0, 1, 0),
    "one file": (File("out", D[1]), File("out", D[1], 10, executable=True), Here.SAME, 1, 0, 0, 0),
}


@pytest.mark.parametrize("name", CASES)
def test_the_workspace_is_compared_file_by_file(name: str) -> None:
    output, now, here, same, modified, missing, extra = CASES[name]
    seen = find(output, now)

    counts = (seen.same.files, seen.modified.files, seen.missing.files, seen.extra)
    assert (seen.here, *counts) == (here, same, modified, missing, extra)


def test_cache_and_remote_are_counted_in_files_and_have_three_answers() -> None:
    here = find(OUT, OUT, cached=(1,))
    whole = find(OUT, OUT, cached=(1, 2), kept={1: True, 2: True})
    doubt = find(OUT, OUT, kept={1: True, 2: None})

    assert (here.cache, here.remote) == (There.PARTIAL, There.UNASKED)
    assert here.cached == Count(2, 20)
    assert (whole.cache, whole.remote) == (There.THERE, There.THERE)
    assert (doubt.cache, doubt.remote, doubt.unsaid) == (There.MISSING, There.UNKNOWN, Count(1, 20))
    assert find(OUT, OUT, kept={}).remote is There.MISSING


def test_what_cannot_be_looked_at_is_unknown() -> None:
    seen = locate(OUT, None, {}.get, None)

    assert (seen.here, seen.same, seen.modified, seen.missing) == (Here.UNKNOWN, *(Count(),) * 3)


def test_what_git_keeps_is_in_no_cache() -> None:
    seen = locate(OUT, lambda: OUT, {}.get, lambda _: True, in_git=True)

    assert (seen.cache, seen.remote, seen.kept) == (There.GIT, There.GIT, Count())
    assert total("", [seen, find(OUT, None, cached=(1, 2))]).cache is There.THERE


def test_sizes_that_no_lock_records_are_those_of_the_cache() -> None:
    assert find(File("out", D[1]), None, cached=(1,)).all == Count(1, 5)


def test_of_many_what_needs_attention_is_said() -> None:
    some = [find(OUT, OUT), find(OUT, directory(CHANGED, *FILES[1:])), find(OUT, None)]

    assert total("", some).here is Here.MISSING
    assert total("", some[:2]).here is Here.MODIFIED
    assert total("", some).all == Count(9, 120)
    assert total("", []).here is Here.SAME
