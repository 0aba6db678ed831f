"""A project whose locks have the form that all releases of the real Pivot read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from tests.conftest import ROOT, clean_environment
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

METRICS = frozenset({"metrics.json"})
PARAMETERS = {"train": "train.lr"}


def write_locks(root: Path) -> None:
    """Let our own `repro` make all of it: inputs and outputs in place, and the locks."""
    for paths in DEPENDENCIES.values():
        for path, content in paths.items():
            place(root / path, content)
    (root / ".pivot").mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text("train:\n  lr: 0.01\n")
    pipelines: dict[str, Document] = {}
    for name, outputs in OUTPUTS.items():
        made = root.parent / "made" / name
        for path, content in outputs.items():
            place(made / path, content)
        above, _, base = name.rpartition("/")
        pipelines.setdefault(above, {})[base] = {
            "cmd": f"cp -a '{made}/.' '{root}'",
            "wdir": ".." if above else ".",
            "deps": list(DEPENDENCIES[name]),
            "outs": [path for path in outputs if path not in METRICS],
            "metrics": [path for path in outputs if path in METRICS],
            "params": [PARAMETERS[name]] if name in PARAMETERS else [],
        }
    for above, stages in pipelines.items():
        (root / above).mkdir(exist_ok=True)
        (root / above / "pivot.yaml").write_text(json.dumps({"stages": stages}))
    command = [sys.executable, "-m", "pivot", "repro", "--quiet"]
    environment = clean_environment(root) | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=root, env=environment, check=True, timeout=120)


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
