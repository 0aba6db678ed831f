"""What checkout and pull do with what is already there; and how files are placed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.conftest import Command, Done
from tests.projects import Node, ProjectBuilder, digest, tree, tree_digest

NEW, OLD, LOCAL = b"new content", b"old content", b"local edit"
FILE, DIRECTORY = "data/model.bin", "data/tree"
FILES = {"a.txt": b"a, new", "sub/b.txt": b"b, new"}

Arrange: TypeAlias = Callable[[ProjectBuilder], None]


@pytest.fixture(name="built")
def _built(tmp_path: Path) -> ProjectBuilder:
    """A project whose lock files name what its cache and its remote have."""
    built = ProjectBuilder(tmp_path / "project")
    built.stage("train", {FILE: NEW})
    built.stage("split", {DIRECTORY: FILES})
    built.store(OLD)
    shutil.copytree(built.root / ".pivot/cache", tmp_path / "remote")
    return built.config(f"folders:\n  nas: file://{tmp_path}/remote\n")


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


def inode(path: Path) -> int:
    return path.lstat().st_ino


def mode_of(path: Path) -> int:
    return path.lstat().st_mode & 0o777


def object_of(built: ProjectBuilder, content: bytes) -> Path:
    return built.root / ".pivot/cache/files" / digest(content)[:2] / digest(content)[2:]


def test_hardlinks_are_the_objects_themselves(built: ProjectBuilder, bare_pivot: Command) -> None:
    bare_pivot("checkout", "--checkout-mode", "hardlink", cwd=built.root)

    for path, content in ((FILE, NEW), (f"{DIRECTORY}/a.txt", FILES["a.txt"])):
        assert inode(built.root / path) == inode(object_of(built, content))
        assert mode_of(built.root / path) == 0o444


def test_copies_are_files_of_their_own(built: ProjectBuilder, bare_pivot: Command) -> None:
    bare_pivot("checkout", "--checkout-mode", "copy", cwd=built.root)

    for path, content in ((FILE, NEW), (f"{DIRECTORY}/a.txt", FILES["a.txt"])):
        assert inode(built.root / path) != inode(object_of(built, content))
        assert mode_of(built.root / path) == 0o644


def test_symlinks_are_absolute(built: ProjectBuilder, bare_pivot: Command) -> None:
    bare_pivot("checkout", "--checkout-mode", "symlink", cwd=built.root)

    for path, content in ((FILE, NEW), (f"{DIRECTORY}/sub/b.txt", FILES["sub/b.txt"])):
        assert (built.root / path).readlink() == object_of(built, content)


@pytest.mark.parametrize("mode", ["hardlink", "symlink", "copy"])
def test_files_placed_in_any_mode_are_in_place_the_next_time(
    mode: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    bare_pivot("checkout", "--checkout-mode", mode, cwd=built.root)

    done = bare_pivot("checkout", cwd=built.root)

    assert (done.code, done.out) == (0, "Skipped 3 file(s) (already exist)\n")


@pytest.mark.parametrize("mode", ["hardlink", "symlink", "copy"])
@pytest.mark.parametrize("stored", [0o444, 0o555])
def test_the_recorded_executable_bit_is_placed_whatever_the_object_has(
    mode: str, stored: int, built: ProjectBuilder, bare_pivot: Command
) -> None:
    content = b"#!/bin/sh\n"
    built.stage("scripts", {"data/bin": {"run.sh": (content, True), "copy.txt": content}})
    object_of(built, content).chmod(stored)

    done = bare_pivot("checkout", "scripts", "--checkout-mode", mode, cwd=built.root)

    assert done.code == 0, done
    assert (built.root / "data/bin/run.sh").stat().st_mode & 0o100
    assert not (built.root / "data/bin/copy.txt").stat().st_mode & 0o111
    assert mode_of(object_of(built, content)) == stored, "an object is never changed"


@pytest.mark.parametrize("command", ["checkout", "pull"])
def test_a_lost_executable_bit_is_put_right(
    command: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    built.stage("scripts", {"data/bin": {"run.sh": (b"#!/bin/sh\n", True)}})
    (built.root / ".pivot/stages/split.lock").unlink()
    (built.root / ".pivot/stages/train.lock").unlink()
    built.workspace("data/bin/run.sh", b"#!/bin/sh\n")

    done = bare_pivot(command, cwd=built.root)

    assert done.code == 0, done
    assert (built.root / "data/bin/run.sh").stat().st_mode & 0o100


@pytest.fixture(name="elsewhere")
def _elsewhere(built: ProjectBuilder) -> Iterator[Path]:
    """The project's cache, on another file system."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == built.root.stat().st_dev:
        pytest.skip("/dev/shm is not a file system of its own")
    place = memory / f"pivot-test-{os.getpid()}"
    shutil.move(built.root / ".pivot/cache", place)
    yield place
    shutil.rmtree(place)


