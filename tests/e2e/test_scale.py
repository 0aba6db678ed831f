"""Many files and large files: bounded memory, descriptors and requests."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import xxhash

from tests.conftest import Command, Done
from tests.e2e.weather import leftovers, through, without_cache
from tests.projects import ProjectBuilder, digest
from tests.servers import S3Server, rclone

MEGABYTE = 1 << 20
JOBS = 20


@dataclass(frozen=True)
class Run:
    """What a process left and what it took at most."""

    done: Done
    memory: int
    descriptors: int


def measure(pivot: Command, *arguments: str, cwd: Path) -> Run:
    """Run a command and watch it."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "pivot", *arguments],
            cwd=cwd,
            env=pivot.environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        memory = descriptors = 0
        while process.poll() is None:
            with contextlib.suppress(OSError):  # it may just have ended
                descriptors = max(descriptors, len(os.listdir(f"/proc/{process.pid}/fd")))
                memory = max(memory, peak_memory(process.pid))
            time.sleep(0.02)
        out.seek(0)
        err.seek(0)
        done = Done(process.returncode, out.read(), err.read())
    return Run(done, memory, descriptors)


def peak_memory(process: int) -> int:
    """Ask the kernel for the most memory so far.

    Not `ru_maxrss`: a child inherits in it the peak of the process that started it.
    """
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


@pytest.fixture(name="place")
def _place() -> Iterator[Path]:
    """A directory in memory, where there is one that is large enough."""
    shared = Path("/dev/shm")
    roomy = shared.is_dir() and shutil.disk_usage(shared).free > 6 << 30
    with tempfile.TemporaryDirectory(dir=shared if roomy else None) as name:
        yield Path(name)


@pytest.fixture(name="quick")
def _quick(place: Path) -> Iterator[S3Server]:
    with rclone(place / "server") as server:
        server.make_bucket("scale")
        yield server


@pytest.fixture(name="command")
def _command(quick: S3Server, pivot: Command) -> Command:
    return Command(pivot.home, quick.environment())


def assert_frugal(run: Run) -> None:
    assert run.done.code == 0, run.done
    assert run.memory > 0, "it was not seen running"
    assert run.memory < 200 * MEGABYTE, f"{run.memory / MEGABYTE:.0f} MiB"
    assert run.descriptors <= 2 * JOBS + 32


def test_ten_thousand_small_files(place: Path, command: Command) -> None:
    files = {f"{n % 100:02}/{n:05}.bin": b"%05d" % n * 20 for n in range(10_000)}
    builder = ProjectBuilder(place / "project")
    builder.stage("make", {"data/tree": files})
    builder.config("remotes:\n  origin: s3://scale/p\n")
    clone = without_cache(builder.root, place / "clone")

    push = measure(command, "push", cwd=builder.root)
    pull = measure(command, "pull", cwd=clone)

    assert_frugal(push)
    assert_frugal(pull)
    found = {
        f"{path.parent.name}/{path.name}": path.read_bytes()
        for path in (clone / "data/tree").glob("*/*")
    }
    assert found == files
    assert leftovers(clone) == []


def store(builder: ProjectBuilder, block: bytes) -> str:
    """Put an object of a thousand *blocks* into the cache, without having it in memory."""
    hasher, file = xxhash.xxh64(), builder.root / "large"
    with file.open("wb") as stream:
        for _ in range(1000):
            stream.write(block)
            hasher.update(block)
    name = hasher.hexdigest()
    shelf = builder.root / ".pivot/cache/files" / name[:2]
    shelf.mkdir(parents=True, exist_ok=True)
    file.rename(shelf / name[2:])
    return name


def test_one_gigabyte(place: Path, command: Command) -> None:
    block = os.urandom(MEGABYTE)
    builder = ProjectBuilder(place / "project")
    builder.config("remotes:\n  origin: s3://scale/p\n")
    lock = builder.stage("make", {"data/big.bin": b"stands in for the large one"})
    lock.write_text(re.sub(r"(?<=hash: )\S+", f"'{store(builder, block)}'", lock.read_text()))
    clone = without_cache(builder.root, place / "clone")

    push = measure(command, "push", cwd=builder.root)
    shutil.rmtree(builder.root)
    pull = measure(command, "pull", cwd=clone)

    assert_frugal(push)
    assert_frugal(pull)
    with (clone / "data/big.bin").open("rb") as file:
        assert all(file.read(MEGABYTE) == block for _ in range(1000))
        assert not file.read(1)


def test_pushing_nothing_new_of_five_thousand_objects_asks_little(
    tmp_path: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    count = 5000
    builder = ProjectBuilder(tmp_path / "project")
    builder.stage("make", {"data/tree": {f"{n:04}": b"%d" % n for n in range(count)}})
    builder.config(f"remotes:\n  origin: s3://{bucket}/p\n")
    first = pivot("push", cwd=builder.root)
    with through(server, pivot) as (proxy, command):
        done = command("push", cwd=builder.root)

        asked = proxy.count()

    assert first.code == 0, first
    assert done.code == 0, done
    assert f"0 transferred, {count} skipped" in done.out
    assert asked <= 16 + count / 1000


def test_foreign_objects_below_the_prefix_cost_little_and_stay(
    tmp_path: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    builder = ProjectBuilder(tmp_path / "project")
    builder.stage("make", {"data/tree": {f"{n:02}": b"%d" % n for n in range(20)}})
    builder.config(f"remotes:\n  origin: s3://{bucket}/p\n")
    clone = without_cache(builder.root, tmp_path / "clone")
    first = pivot("push", cwd=builder.root)
    with contextlib.closing(server.client()) as s3:
        for number in range(300):
            name = digest(b"foreign %d" % number)
            s3.put_object(Bucket=bucket, Key=f"p/files/{name[:2]}/{name[2:]}", Body=b"foreign")
    with through(server, pivot) as (proxy, command):
        done = command("pull", cwd=clone)

        fetched = proxy.count("GET", "object")

    assert first.code == 0, first
    assert done.code == 0, done
    assert fetched == 20
