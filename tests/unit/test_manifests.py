"""Entries that YAML never sees: read and written as YAML would have done it, whatever they hold."""

from __future__ import annotations

from typing import TypeAlias

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pivot.documents import Value, _decode, _may_be_deep, _parse, dump_yaml, parse_yaml
from pivot.errors import InvalidDocument
from pivot.manifests import Shortened, Writer, expand, shorten

HASH = "fbbde8981eccc855"
HASHES = [HASH, "1234567890123456", "0438815433690687", "0312326610214333", "58145e3962511143"]
HASHES += ["0b10101010101010", "0b10101010101012"]
NAMES = [
    "a.txt", "1e5", "true", "No", "null", "~", "- x", "a: b", "a:b", "#", "a #b", "a#b", "", " ",
    " a", "a ", "a  b", "it's", '"', "'", "\\", "caf\xe9.txt", "\u65e5/\u672c", "\U0001f600",
    "a\nb", "a\n", "\t", "\x85", "\u2028", "\ufeff", "\x00", "a" * 90, "w " * 45, "\xe9 " * 30,
    ".inf", "0x1f", "0b1", "1_0", "2024-01-01", "12:30", "0o17", "=", "<<", "-", "---", "...",
    "*x", "[", "{}", "a,b", "!x", "%x", "@x", "`x`", "(1).png", "000001.png", "12/34", "a - b",
    "<a", "a?", "a\x85b", "a\xa0b", "a\u2028b", "a\u2029b", "a\ue000b",
]  # fmt: skip
Tree: TypeAlias = dict[str, object]


def entry(name: str = "a.txt", **keys: object) -> Tree:
    return {"relpath": name, "hash": HASH, "size": 2, "isexec": False} | keys


ANY_NAMES = (
    st.sampled_from(NAMES)
    | st.text(st.characters(codec="utf-8"), max_size=12)
    | st.from_regex(r"[A-Za-z0-9_. #:'\"/-]{1,100}", fullmatch=True)
    | st.lists(st.sampled_from([*NAMES, "words", "of", "many"]), max_size=30).map(" ".join)
)
ENTRIES = st.builds(
    entry,
    ANY_NAMES,
    hash=st.sampled_from(HASHES) | st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    size=st.integers(0, 10**19),
    isexec=st.booleans(),
)
ODD = ENTRIES | st.builds(
    lambda one, other, keys: {key: (one | other)[key] for key in keys},
    ENTRIES,
    st.dictionaries(st.sampled_from(["relpath", "hash", "size", "isexec", "x"]), ANY_NAMES),
    st.permutations(["relpath", "hash", "size", "isexec"]),
)
MANIFESTS = st.lists(ENTRIES, max_size=6) | st.lists(ODD, max_size=4)
OUTS = st.fixed_dictionaries({"path": ANY_NAMES, "manifest": MANIFESTS}, optional={"x": ANY_NAMES})
DOCUMENTS = st.one_of(
    OUTS,
    st.fixed_dictionaries({"deps": st.lists(OUTS, max_size=2), "outs": st.lists(OUTS, max_size=3)}),
    st.recursive(
        MANIFESTS,
        lambda inner: (
            st.lists(inner, min_size=1, max_size=2)
            | st.dictionaries(st.sampled_from(["manifest", "a b", "x"]), inner, min_size=1)
        ),
        max_leaves=3,
    ),
)


