"""What a path would hold with recorded outputs in place, compared with what it then holds."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from pivot.cache import Cache
from pivot.keys import Link
from pivot.objects import Digest, Directory, File, Output, files_of, tree_digest
from pivot.observer import Observer
from pivot.paths import related
from pivot.placement import place
from pivot.plan import Existing, plan_checkout
from pivot.remembered import Remembered
from pivot.repro.overlay import overlay
from pivot.scratch import Scratch
from pivot.workspace import Workspace
from tests.unit.values import directory_of, file_of, paths_of, put_object, stage_output, write

A = file_of("d/a", b"a")


def unknown(digest: Digest) -> int | None:
    raise AssertionError(digest)


def test_without_recorded_outputs_all_is_as_it_is_seen() -> None:
    assert overlay("d", None, (), unknown) is None
    assert overlay("d/a", A, (), unknown) is A


def test_a_recorded_output_replaces_what_is_seen() -> None:
    seen = file_of("d/a", b"before", executable=True)

    assert overlay("d/a", seen, (A,), unknown) == A


def test_a_directory_has_its_own_files_and_those_recorded() -> None:
    seen = directory_of("d", {"own": b"x", "out/old": b"y"}, empty=("e", "out/e"))
    recorded = (directory_of("d/out", {"new": b"z"}), file_of("d/more", b"m"))

    assert overlay("d", seen, recorded, unknown) == directory_of(
        "d", {"more": b"m", "out/new": b"z", "own": b"x"}, empty=("e",)
    )


def test_a_part_of_a_recorded_directory_is_had_from_it() -> None:
    recorded = directory_of("d", {"a": b"a", "sub/x/b": b"b", "sub/c": b"c"}, empty=("sub/e/f",))

    assert overlay("d/a", None, (recorded,), unknown) == file_of("d/a", b"a")
    assert overlay("d/sub", None, (recorded,), unknown) == directory_of(
        "d/sub", {"c": b"c", "x/b": b"b"}, empty=("e/f",)
    )
    assert overlay("d/sub/e", None, (recorded,), unknown) == directory_of(
        "d/sub/e", {}, empty=("f",)
    )


def test_what_a_recorded_directory_does_not_list_is_not_there() -> None:
    seen = file_of("d/b", b"b")

    assert overlay("d/b", seen, (directory_of("d", {"a": b"a"}),), unknown) is None


def test_an_empty_directory_of_a_recorded_one_is_a_directory() -> None:
    recorded = directory_of("d", {}, empty=("sub/e",))

    assert overlay("d/sub/e", None, (recorded,), unknown) == directory_of("d/sub/e", {})


def test_a_recorded_empty_directory_is_one_wherever_it_lies() -> None:
    recorded = directory_of("d/out", {})

    assert overlay("d/out", None, (recorded,), unknown) == recorded
    assert overlay("d", None, (recorded,), unknown) == directory_of("d", {}, empty=("out",))


def test_a_directory_that_gets_something_is_not_empty_any_more() -> None:
    seen = directory_of("d", {}, empty=("a", "b"))
    recorded = (file_of("d/a/x", b""), directory_of("d/b/y", {}))

    assert overlay("d", seen, recorded, unknown) == directory_of("d", {"a/x": b""}, empty=("b/y",))


def test_a_size_that_no_document_says_is_asked_for() -> None:
    bare = replace(A, size=None)

    assert overlay("d/a", None, (bare,), lambda _: 1) == A
    assert overlay("d", None, (bare,), lambda _: 1) == directory_of("d", {"a": b"a"})


def test_the_leniency_of_old_locks_does_not_show() -> None:
    whole = directory_of("d", {"a": b"a"})
    old = replace(whole, files=(replace(whole.files[0], lenient=True),), skips_ignored=True)

    assert overlay("d", None, (old,), unknown) == whole
    assert overlay("d/a", None, (old,), unknown) == A


CONTENTS = [b"", b"x", b"other"]
NAMES = ["a", "a-b", "a.b", "b", "é"]
PATHS = [f"{first}/{second}" for first in NAMES for second in NAMES] + [
    "a/b/a", "a/b/b", "b/a/a/a", "a-b/a/b", "é/a/b"
]  # fmt: skip


@st.composite
def outputs(draw: st.DrawFn, path: str) -> Output:
    def file(name: str, *, executable: bool | None) -> File:
        content = draw(st.sampled_from(CONTENTS))
        if executable:  # an object has one mode
            content += b"!"
        return file_of(name, content, executable=executable)

    if draw(st.booleans()):
        return file(path, executable=draw(st.sampled_from([None, True])))
    names = draw(st.frozensets(st.sampled_from(["a", "b", "c/d", "c/e", "f/g/h"]), max_size=4))
    files = tuple(file(f"{path}/{name}", executable=draw(st.booleans())) for name in sorted(names))
    bare = draw(st.frozensets(st.sampled_from(["i", "c/j", "k/l/m"]), max_size=2))
    empty = tuple(f"{path}/{name}" for name in sorted(bare))
    return Directory(path, tree_digest(files, empty, above=path), files, empty)


@st.composite
def layouts(draw: st.DrawFn) -> tuple[list[Output], list[str], str]:
    """Draw recorded outputs of which none is inside another, the user's files, and a path."""
    chosen: list[str] = []
    for path in draw(st.lists(st.sampled_from(PATHS), unique=True, max_size=4)):
        if not related(path, chosen):
            chosen.append(path)
    recorded = [draw(outputs(path)) for path in chosen]
    own: list[str] = []
    for path in draw(st.lists(st.sampled_from(PATHS), unique=True, max_size=3)):
        if not related(path, [*chosen, *own]):
            own.append(path)
    inside = [file.path for output in recorded for file in files_of(output)]
    inside += [name for o in recorded if isinstance(o, Directory) for name in o.empty]
    places = [path[:end] for path in [*chosen, *inside, *own] for end in _ends(path)]
    return recorded, own, draw(st.sampled_from([*places, "nothing", "a", "b"]))


