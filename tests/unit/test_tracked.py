"""`.pvt` files: tracked data, imports, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pivot.errors import InvalidDocument, UnsafePath
from pivot.objects import Digest, Directory, File
from pivot.tracked import Tracked, load_tracked
from tests.projects import dump, tree_digest
from tests.unit.values import write

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
