"""What stands where outputs belong: compared with the lock and with a real cache."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from pivot.cache import Cache
from pivot.errors import UnsafePath
from pivot.objects import Digest, File, Output, Sha256, digest_bytes, object_name
from pivot.plan import Existing, Found, Is, Step, plan_checkout
from pivot.tree import Blocked
from pivot.workspace import Workspace, find_contents
from tests.unit.values import directory_of, file_of, paths_of, put_object, stage_output, write

X = file_of("d/x", b"right")


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    return root


def cache_of(root: Path) -> Path:
    return root / ".pivot" / "cache"


def observe(
    root: Path,
    output: Output,
    existing: Existing = Existing.UPDATE,
    fetched: tuple[Digest, ...] = (),
    known: tuple[str, ...] = (),
) -> Found:
    paths = paths_of(output) | {*known}
    workspace = Workspace(root, Cache(cache_of(root)), known=paths, fetched=fetched)
    return workspace.observe([stage_output("s", output)], existing=existing)[output.path]


def seen(root: Path, file: File, existing: Existing = Existing.UPDATE) -> Is:
    return observe(root, file, existing).files[file.path]


def test_nothing_stands_there(root: Path) -> None:
    assert seen(root, X) is Is.ABSENT


def test_the_right_content_stands_there(root: Path) -> None:
    write(root, "d/x", b"right")

    assert seen(root, X) is Is.SAME


def test_a_hard_link_to_the_object_is_the_object_without_being_read(root: Path) -> None:
    put_object(cache_of(root), b"right")
    (root / "d").mkdir()
    os.link(cache_of(root) / object_name(X.digest), root / "d/x")

    assert seen(root, X) is Is.SAME


@pytest.mark.parametrize("content", [b"RIGHT", b"right and more"])
def test_a_hard_link_to_an_object_that_may_have_been_edited_is_read(
    root: Path, content: bytes
) -> None:
    put_object(cache_of(root), b"right", mode=0o644)
    (root / "d").mkdir()
    os.link(cache_of(root) / object_name(X.digest), root / "d/x")
    assert seen(root, X) is Is.SAME

    (root / "d/x").write_bytes(content)
    assert seen(root, X) is Is.DIFFERENT


@pytest.mark.parametrize("content", [b"other", b"longer than that"])
def test_an_update_wants_to_know_whether_the_cache_has_what_stands_there(
    root: Path, content: bytes
) -> None:
    write(root, "d/x", content)
    assert seen(root, X) is Is.DIFFERENT

    put_object(cache_of(root), content)
    assert seen(root, X) is Is.CACHED


@pytest.mark.parametrize("existing", Existing)
def test_a_file_of_the_right_size_with_other_bytes_is_never_the_same(
    root: Path, existing: Existing
) -> None:
    write(root, "d/x", b"RIGHT")

    assert seen(root, X, existing) is Is.DIFFERENT


def test_a_damaged_object_is_not_a_copy_of_what_stands_there(root: Path) -> None:
    write(root, "d/x", b"only here")
    place = cache_of(root) / object_name(digest_bytes(b"only here"))
    place.parent.mkdir(parents=True)
    place.write_bytes(b"only")

    assert seen(root, X) is Is.DIFFERENT


def test_what_will_be_fetched_counts_as_cached(root: Path) -> None:
    write(root, "d/x", b"other")

    found = observe(root, X, fetched=(digest_bytes(b"other"),))

    assert found.files["d/x"] is Is.CACHED


@pytest.mark.parametrize(
    ("recorded", "mode", "expected"),
    [
        (True, 0o755, Is.SAME),
        (True, 0o644, Is.SAME_BUT_MODE),
        (False, 0o644, Is.SAME),
        (False, 0o755, Is.SAME_BUT_MODE),
        (None, 0o755, Is.SAME),
        (None, 0o644, Is.SAME),
        (False, 0o611, Is.SAME),
    ],
)
def test_the_owners_x_bit_is_compared_where_it_is_recorded(
    root: Path, recorded: bool | None, mode: int, expected: Is
) -> None:
    write(root, "d/x", b"right").chmod(mode)

    assert seen(root, replace(X, executable=recorded)) is expected
    assert seen(root, replace(X, executable=recorded, lenient=True)) is Is.SAME


@pytest.mark.parametrize("relative", [False, True])
def test_a_link_to_the_right_object_is_the_file(root: Path, relative: bool) -> None:
    put_object(cache_of(root), b"right")
    (root / "d").mkdir()
    target = object_name(X.digest)
    (root / "d/x").symlink_to(f"../.pivot/cache/{target}" if relative else cache_of(root) / target)

    assert seen(root, X) is Is.SAME


def test_a_link_to_an_object_that_is_gone_is_not_the_file(root: Path) -> None:
    (root / "d").mkdir()
    (root / "d/x").symlink_to(cache_of(root) / object_name(X.digest))
    (cache_of(root) / "files").mkdir(parents=True)

    assert seen(root, X) is Is.ABSENT


def test_a_link_to_another_object_can_be_replaced(root: Path) -> None:
    other = put_object(cache_of(root), b"other")
    (root / "d").mkdir()
    (root / "d/x").symlink_to(cache_of(root) / object_name(other))

    assert seen(root, X) is Is.CACHED


@pytest.mark.parametrize(
    "target",
    ["elsewhere", "/etc/passwd", ".", "../.pivot/cache/files/ab", "../.pivot/cache/files/ab/notes"],
)
def test_a_link_to_anything_else_is_the_users(root: Path, target: str) -> None:
    (cache_of(root) / "files").mkdir(parents=True)
    write(root, "d/elsewhere", b"right")
    (root / "d/x").symlink_to(target)

    assert seen(root, X) is Is.DIFFERENT


def test_a_directory_where_a_file_belongs_is_different(root: Path) -> None:
    write(root, "d/x/inside")

    assert seen(root, X) is Is.DIFFERENT


def test_an_output_below_a_symlink_has_a_problem_and_no_answer(root: Path) -> None:
    (root / "d").symlink_to("elsewhere")

    assert isinstance(observe(root, X).problem, UnsafePath)


def test_an_output_below_a_file_has_a_problem_and_no_answer(root: Path) -> None:
    write(root, "d")

    assert isinstance(observe(root, X).problem, Blocked)


PARTS = directory_of("parts", {"a": b"a", "sub/b": b"b"})


def test_a_directory_that_is_not_there_is_absent_with_all_its_files(root: Path) -> None:
    found = observe(root, PARTS)

    assert found == Found({"parts/a": Is.ABSENT, "parts/sub/b": Is.ABSENT}, whole=Is.ABSENT)


def test_a_directory_is_compared_file_by_file(root: Path) -> None:
    write(root, "parts/a", b"a")
    write(root, "parts/sub/b", b"changed")

    found = observe(root, PARTS)

    assert found == Found({"parts/a": Is.SAME, "parts/sub/b": Is.DIFFERENT})


def test_files_that_the_lock_does_not_list_are_found_at_any_depth(root: Path) -> None:
    put_object(cache_of(root), b"an old one")
    write(root, "parts/old", b"an old one")
    write(root, "parts/sub/deep/mine", b"mine")
    (root / "parts" / "link").symlink_to("nowhere")

    update = observe(root, PARTS)
    keep = observe(root, PARTS, Existing.KEEP)

    assert update.extra == {"parts/old": Is.CACHED, "parts/sub/deep/mine": Is.DIFFERENT}
    assert keep.extra == {}


def test_a_link_to_an_object_that_the_lock_does_not_list_is_a_file_too(root: Path) -> None:
    old = put_object(cache_of(root), b"an old one")
    (root / "parts").mkdir()
    (root / "parts" / "old").symlink_to(cache_of(root) / object_name(old))

    assert observe(root, PARTS).extra == {"parts/old": Is.CACHED}


def test_names_that_old_releases_left_out_are_no_difference(root: Path) -> None:
    write(root, "parts/__pycache__/m.pyc")
    write(root, "parts/x~")

    old, new = replace(PARTS, skips_ignored=True), PARTS

    assert observe(root, old).extra == {}
    assert observe(root, new).extra.keys() == {"parts/__pycache__/m.pyc", "parts/x~"}


def test_what_another_document_names_is_not_a_stranger_there(root: Path) -> None:
    write(root, "parts/inner", b"inner")
    put_object(cache_of(root), b"inner")

    assert observe(root, PARTS).extra == {"parts/inner": Is.CACHED}
    assert observe(root, PARTS, known=("parts/inner",)).extra == {}


def test_what_git_has_is_not_a_stranger_there(root: Path) -> None:
    for name in (".gitkeep", "sub/[a]*.txt", "mine"):
        write(root, f"parts/{name}")
    put_object(cache_of(root), b"")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run(["git", "add", "parts/.gitkeep", "parts/sub"], cwd=root, check=True)

    assert observe(root, PARTS).extra == {"parts/mine": Is.CACHED}


def test_a_pipe_in_a_directory_makes_nobody_wait(root: Path) -> None:
    (root / "parts").mkdir()
    os.mkfifo(root / "parts" / "pipe")
    answers: list[Found] = []
    asker = threading.Thread(target=lambda: answers.append(observe(root, PARTS)), daemon=True)

    asker.start()
    asker.join(10)

    assert [found.extra for found in answers] == [{"parts/pipe": Is.DIFFERENT}]


@pytest.mark.parametrize(
    ("existing", "cached", "whole"),
    [
        (Existing.UPDATE, True, Is.CACHED),
        (Existing.UPDATE, False, Is.DIFFERENT),
        (Existing.REFUSE, False, Is.DIFFERENT),
    ],
)
def test_a_file_where_a_directory_belongs(
    root: Path, existing: Existing, cached: bool, whole: Is
) -> None:
    write(root, "parts", b"a file")
    if cached:
        put_object(cache_of(root), b"a file")

    assert observe(root, PARTS, existing).whole is whole


def test_a_link_to_the_real_pivots_tree_is_the_directory(root: Path) -> None:
    tree = cache_of(root) / object_name(PARTS.digest)
    write(tree, "a", b"a")
    (root / "parts").symlink_to(tree)

    found = observe(root, PARTS)
    (plan,) = plan_checkout(
        [stage_output("s", PARTS)], cached=[], workspace={"parts": found}, existing=Existing.REFUSE
    )

    assert found.whole is Is.SAME
    assert plan.paths(Step.LEAVE) == ["parts/a", "parts/sub/b"]
    assert not plan.remove


def test_a_link_elsewhere_where_a_directory_belongs_is_the_users(root: Path) -> None:
    (cache_of(root) / "files").mkdir(parents=True)
    (root / "parts").symlink_to("/usr")

    assert observe(root, PARTS).whole is Is.DIFFERENT


def test_a_file_is_found_where_its_content_is_right(root: Path) -> None:
    workspace = Workspace(root, Cache(cache_of(root)))
    assert not workspace.find(X)

    write(root, "d/x", b"right").chmod(0o755)
    assert workspace.find(X)
    assert not workspace.find(replace(X, digest=digest_bytes(b"other")))

    (root / "d/x").unlink()
    (root / "d/x").symlink_to(write(root, "y", b"right"))
    assert not workspace.find(X)
    assert not workspace.find(replace(X, path="y/x"))

    (root / "e/x").mkdir(parents=True)
    assert not workspace.find(replace(X, path="e/x"))
    (root / "link").symlink_to(write(root, "f/x", b"right").parent)
    assert not workspace.find(replace(X, path="link/x"))


def test_contents_are_found_once_each_at_their_own_paths(root: Path) -> None:
    entries = [
        stage_output("s", output)
        for output in (X, replace(X, path="again"), PARTS, file_of("n", b"n"))
    ]
    for path, content in {"d/x": b"right", "again": b"right", "parts/a": b"a", "n": b"n"}.items():
        write(root, path, content)
    cache = Cache(cache_of(root))
    asked = frozenset(digest_bytes(content) for content in (b"right", b"a", b"b"))

    assert find_contents(root, cache, entries, asked) == {
        X.digest: root / "d/x",
        digest_bytes(b"a"): root / "parts/a",
    }
    assert find_contents(root, cache, entries, frozenset()) == {}


@pytest.mark.parametrize("existing", Existing)
def test_a_file_whose_size_nobody_recorded_is_read(root: Path, existing: Existing) -> None:
    write(root, "d/x", b"right")

    assert seen(root, replace(X, size=None), existing) is Is.SAME


def test_a_file_that_fits_its_digest_and_not_its_sha256_was_forged(root: Path) -> None:
    write(root, "d/x", b"right")
    entry = replace(stage_output("s", X), sums={"d/x": Sha256("0" * 64)})
    workspace = Workspace(root, Cache(cache_of(root)))

    found = workspace.observe([entry], existing=Existing.UPDATE)

    assert found["d/x"].files == {"d/x": Is.CACHED}


def test_what_git_cannot_tell_of_is_the_users(root: Path) -> None:
    write(root, "parts/old")
    put_object(cache_of(root), b"")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    (root / ".git/index").write_bytes(b"no index")

    assert observe(root, PARTS).extra == {}


@pytest.mark.parametrize("folds", [True, False])
def test_names_that_the_file_system_takes_for_one_are_refused(root: Path, folds: bool) -> None:
    (root / ".pivot").mkdir()
    if folds:
        (root / ".PIVOT").symlink_to(".pivot")  # as a file system does that folds them
    entries = [stage_output("s", file_of(name, b"x")) for name in ("d/x", "D/X", "y")]

    found = Workspace(root, Cache(cache_of(root))).observe(entries, existing=Existing.REFUSE)

    refused = {path for path, each in found.items() if isinstance(each.problem, UnsafePath)}
    assert bool(refused & {"d/x", "D/X"}) == folds
    assert found["y"].problem is None


def test_a_link_into_the_cache_is_no_file_to_be_found(root: Path) -> None:
    put_object(cache_of(root), b"right")
    (root / "d").mkdir()
    (root / "d/x").symlink_to(cache_of(root) / object_name(X.digest))

    assert not Workspace(root, Cache(cache_of(root))).find(X)


def test_a_link_to_another_tree_of_the_cache_can_be_replaced(root: Path) -> None:
    tree = cache_of(root) / object_name(Digest("0" * 16))
    write(tree, "a", b"a")
    (root / "parts").symlink_to(tree)

    assert observe(root, PARTS).whole is Is.CACHED


def test_a_socket_where_a_directory_belongs_is_different(root: Path) -> None:
    os.mknod(root / "parts", stat.S_IFSOCK | 0o600)

    found = observe(root, PARTS)

    assert (found.whole, found.problem) == (Is.DIFFERENT, None)