def _ends(path: str) -> list[int]:
    return [end for end, char in enumerate(path) if char == "/"] + [len(path)]


def put(root: Path, cache: Cache, recorded: Sequence[Output], links: Sequence[Link]) -> None:
    """Place *recorded* as a checkout does."""
    entries = [stage_output("s", output) for output in recorded]
    workspace = Workspace(root, cache, known=paths_of(*recorded))
    found = workspace.observe(entries, existing=Existing.OVERWRITE)
    held = cache.stat({file.digest for output in recorded for file in files_of(output)})
    plan = plan_checkout(entries, cached=held, workspace=found, existing=Existing.OVERWRITE)
    scratch = Scratch(cache.root / "tmp")
    try:
        placed = place(plan, root, cache=cache, scratch=scratch, links=tuple(links))
        assert [each.error for each in placed if each.error] == []
    finally:
        scratch.remove()


@given(layouts(), st.sampled_from(list(Link)), st.booleans())
@settings(max_examples=150, deadline=None)
def test_the_overlay_is_what_is_seen_after_placing(
    layout: tuple[list[Output], list[str], str], link: Link, left: bool
) -> None:
    recorded, own, path = layout
    with TemporaryDirectory() as name:
        root = Path(name)
        cache = Cache(root / ".pivot" / "cache")
        for content in CONTENTS:
            put_object(cache.root, content)
            put_object(cache.root, content + b"!", mode=0o555)
        for each in own:
            write(root, each, b"mine")
        if left and recorded:  # an earlier version stands where an output belongs
            shutil.rmtree(root / recorded[0].path, ignore_errors=True)
            write(root, recorded[0].path, b"x")

        def look() -> Output | None:
            return Observer(root, cache, Remembered(root / "state")).look(path)

        chosen = [output for output in recorded if related(path, [output.path])]
        expected = overlay(path, look(), chosen, unknown)
        put(root, cache, recorded, [link, Link.COPY])

        assert expected == look()