class Plain(yaml.CSafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def dump(tree: object) -> bytes:
    return str(yaml.dump(tree, Dumper=Plain, sort_keys=False)).encode()


def outcome(data: bytes) -> Value | list[str]:
    try:
        return {"value": expand(parse_yaml(data, "x"))}
    except InvalidDocument as error:
        return list(error.problems)


def ordinary(data: bytes) -> Value | list[str]:
    """Read *data* with YAML alone."""
    try:
        text = _decode(data, "x")
        return {"value": _parse(text, "x", deep=_may_be_deep(text))}
    except InvalidDocument as error:
        return list(error.problems)


@given(DOCUMENTS)
def test_what_pyyaml_writes_is_read_as_pyyaml_reads_it(tree: object) -> None:
    data = dump(tree)

    assert repr(outcome(data)) == repr(ordinary(data))


@given(DOCUMENTS)
@example({"manifest": [entry(name) for name in NAMES]})
@example({"manifest": [entry(hash=digest) for digest in HASHES]})
def test_what_is_written_is_what_pyyaml_writes(tree: object) -> None:
    assert dump_yaml(tree) == dump(tree)


PIECES = [
    b"\n", b"\r\n", b" ", b"\t", b"#", b" #", b": ", b"- ", b"? ", b"'", b'"', b"|", b"|\n",
    b">-\n", b"&a ", b"*a", b"!!str ", b"[", b"]", b"{", b"}", b",", b"\\", b"\\x41", b"---\n",
    b"...\n", b"x", b"%YAML 1.1\n", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"\x00",
    b"\xff", b"  x: y\n", b"- relpath: a\n  hash: fbbde8981eccc855\n  size: 2\n  isexec: false\n",
    b"  manifest:\n", b"<<",
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = dump(draw(DOCUMENTS))
    for _ in range(draw(st.integers(1, 4))):
        lines = data.splitlines(keepends=True)
        if draw(st.booleans()):  # between lines, where structure is made
            start = draw(st.integers(0, len(lines)))
            end = draw(st.integers(start, min(start + 3, len(lines))))
            pad = b" " * draw(st.integers(0, 6))
            piece = pad + draw(st.sampled_from([*PIECES, *lines, b"x: |\n", b'x: "\n', b"x:\n"]))
            data = b"".join([*lines[:start], piece, *lines[end:]])
        else:
            start = draw(st.integers(0, len(data)))
            end = draw(st.integers(start, min(start + 4, len(data))))
            data = data[:start] + draw(st.sampled_from([b"", *PIECES])) + data[end:]
    return data


@given(damaged())
def test_a_damaged_document_is_read_or_refused_as_pyyaml_does(data: bytes) -> None:
    assert repr(outcome(data)) == repr(ordinary(data))


RUN = """\
- relpath: a.txt
  hash: fbbde8981eccc855
  size: 2
  isexec: false
"""


def indented(by: int, text: str = RUN) -> str:
    return "".join(" " * by + line for line in text.splitlines(keepends=True))


TRAPS = {
    "a literal block": "x: |\n" + indented(2),
    "a literal block of an entry": "manifest:\n- |\n" + indented(2),
    "a folded block": "manifest: >\n" + indented(2) + "y: z\n",
    "a block that a comment seems to end": "x: |\n  a\n" + indented(2) + "# b\n",
    "double quotes": 'x: "\n' + indented(2) + '"\n',
    "single quotes": "x: '\n" + indented(2) + "'\n",
    "a plain text that goes on": "x: a\n" + indented(2),
    "a flow sequence": "x: [\n" + RUN + "]\n",
    "a flow mapping": "x: {\n" + indented(2) + "}\n",
    "a complex key": "?\n" + RUN + ": x\n",
    "a second document": RUN + "---\n" + RUN,
    "after the end": "manifest:\n" + RUN + "...\n" + RUN,
    "a key more": "manifest:\n" + RUN + "  x: y\n",
    "a key twice": "manifest:\n" + RUN + "  hash: fbbde8981eccc855\n",
    "the manifest twice": "manifest:\n" + RUN + "manifest:\n" + RUN,
    "a last text that goes on": "manifest:\n" + RUN + "    more\n",
    "a last text that goes on after a blank line": "manifest:\n" + RUN + "\n    more\n",
    "a comment after": "manifest:\n" + RUN + "   # more\n  x: y\n",
    "deeper than its list": "manifest:\n" + RUN + indented(1),
    "less deep than its list": "manifest:\n" + indented(2) + indented(1),
    "another column": "outs:\n- x: y\n  manifest:\n" + indented(2) + RUN,
    "in a list of lists": "-\n" + indented(2) + "- - x\n" + indented(2),
    "below an anchor": "a: &a\n" + RUN + "b: *a\n",
    "below a tag": "a: !!set\n" + RUN,
    "an undefined alias": "a: *a\nmanifest:\n" + RUN,
    "the whole document": RUN + RUN,
    "no last line end": ("manifest:\n" + RUN + RUN)[:-1],
    "line ends of Windows": ("manifest:\n" + RUN + RUN).replace("\n", "\r\n"),
    "one line end of Windows": "manifest:\n" + RUN + RUN.replace("\n", "\r\n", 1),
    "line ends of Unicode": "x: |\u2028" + RUN,
    "a mark of byte order between": "manifest:\n" + RUN + "\ufeff" + RUN,
    "a list in a list": "- " + RUN,
    "a column more": "manifest:\n" + RUN.replace("  size", "   size") + RUN,
    "a column less": "manifest:\n" + RUN.replace("  size", " size") + RUN,
    "half a quote": "manifest:\n" + RUN.replace("fbb", "'fbb") + RUN,
    "the other half": "manifest:\n" + RUN.replace("855", "855'") + RUN,
    "a tab": "manifest:\n" + RUN + "\t" + RUN,
    "names that may be deep": "manifest:\n" + RUN.replace("a.txt", "a*[" + "x[{" * 60) + RUN,
    "depth that is too much": "".join(" " * n + "a:\n" for n in range(100))
    + indented(99)
    + "x: *\n",
    "depth that is one too much": "".join(" " * n + "a:\n" for n in range(99)) + indented(99),
    "depth that is not": "".join(" " * n + "a:\n" for n in range(98)) + indented(98),
}
TRAPS |= {
    f"the name {name}": "manifest:\n" + RUN.replace("a.txt", name) + RUN
    for name in [
        "''", "'a'", "'a' ", "'a''b'", "'a' b", "'a\tb'", '""', '"a"', '"\\xE9"', '"\\xe9"',
        '"\\n"', '"\\uD800"', '"\\uFEFF"', '"\\U0001F600"', '"\\U0000D800"', '"\\U00110000"',
        '"\\x00"', '"\\\\x41\\""', '"a" #', '"a": b', "a ", "a #b", "a: b", "a:", "- a", "-a",
        "? a", "&a b", "*a", "!a b", "a #", "a # b", "|", "a\tb", "\xe9", "a\n  b", "a\n\n    b",
        "[a", "a]", "~", "@a", "%a", "`a", "a\\x41", "a  b", "a - b", "a, b", "a\x7f",
    ]
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_what_only_looks_like_an_entry_is_none(trap: str) -> None:
    data = TRAPS[trap].encode()

    assert repr(outcome(data)) == repr(ordinary(data))


def test_the_line_of_a_mistake_is_that_of_the_whole_document() -> None:
    data = ("manifest:\n" + RUN * 10 + "x: [\n").encode()

    with pytest.raises(InvalidDocument, match="line 43: "):
        parse_yaml(data, "x")


def test_aliases_that_double_at_every_level_are_walked_once() -> None:
    doubling = "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 90))

    tree = parse_yaml(("a0: &a0\n" + RUN + doubling).encode(), "x")

    assert isinstance(tree, dict)
    assert tree["a0"] == parse_yaml(RUN.encode(), "x")
    assert len(tree["a89"]) == 2
    whole = expand(tree)
    assert isinstance(whole, dict)
    assert isinstance(last := whole["a89"], list)
    assert last[0] is last[1]


ORDINARY = [
    "a.txt",
    "sub/0001.png",
    "with blanks (1).png",
    "caf\xe9.txt",
    "\u65e5\u672c/\U0001f600",
]


def test_ordinary_entries_are_kept_from_yaml() -> None:
    tree = {"outs": [{"manifest": [entry(name) for name in ORDINARY] * 2}], "x": "y"}
    writer = Writer()

    held = writer.shorten(tree)

    assert held == {"outs": [{"manifest": [{writer.mark: 0}]}], "x": "y"}


def test_quoted_entries_too_when_they_are_read() -> None:
    manifest = [entry(name) for name in [*ORDINARY, "true", "- x", "0001", "a #b", 'a"', '"\xe9\\']]
    manifest += [entry(hash=digest) for digest in HASHES]

    short = shorten(dump({"outs": [{"manifest": manifest}], "x": "y"}).decode())

    assert short is not None
    assert short.text.splitlines() == ["outs:", "- manifest:", f"  - {short.mark}: 0", "x: y"]
    assert short.restore(parse_yaml(short.text.encode(), "x"))


@pytest.mark.parametrize(
    "value",
    [
        {"x": []},
        {"x": [{"m": "0"}]},
        {"x": [{"m": "0"}, {"m": "1"}, {"m": "0"}]},
        {"x": [{"m": "0"}, {"m": "2"}, {"m": "1"}]},
        {"x": [{"m": "0"}, {"m": "1 more"}]},
        {"x": [{"m": "0"}, {"m": ["1"]}]},
        {"x": [{"m": "0"}, {"m": "1", "y": "z"}]},
        {"x": [{"m": "0"}], "y": {"m": "1"}},
        {"x": [{"m": "0"}], "y": "- m: 1"},
        "m",
    ],
    ids=str,
)
def test_a_run_that_has_no_single_place_is_not_put_back(value: Value) -> None:
    assert not Shortened("", "m", {"0": ["a"], "1": ["b"]}).restore(value)


def test_entries_are_short_in_a_manifest_alone() -> None:
    params = "params:\n- 1\n" + RUN
    other = "x: # manifest:\n" + RUN + "old_manifest:\n" + RUN
    tree = parse_yaml(f"{params}{other}manifest:\n{RUN}{RUN}".encode(), "x")

    short = ("a.txt", HASH, "2", "false")
    long = dict(zip(("relpath", "hash", "size", "isexec"), short, strict=True))
    assert tree == {
        "params": ["1", long],
        "x": [long],
        "old_manifest": [long],
        "manifest": [short, short],
    }
    assert expand(tree) == {**tree, "manifest": [long, long]}


def test_a_mark_is_new_each_time_so_that_nobody_can_write_it() -> None:
    marks = {short.mark for short in (shorten(RUN), shorten(RUN)) if short}

    assert len(marks | {Writer().mark, Writer().mark}) == 4


def test_a_list_that_stands_twice_is_written_twice() -> None:
    manifest = [entry(), entry("- x")]

    written = dump_yaml({"deps": [{"manifest": manifest}], "outs": [{"manifest": manifest}]})

    assert expand(parse_yaml(written, "x")) == {
        "deps": [{"manifest": parse_yaml(dump(manifest), "x")}],
        "outs": [{"manifest": parse_yaml(dump(manifest), "x")}],
    }
    assert b"&" not in written


@pytest.mark.parametrize(
    "other",
    [
        {"size": True}, {"size": -1}, {"size": 1.5}, {"size": "2"}, {"isexec": 1}, {"isexec": "x"},
        {"hash": None}, {"hash": "x"}, {"hash": 1234567890123456}, {"relpath": None},
        {"relpath": 1}, {"x": "y"}, {"relpath": "w " * 40}, {"relpath": "w" * 200},
        {"relpath": "\xe9" * 200},
    ],
    ids=str,
)  # fmt: skip
def test_an_entry_of_another_form_is_written_by_pyyaml(other: Tree) -> None:
    tree = {"manifest": [entry(), entry() | other, entry(), "x", None, [entry()]]}

    assert dump_yaml(tree) == dump(tree)


@pytest.mark.parametrize("other", [None, "x", {}, [], {"manifest": [entry()]}], ids=str)
def test_a_manifest_of_another_form_is_written_by_pyyaml(other: object) -> None:
    tree = {"manifest": other}

    assert dump_yaml(tree) == dump(tree)


def test_no_name_is_folded_at_the_deepest_place_where_entries_are_held_back() -> None:
    tree: object = {"manifest": [entry("w" * length + " w w") for length in range(80)]}
    for _ in range(20):
        tree = {"x": tree}

        assert dump_yaml(tree) == dump(tree)


def test_a_name_that_is_no_text_is_refused_as_pyyaml_does() -> None:
    for write in (dump_yaml, dump):
        with pytest.raises(UnicodeEncodeError):
            write({"manifest": [entry("a\udce9")]})
