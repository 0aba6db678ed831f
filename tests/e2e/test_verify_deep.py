"""`pivot verify --cache`, `--deep` and `--repair`: bytes are read, damage is told and repaired."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import buckets
from tests.conftest import Command
from tests.e2e.weather import OBJECTS, assert_sentence, make_project, through
from tests.projects import digest
from tests.servers import S3Server

A = b"first" * 2000
SAME_SIZE = b"First" + A[5:]

KILLED = """
import os
from pivot.journal import Journal

note, seen = Journal.note, []


def note_and_die(self, *known):
    note(self, *known)
    seen.append(known)
    if len(seen) == 3:
        os.kill(os.getpid(), 9)


Journal.note = note_and_die
from pivot.cli import main

main()
"""


@pytest.fixture(name="pushed")
def _pushed(tmp_path: Path, bucket: str, pivot: Command) -> Path:
    project = make_project(tmp_path / "project", bucket)
    done = pivot("push", cwd=project)
    assert done.code == 0, done
    return project


def place(content: bytes) -> str:
    name = digest(content)
    return f"files/{name[:2]}/{name[2:]}"


def damage(project: Path, content: bytes, instead: bytes) -> Path:
    path = project / ".pivot/cache" / place(content)
    path.chmod(0o644)
    path.write_bytes(instead)
    path.chmod(0o444)
    return path


def told(pivot: Command, *words: str, cwd: Path) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(pivot("verify", "--json", *words, cwd=cwd).out)
    return tree


def test_the_cache_has_all(pushed: Path, pivot: Command) -> None:
    nowhere = Command(pivot.home, {})
    done = nowhere("verify", "--cache", cwd=pushed)

    assert (done.code, done.err) == (0, "")
    assert done.out == f"Verified the cache: {OBJECTS} of {OBJECTS} object(s) are there\n"


def test_what_the_cache_lacks_is_named_and_fetched_for_repair(pushed: Path, pivot: Command) -> None:
    (pushed / ".pivot/cache" / place(A)).unlink()

    done = pivot("verify", "--cache", cwd=pushed)
    repaired = pivot("verify", "--cache", "--repair", cwd=pushed)

    assert_sentence(done, 3, "data/a.bin", "is not in the local cache", "pivot fetch")
    assert repaired.code == 0, repaired
    assert pivot("verify", "--cache", "--deep", cwd=pushed).code == 0


@pytest.mark.parametrize("instead", [b"short", SAME_SIZE], ids=["size", "bytes"])
def test_damage_in_the_cache_is_only_told_and_then_repaired(
    instead: bytes, pushed: Path, pivot: Command
) -> None:
    path = damage(pushed, A, instead)

    seen = pivot("verify", "--cache", "--deep", cwd=pushed)
    left = path.read_bytes()
    repaired = pivot("verify", "--cache", "--deep", "--repair", cwd=pushed)
    again = pivot("verify", "--cache", "--deep", cwd=pushed)

    assert_sentence(seen, 5, "data/a.bin", "the local copy is wrong", "--cache --repair")
    assert left == instead
    assert repaired.code == 0, repaired
    assert (pushed / ".pivot/cache/quarantine" / digest(A)).read_bytes() == instead
    assert f"quarantine/{digest(A)}" in repaired.out
    assert path.read_bytes() == A
    assert again.code == 0, again


def test_what_cannot_be_fetched_again_stays_damage(
    pushed: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    for _ in range(2):
        damage(pushed, A, SAME_SIZE)
        buckets.delete(server, bucket, f"p/{place(A)}")
        done = pivot("verify", "--cache", "--deep", "--repair", cwd=pushed)
        assert_sentence(done, 5, "data/a.bin", "is wrong", "is not on remote 'origin'")
        (pushed / ".pivot/cache" / place(A)).write_bytes(A)

    names = [path.name for path in (pushed / ".pivot/cache/quarantine").iterdir()]
    assert sorted(names) == [digest(A), f"{digest(A)}.2"]


def test_the_remote_is_read_and_nothing_is_stored(
    pushed: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    shutil.rmtree(pushed / ".pivot/cache")
    well = pivot("verify", "--deep", cwd=pushed)
    buckets.put(server, bucket, f"p/{place(A)}", SAME_SIZE)
    quick = pivot("verify", cwd=pushed)
    deep = pivot("verify", "--deep", cwd=pushed)

    assert well.code == 0, well
    assert f"Read {OBJECTS} of {OBJECTS} object(s): 23.2 kB" in well.out
    assert f"{OBJECTS} by SHA-256, 0 by xxh64 alone" in well.out
    assert quick.code == 0
    assert_sentence(deep, 5, "data/a.bin", "the copy on the remote is wrong: it hashes to")
    assert not (pushed / ".pivot/cache").exists() or not any((pushed / ".pivot/cache").iterdir())


def test_cache_and_remote_are_verified_together(pushed: Path, pivot: Command) -> None:
    damage(pushed, A, SAME_SIZE)
    tree = told(pivot, "--cache", "-r", "origin", "--deep", cwd=pushed)
    default = pivot("verify", "--cache", "--remote", cwd=pushed)

    assert tree["exit_code"] == 5
    assert [(t["remote"], t["failed"]) for t in tree["transfers"]] == [("", 1), ("origin", 0)]
    assert default.out.count("are there") == 2


def test_a_sample_is_chosen_again_by_its_seed(pushed: Path, pivot: Command) -> None:
    one, two = (told(pivot, "--sample", "40%", "--seed", "7", cwd=pushed) for _ in range(2))
    (read,) = [transfer["reading"] for transfer in one["transfers"]]
    other = pivot("verify", "--cache", "--sample", "1%", cwd=pushed)

    assert one == two | {"transfers": one["transfers"]}
    assert (read["chosen"], read["there"], read["percent"], read["seed"]) == (2, 5, 40, 7)
    assert read["bytes"] == two["transfers"][0]["reading"]["bytes"]
    assert "Read 1 of 5 object(s), a sample of 1 % (--seed " in other.out


@pytest.mark.parametrize("where", ["--cache", "--remote"])
def test_a_deep_verification_that_was_cut_off_goes_on(
    where: str, pushed: Path, pivot: Command, server: S3Server
) -> None:
    """`kill -9` comes as soon as three objects were read."""
    first = told(pivot, where, "--deep", cwd=pushed)
    assert first["exit_code"] == 0
    journals = pushed / ".pivot/cache/verify"
    assert not journals.exists()

    words = ["verify", where, "--deep", "--jobs", "1"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *words], cwd=pushed, env=pivot.environment, check=False
    )
    assert killed.returncode == -9
    assert len(list(journals.iterdir())) == 1

    with through(server, pivot) as (proxy, command):
        again = told(pivot if where == "--cache" else command, where, "--deep", cwd=pushed)
        assert where == "--cache" or proxy.count("GET", "object") == OBJECTS

    (read,) = [transfer["reading"] for transfer in again["transfers"]]
    assert (again["exit_code"], read["chosen"], read["before"]) == (0, OBJECTS, 3)
    assert not journals.exists()


def test_options_that_do_not_fit_are_refused(pushed: Path, pivot: Command) -> None:
    assert_sentence(pivot("verify", "--repair", cwd=pushed), 2, "add --cache")
    assert_sentence(pivot("verify", "--seed", "1", cwd=pushed), 2, "add --sample")
    for wrong in ("0%", "101%", "5", "x"):
        assert pivot("verify", "--sample", wrong, cwd=pushed).code == 2
