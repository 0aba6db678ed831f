"""Contents of DVC: how they are named, and where they are found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pivot.dvc.look import Looker, find_files
from pivot.dvc.recorded import Hashed
from pivot.dvc.store import Lost, Store, Whole, hash_file, listing_md5
from pivot.errors import LocalError
from pivot.tree import Tree
from tests.e2e.dvc import DvcProject, md5
from tests.projects import digest

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("data", "unix"),
    [
        (b"", b""),
        (b"a\nb\n", b"a\nb\n"),
        (b"a\r\nb\r\n", b"a\nb\n"),
        (b"a\r\n\0", b"a\r\n\0"),  # a NUL makes it binary
        (b"x" * (MIB - 1) + b"\r\n", b"x" * (MIB - 1) + b"\r\n"),  # divided between two blocks
        (b"x" * MIB + b"\r\n", b"x" * MIB + b"\n"),
    ],
)
def test_both_hashes_of_dvc_and_ours_come_of_one_reading(
    data: bytes, unix: bytes, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(data)

    seen = hash_file(tmp_path / "file")

    assert (seen.md5, seen.unix) == (md5(data), md5(unix))
    assert (seen.digest, seen.size) == (digest(data), len(data))


def test_text_of_dvc_2_is_known_by_either_hash(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\r\n")

    seen = hash_file(tmp_path / "file")

    assert seen.are(Hashed(md5(b"a\n"), legacy=True))
    assert seen.are(Hashed(md5(b"a\r\n"), legacy=True))
    assert not seen.are(Hashed(md5(b"a\n")))


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(LocalError, match="not a regular file"):
        hash_file(tmp_path / "pipe")


def test_a_directory_is_named_as_dvc_3_does() -> None:
    files = [("sub/2.txt", md5(b"two")), ("1.txt", md5(b"one"))]

    assert listing_md5(files) == "1151aa8c19b1d22e30865e7536ff4aa8"  # of the fixture


@pytest.mark.parametrize("legacy", [False, True])
def test_objects_are_found_in_either_layout(legacy: bool, tmp_path: Path) -> None:
    dvc = DvcProject(tmp_path / "project", legacy)
    name = dvc.store(b"data")

    for asked in (False, True):
        seen = Store(dvc.root / ".dvc/cache").find(Hashed(name, legacy=asked))

        assert seen == (dvc.object(name), 4)


def find(dvc: DvcProject, path: str, content: Hashed) -> Whole | Lost:
    with Tree(dvc.root) as tree:
        return Looker(Store(dvc.root / ".dvc/cache"), tree).find(path, content)


def test_a_directory_that_no_listing_describes_is_known_by_its_files(tmp_path: Path) -> None:
    dvc = DvcProject(tmp_path / "project")
    files = {"b.txt": b"b", "a/c.txt": b"c"}
    entry = dvc.record("src", files, cached=False)
    dvc.place("src", files)
    content = Hashed(entry["md5"].removesuffix(".dir"), directory=True)

    seen = find(dvc, "src", content)

    assert isinstance(seen, Whole)
    assert [part.path for part in seen.parts] == ["src/a/c.txt", "src/b.txt"]
    dvc.write("src/new.txt", b"")
    assert isinstance(find(dvc, "src", content), Lost)


@pytest.mark.parametrize(
    "text", [b"[{}]", b'[{"relpath": "../x", "md5": "a"}]', b"{", b"[" * 9999, b"[1]"]
)
def test_a_listing_that_is_not_sound_is_damage(text: bytes, tmp_path: Path) -> None:
    dvc = DvcProject(tmp_path / "project")
    dvc.store(text, f"{md5(text)}.dir")

    seen = find(dvc, "out", Hashed(md5(text), directory=True))

    assert isinstance(seen, Lost)
    assert seen.damaged


def test_files_behind_symlinks_are_not_looked_at(tmp_path: Path) -> None:
    dvc = DvcProject(tmp_path / "project")
    (tmp_path / "secret").write_bytes(b"secret")
    (dvc.root / "link").symlink_to(tmp_path)
    (dvc.root / "file").symlink_to(tmp_path / "secret")

    for path in ("link/secret", "file"):
        assert isinstance(find(dvc, path, Hashed(md5(b"secret"))), Lost)


def test_other_projects_and_environments_are_not_entered(tmp_path: Path) -> None:
    for path in (
        "dvc.yaml", "a/dvc.yaml", "a/x.csv.dvc", "a/.dvcignore", ".dvc/y.dvc", "other/.git/config",
        "other/dvc.yaml", "venv/pyvenv.cfg", "venv/dvc.yaml", "node_modules/dvc.yaml",
        "inner/.dvc/config", "inner/dvc.yaml",
    ):  # fmt: skip
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()

    assert find_files(tmp_path) == (
        "a/.dvcignore",
        "a/dvc.yaml",
        "a/x.csv.dvc",
        "dvc.yaml",
        "inner/.dvc",
    )
