"""`pivot verify`: is every object that the lock files name on the remote?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests import buckets
from tests.conftest import Command
from tests.e2e.weather import OBJECTS, OUTPUTS, assert_sentence, make_project, through
from tests.projects import VERSIONS, ProjectBuilder, clone, digest, dump, unpack
from tests.servers import S3Server


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str) -> Path:
    return make_project(tmp_path / "project", bucket)


@pytest.fixture(name="pushed")
def _pushed(project: Path, pivot: Command) -> Path:
    done = pivot("push", cwd=project)
    assert done.code == 0, done
    return project


def place_of(path: str) -> str:
    content = OUTPUTS[path]
    assert isinstance(content, bytes)
    name = digest(content)
    return f"p/files/{name[:2]}/{name[2:]}"


def test_all_is_there(pushed: Path, pivot: Command) -> None:
    done = pivot("verify", cwd=pushed)

    assert (done.code, done.err) == (0, "")
    assert done.out == f"Verified 'origin': {OBJECTS} of {OBJECTS} object(s) are there\n"


def test_what_only_the_cache_has_is_not_there(project: Path, pivot: Command) -> None:
    done = pivot("verify", cwd=project)

    assert_sentence(done, 3, "is not on remote 'origin'", "(stage make/a)", "pivot push")
    assert "local cache" not in done.err
    assert done.out == f"Verified 'origin': 0 of {OBJECTS} object(s) are there\n"


def test_one_that_is_missing_is_named(
    pushed: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    buckets.delete(server, bucket, place_of("data/b.bin"))

    done = pivot("verify", cwd=pushed)
    soft = pivot("verify", "--on-miss", "warn", cwd=pushed)
    others = pivot("verify", "make/a", "data/tree", cwd=pushed)

    assert_sentence(done, 3, "data/b.bin", "(stage make/b)")
    assert done.err.count("Error: ") == 1
    assert soft.code == 0
    assert "Warning: data/b.bin: " in soft.err
    assert others.code == 0


def test_a_wrong_size_is_damage(
    pushed: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    name = digest(b"x" * 500)
    buckets.put(server, bucket, f"p/files/{name[:2]}/{name[2:]}", b"short")

    done = pivot("verify", cwd=pushed)

    assert_sentence(done, 5, "the remote holds 5 bytes instead of 500", "data/tree/x.txt")


def test_nothing_is_copied_and_nothing_is_changed(
    pushed: Path, pivot: Command, server: S3Server
) -> None:
    with through(server, pivot) as (proxy, command):
        done = command("verify", cwd=pushed)
        methods = {method for method, _ in proxy.requests}

    assert done.code == 0, done
    assert methods <= {"GET", "HEAD"}
    assert proxy.count("GET", "object") == 0


def test_a_remote_that_cannot_be_asked_is_not_one_that_lacks(
    pushed: Path, pivot: Command, server: S3Server
) -> None:
    nowhere = Command(pivot.home, {**pivot.variables, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    wrong = Command(pivot.home, server.with_keys("testkey", "wrong").environment())

    assert_sentence(nowhere("verify", cwd=pushed), 6, "127.0.0.1:9")
    assert_sentence(wrong("verify", cwd=pushed), 4)
    assert "are there" not in nowhere("verify", cwd=pushed).out


def test_it_is_told_to_programs(project: Path, pivot: Command) -> None:
    told = json.loads(pivot("verify", "--json", cwd=project).out)

    assert (told["command"], told["exit_code"]) == ("verify", 3)
    (asked,) = told["transfers"]
    assert (asked["direction"], asked["transferred"], asked["failed"]) == ("verify", 0, OBJECTS)
    assert len(asked["plan"]["missing"]) == OBJECTS


def add_import(project: Path, path: str, content: bytes, remote: str) -> None:
    """Track data that another project made and keeps at *remote*, as `pivot import` does."""
    document = ProjectBuilder(project).tracked(path, content)
    names = ("repo", "rev", "rev_lock", "stage", "path")
    source = dict.fromkeys(names, "x") | {"remote": remote}
    document.write_text(dump(yaml.safe_load(document.read_text()) | {"source": source}))


def test_what_is_imported_is_asked_for_at_its_own_remote(
    pushed: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    add_import(pushed, "data/theirs.csv", b"theirs", f"s3://{bucket}/theirs/")
    name = digest(b"theirs")
    lacking = pivot("verify", cwd=pushed)
    buckets.put(server, bucket, f"theirs/files/{name[:2]}/{name[2:]}", b"theirs")
    there = pivot("verify", cwd=pushed)

    assert_sentence(lacking, 3, "data/theirs.csv", f"s3://{bucket}/theirs")
    assert lacking.err.count("Error: ") == 1
    assert (there.code, there.err) == (0, "")
    assert "1 of 1 object(s) are there" in there.out


@pytest.mark.parametrize(("url", "code"), [("s3://no-such-bucket-here/p", 1), ("nonsense", 2)])
def test_a_remote_of_imports_that_cannot_be_asked_does_not_hide_what_is_missing(
    url: str, code: int, pushed: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    add_import(pushed, "data/theirs.csv", b"theirs", url)
    only_theirs = pivot("verify", cwd=pushed)
    buckets.delete(server, bucket, place_of("data/b.bin"))
    both = pivot("verify", cwd=pushed)

    assert_sentence(only_theirs, code)
    assert f"Verified 'origin': {OBJECTS} of {OBJECTS} object(s) are there" in only_theirs.out
    assert_sentence(both, 3, "data/b.bin")
    assert both.err.count("Error: ") == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_real_pivot_pushed_is_there(
    version: str, tmp_path: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    fixture = unpack(version, tmp_path / "fixture")
    project = clone(fixture, tmp_path / "clone")
    for path in fixture.bucket.rglob("*"):
        if path.is_file():
            key = path.relative_to(fixture.bucket).as_posix()
            buckets.put(server, bucket, key, path.read_bytes())
    config = project / ".pivot/config.yaml"
    config.write_text(f"remotes:\n  origin: s3://{bucket}/pre/fix\n")

    done = pivot("verify", cwd=project)
    told = json.loads(pivot("status", "--online", "--json", cwd=project).out)

    assert (done.code, done.err) == (0, ""), done
    assert {stage["missing"] for stage in told["stages"]} == {0}
    assert {stage["state"] for stage in told["stages"]} == {"unknown", "hit"}
    assert not (project / ".pivot/cache/files").exists()


def test_another_remote(pushed: Path, pivot: Command) -> None:
    assert_sentence(pivot("verify", "-r", "nosuch", cwd=pushed), 2, "Remote 'nosuch' not found")


def test_a_project_without_outputs_has_all_it_needs(tmp_path: Path, pivot: Command) -> None:
    (tmp_path / ".pivot/stages").mkdir(parents=True)
    (tmp_path / ".pivot/config.yaml").write_text("remotes:\n  origin: s3://bucket/p\n")

    done = pivot("verify", cwd=tmp_path)

    assert done.code == 0, done
    assert done.out == "Verified 'origin': 0 of 0 object(s) are there\n"
