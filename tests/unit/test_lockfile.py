"""Lock files of every generation: what they record, and which of it is cached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest

from pivot.documents import parse_yaml
from pivot.errors import InvalidDocument, UnsafePath
from pivot.lockfile import StageLock, is_ignored, load_lock, parse_lock, stage_name
from pivot.objects import Digest, Directory, File, files_of
from tests.projects import dump, tree_digest
from tests.unit.values import write

HASH = "0438815433690687"
OTHER = "58145e3962511143"
Entry: TypeAlias = dict[str, object]


def entry(**keys: object) -> Entry:
    return {"key": None, "hash": HASH, "path": "data/demo/train.bin"} | keys


def old_entry(**keys: object) -> Entry:
    return {"path": "out/x", "hash": HASH} | keys


def member(name: str = "a", **keys: object) -> Entry:
    return {"relpath": name, "hash": OTHER, "size": 3, "isexec": False} | keys


def whole(path: str, *manifest: Entry, empty: tuple[str, ...] = (), **keys: object) -> Entry:
    """Make the entry of a directory; its hash is that of its list."""
    listed: Entry = {"manifest": list(manifest)} | ({"empty_dirs": list(empty)} if empty else {})
    return entry(path=path, hash=tree_digest(manifest, empty)) | listed | keys


def load(
    root: Path, *outs: object, code: Mapping[str, object] | None = None, stage: str = "demo/train"
) -> StageLock:
    document: Entry = {
        "schema_version": 2, "code_manifest": dict(code or {}), "params": {}, "deps": [],
        "outs": list(outs),
    }  # fmt: skip
    path = write(root, f".pivot/stages/{stage}.lock", dump(document).encode())
    return load_lock(path, root)


def test_a_single_file_has_its_path_and_hash(tmp_path: Path) -> None:
    lock = load(tmp_path, entry())

    assert lock.stage == "demo/train"
    assert lock.document == ".pivot/stages/demo/train.lock"
    assert lock.outputs == (File("data/demo/train.bin", Digest(HASH)),)


def test_a_directory_has_its_files_and_its_empty_directories(tmp_path: Path) -> None:
    manifest = [member("a"), member("sub/run", isexec=True, size=0)]

    lock = load(tmp_path, whole("data/t", *manifest, empty=("e/f",)))

    assert lock.outputs == (
        Directory(
            "data/t",
            Digest(tree_digest(manifest, ["e/f"])),
            (
                File("data/t/a", Digest(OTHER), 3, executable=False),
                File("data/t/sub/run", Digest(OTHER), 0, executable=True),
            ),
            ("data/t/e/f",),
        ),
    )


def test_entries_of_a_directory_are_read_whatever_their_form(tmp_path: Path) -> None:
    odd = dict(reversed(member("b").items()))
    manifest = [member("a"), odd, member("c", isexec=True), member("d"), member("e", size=10**17)]

    lock = load(tmp_path, whole("data/t", *manifest))

    files = files_of(lock.outputs[0])
    assert [(f.path, f.digest, f.size, f.executable) for f in files] == [
        ("data/t/a", OTHER, 3, False),
        ("data/t/b", OTHER, 3, False),
        ("data/t/c", OTHER, 3, True),
        ("data/t/d", OTHER, 3, False),
        ("data/t/e", OTHER, 10**17, False),
    ]


def test_two_directories_may_share_one_list(tmp_path: Path) -> None:
    text = dump({"outs": [whole("data/t", member("a"), member("b"))]})
    entry, _, entries = text.removeprefix("outs:\n").partition("manifest:\n")
    again = entry.replace("data/t", "data/u") + "manifest: *m\n"
    start = "schema_version: 2\ncode_manifest: {}\nparams: {}\ndeps: []\nouts:\n"
    data = f"{start}{entry}manifest: &m\n{entries}{again}".encode()

    lock = load_lock(write(tmp_path, ".pivot/stages/s.lock", data), tmp_path)

    assert [file.path for output in lock.outputs for file in files_of(output)] == [
        "data/t/a", "data/t/b", "data/u/a", "data/u/b",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "stage"),
    [
        (".pivot/stages/train.lock", "train"),
        (".pivot/stages/demo/train.lock", "demo/train"),
        (".pivot/stages/demo/fit@a_b.lock", "demo/fit@a_b"),
        ("b/.pivot/stages/make.lock", "b/make"),
        ("b/.pivot/stages/x/make.lock.lock", "b/x/make.lock"),
    ],
)
def test_a_lock_file_names_its_stage(document: str, stage: str) -> None:
    assert stage_name(document) == stage


@pytest.mark.parametrize(
    ("tag", "cached"),
    [("data", True), ("plot", True), ("directory", True), ("incremental", True), ("metric", False)],
)
@pytest.mark.parametrize(("key", "identity"), [(None, "demo/train"), ("m", "demo/train:m")])
def test_since_0_5_8_the_tag_decides_whatever_the_path(
    tmp_path: Path, tag: str, cached: bool, key: str | None, identity: str
) -> None:
    lock = load(tmp_path, entry(key=key, path="metrics/x"), code={f"out:{identity}:tag": tag})

    assert bool(lock.outputs) == cached
    assert bool(lock.uncached) != cached


@pytest.mark.parametrize(
    ("path", "cached"), [("data/x", True), ("plots/x", True), ("metrics/x", False)]
)
def test_before_that_metrics_stand_in_their_own_directory(
    tmp_path: Path, path: str, cached: bool
) -> None:
    lock = load(tmp_path, entry(path=path))

    assert bool(lock.outputs) == cached
    assert bool(lock.uncached) != cached


def test_the_oldest_locks_do_not_say_whether_an_output_is_cached(tmp_path: Path) -> None:
    empty = old_entry(path="out/y/", manifest=[], hash=tree_digest([]))

    lock = load(tmp_path, old_entry(path="metrics/x"), empty)

    assert [output.path for output in lock.undecided] == ["metrics/x", "out/y"]
    assert (lock.outputs, lock.uncached) == ((), ())


@pytest.mark.parametrize(
    "other", [entry(), old_entry(), entry(path="metrics/x"), entry(key="m")], ids=str
)
def test_our_own_key_decides_first(tmp_path: Path, other: Entry) -> None:
    code = {"out:demo/train:m:tag": "data"}

    assert load(tmp_path, other | {"cached": False}, code=code).uncached
    assert load(tmp_path, other | {"cached": True}, code=code).outputs


@pytest.mark.parametrize("word", ["false", "False", "FALSE", "no", "No", "off", "n", "N"])
def test_no_has_all_the_spellings_of_yaml(tmp_path: Path, word: str) -> None:
    path = write(
        tmp_path,
        ".pivot/stages/x.lock",
        "code_manifest: {}\nparams: {}\ndeps: []\nouts:\n"
        f"- {{key: null, hash: '{HASH}', path: x, cached: {word}}}\n".encode(),
    )

    lock = load_lock(path, tmp_path)

    assert lock.outputs == ()
    assert [output.path for output in lock.uncached] == ["x"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"manifest": [member("a")]},
        {"manifest": [member("a"), member("b", size=4)]},
        {"manifest": [member("a"), member("b", isexec=True)]},
        {"manifest": [member("b"), member("a")]},
        {"empty_dirs": ["e"]},
        {"hash": HASH},
    ],
    ids=str,
)
def test_a_directory_whose_hash_is_not_that_of_its_list_is_refused(
    tmp_path: Path, wrong: Entry
) -> None:
    right = whole("data/t", member("a"), member("b"))

    with pytest.raises(InvalidDocument, match=r"outs\[0\].hash is not that of its manifest"):
        load(tmp_path, right | wrong)
    assert load(tmp_path, right).outputs


def test_a_lock_that_all_versions_can_read_is_of_the_second_kind(tmp_path: Path) -> None:
    lock = load(tmp_path, {"path": "out/clean.txt", "hash": HASH, "key": None})

    assert lock.outputs == (File("out/clean.txt", Digest(HASH)),)


def test_an_old_directory_may_lack_ignored_names_unless_it_lists_one(tmp_path: Path) -> None:
    plain = whole("data/t", member("a"))
    listing = whole("data/u", member("a"), member("b/x.pyc"))
    newer = whole("data/v", member("a"), empty_dirs=[])

    lock = load(tmp_path, plain, listing, newer)

    assert [o.skips_ignored for o in lock.outputs if isinstance(o, Directory)] == [
        True,
        False,
        False,
    ]


def test_a_tagged_directory_lists_all_its_files(tmp_path: Path) -> None:
    lock = load(
        tmp_path,
        whole("data/t", member("a")),
        code={"out:demo/train:tag": "directory"},
    )

    (output,) = lock.outputs
    assert isinstance(output, Directory)
    assert not output.skips_ignored


def test_links_of_the_oldest_directories_may_have_the_other_bit(tmp_path: Path) -> None:
    directory = whole("out/x", member("run", isexec=True))
    without_key = {name: value for name, value in directory.items() if name != "key"}

    old = load(tmp_path, without_key).undecided[0]
    new = load(tmp_path, directory).outputs[0]

    assert isinstance(old, Directory)
    assert isinstance(new, Directory)
    assert [file.lenient for file in old.files] == [True]
    assert [replace(file, lenient=False) for file in old.files] == list(new.files)


@pytest.mark.parametrize(
    ("name", "ignored"),
    [("a.pyc", True), ("a.py", False), (".git/config", True), ("x/node_modules/y", True),
     ("dist", True), ("distribution/x", False), ("x~", True), (".#lock", True), ("a/.#b", True)],
)  # fmt: skip
def test_the_names_that_old_releases_left_out(name: str, ignored: bool) -> None:
    assert is_ignored(name) == ignored


WRONG: dict[str, tuple[object, str]] = {
    "an output that is text": ("x", r"outs\[0\] must be a mapping"),
    "no path": ({"key": None, "hash": HASH}, r"outs\[0\].path is missing"),
    "no hash": ({"key": None, "path": "x"}, r"outs\[0\].hash must be 16 hexadecimal digits"),
    "a short hash": (entry(hash="12"), r"outs\[0\].hash must be 16 hexadecimal digits, not '12'"),
    "a key that is a list": (entry(key=["a"]), r"outs\[0\].key"),
    "a key that is a mapping": (entry(key={"a": "b"}), r"outs\[0\].key"),
    "a manifest that is text": (entry(manifest="x"), "manifest and empty_dirs must be lists"),
    "empty_dirs of lists": (entry(manifest=[], empty_dirs=[["x"]]), "empty_dirs must be a list of"),
    "a file that is text": (entry(manifest=["x"]), r"outs\[0\].manifest\[0\] must be a mapping"),
    "a file without name": (entry(manifest=[member("")]), r"manifest\[0\].relpath is missing"),
    "a file without size": (entry(manifest=[member(size=None)]), r"\.size must be a number"),
    "a negative size": (entry(manifest=[member(size=-1)]), r"\.size must be a number"),
    "a huge size": (entry(manifest=[member(size=10**19)]), r"\.size must be a number"),
    "a wrong bit": (entry(manifest=[member(isexec="x")]), r"\.isexec must be true or false"),
    "a wrong hash inside": (entry(manifest=[member(hash="x")]), r"manifest\[0\].hash must be 16"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_in_an_output_is_said_with_its_place(tmp_path: Path, name: str) -> None:
    out, problem = WRONG[name]

    with pytest.raises(InvalidDocument, match=problem) as caught:
        load(tmp_path, out)

    assert caught.value.code == 8
    assert str(caught.value).startswith(".pivot/stages/demo/train.lock: ")


@pytest.mark.parametrize("key", ["code_manifest", "params", "deps", "outs"])
def test_every_section_is_required(tmp_path: Path, key: str) -> None:
    document: Entry = {"code_manifest": {}, "params": {}, "deps": [], "outs": []}
    del document[key]
    path = write(tmp_path, ".pivot/stages/x.lock", dump(document).encode())

    with pytest.raises(InvalidDocument, match=f"{key} must be a .*, not nothing"):
        load_lock(path, tmp_path)


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../b", "a//b", ".", ".git/x", "a/.PIVOT/x"])
def test_a_path_that_leaves_the_data_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnsafePath, match="unsafe path"):
        load(tmp_path, entry(path=path))


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", ".git/hooks/post-checkout"])
def test_a_name_that_leaves_its_directory_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafePath):
        load(tmp_path, entry(manifest=[member(name)]))
    with pytest.raises(UnsafePath):
        load(tmp_path, entry(manifest=[], empty_dirs=[name]))


def with_deps(*deps: object) -> Entry:
    return {"code_manifest": {}, "params": {}, "deps": list(deps), "outs": []}


def parse(content: Entry, *, dependencies: bool = True) -> StageLock:
    text = parse_yaml(dump(content).encode(), "x.lock")
    return parse_lock(text, ".pivot/stages/demo/x.lock", dependencies=dependencies)


def test_dependencies_are_read_only_when_asked_for() -> None:
    content = with_deps({"path": "in", "hash": HASH})

    assert parse(content).dependencies == (File("in", Digest(HASH)),)
    assert parse(content, dependencies=False).dependencies == ()
    assert parse(with_deps({"path": "in"}), dependencies=False).dependencies == ()


def test_a_dependency_has_what_an_output_has() -> None:
    manifest = [member("a", isexec=True), member("sub/b")]
    lib = whole("lib", *manifest, empty=("e",))

    seen = parse(with_deps(lib, {"path": "run", "hash": HASH, "size": 5, "isexec": True}))

    assert seen.dependencies == (
        Directory(
            "lib",
            Digest(tree_digest(manifest, ["e"])),
            (
                File("lib/a", Digest(OTHER), 3, executable=True),
                File("lib/sub/b", Digest(OTHER), 3, executable=False),
            ),
            ("lib/e",),
        ),
        File("run", Digest(HASH), 5, executable=True),
    )


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/abs/in", "hash": HASH},
        {"producer": "demo/make", "key": None, "hash": HASH},
        {"path": ["in"], "hash": HASH},
        "text",
        None,
    ],
    ids=str,
)
def test_a_dependency_that_has_no_path_here_is_left_out(other: object) -> None:
    seen = parse(with_deps(other, {"path": "in", "hash": HASH}))

    assert [each.path for each in seen.dependencies] == ["in"]


@pytest.mark.parametrize(
    ("dependency", "problem"),
    [
        ({"path": "in"}, r"deps\[0\].hash must be 16 hexadecimal digits, not nothing"),
        ({"path": "in", "hash": "12"}, r"deps\[0\].hash must be 16 hexadecimal digits, not '12'"),
        (whole("lib", member("a"), hash=HASH), r"deps\[0\].hash is not that of its manifest"),
    ],
)
def test_a_dependency_that_is_wrong_is_said(dependency: Entry, problem: str) -> None:
    with pytest.raises(InvalidDocument, match=problem):
        parse(with_deps(dependency))


@pytest.mark.parametrize("path", ["../in", "a/../b", ".git/config", ""])
def test_a_dependency_outside_of_the_data_is_refused(path: str) -> None:
    with pytest.raises(UnsafePath):
        parse(with_deps({"path": path, "hash": HASH}))


def test_what_identifies_code_and_parameters_is_read_as_text() -> None:
    content = with_deps() | {
        "code_manifest": {"cmd": HASH, "params": OTHER, "odd": ["list"]},
        "params": {"lr": 1e-5, "on": True, "deep": [{"a": None}]},
    }

    seen = parse(content)

    assert seen.manifest == {"cmd": HASH, "params": OTHER}
    assert seen.parameters == {"lr": "1.0e-05", "on": "true", "deep": [{"a": "null"}]}


def test_a_directory_of_our_own_lock_lists_all_its_files(tmp_path: Path) -> None:
    lock = load(tmp_path, whole("data/t", member("a")), code={"cmd": HASH})

    (output,) = lock.outputs
    assert isinstance(output, Directory)
    assert not output.skips_ignored


def test_the_markers_of_a_merge_are_found_below_a_very_long_line(tmp_path: Path) -> None:
    path = tmp_path / ".pivot/stages/x.lock"
    path.parent.mkdir(parents=True)
    long = b"a: " + b"<<<<<<< " * 100_000
    path.write_bytes(long + b"\n<<<<<<< ours\nb: 1\n=======\nb: 2\n>>>>>>> theirs\n")

    with pytest.raises(InvalidDocument, match="line 2: has the conflict markers of a merge"):
        load_lock(path, tmp_path)


def test_parameters_that_look_like_a_manifest_stay_what_they_are() -> None:
    listed: Entry = {"manifest": [member("a"), member("b")]}
    text = dump(
        {"schema_version": 2, "code_manifest": {}, "params": listed, "deps": [], "outs": []}
    )

    lock = parse_lock(parse_yaml(text.encode(), "x"), ".pivot/stages/s.lock")

    assert lock.parameters == {
        "manifest": [
            {"relpath": name, "hash": OTHER, "size": "3", "isexec": "false"} for name in "ab"
        ]
    }
