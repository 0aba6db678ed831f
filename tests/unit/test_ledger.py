"""Ledgers as text: the form of sha256sum, and what is wrong with one."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.errors import InvalidDocument, LocalError, UnsafePath
from pivot.ledger import (
    Section,
    ledger_path,
    load_ledger,
    parse_ledger,
    render_ledger,
    write_ledger,
)
from pivot.objects import Digest, Sha256

DIGEST = Digest("26c7827d889f6da3")
SUM = Sha256("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=8
)


@pytest.mark.parametrize(
    ("document", "ledger"),
    [
        (".pivot/stages/train.lock", ".pivot/digests/train.sha256"),
        (".pivot/stages/demo/train@a.lock", ".pivot/digests/demo/train@a.sha256"),
        ("b/.pivot/stages/make.lock", "b/.pivot/digests/make.sha256"),
        ("data/raw.csv.pvt", ".pivot/digests/data/raw.csv.pvt.sha256"),
        (".pivot/stages/x.pvt", ".pivot/digests/.pivot/stages/x.pvt.sha256"),
        ("poetry.lock.pvt", ".pivot/digests/poetry.lock.pvt.sha256"),
    ],
)
def test_a_ledger_lies_beside_its_document(document: str, ledger: str) -> None:
    assert ledger_path(document) == ledger


def test_the_form_is_that_of_sha256sum_with_a_comment_for_each_output() -> None:
    ledger = {
        "out.txt": Section(DIGEST, {"out.txt": SUM}),
        "d": Section(DIGEST, {"d/b\n": SUM, "d/a\\": SUM}),
    }

    assert render_ledger(ledger).decode().splitlines() == [
        "# SHA-256 of outputs; to check a workspace: sha256sum -c",
        f"# {DIGEST}  d",
        f"\\{SUM}  d/a\\\\",
        f"\\{SUM}  d/b\\n",
        f"# {DIGEST}  out.txt",
        f"{SUM}  out.txt",
    ]


@given(st.dictionaries(NAMES, st.lists(NAMES, unique=True, max_size=4), max_size=4))
def test_what_is_written_is_read_again(outputs: dict[str, list[str]]) -> None:
    ledger = {
        output: Section(DIGEST, {f"{output}/{name}": SUM for name in names} or {output: SUM})
        for output, names in outputs.items()
    }

    assert parse_ledger(render_ledger(ledger), "l") == ledger
    assert parse_ledger(render_ledger(ledger).replace(b"\n", b"\r\n"), "l") == ledger


def test_sha256sum_reads_every_name(tmp_path: Path) -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("needs sha256sum")
    names = [
        "plain",
        "two  blanks",
        " before",
        "# hash",
        "back\\slash",
        "line\nbreak",
        "ü",
        "*star",
    ]
    sums = {}
    for name in names:
        (tmp_path / "d").mkdir(exist_ok=True)
        (tmp_path / "d" / name).write_bytes(name.encode())
        sums[f"d/{name}"] = Sha256(hashlib.sha256(name.encode()).hexdigest())
    write_ledger(tmp_path, "l.sha256", {"d": Section(DIGEST, sums)})

    command = ["sha256sum", "--strict", "--quiet", "--check", "l.sha256"]
    good = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True)
    (tmp_path / "d/line\nbreak").write_bytes(b"other")
    bad = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True)

    assert (good.returncode, good.stdout, good.stderr) == (0, b"", b"")
    assert bad.returncode == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense", "line 3: must be a SHA-256, two blanks and a path"),
        (f"{SUM}", "line 3: must be a SHA-256, two blanks and a path"),
        (f"{SUM.upper()}  d/x", "line 3: must be a SHA-256, two blanks and a path"),
        (f"{SUM}  e/x", "line 3: 'e/x' is not below the output that is named above it"),
        (f"{SUM}  dx", "line 3: 'dx' is not below the output that is named above it"),
        (f"{SUM}  d/a", "line 3: 'd/a' stands twice"),
        (f"# {DIGEST}  d", "line 3: the output 'd' stands twice"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(line: str, said: str) -> None:
    text = f"# {DIGEST}  d\n{SUM}  d/a\n{line}\n"

    with pytest.raises(InvalidDocument) as caught:
        parse_ledger(text.encode(), ".pivot/digests/l.sha256")

    assert caught.value.message == f".pivot/digests/l.sha256: {said}"
    assert "'pivot push' writes it anew" in caught.value.hint


def test_a_sum_needs_an_output_above_it() -> None:
    with pytest.raises(InvalidDocument, match="line 1: 'x' is not below"):
        parse_ledger(f"{SUM}  x\n".encode(), "l")


def test_a_ledger_is_text() -> None:
    with pytest.raises(InvalidDocument, match=r"is not UTF-8 text \(byte 2\)"):
        parse_ledger(b"# \xff", "l")


def test_no_ledger_is_an_empty_one_and_an_empty_one_is_no_file(tmp_path: Path) -> None:
    assert load_ledger(tmp_path, "a/l.sha256") == {}
    ledger = {"d": Section(DIGEST, {"d/a": SUM})}

    assert write_ledger(tmp_path, "a/l.sha256", ledger)
    assert not write_ledger(tmp_path, "a/l.sha256", ledger)
    assert load_ledger(tmp_path, "a/l.sha256") == ledger
    assert write_ledger(tmp_path, "a/l.sha256", {})
    assert not write_ledger(tmp_path, "a/l.sha256", {})
    assert not (tmp_path / "a/l.sha256").exists()


@pytest.mark.parametrize("what", ["file", "directory"])
def test_no_symlink_is_followed(what: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/l.sha256").write_text("")
    (tmp_path / "a").mkdir()
    if what == "file":
        (tmp_path / "a/l.sha256").symlink_to("../elsewhere/l.sha256")
    else:
        (tmp_path / "a").rmdir()
        (tmp_path / "a").symlink_to("elsewhere")

    with pytest.raises(UnsafePath):
        load_ledger(tmp_path, "a/l.sha256")
    with pytest.raises(UnsafePath):
        write_ledger(tmp_path, "a/l.sha256", {"d": Section(DIGEST, {"d/a": SUM})})
    with pytest.raises(UnsafePath):
        write_ledger(tmp_path, "a/l.sha256", {})
    assert (tmp_path / "elsewhere/l.sha256").exists()


def test_a_path_is_escaped_only_where_its_line_says_so() -> None:
    text = f"# {DIGEST}  d\\n\n{SUM}  d\\n/x\n# \\{DIGEST}  e\\n\n\\{SUM}  e\\n/y\n"

    assert parse_ledger(text.encode(), "l") == {
        "d\\n": Section(DIGEST, {"d\\n/x": SUM}),
        "e\n": Section(DIGEST, {"e\n/y": SUM}),
    }


def test_of_much_that_is_wrong_the_beginning_is_said() -> None:
    with pytest.raises(InvalidDocument) as caught:
        parse_ledger(b"nonsense\n" * 1000, "l")

    assert caught.value.message.endswith("; and 16 more")  # of the 21 that were read


def test_below_a_file_there_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")

    assert load_ledger(tmp_path, "a/l.sha256") == {}


def test_what_the_disk_refuses_is_a_local_error(tmp_path: Path) -> None:
    (tmp_path / "a/l.sha256").mkdir(parents=True)

    with pytest.raises(LocalError, match="Is a directory"):
        write_ledger(tmp_path, "a/l.sha256", {})
    with pytest.raises(LocalError, match="File name too long"):
        load_ledger(tmp_path, "x" * 300)
