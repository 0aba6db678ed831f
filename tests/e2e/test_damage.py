"""A cache whose objects are damaged: nothing wrong is placed, and nobody else is accused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests import buckets
from tests.conftest import Command
from tests.e2e.weather import assert_sentence, leftovers, make_project, without_cache
from tests.projects import Content, digest, dump, objects
from tests.servers import S3Server

MODEL = b"weights" * 430
FILES: dict[str, Content] = {"out/model.bin": MODEL, "out/notes.txt": b"some notes"}
BRIEF = {"truncated": MODEL[:100], "longer": MODEL + b"more", "edited": MODEL[:-1] + b"!"}


def make_pushed(root: Path, bucket: str, server: S3Server, outputs: dict[str, Content]) -> Path:
    """Make a project whose objects are on the remote too: both places have the same layout."""
    project = make_project(root, bucket, outputs)
    (project / ".pivot/config.yaml").write_text(f"remotes:\n  origin: s3://{bucket}\n")
    buckets.fill(server, bucket, project / ".pivot/cache")
    return project


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str, server: S3Server) -> Path:
    """Make a project with single files, of which locks record no size."""
    return make_pushed(tmp_path / "project", bucket, server, FILES)


def object_of(project: Path, content: bytes) -> Path:
    name = digest(content)
    return project / ".pivot/cache/files" / name[:2] / name[2:]


def damage(path: Path, content: bytes, *, mode: int = 0o444) -> None:
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(mode)


@pytest.mark.parametrize(("what", "mode"), [("truncated", 0o444), ("longer", 0o644)])
def test_a_push_does_not_accuse_the_good_copy_on_the_remote(
    what: str, mode: int, project: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    before = buckets.contents(server, bucket)
    damage(object_of(project, MODEL), BRIEF[what], mode=mode)

    done = pivot("push", cwd=project)

    assert done.code in {0, 5}, done
    assert "delete s3://" not in done.out + done.err
    assert "the remote holds" not in done.out + done.err
    assert buckets.contents(server, bucket) == before


def test_a_push_accuses_the_remote_when_its_own_copy_is_verified(
    project: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    name = digest(MODEL)
    key = f"files/{name[:2]}/{name[2:]}"
    buckets.put(server, bucket, key, MODEL[:100])

    done = pivot("push", cwd=project)
    buckets.delete(server, bucket, key)
    again = pivot("push", cwd=project)

    assert_sentence(done, 5, "out/model.bin", f"holds 100 bytes instead of {len(MODEL)}", key)
    assert again.code == 0, again
    assert buckets.contents(server, bucket)[key] == MODEL


@pytest.mark.parametrize(
    ("what", "mode", "force"),
    [
        ("truncated", 0o444, []),
        ("longer", 0o644, []),
        ("edited", 0o444, []),
        ("edited", 0o644, ["--force"]),
    ],
)
def test_a_pull_fetches_a_damaged_object_again(
    what: str, mode: int, force: list[str], project: Path, pivot: Command
) -> None:
    damage(object_of(project, MODEL), BRIEF[what], mode=mode)

    done = pivot("pull", *force, cwd=project)

    assert done.code == 0, done
    assert "Fetched from 'origin': 1 transferred, 1 skipped" in done.out
    assert (project / "out/model.bin").read_bytes() == MODEL
    assert (project / "out/notes.txt").read_bytes() == b"some notes"
    assert all(digest(body) == name for name, body in objects(project / ".pivot/cache").items())
    assert leftovers(project) == []


@pytest.mark.parametrize("what", ["truncated", "edited"])
def test_a_checkout_takes_a_damaged_object_for_missing(
    what: str, project: Path, pivot: Command
) -> None:
    damage(object_of(project, MODEL), BRIEF[what])

    done = pivot("checkout", cwd=project)

    assert done.code == 3, done
    assert "out/model.bin" in done.out + done.err
    assert not (project / "out/model.bin").exists()
    assert (project / "out/notes.txt").read_bytes() == b"some notes"


@pytest.mark.parametrize("word", ["checkout", "pull"])
def test_a_dry_run_mends_nothing(word: str, project: Path, pivot: Command) -> None:
    damage(object_of(project, MODEL), BRIEF["truncated"], mode=0o644)

    pivot(word, "--dry-run", cwd=project)

    assert object_of(project, MODEL).read_bytes() == BRIEF["truncated"]
    assert object_of(project, MODEL).stat().st_mode & 0o777 == 0o644
    assert not (project / "out").exists()


@pytest.mark.parametrize("what", ["truncated", "edited"])
def test_a_hard_link_that_was_edited_is_kept_until_it_is_forced(
    what: str, project: Path, pivot: Command
) -> None:
    first = pivot("pull", "--checkout-mode", "hardlink", cwd=project)
    place = project / "out/model.bin"
    assert place.samefile(object_of(project, MODEL))
    damage(place, BRIEF[what], mode=0o644)

    done = pivot("pull", cwd=project)
    kept = place.read_bytes()
    forced = pivot("pull", "--force", cwd=project)

    assert first.code == 0, first
    assert_sentence(done, 1, "out/model.bin", "--force")
    assert kept == BRIEF[what]
    assert object_of(project, MODEL).read_bytes() == MODEL
    assert forced.code == 0, forced
    assert place.read_bytes() == MODEL


def test_a_directory_whose_list_lost_a_line_is_refused(
    tmp_path: Path, bucket: str, pivot: Command, server: S3Server
) -> None:
    parts: dict[str, Content] = {"out/parts": {"a": b"a", "b": b"b"}}
    project = make_pushed(tmp_path / "merged", bucket, server, parts)
    clone = without_cache(project, tmp_path / "clone")
    lock = clone / ".pivot/stages/make/parts.lock"
    document = yaml.safe_load(lock.read_text())
    del document["outs"][0]["manifest"][1]
    lock.write_text(dump(document))

    done = pivot("pull", cwd=clone)

    assert_sentence(done, 8, ".pivot/stages/make/parts.lock", "manifest", "git")
    assert not (clone / "out").exists()


@pytest.mark.parametrize("wrong", [None, b"other bytes"], ids=["missing", "damaged"])
def test_an_object_that_several_outputs_need_is_named_by_all_of_them(
    wrong: bytes | None, tmp_path: Path, bucket: str, pivot: Command, server: S3Server
) -> None:
    tree: Content = {"one": MODEL, "two": MODEL}
    same: dict[str, Content] = {"out/a.bin": MODEL, "out/b.bin": MODEL, "out/tree": tree}
    project = make_pushed(tmp_path / "same", bucket, server, same)
    clone = without_cache(project, tmp_path / "clone")
    (key,) = buckets.keys(server, bucket)
    buckets.delete(server, bucket, key)
    if wrong is not None:
        buckets.put(server, bucket, key, wrong)

    done = pivot("pull", cwd=clone)

    named = ("out/a.bin", "out/b.bin", "out/tree/one", "out/tree/two")
    assert_sentence(done, 3 if wrong is None else 5, *named)
    assert "0 transferred, 0 skipped, 1 failed" in done.out


@pytest.mark.parametrize("what", BRIEF)
def test_a_link_to_a_damaged_object_is_not_taken_for_the_output(
    what: str, project: Path, pivot: Command
) -> None:
    placed = pivot("checkout", "--checkout-mode", "symlink", cwd=project)
    damage(object_of(project, MODEL), BRIEF[what], mode=0o644)

    checked = pivot("checkout", "--checkout-mode", "symlink", cwd=project)
    pulled = pivot("pull", "--checkout-mode", "symlink", cwd=project)

    assert placed.code == 0, placed
    assert checked.code == 3, checked
    assert "Missing 1 file(s):\n  out/model.bin\n\nRun 'pivot pull'" in checked.out
    assert pulled.code == 0, pulled
    assert (project / "out/model.bin").read_bytes() == MODEL
