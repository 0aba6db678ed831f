"""A large download that was cut off: the next command fetches the rest."""

from __future__ import annotations

import math
import os
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.e2e.weather import assert_sentence, leftovers, make_project, through, without_cache
from tests.projects import digest, objects
from tests.servers import FaultProxy, S3Server
from tests.torture.namespace import on_a_disk

SIZE = 20 * 1024 * 1024
MODEL = "models/large.bin"


@pytest.fixture(name="data")
def _data() -> bytes:
    return os.urandom(SIZE)


@pytest.fixture(name="clone")
def _clone(tmp_path: Path, bucket: str, pivot: Command, data: bytes) -> Path:
    project = make_project(tmp_path / "project", bucket, {MODEL: data})
    done = pivot("push", cwd=project)
    assert done.code == 0, done
    return without_cache(project, tmp_path / "clone")


def left(clone: Path) -> list[Path]:
    return sorted((clone / ".pivot/cache/partial").glob("*"))


def kill_while_it_comes(
    clone: Path, proxy: FaultProxy, through_proxy: Command, number: int = signal.SIGKILL
) -> int:
    """End a pull by a signal when half of the object is there; say how much is left."""
    proxy.freeze(math.inf)
    with through_proxy.start("pull", cwd=clone) as process:
        began = time.monotonic()
        while not (left(clone) and left(clone)[0].stat().st_size > SIZE // 4):
            assert time.monotonic() - began < 60
            time.sleep(0.05)
        process.send_signal(number)
        process.communicate(timeout=30)
    proxy.heal()
    (file,) = left(clone)
    return file.stat().st_size


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_after_the_end_by_a_signal_the_next_pull_fetches_the_rest(
    number: int, clone: Path, data: bytes, server: S3Server, pivot: Command
) -> None:
    with through(server, pivot) as (proxy, through_proxy):
        size = kill_while_it_comes(clone, proxy, through_proxy, number)
        proxy.lengths.clear()

        again = through_proxy("pull", cwd=clone)

        assert again.code == 0, again
        assert proxy.lengths == [SIZE - size]
    assert (clone / MODEL).read_bytes() == data
    assert leftovers(clone) == []


def test_after_lost_connections_the_next_pull_fetches_the_rest(
    clone: Path, data: bytes, server: S3Server, pivot: Command
) -> None:
    with through(server, pivot) as (proxy, through_proxy):
        proxy.truncate(math.inf)
        failed = through_proxy("pull", cwd=clone)
        proxy.heal()
        size = left(clone)[0].stat().st_size
        proxy.lengths.clear()

        again = through_proxy("pull", cwd=clone)

        assert_sentence(failed, 6)
        assert again.code == 0, again
        assert proxy.lengths == [SIZE - size] if size < SIZE else []
    assert (clone / MODEL).read_bytes() == data
    assert leftovers(clone) == []


def test_what_somebody_changed_of_it_is_noticed(
    clone: Path, data: bytes, server: S3Server, pivot: Command
) -> None:
    with through(server, pivot) as (proxy, through_proxy):
        kill_while_it_comes(clone, proxy, through_proxy)
    with left(clone)[0].open("r+b") as file:
        file.write(b"not what was there")

    again = pivot("pull", cwd=clone)

    assert again.code == 0, again
    assert (clone / MODEL).read_bytes() == data
    assert digest((clone / MODEL).read_bytes()) == digest(data)
    assert leftovers(clone) == []


@pytest.mark.usefixtures("can_mount")
@pytest.mark.parametrize("of", ["the object itself", "another object"])
def test_what_was_left_does_not_take_the_room(
    of: str, clone: Path, data: bytes, server: S3Server, pivot: Command
) -> None:
    with through(server, pivot) as (proxy, through_proxy):
        kill_while_it_comes(clone, proxy, through_proxy)
    if of == "another object":
        (path,) = left(clone)
        path.rename(path.with_name("0" * 16 + path.name[16:]))

    done, kept = on_a_disk("size=25m", clone, "fetch", pivot=pivot)

    assert done.code == 0, done
    assert list(objects(kept / ".pivot/cache").values()) == [data]
    assert leftovers(kept) == []
