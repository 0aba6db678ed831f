"""Documents made to break their readers: written by hand, from a grammar, and real ones torn.

What a reader gets is bytes. For the inputs of a CI job they are `NAME=value` pairs, each ended by
a line break, as they could stand in an environment.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from pivot.ci.table import INPUTS
from pivot.ledger import Section, render_ledger
from pivot.objects import Digest, Sha256
from tests.conftest import ROOT
from tests.projects import VERSIONS, digest, unpack

KEYS: Mapping[str, str] = {
    "lock": "code_manifest params deps outs key hash path manifest empty_dirs relpath size isexec"
    " schema_version producer cached cmd",
    "pvt": "path hash size num_files manifest empty_dirs source repo rev rev_lock stage remote"
    " relpath isexec",
    "config": "remotes folders remote_options default_remote cache dir checkout_mode remote jobs"
    " retries read_timeout integrity core origin endpoint profile region resources",
    "pipeline": "stages vars pipeline cmd deps outs params metrics plots wdir matrix frozen"
    " variants python mutex cache persist train item",
}
"""The words that mean something to the readers of YAML."""

READERS = (*KEYS, "ledger", "inputs")
_MAIN = {"lock": "outs", "pvt": "manifest", "config": "remotes", "pipeline": "stages"}
HUGE = b"HUGE"
"""Stands for a document that is a byte larger than any may be."""

_GOOD = b"aaaaaaaaaaaaaaaa"
_BOMB = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40))
_DEEP = b"".join(b" " * n + b"- \n" for n in range(3000))

# KEY is put in the place of the key that matters most to the reader.
_YAML: tuple[bytes, ...] = (
    *(b"", b"\n", b"# nothing\n", b"null", b"[]", b"text", b"3", b"KEY", b"KEY:", b"KEY: 3"),
    *(b"KEY: []", b"KEY: {}", b"KEY: text", b"KEY: [1, [2]]", b"KEY: {a: {b: [c]}}", b"- KEY"),
    *(b"KEY: " + b"[" * 200_000, b"KEY: " + b"{a: " * 100_000, b"- " * 200_000 + b"x"),
    *(b"? " * 200_000 + b"x", _DEEP, b"KEY: " + b"[" * 90 + b"]" * 90, b"KEY:\n" + b" -" * 99),
    *(b"KEY: &a [*a]", b"KEY: &a {b: *a}", b"KEY: *a", b"KEY: [&a 1, &a 2, *a]", b"KEY: &a *a"),
    *(b"KEY: &a {<<: *a}", b"KEY: {<<: [1, 2]}", b"KEY: {<<: 3}", b"a: &a {b: c}\nKEY: {<<: *a}"),
    *(b"a0: &a0 x\n" + _BOMB.encode(), b"a: &a x\nKEY: [" + b"*a, " * 2000 + b"]"),
    *(b"KEY: {}\nKEY: {}", b"KEY: {a: 1, a: 2}", b"KEY: [{a: 1, b: 2, a: 3}]"),
    *(b"KEY: !!python/object/apply:os.system ['touch pwned']", b"KEY: !!python/name:os.system"),
    *(b"KEY: !!binary aGk=", b'KEY: !!int "x"', b"KEY: !!set {a, b}", b"KEY: !own {a: 1}"),
    *(b"%TAG ! tag:yaml.org,2002:\n---\nKEY: !int 3", b"%YAML 3.0\n---\nKEY: []"),
    *(b"KEY: " + b"9" * 100_000, b"KEY: 0x" + b"f" * 100_000, b"KEY: 1e999999", b"KEY: -.inf"),
    *(b"KEY: \0", b"KEY: \x1b[31mred", b'KEY: "\\e[31mred"', b"KEY: \x7f", b'"\\0": KEY'),
    *(b'"KEY\\e]0;x\\a": {}', b'KEY: {"\\e[2J": 1}', b'KEY: ["\\r\\n\\u2028"]'),
    *(b"\xef\xbb\xbfKEY: []", b"KEY: \xef\xbb\xbf[]", b"\xff\xfeK\0E\0", b"\xfe\xff\0K\0E"),
    *("KEY: []".encode("utf-16"), "KEY: []".encode("utf-32"), "KEY: é".encode("latin-1")),
    *(b"KEY: \xc0\x80", b"KEY: \xed\xa0\x80", b"KEY: \xf4\x90\x80\x80", b"KEY: \xe2\x82"),
    *(b'KEY: "\\uD800"', b'KEY: "\\U00110000"', b'KEY: "\\q"', b'KEY: "', b"KEY: [", b"KEY: '"),
    *(b"KEY:\n\t- a", b"\tKEY: []", b"KEY: []\r\n", b"KEY: []\rKEY: []\r", b"KEY: []\n---\nKEY: 1"),
    *(
        b"---\n---\n",
        b"...\n",
        b"KEY: |99\n x",
        b"KEY: >-\n\n\n",
        b"? [a, b]\n: c",
        b"? {a: b}\n: c",
    ),
    *(b": x", b"? \n: KEY", b"~: KEY", b'"": KEY', b"KEY: " + b"x" * 1_000_000),
    *(b"x" * 1_000_000 + b": KEY", b"\n" * 500_000 + b"KEY: [", b"KEY: @x", b"KEY: `x", b"KEY: %x"),
    b"<<<<<<< ours\nKEY: []\n=======\nKEY: {}\n>>>>>>> theirs\n",
    b"".join(b"k%d: v\n" % n for n in range(20_000)),
    bytes(range(256)) * 10,
    HUGE,
)
_HEAD = b"code_manifest: {}\nparams: {}\ndeps: []\nouts: "
_OWN: Mapping[str, tuple[bytes, ...]] = {
    "lock": (
        *(
            _HEAD + b"[x]",
            _HEAD + b"[{}]",
            _HEAD + b"[{path: x}]",
            _HEAD + b"[{path: [a], hash: 1}]",
        ),
        _HEAD + b"[{path: x, hash: zzzz}]",
        _HEAD + b"[{path: ../x, hash: " + _GOOD + b"}]",
        _HEAD + b'[{path: "a\\0b", hash: ' + _GOOD + b"}]",
        _HEAD + b"[{path: .GIT/x, hash: " + _GOOD + b"}]",
        _HEAD + b"[{path: x, hash: " + _GOOD + b", manifest: 3}]",
        _HEAD + b"[{path: x, hash: " + _GOOD + b", manifest: [3, {relpath: 1}]}]",
        _HEAD + b"[{path: x, hash: " + _GOOD + b", manifest: [], empty_dirs: [[]]}]",
        _HEAD + b"[{path: x, key: [], hash: " + _GOOD + b", size: " + b"9" * 30 + b"}]",
        b"code_manifest: []\nparams: 1\ndeps: {}\nouts: ~",
    ),
    "pvt": (
        *(b"path: x", b"path: [a]\nhash: 1", b"path: ../x\nhash: " + _GOOD, b"hash: " + _GOOD),
        b"path: x\nhash: " + _GOOD + b"\nsize: -1\nmore: 1",
        b"path: x\nhash: " + _GOOD + b"\nsource: 3",
        b"path: x\nhash: " + _GOOD + b"\nsource: {repo: [], rev: 3}",
        b"path: x\nhash: " + _GOOD + b"\nmanifest: {a: b}",
    ),
    "config": (
        *(
            b"remote: {jobs: many}",
            b"remote: {jobs: 0}",
            b"remote: 3",
            b"cache: []",
            b"integrity: x",
        ),
        *(b"remotes: {origin: [a]}", b"remotes: {'a b': s3://x}", b"remotes: {a: {b: c}}"),
        b"remotes: {a: s3://x}\nfolders: {a: file:///x}",
        b"remote_options: {a: {endpoint: ftp://x, profile: y, other: z}}",
        b"cache: {checkout_mode: [hardlink, hardlinks, 3]}",
    ),
    "pipeline": (
        *(b"stages: {a: {}}", b"stages: {a: {cmd: 3}}", b"stages: {a: {cmd: x, outs: 3}}"),
        *(b"stages: {'a b': {cmd: x}}", b"stages: {a: {cmd: x, outs: [../y]}}", b"stage: {}"),
        b"stages: {a: {cmd: x, outs: [y]}, b: {cmd: x, outs: [y, y/z]}}",
        b"stages: {a: {cmd: x, deps: [y], outs: [y]}}",
        b"stages: {a: {cmd: '${nope}', matrix: {b: [1, 2], c: {}}}}",
        b"stages: {a: {cmd: x, matrix: {b: [" + b"1," * 3000 + b"]}}}",
        b"vars: [nope.yaml, {a: '${a}'}, 3]\nstages: {a: {cmd: '${a}'}}",
        b"stages: {a: {cmd: x, params: [b, 3], wdir: ../..}}",
    ),
    "ledger": (
        *(b"", b"\n\n", b"text", b"# comment", b"\0", b"\xff", b"\r\n\r\n", "é".encode("latin-1")),
        *(
            b"# " + _GOOD + b"  a\n" + b"0" * 64 + b"  b\n",
            b"0" * 64 + b"  a\n",
            b"0" * 63 + b"  a\n",
        ),
        b"# " + _GOOD + b"  a\n" + b"0" * 64 + b"  a\n" + b"1" * 64 + b"  a\n",
        (b"# " + _GOOD + b"  a\n") * 2,
        b"# " + _GOOD + b"  a\n\\" + b"0" * 64 + b"  a\\n\n",
        b"# " + _GOOD + b"  \x1b[2J\n" + b"0" * 64 + b"  \x1b[31m\n",
        b"<<<<<<< ours\n" + b"0" * 64 + b"  a\n=======\n",
        b"x" * 1_000_000,
        b"\\" * 1_000_000,
        b"x\n" * 500_000,
        HUGE,
    ),
    "inputs": (
        *(b"", b"PIVOT_INPUT_COMMAND=", b"PIVOT_INPUT_COMMAND=gc", b"PIVOT_INPUT_COMMAND=PULL"),
        *(b"PIVOT_INPUT_JOBS=many", b"PIVOT_INPUT_JOBS=-1", b"PIVOT_INPUT_JOBS=" + b"9" * 10_000),
        *("PIVOT_INPUT_JOBS=٣".encode(), b"PIVOT_INPUT_MAX_SIZE=1e9", b"PIVOT_INPUT_TIMEOUT=1 y"),
        *(b"PIVOT_INPUT_FORCE=maybe", b"PIVOT_INPUT_NOSUCH=1", b"PIVOT_INPUT_=1"),
        *(
            b"PIVOT_INPUT_REMOTE=\x1b[2J",
            b"PIVOT_INPUT_REMOTE=\xff\xfe",
            b"PIVOT_INPUT_STAGES=\x1b",
        ),
        b"PIVOT_INPUT_COMMAND=pull\nPIVOT_INPUT_FORCE=1\nPIVOT_INPUT_ONLY_MISSING=1",
        b"PIVOT_INPUT_ENDPOINT_URL=javascript:x\nPIVOT_INPUT_AWS_REGION=\xe2\x80\xae",
        b"PIVOT_INPUT_ROLE_TO_ASSUME=arn:aws:iam::1:role/x\nPIVOT_INPUT_STAGES=" + b"x " * 50_000,
        b"PIVOT_INPUT_REMOTE=::add-mask::x\nPIVOT_INPUT_LOG_LEVEL=" + b"x" * 1_000_000,
    ),
}
_WORDS = ("x", "", "../x", "/", "a/b", "\0", "\x1b[1m", "é", "\u202e", "\ud800", "${x}", "~", "<<")
_TORN = (b"[", b"{", b"&a ", b"*a", b"- ", b": ", b"? ", b"!!int ", b"|", b"\xff", b"\0", b"../")
_BITS = (b"\t", b"\r", b"\n", b'"', b"'", b"#", b"\\", b"%", b"\x1b[", b"\xe2\x80\xa8", b"<<: ")


def by_hand(reader: str) -> tuple[bytes, ...]:
    """List the documents that somebody thought of."""
    main = _MAIN.get(reader)
    return (*(text.replace(b"KEY", main.encode()) for text in _YAML if main), *_OWN[reader])


def samples(directory: Path) -> dict[str, list[bytes]]:
    """Read real documents for each reader; the fixtures are unpacked in *directory*."""
    found: dict[str, list[bytes]] = {reader: [] for reader in READERS}
    ends = {".lock": "lock", ".pvt": "pvt", "config.yaml": "config"}
    for version in VERSIONS:
        for path in sorted(unpack(version, directory).project.rglob("*")):
            for end, reader in ends.items():
                if path.name.endswith(end) and path.is_file() and path.stat().st_size:
                    found[reader].append(path.read_bytes())
    found["pipeline"] = [
        path.read_bytes() for path in sorted((ROOT / "examples").rglob("pivot.yaml"))
    ] + [block.encode() for block in _blocks(ROOT / "docs/guide.md")]
    paths = ("out/a", "out/b c", "out/é\\\n", "out/x/y")
    sums = {path: Sha256(f"{n:064x}") for n, path in enumerate(paths)}
    section = Section(Digest(digest(b"x")), sums)
    found["ledger"] = [render_ledger({"out": section, "more": Section(Digest("0" * 16), {})})]
    given = {known.variable: known.default or "x" for known in INPUTS}
    given["PIVOT_INPUT_COMMAND"] = "pull"
    found["inputs"] = ["\n".join(f"{name}={text}" for name, text in given.items()).encode()]
    return found


def _blocks(page: Path) -> list[str]:
    blocks = re.findall(r"```yaml\n(.+?)```", page.read_text(), re.DOTALL)
    return [block for block in blocks if "stages:" in block]


def make(
    reader: str, number: int, seed: int, *, hand: Sequence[bytes], real: Sequence[bytes]
) -> bytes:
    """Make the document of this *number*: those by *hand* first, then others in turn."""
    if number < len(hand):
        return hand[number]
    chance = random.Random(f"{seed} {reader} {number}")
    if number % 3:
        return _torn(chance, chance.choice([*real, *(each for each in hand if len(each) < 500)]))
    return _generated(chance, reader)


def _torn(chance: random.Random, data: bytes) -> bytes:
    for _ in range(chance.randint(1, 4)):
        at, end = sorted((chance.randint(0, len(data)), chance.randint(0, len(data))))
        match chance.randrange(6):
            case 0:
                data = data[:at]
            case 1:
                data = data[:end] + data[at:]
            case 2:
                data = data[:at] + data[at + chance.randint(1, 12) :]
            case 3:
                data = data[:at] + chance.randbytes(chance.randint(1, 6)) + data[at:]
            case _:
                data = data[:at] + chance.choice(_TORN + _BITS) + data[at:]
    return data


def _generated(chance: random.Random, reader: str) -> bytes:
    if reader in KEYS:
        tree = {key: _tree(chance, reader, 4) for key in chance.choices(KEYS[reader].split(), k=5)}
        if chance.random() < 0.5:
            return json.dumps(tree, ensure_ascii=chance.random() < 0.5).encode(errors="replace")
        return yaml.dump(tree, allow_unicode=True).encode(errors="replace")
    if reader == "ledger":
        parts = (
            "0" * 64,
            "a" * 16,
            "  ",
            " *",
            "# ",
            "\\",
            "out",
            "/x",
            "\n",
            "\r",
            "é",
            "\\n",
            " ",
        )
        return "".join(chance.choices(parts, k=chance.randint(1, 60))).encode()
    names = [*(known.variable for known in INPUTS), "PIVOT_INPUT_X", "PATH"]
    texts = (*_WORDS[:5], *_WORDS[6:9], "true", "pull", "3", "1GB", "2h", "s3://x", "https://x y")
    pairs = (f"{chance.choice(names)}={chance.choice(texts)}" for _ in range(6))
    return "\n".join(pairs).encode(errors="replace")


def _tree(chance: random.Random, reader: str, depth: int) -> object:
    kind = chance.randrange(10 if depth else 6)
    if kind > 7:
        return [_tree(chance, reader, depth - 1) for _ in range(chance.randint(0, 3))]
    if kind > 5:
        keys = [*KEYS[reader].split(), *_WORDS]
        return {
            chance.choice(keys): _tree(chance, reader, depth - 1)
            for _ in range(chance.randint(0, 4))
        }
    scalars = (None, True, -1, 10**30, 1.5, float("nan"), "a" * 16, "0" * 16, "s3://x/y", "5")
    return chance.choice((*scalars, *_WORDS))
