"""A project whose locks have the form that all releases of the real Pivot read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from tests.projects import Content, Document, digest, tree_digest

Recorded: TypeAlias = dict[str, dict[str, Document]]
"""By stage and by path: the hash, and what else a directory's entry says."""

OUTPUTS: Mapping[str, Mapping[str, Content]] = {
    "train": {
        "out/clean.txt": b"x",
        "out/parts": {
            "1e5": b"n733",
            "caf\u00e9.txt": "caf\u00e9\n".encode(),
            "deep/er": None,
            "none": None,
            "run.sh": (b"#!/bin/sh\n", True),
        },
        "metrics.json": b'{"accuracy": 0.9}\n',
    },
    "train@a_b": {"out/a_b.1": b"n258", "out/a_b.2": b"n55477", "out/a_b.3": b"n733"},
    "sub/train": {"out/caf\u00e9 noir.txt": "caf\u00e9\n".encode()},
    "sub/folded": {
        "out/a name with so many blanks and words in it that it is folded after eighty"
        " columns.txt": b"long\n"
    },
}
"""What the stages made: the hashes of `train@a_b` look like numbers."""

DEPENDENCIES: Mapping[str, Mapping[str, Content]] = {
    "train": {
        "data/imgs": {"a.txt": b"a\n", "emptyd": None, "sub/b.txt": b"b\n"},
        "data/raw.csv": b"1,2\n",
    },
    "train@a_b": {"out/clean.txt": b"x"},
    "sub/train": {"data/100% @home.csv": b"1,2\n", "data/caf\u00e9.csv": b"n55477"},
    "sub/folded": {},
}

TRAIN = """\
schema_version: 2
code_manifest:
  cmd: 5d2c0f6a8b1e4c37
  params: 0a1b2c3d4e5f6071
params:
  train.lr: 0.01
deps:
- path: data/imgs
  hash: b233bfb7bb031f05
  manifest:
  - relpath: a.txt
    hash: fbbde8981eccc855
    size: 2
    isexec: false
  - relpath: sub/b.txt
    hash: afc37974405adf22
    size: 2
    isexec: false
  empty_dirs:
  - emptyd
  producer: data/imgs
  key: null
- path: data/raw.csv
  hash: 95b60499601393bf
  size: 4
  producer: data/raw.csv
  key: null
outs:
- path: metrics.json
  hash: 59530716d0840afe
  size: 18
  cached: false
  key: metrics.json
- path: out/clean.txt
  hash: 5c80c09683041123
  size: 1
  key: out/clean.txt
- path: out/parts
  hash: 5a9707ee9da896a1
  manifest:
  - relpath: 1e5
    hash: 58145e3962511143
    size: 4
    isexec: false
  - relpath: "caf\\xE9.txt"
    hash: 6dfb5d2f36e17874
    size: 6
    isexec: false
  - relpath: run.sh
    hash: 29fdb5677e281abe
    size: 10
    isexec: true
  empty_dirs:
  - deep/er
  - none
  key: out/parts
"""

TRAIN_A_B = """\
schema_version: 2
code_manifest:
  cmd: c0ffee0123456789
params: {}
deps:
- path: out/clean.txt
  hash: 5c80c09683041123
  size: 1
  producer: out/clean.txt
  key: null
outs:
- path: out/a_b.1
  hash: '4083673417683763'
  size: 4
  key: out/a_b.1
- path: out/a_b.2
  hash: 0438815433690687
  size: 6
  key: out/a_b.2
- path: out/a_b.3
  hash: 58145e3962511143
  size: 4
  key: out/a_b.3
"""

SUB_TRAIN = """\
schema_version: 2
code_manifest:
  cmd: '1234567890123456'
params: {}
deps:
- path: data/100% @home.csv
  hash: 95b60499601393bf
  size: 4
  producer: data/100% @home.csv
  key: null
- path: "data/caf\\xE9.csv"
  hash: 0438815433690687
  size: 6
  producer: "data/caf\\xE9.csv"
  key: null
outs:
- path: "out/caf\\xE9 noir.txt"
  hash: 6dfb5d2f36e17874
  size: 6
  key: null
"""

SUB_FOLDED = """\
schema_version: 2
code_manifest:
  cmd: 5d2c0f6a8b1e4c37
params: {}
deps: []
outs:
- path: out/a name with so many blanks and words in it that it is folded after eighty
    columns.txt
  hash: 01dbc9ad00323c94
  size: 5
  key: null
"""

LOCKS = {
    "train": TRAIN,
    "train@a_b": TRAIN_A_B,
    "sub/train": SUB_TRAIN,
    "sub/folded": SUB_FOLDED,
}


def write_locks(root: Path) -> None:
    """Leave *root* as the stages would: their inputs, their outputs and their locks."""
    for contents in (*DEPENDENCIES.values(), *OUTPUTS.values()):
        for path, content in contents.items():
            place(root / path, content)
    for stage, text in LOCKS.items():
        lock = root / ".pivot" / "stages" / f"{stage}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.write_text(text, encoding="ascii")


def place(path: Path, content: Content) -> None:
    """Write a file or a directory."""
    for relpath, data, executable in leaves(content):
        where = path / relpath
        (where if data is None else where.parent).mkdir(parents=True, exist_ok=True)
        if data is not None:
            where.write_bytes(data)
            where.chmod(0o755 if executable else 0o644)


def leaves(content: Content) -> Iterator[tuple[str, bytes | None, bool]]:
    """List what a content holds, in order: relative path, bytes, whether it is executable."""
    for relpath, leaf in sorted(({"": content} if isinstance(content, bytes) else content).items()):
        yield (relpath, *leaf) if isinstance(leaf, tuple) else (relpath, leaf, False)


def recorded(contents: Mapping[str, Mapping[str, Content]], *, empty_dirs: bool) -> Recorded:
    """What a reader should find, hashed from the contents; a reader may know no empty ones."""
    return {
        stage: {path: entry(content, empty_dirs=empty_dirs) for path, content in paths.items()}
        for stage, paths in contents.items()
    }


def entry(content: Content, *, empty_dirs: bool) -> Document:
    if isinstance(content, bytes):
        return {"hash": digest(content)}
    manifest = [
        {"relpath": path, "hash": digest(data), "size": len(data), "isexec": executable}
        for path, data, executable in leaves(content)
        if data is not None
    ]
    empty = [path for path, data, _ in leaves(content) if data is None]
    known = {"empty_dirs": empty} if empty_dirs and empty else {}
    return {"hash": tree_digest(manifest, empty), "manifest": manifest, **known}
