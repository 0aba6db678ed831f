"""`.pvt` files: tracked data, imports, and what is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from pivot.errors import InvalidDocument, LocalError, UnsafePath
from pivot.objects import Digest, Directory, File
from pivot.tracked import Tracked, load_tracked, render_tracked, write_tracked
from tests.projects import dump, tree_digest
from tests.unit.values import directory_of, file_of, write

HASH = "4083673417683763"
SOURCE = {
    "repo": "r",
    "rev": "v1",
    "rev_lock": "abc",
    "stage": "s",
    "path": "p",
    "remote": "s3://o/p",
}
MEMBER = {"relpath": "b", "hash": HASH, "size": 3, "isexec": False}


def load(root: Path, where: str = "data/x.csv.pvt", **keys: object) -> Tracked:
    document = {"path": "x.csv", "hash": HASH, "size": 3} | keys
    return load_tracked(write(root, where, dump(document).encode()), root)


def test_a_file_stands_beside_its_document(tmp_path: Path) -> None:
    tracked = load(tmp_path)

    assert tracked == Tracked("data/x.csv.pvt", File("data/x.csv", Digest(HASH), 3))


def test_at_the_root_too(tmp_path: Path) -> None:
    assert load(tmp_path, "x.csv.pvt").output.path == "x.csv"


def test_a_directory_has_its_files(tmp_path: Path) -> None:
    whole = tree_digest([MEMBER], ["e"])

    tracked = load(
        tmp_path,
        "d/imgs.pvt",
        path="imgs",
        hash=whole,
        num_files=1,
        manifest=[MEMBER],
        empty_dirs=["e"],
    )

    file = File("d/imgs/b", Digest(HASH), 3, executable=False)
    assert tracked.output == Directory("d/imgs", Digest(whole), (file,), ("d/imgs/e",))


def test_a_directory_whose_hash_is_not_that_of_its_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDocument, match=r"^d/imgs\.pvt: hash is not that of its manifest"):
        load(tmp_path, "d/imgs.pvt", path="imgs", num_files=1, manifest=[MEMBER])


def test_without_empty_dirs_the_release_may_have_left_names_out(tmp_path: Path) -> None:
    whole = tree_digest([MEMBER])

    output = load(
        tmp_path, "imgs.pvt", path="imgs", hash=whole, num_files=1, manifest=[MEMBER]
    ).output

    assert isinstance(output, Directory)
    assert output.skips_ignored


def test_an_import_is_in_the_remote_of_another_project(tmp_path: Path) -> None:
    assert load(tmp_path, source=SOURCE).imported_from == "s3://o/p"


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "an unknown key": ({"note": "x"}, "unknown key 'note'"),
    "a path that is a list": ({"path": ["x"]}, "path must be a relative path, not a list"),
    "a hash that lost its zero": ({"hash": 438815433690687}, "hash must be 16 hexadecimal digits"),
    "a size that is text": ({"size": "large"}, "size must be a number of bytes"),
    "a manifest that is text": ({"manifest": "x"}, "manifest and empty_dirs must be lists"),
    "a file without hash": ({"manifest": [{"relpath": "a", "size": 1}]}, r"\[0\].hash must"),
    "a source that is text": ({"source": "x"}, "source must be a mapping"),
    "a source without remote": (
        {"source": {k: v for k, v in SOURCE.items() if k != "remote"}},
        "source.remote must be text, not nothing",
    ),
    "a source whose remote is a list": (
        {"source": SOURCE | {"remote": ["s3://o/p"]}}, "source.remote must be text, not a list",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(tmp_path: Path, name: str) -> None:
    keys, problem = WRONG[name]
    document = dump({"path": "x.csv", "hash": HASH, "size": 3} | keys)

    with pytest.raises(InvalidDocument, match=f"^data/x.csv.pvt: .*{problem}"):
        load_tracked(write(tmp_path, "data/x.csv.pvt", document.encode()), tmp_path)


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", ".git/config"])
def test_a_path_that_leaves_the_project_or_its_data_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnsafePath):
        load(tmp_path, path=path)


@pytest.mark.parametrize("path", ["x.csv", "d/x.csv", "d/1e5", "d/caf\u00e9 a", "d/a: b", "d/#"])
def test_what_is_written_of_a_file_reads_back(tmp_path: Path, path: str) -> None:
    file = file_of(path, b"content")
    (tmp_path / path).parent.mkdir(exist_ok=True)

    written = write_tracked(tmp_path, file)

    assert written == tmp_path / f"{path}.pvt"
    assert load_tracked(written, tmp_path) == Tracked(f"{path}.pvt", file)


@pytest.mark.parametrize("empty", [(), ("e/f", "g")])
def test_what_is_written_of_a_directory_reads_back(tmp_path: Path, empty: tuple[str, ...]) -> None:
    whole = directory_of("d/imgs", {"0123": b"a", "sub/\u00e9": b"bc"}, empty=empty)
    (tmp_path / "d").mkdir()

    seen = load_tracked(write_tracked(tmp_path, whole), tmp_path).output

    assert isinstance(seen, Directory)
    assert replace(seen, skips_ignored=False) == whole


def test_a_directory_is_written_with_the_keys_that_the_real_pivot_knows() -> None:
    whole = directory_of("d/imgs", {"a": b"a", "b": b"bc"}, empty=("e",))

    seen = yaml.safe_load(render_tracked(whole))
    bare = yaml.safe_load(render_tracked(directory_of("d", {})))

    assert list(seen) == ["path", "hash", "size", "num_files", "manifest", "empty_dirs"]
    assert (seen["path"], seen["size"], seen["num_files"]) == ("imgs", 3, 2)
    assert list(bare) == ["path", "hash", "size", "num_files", "manifest"]


@pytest.mark.parametrize("digest", ["0438815433690687", "58145e3962511143", "0312326610214333"])
def test_a_digest_like_a_number_is_written_so_that_it_reads_back(
    tmp_path: Path, digest: str
) -> None:
    file = File("x", Digest(digest), 1)

    seen = load_tracked(write_tracked(tmp_path, file), tmp_path)

    assert seen.output == file
    assert yaml.safe_load(render_tracked(file))["hash"] == digest


def test_an_executable_file_is_written_without_its_bit() -> None:
    """The set of keys is closed."""
    seen = yaml.safe_load(render_tracked(file_of("x", b"", executable=True)))

    assert list(seen) == ["path", "hash", "size"]


def test_a_document_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.pvt").mkdir()

    with pytest.raises(LocalError, match=r"x\.pvt"):
        write_tracked(tmp_path, file_of("x", b""))

    assert os.listdir(tmp_path) == ["x.pvt"]
