"""What else lies in a directory output or in the way: the user's files, nested outputs, git."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import ROOT, Command, Done
from tests.e2e.weather import assert_sentence, leftovers, without_cache
from tests.projects import Content, ProjectBuilder, digest, dump, objects
from tests.servers import S3Server

PARTS: Content = {"a.txt": b"a", "sub/b.txt": b"b", "nothing": b""}


@pytest.fixture(name="shared", scope="module")
def _shared(
    tmp_path_factory: pytest.TempPathFactory, new_bucket: Callable[[], str], server: S3Server
) -> Path:
    """Make a project with a directory output, in which there are outputs of other stages too."""
    bucket = new_bucket()
    builder = ProjectBuilder(tmp_path_factory.mktemp("shared"))
    builder.config(f"remotes:\n  origin: s3://{bucket}\n")
    builder.stage("newer", {"out/parts": {"a.txt": b"a", "c.txt": b"c"}})
    builder.stage("parts", {"out/parts": PARTS})
    builder.stage("inner", {"out/parts/sub/inner.bin": b"inner"})
    builder.stage("score", {"out/parts/metrics.json": b""}, metrics=["out/parts/metrics.json"])
    buckets.fill(server, bucket, builder.root / ".pivot/cache")  # both have the same layout
    return builder.root


@pytest.fixture(name="clone")
def _clone(shared: Path, tmp_path: Path) -> Path:
    clone = without_cache(shared, tmp_path / "clone")
    (clone / ".pivot/stages/newer.lock").unlink()
    return clone


def git(*arguments: str, cwd: Path) -> None:
    subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True)


def write(root: Path, path: str, content: bytes = b"") -> Path:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


COMPLETE = {"a.txt": b"a", "sub/b.txt": b"b", "nothing": b"", "sub/inner.bin": b"inner"}


def test_outputs_inside_another_are_placed_by_the_first_pull(clone: Path, pivot: Command) -> None:
    done = pivot("pull", cwd=clone)
    again = pivot("pull", cwd=clone)

    assert done.code == 0, done
    assert files(clone / "out/parts") == COMPLETE
    assert again.code == 0, again
    assert "Restored" not in again.out
    assert leftovers(clone) == []


@pytest.mark.parametrize("targets", [[], ["parts"], ["parts", "--force"]], ids=str)
def test_outputs_of_other_stages_are_never_removed(
    targets: list[str], clone: Path, pivot: Command
) -> None:
    first = pivot("pull", cwd=clone)
    write(clone, "out/parts/metrics.json")

    done = pivot("pull", *targets, cwd=clone)

    assert first.code == 0, first
    assert done.code == 0, done
    assert files(clone / "out/parts") == COMPLETE | {"metrics.json": b""}
    assert "Removed" not in done.out


@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
def test_what_git_has_is_never_removed(force: list[str], clone: Path, pivot: Command) -> None:
    first = pivot("pull", cwd=clone)
    for name in (".gitkeep", "sub/__init__.py"):
        write(clone, f"out/parts/{name}")
    write(clone, "out/parts/README", b"a")
    git("init", "-q", cwd=clone)
    git("add", "-f", *(f"out/parts/{n}" for n in (".gitkeep", "sub", "README")), cwd=clone)

    done = pivot("pull", *force, cwd=clone)

    assert first.code == 0, first
    assert done.code == 0, done
    own = {".gitkeep": b"", "sub/__init__.py": b"", "README": b"a"}
    assert files(clone / "out/parts") == COMPLETE | own


@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
def test_where_git_cannot_tell_what_it_has_nothing_is_removed(
    force: list[str], clone: Path, pivot: Command
) -> None:
    first = pivot("pull", cwd=clone)
    write(clone, "out/parts/.gitkeep")
    git("init", "-q", cwd=clone)
    (clone / ".git/index").write_bytes(b"no index")

    done = pivot("pull", *force, cwd=clone)

    assert first.code == 0, first
    assert files(clone / "out/parts") == COMPLETE | {".gitkeep": b""}
    assert "Removed" not in done.out


def test_a_file_of_an_older_lock_is_removed_and_reported(
    shared: Path, clone: Path, pivot: Command
) -> None:
    first = pivot("pull", cwd=clone)
    newer = (shared / ".pivot/stages/newer.lock").read_bytes()
    (clone / ".pivot/stages/parts.lock").write_bytes(newer)

    done = pivot("pull", cwd=clone)

    assert first.code == 0, first
    assert done.code == 0, done
    assert "Removed 2 file(s) (no longer in the lock)" in done.out
    assert files(clone / "out/parts") == {"a.txt": b"a", "c.txt": b"c", "sub/inner.bin": b"inner"}


def test_a_file_that_is_nowhere_else_is_not_removed(clone: Path, pivot: Command) -> None:
    first = pivot("pull", cwd=clone)
    mine = write(clone, "out/parts/mine.txt", b"only here")

    done = pivot("pull", cwd=clone)

    assert first.code == 0, first
    assert_sentence(done, 1, "mine.txt", "--force")
    assert mine.read_bytes() == b"only here"


@pytest.mark.parametrize("word", ["False", "no"])
def test_an_output_that_is_not_cached_is_not_asked_for(
    word: str, tmp_path: Path, bucket: str, pivot: Command
) -> None:
    builder = ProjectBuilder(tmp_path / "plain").config(f"remotes:\n  origin: s3://{bucket}/p\n")
    lock = builder.stage("make", {"out/plain.txt": b"kept by git"})
    lock.write_text(lock.read_text().replace("- key:", f"- cached: {word}\n  key:"))

    done = pivot("push", cwd=builder.root)

    assert f"cached: {word}" in lock.read_text()
    assert (done.code, done.out) == (0, "No files to push\n"), done


def old_project(root: Path, bucket: str) -> Path:
    """Make a project of the oldest kind in a directory of a repository; git tells its metrics."""
    builder = ProjectBuilder(root / "below").config(f"remotes:\n  origin: s3://{bucket}/p\n")
    outs = [
        {"path": path, "hash": builder.store(content)}
        for path, content in (("out/data.bin", b"data"), ("out/score.json", b"score"))
    ]
    lock = {"code_manifest": {}, "params": {}, "deps": [], "outs": outs}
    builder.workspace(".pivot/stages/old.lock", dump(lock).encode())
    builder.workspace("out/score.json", b"score")
    git("init", "-q", cwd=root)
    git("add", "below/out/score.json", cwd=root)
    return builder.root


@pytest.mark.parametrize(
    ("variable", "value"),
    [("GIT_DIR", ".git"), ("GIT_DIR", "{}/.git"), ("GIT_INDEX_FILE", "{}/.git/index")],
)
def test_a_git_hook_of_another_repository_is_not_believed(
    variable: str, value: str, tmp_path: Path, bucket: str, pivot: Command
) -> None:
    project = old_project(tmp_path / "repository", bucket)
    (tmp_path / "other").mkdir()
    git("init", "-q", cwd=tmp_path / "other")

    place = value.format(tmp_path / "other")
    command = Command(pivot.home, {**pivot.variables, variable: place})

    done = command("push", "--dry-run", cwd=project)

    assert done.code == 0, done
    assert "out/data.bin" in done.out
    assert "out/score.json" not in done.out


@pytest.mark.parametrize("name", [".pivot/stages/x.lock", "out/x.pvt"])
def test_a_document_that_is_a_symlink_is_not_read(name: str, clone: Path, pivot: Command) -> None:
    write(clone, name).unlink()
    (clone / name).symlink_to("/etc/passwd")

    done = pivot("pull", cwd=clone)

    assert_sentence(done, 8, name, "symlink")
    assert "root:" not in done.out + done.err


def pull_within_20_seconds(clone: Path, pivot: Command) -> Done:
    with pivot.start("pull", cwd=clone) as process:
        try:
            out, err = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Done(process.returncode, out, err)


def test_a_lock_that_is_a_pipe_makes_nobody_wait(clone: Path, pivot: Command) -> None:
    os.mkfifo(clone / ".pivot/stages/x.lock")

    done = pull_within_20_seconds(clone, pivot)

    assert_sentence(done, 8, ".pivot/stages/x.lock", "regular file")


def test_a_pvt_file_that_is_a_pipe_makes_nobody_wait(clone: Path, pivot: Command) -> None:
    os.mkfifo(clone / "x.pvt")

    done = pull_within_20_seconds(clone, pivot)

    assert done.code in {0, 8}, done


def owner() -> str:
    """Say who we are, as the names of scratch directories do."""
    space = os.stat("/proc/self/ns/pid").st_ino if sys.platform == "linux" else 0
    return f"{os.uname().nodename}-{space}"


@pytest.mark.parametrize("processes", [("9" * 20, "9" * 200), ("²", "x", "0", "-1", "")], ids=str)
def test_absurd_names_among_the_scratch_directories_harm_nobody(
    processes: tuple[str, ...], clone: Path, pivot: Command
) -> None:
    for process in processes:
        (clone / f".pivot/cache/tmp/{owner()}-{process}-ab").mkdir(parents=True)

    done = pivot("pull", cwd=clone)

    assert done.code == 0, done
    assert files(clone / "out/parts") == COMPLETE


OPEN_AND_CLOSE = """
import os, sys
from pathlib import Path
from pivot.scratch import Scratch
for number in range(400):
    scratch = Scratch(Path(sys.argv[1]))
    with scratch.file() as (path, descriptor):
        os.stat(path)
    scratch.remove()
"""


def test_many_processes_in_one_cache_do_not_take_the_ground_from_each_other(
    tmp_path: Path, pivot: Command
) -> None:
    command = [sys.executable, "-c", OPEN_AND_CLOSE, str(tmp_path / "cache/tmp")]

    processes = [
        subprocess.Popen(command, cwd=ROOT, env=pivot.environment, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=60)[1] for process in processes]

    assert said == [b""] * 4
    assert not (tmp_path / "cache/tmp").exists()


def test_many_pulls_into_one_cache(clone: Path, tmp_path: Path, pivot: Command) -> None:
    clones = [without_cache(clone, tmp_path / f"clone{number}") for number in range(4)]
    shared = str(tmp_path / "shared")

    processes = [pivot.start("pull", cwd=each, PIVOT_CACHE_DIR=shared) for each in clones]
    said = [(*process.communicate(timeout=60), process.returncode) for process in processes]

    assert [code for _, _, code in said] == [0] * 4, said
    assert [files(each / "out/parts") for each in clones] == [COMPLETE] * 4
    assert all(digest(body) == name for name, body in objects(Path(shared)).items())