@pytest.mark.parametrize(
    ("configured", "is_link"),
    [("hardlink, symlink, copy", True), ("hardlink, copy", False), ("symlink", True)],
)
def test_a_cache_on_another_file_system_falls_back_as_configured(
    configured: str, is_link: bool, built: ProjectBuilder, elsewhere: Path, bare_pivot: Command
) -> None:
    bare_pivot("config", "set", "cache.dir", str(elsewhere), cwd=built.root)
    bare_pivot("config", "set", "cache.checkout_mode", configured, cwd=built.root)

    done = bare_pivot("checkout", cwd=built.root)

    assert (done.code, done.out) == (0, "Restored 3 file(s)\n"), done
    for path, content in ((FILE, NEW), (f"{DIRECTORY}/a.txt", FILES["a.txt"])):
        assert (built.root / path).is_symlink() == is_link
        assert (built.root / path).read_bytes() == content


def test_a_hardlink_that_cannot_be_made_is_an_error_that_says_so(
    built: ProjectBuilder, elsewhere: Path, bare_pivot: Command
) -> None:
    done = bare_pivot(
        "checkout", "--checkout-mode", "hardlink", cwd=built.root, PIVOT_CACHE_DIR=str(elsewhere)
    )

    assert done.code == 7, done
    assert "Traceback" not in done.err
    assert f"{FILE}: " in done.err
    assert "hardlink" in done.err
    assert "file system" in done.err
    assert not (built.root / FILE).exists()
    assert not (built.root / DIRECTORY).exists()


@pytest.fixture(name="reflinks")
def _reflinks(tmp_path: Path) -> Iterator[Path]:
    """A file system that can share blocks between files, mounted from a file."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount an xfs")
    if shutil.which("mkfs.xfs") is None:
        pytest.skip("mkfs.xfs is not installed")
    image, mounted = tmp_path / "xfs.image", tmp_path / "xfs"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(400 * 1024 * 1024)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
    tried = subprocess.run(
        ["mount", "-o", "loop", image, mounted], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        pytest.skip(f"an xfs cannot be mounted here: {tried.stderr.strip()}")
    yield mounted
    subprocess.run(["umount", mounted], check=True)


def test_a_copy_shares_its_blocks_where_the_file_system_can(
    reflinks: Path, bare_pivot: Command
) -> None:
    size = 32 * 1024 * 1024
    built = ProjectBuilder(reflinks / "project")
    built.stage("train", {FILE: os.urandom(size)})
    os.sync()
    before = shutil.disk_usage(reflinks).free

    done = bare_pivot("checkout", "--checkout-mode", "copy", cwd=built.root)

    assert done.code == 0, done
    os.sync()
    assert before - shutil.disk_usage(reflinks).free < size // 4
    with (built.root / FILE).open("r+b") as file:
        file.write(b"changed")
    content = next((built.root / ".pivot/cache/files").glob("*/*")).read_bytes()
    assert digest(content) in (built.root / ".pivot/stages/train.lock").read_text()


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
