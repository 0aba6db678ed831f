"""YAML as text alone, within limits; files written whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pivot.documents import (
    MAX_ALIASES,
    MAX_BYTES,
    MAX_DEPTH,
    load_yaml,
    mapping,
    parse_yaml,
    write_atomically,
)
from pivot.errors import InvalidDocument, LocalError
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = ["0438815433690687", "58145e3962511143", "1_000", "0x1f", "no", "null", "~", "12:30", "1e5"]


@pytest.mark.parametrize("word", [*WORDS, "2024-01-01", "True", ".inf", "0b1"])
def test_what_looks_like_a_number_a_date_or_nothing_stays_the_word_it_is(word: str) -> None:
    assert parse_yaml(f"a: {word}\nb: [{word}]\n".encode(), "x") == {"a": word, "b": [word]}


TREES = st.recursive(
    st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), TREES, min_size=1))
def test_what_pyyaml_writes_reads_back(tree: dict[str, object]) -> None:
    written = yaml.dump(tree, Dumper=yaml.CSafeDumper, sort_keys=False)

    assert parse_yaml(written.encode(), "x") == tree


@pytest.mark.parametrize("text", [b"", b"\n", b"# only a comment\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_an_empty_mapping(text: bytes) -> None:
    assert parse_yaml(text, "x") == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"a: 1\nb: [\n", "line 3: "),
        (b"a: 1\nb: 2\nc: \xff\n", r"not UTF-8 text \(byte 13\)"),
        (b"a: \x00", "control characters are not allowed"),
        (b"a: 1\na: 2\n", r"line \d: the key 'a' stands twice"),
        (b"x:\n  a: 1\n  b: 2\n  a: 1\n", r"line \d: the key 'a' stands twice"),
        (b"? [a]\n: 1\n", "line 1: a key must be text"),
        (b"a: *nowhere\n", "line 1: found undefined alias"),
        (b"a: &a [*a]\n", "line 1: an alias must not stand inside of what it repeats"),
        (b"a: &a &b 1\n", "line 1: "),
        (b"a: [&a 1, &a 2]\n", "line 1: an anchor must not stand twice"),
        (b"a: 1\n---\nb: 2\n", "line 2: only one document is expected, and another begins here"),
        ("é: é\n\na: \x1b\n".encode(), "line 3: unacceptable character #x001b"),
    ],
)
def test_what_is_no_document_says_where_and_why(text: bytes, problem: str) -> None:
    with pytest.raises(InvalidDocument, match=f"^some/file: .*{problem}") as caught:
        parse_yaml(text, "some/file")

    assert caught.value.code == 8


def test_a_key_that_stands_twice_is_found_in_a_large_mapping_in_no_time() -> None:
    text = "".join(f"key{number}: 1\n" for number in range(20_000)) + "last: 1\nlast: 2\n"
    began = time.monotonic()

    with pytest.raises(InvalidDocument, match="'last' stands twice"):
        parse_yaml(text.encode(), "x")

    assert time.monotonic() - began < 5


def test_a_file_beyond_the_limit_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MAX_BYTES + 1)

    with pytest.raises(InvalidDocument, match="is larger than 64 MiB"):
        load_yaml(tmp_path / "large")


DEEP = {
    "flow sequences": "[" * 200_000,
    "flow mappings": "{a: " * 200_000,
    "flow sequences, closed": "[" * 300 + "]" * 300,
    "compact sequences": "- " * 200_000 + "x",
    "compact sequences, wide": "-  " * 200_000 + "x",
    "compact sequences below a key": "a:\n  " + "- " * 200_000 + "x",
    "compact keys": "? " * 200_000 + "x",
    "block mappings": "".join(" " * n + "a:\n" for n in range(300)),
    "block sequences": "".join(" " * n + "-\n" for n in range(300)),
    "block mappings, other line ends": "".join(" " * n + "a:\r" for n in range(3000)),
    "block mappings, Unicode line ends": "".join(" " * n + "a:\u2028" for n in range(3000)),
}


@pytest.mark.parametrize("shape", DEEP)
def test_deep_nesting_is_refused_and_kills_nobody(shape: str, tmp_path: Path) -> None:
    """In a process of its own: libyaml overflows the stack of what it cannot hold."""
    (tmp_path / "deep").write_bytes(DEEP[shape].encode())
    program = (
        "import sys, pathlib\n"
        "from pivot.documents import load_yaml\n"
        "from pivot.errors import InvalidDocument\n"
        "try:\n    load_yaml(pathlib.Path('deep'))\n"
        "except InvalidDocument as error:\n    print(error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert f"nested deeper than {MAX_DEPTH}" in done.stdout


def test_nesting_up_to_the_limit_is_read() -> None:
    levels = MAX_DEPTH - 1

    loaded = parse_yaml(("a: " + "[" * levels + "]" * levels).encode(), "x")

    for _ in range(levels):
        assert isinstance(loaded, dict | list)
        loaded = loaded["a"] if isinstance(loaded, dict) else loaded[0]
    assert loaded == []


def test_aliases_that_double_at_every_level_are_refused() -> None:
    text = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 9) + "]\n" for n in range(1, MAX_ALIASES)
    )

    with pytest.raises(InvalidDocument, match="too many aliases"):
        parse_yaml(text.encode(), "x")


def test_a_few_aliases_are_read() -> None:
    assert parse_yaml(b"a: &x [1]\nb: *x\n", "x") == {"a": ["1"], "b": ["1"]}


def test_a_document_that_is_no_mapping_says_what_it_is() -> None:
    with pytest.raises(InvalidDocument, match="x: the document must be a mapping, not a list"):
        mapping(parse_yaml(b"- a\n", "x"), "x")


def test_a_file_that_is_not_there_is_a_local_error(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="absent: No such file"):
        load_yaml(tmp_path / "absent")


@pytest.fixture(name="umask")
def _umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_a_written_file_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("old")
    file.chmod(0o604)

    write_atomically(file, b"new")

    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o604


def test_a_new_file_gets_the_mode_that_the_umask_leaves(tmp_path: Path, umask: None) -> None:
    write_atomically(tmp_path / "a" / "b", b"new")

    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o640
    assert os.umask(0o027) == 0o027


def test_a_file_behind_a_symlink_is_written_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")

    write_atomically(tmp_path / "link", b"new")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "inside").write_text("kept")

    with pytest.raises(LocalError, match="target: Is a directory"):
        write_atomically(tmp_path / "target", b"new")

    assert [path.name for path in tmp_path.rglob("*")] == ["target", "inside"]
    assert (tmp_path / "target" / "inside").read_text() == "kept"


def test_a_symlink_that_leads_to_itself_is_a_local_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(LocalError, match="loop: "):
        write_atomically(tmp_path / "loop", b"new")
