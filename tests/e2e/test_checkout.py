"""What checkout and pull do with what is already there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.conftest import Command, Done
from tests.e2e.built import DIRECTORY, FILE, FILES, LOCAL, NEW, OLD
from tests.projects import Node, ProjectBuilder, digest, tree, tree_digest

Arrange: TypeAlias = Callable[[ProjectBuilder], None]


@dataclass(frozen=True)
class Way:
    """A command that places files, and what it does with files that are not what locks say."""

    command: tuple[str, ...]
    updates: bool = False
    keeps: bool = False
    forces: bool = False


WAYS = {
    "checkout": Way(("checkout",)),
    "pull": Way(("pull",), updates=True),
    "only-missing": Way(("checkout", "--only-missing"), keeps=True),
    "pull-only-missing": Way(("pull", "--only-missing"), keeps=True),
    "force": Way(("checkout", "--force"), forces=True),
    "pull-force": Way(("pull", "--force"), forces=True),
}


@pytest.fixture(name="way", params=WAYS)
def _way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


def absent(built: ProjectBuilder) -> None:
    del built


def same(built: ProjectBuilder) -> None:
    built.workspace(FILE, NEW)


def different(built: ProjectBuilder) -> None:
    built.workspace(FILE, LOCAL)


def older(built: ProjectBuilder) -> None:
    built.workspace(FILE, OLD)


def link_elsewhere(built: ProjectBuilder) -> None:
    (built.root / "data").mkdir()
    (built.root / FILE).symlink_to(built.workspace("mine.bin", LOCAL))


def dangling_link(built: ProjectBuilder) -> None:
    (built.root / "data").mkdir()
    (built.root / FILE).symlink_to("nowhere")


def directory_in_the_way(built: ProjectBuilder) -> None:
    built.workspace(f"{FILE}/precious.txt", LOCAL)


@pytest.mark.parametrize(
    "arrange",
    [absent, same, different, older, link_elsewhere, dangling_link, directory_in_the_way],
)
def test_a_file_is_placed_kept_or_refused(
    arrange: Arrange, way: Way, built: ProjectBuilder, bare_pivot: Command
) -> None:
    arrange(built)
    before = tree(built.root)

    done = bare_pivot(*way.command, "train", cwd=built.root)

    after = tree(built.root)
    if arrange is same or (way.keeps and arrange is not absent):
        assert (done.code, after) == (0, before), done
        assert "Skipped 1 file(s) (already exist)\n" in done.out
    elif arrange is absent or way.forces or (way.updates and arrange is older):
        assert done.code == 0, done
        assert "Restored 1 file(s)\n" in done.out
        assert after.pop(FILE)[0] == NEW
        assert after == {path: node for path, node in before.items() if not path.startswith(FILE)}
    else:
        assert (done.code, after) == (1, before), done
        assert f"'{FILE}' already exists with different content." in done.err
        assert "Use --force to overwrite or --only-missing to skip existing files." in done.err


def placed(built: ProjectBuilder, contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        built.workspace(f"{DIRECTORY}/{name}", content)


def no_directory(built: ProjectBuilder) -> None:
    del built


def same_directory(built: ProjectBuilder) -> None:
    placed(built, FILES)


def one_missing(built: ProjectBuilder) -> None:
    placed(built, {"a.txt": FILES["a.txt"]})


def edited(built: ProjectBuilder) -> None:
    placed(built, FILES | {"a.txt": LOCAL})


def extra(built: ProjectBuilder) -> None:
    placed(built, FILES | {"sub/extra.txt": LOCAL})


def stale(built: ProjectBuilder) -> None:
    placed(built, FILES | {"a.txt": OLD, "gone/stale.txt": OLD})


def whole_link(built: ProjectBuilder) -> None:
    """Make what the real Pivot leaves when it prefers symlinks: one link to a tree in the cache."""
    manifest = [
        {"relpath": name, "hash": digest(data), "size": len(data), "isexec": False}
        for name, data in FILES.items()
    ]
    name = tree_digest(manifest)
    kept = built.root / ".pivot/cache/files" / name[:2] / name[2:]
    for path, content in FILES.items():
        (kept / path).parent.mkdir(parents=True, exist_ok=True)
        (kept / path).write_bytes(content)
    (built.root / "data").mkdir()
    (built.root / DIRECTORY).symlink_to(kept)


def file_in_the_way(built: ProjectBuilder) -> None:
    built.workspace(DIRECTORY, LOCAL)


def link_to_another_directory(built: ProjectBuilder) -> None:
    mine = built.workspace("mine/precious.txt", LOCAL)
    (built.root / "data").mkdir()
    (built.root / DIRECTORY).symlink_to(mine.parent)


@pytest.mark.parametrize(
    "arrange",
    [
        no_directory,
        same_directory,
        one_missing,
        edited,
        extra,
        stale,
        whole_link,
        file_in_the_way,
        link_to_another_directory,
    ],
)
def test_a_directory_is_placed_kept_or_refused(
    arrange: Arrange, way: Way, built: ProjectBuilder, bare_pivot: Command
) -> None:
    arrange(built)
    before = tree(built.root)

    done = bare_pivot(*way.command, "split", cwd=built.root)

    after = tree(built.root)
    fills = arrange in {no_directory, one_missing}
    if arrange in {same_directory, whole_link} or (way.keeps and not fills):
        assert (done.code, after) == (0, before), done
    elif fills or way.forces or (way.updates and arrange is stale):
        assert done.code == 0, done
        left = {path: node[0] for path, node in after.items()}
        others = {path: node[0] for path, node in before.items() if path.startswith("mine")}
        assert left == others | {f"{DIRECTORY}/{name}": data for name, data in FILES.items()}
        assert not (built.root / DIRECTORY / "gone").exists()
    else:
        assert (done.code, after) == (1, before), done
        assert f"'{DIRECTORY}" in done.err
        assert "--force" in done.err


def test_local_changes_in_a_directory_are_named(built: ProjectBuilder, bare_pivot: Command) -> None:
    placed(built, FILES | {"a.txt": LOCAL, "extra.txt": LOCAL})

    done = bare_pivot("pull", "split", cwd=built.root)

    assert done.code == 1
    assert done.err.startswith(
        f"Error: '{DIRECTORY}' has local changes that are not in the cache: extra.txt, a.txt. "
    )


@pytest.mark.parametrize("mode", ["hardlink", "symlink", "copy"])
def test_a_new_lock_brings_the_workspace_up_to_date(
    mode: str, built: ProjectBuilder, tmp_path: Path, bare_pivot: Command
) -> None:
    bare_pivot("pull", "--checkout-mode", mode, cwd=built.root)
    built.stage("train", {FILE: b"newest"})
    built.stage("split", {DIRECTORY: {"a.txt": b"a, newest", "c.txt": b"c"}})
    for content in (b"newest", b"a, newest", b"c"):
        name = f"files/{digest(content)[:2]}/{digest(content)[2:]}"
        (tmp_path / "remote" / name).parent.mkdir(exist_ok=True)
        shutil.move(built.root / ".pivot/cache" / name, tmp_path / "remote" / name)

    done = bare_pivot("pull", "--checkout-mode", mode, cwd=built.root)

    assert done.out.splitlines() == [
        "Fetched from 'nas': 3 transferred, 0 skipped, 0 failed",
        "Restored 3 file(s)",
        "Removed 1 file(s) (no longer in the lock)",
    ]
    found = {p.relative_to(built.root): p.read_bytes() for p in all_files(built.root / "data")}
    assert found == {
        Path(FILE): b"newest",
        Path(DIRECTORY, "a.txt"): b"a, newest",
        Path(DIRECTORY, "c.txt"): b"c",
    }


def all_files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if not path.is_dir()]


@pytest.mark.parametrize("command", ["checkout", "pull"])
def test_a_directory_with_a_missing_object_is_not_half_restored(
    command: str, built: ProjectBuilder, tmp_path: Path, bare_pivot: Command
) -> None:
    name = digest(FILES["sub/b.txt"])
    for place in (built.root / ".pivot/cache", tmp_path / "remote"):
        (place / "files" / name[:2] / name[2:]).unlink()

    done = bare_pivot(command, cwd=built.root)

    assert done.code == 3, done
    assert f"{DIRECTORY}/sub/b.txt" in done.out + done.err
    assert "Restored 1 file(s)\n" in done.out
    assert (built.root / FILE).read_bytes() == NEW
    assert not (built.root / DIRECTORY).exists()


def counts(done: Done) -> list[str]:
    return [line for line in done.out.splitlines() if not line.startswith("Fetched")]


@pytest.mark.parametrize("command", ["checkout", "pull"])
def test_force_and_only_missing_exclude_each_other(
    command: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    done = bare_pivot(command, "--force", "--only-missing", cwd=built.root)

    assert (done.code, counts(done)) == (2, [])
    assert done.err == "Error: --force and --only-missing are mutually exclusive\n"


def test_what_is_beside_an_output_is_left_alone(built: ProjectBuilder, bare_pivot: Command) -> None:
    built.workspace("data/notes.txt", LOCAL)
    built.workspace("data/tree.txt", LOCAL)

    done = bare_pivot("pull", "--force", cwd=built.root)

    assert done.code == 0, done
    beside: list[Node] = [tree(built.root)[f"data/{name}.txt"] for name in ("notes", "tree")]
    assert beside == [(LOCAL, 0o644), (LOCAL, 0o644)]
