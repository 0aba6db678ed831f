"""DVC projects, written by hand in DVC's own form, and what our `repro` would say of them."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pivot.cache import Cache
from pivot.lock_writer import Record, render_lock
from pivot.observer import Observer
from pivot.parameters import look_up
from pivot.pipeline import load_pipeline
from pivot.remembered import Remembered
from pivot.stage import Stage
from pivot.values import Typed, load_values
from tests.projects import FIXTURES

Content = bytes | dict[str, bytes]


def unpack_dvc(directory: Path) -> Path:
    """Unpack the project that the real DVC 3 made."""
    with tarfile.open(FIXTURES / "dvc-3.tar.gz") as archive:
        archive.extractall(directory, filter="data")
    return directory / "dvc-3"


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@dataclass
class DvcProject:
    """A project of DVC 3, or with *legacy* of DVC 2."""

    root: Path
    legacy: bool = False

    def __post_init__(self) -> None:
        (self.root / ".dvc").mkdir(parents=True)
        (self.root / ".dvc/config").write_text("")

    def write(self, path: str, content: bytes | str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    def yaml(self, path: str, tree: Mapping[str, Any]) -> Path:
        return self.write(path, yaml.safe_dump(dict(tree), sort_keys=False))

    def name(self, data: bytes) -> str:
        return md5(data.replace(b"\r\n", b"\n") if self.legacy else data)

    def object(self, name: str) -> Path:
        above = ".dvc/cache" if self.legacy else ".dvc/cache/files/md5"
        return self.root / above / name[:2] / name[2:]

    def store(self, data: bytes, name: str | None = None) -> str:
        """Put an object into DVC's cache, read-only as DVC keeps it."""
        name = name or self.name(data)
        target = self.object(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.write_bytes(data)
            target.chmod(0o444)
        return name

    def record(self, path: str, content: Content, *, cached: bool = True) -> dict[str, Any]:
        """Say a content as `dvc.lock` does; with *cached* it is in the cache."""
        kind = {} if self.legacy else {"hash": "md5"}
        if isinstance(content, bytes):
            name = self.store(content) if cached else self.name(content)
            return {"path": path, **kind, "md5": name, "size": len(content)}
        listing = [
            {"md5": self.store(data) if cached else self.name(data), "relpath": relpath}
            for relpath, data in sorted(content.items())
        ]
        text = json.dumps(listing).encode()
        name = f"{md5(text)}.dir"
        if cached:
            self.store(text, name)
        size = sum(map(len, content.values()))
        return {"path": path, **kind, "md5": name, "size": size, "nfiles": len(content)}

    def place(self, path: str, content: Content) -> None:
        for relpath, data in ({"": content} if isinstance(content, bytes) else content).items():
            self.write(f"{path}/{relpath}".rstrip("/"), data)

    def lock(self, stages: Mapping[str, Any]) -> Path:
        return self.yaml("dvc.lock", {"schema": "2.0", "stages": dict(stages)})

    def stage(
        self,
        outs: Mapping[str, Content],
        deps: Mapping[str, Content] | None = None,
        *,
        cmd: str = "make it",
    ) -> None:
        """Make the only stage, `make`, as it is after `dvc repro`."""
        deps = deps or {"source.txt": b"source\n"}
        self.yaml("dvc.yaml", {"stages": {"make": {"cmd": cmd, "deps": [*deps], "outs": [*outs]}}})
        entry = {
            "cmd": cmd,
            "deps": [self.record(path, content, cached=False) for path, content in deps.items()],
            "outs": [self.record(path, content) for path, content in outs.items()],
        }
        self.lock({"make": entry})
        for path, content in {**deps, **outs}.items():
            self.place(path, content)


def verdicts(root: Path) -> dict[str, str]:
    """Compare each lock with the one that a run would write now: `same`, `differs`, `no lock`."""
    documents = sorted(path.relative_to(root).as_posix() for path in root.rglob("pivot.yaml"))

    def read(path: str) -> bytes | None:
        return (root / path).read_bytes() if (root / path).is_file() else None

    stages = load_pipeline(documents, read).stages
    observer = Observer(root, Cache(root / ".pivot/cache"), Remembered(root / "nowhere"))
    made = {output.path for stage in stages.values() for output in stage.outputs}
    said = {}
    for name, stage in stages.items():
        path = root / f".pivot/stages/{name}.lock"
        now = render_lock(_record(root, observer, stage, made))
        state = "same" if path.exists() and path.read_bytes() == now else "differs"
        said[name] = state if path.exists() else "no lock"
    return said


def _record(root: Path, observer: Observer, stage: Stage, made: set[str]) -> Record:
    values: dict[str, Typed] = dict(stage.values)
    for key in stage.keys:
        tree = load_values(root / key.path, key.path).value
        values[key.name] = look_up(tree, key.key) if key.key else tree
    inputs = [observer.look(path, source=path not in made) for path in stage.dependencies]
    outputs = [observer.look(output.path) for output in stage.outputs]
    return Record(
        stage,
        values,
        tuple(each for each in inputs if each is not None),
        tuple(each for each in outputs if each is not None),
    )


def snapshot(root: Path) -> dict[str, tuple[int, bytes | None]]:
    """Everything below *root* but `.pivot`, `pivot.yaml` and `.pvt` files."""
    return {
        path.relative_to(root).as_posix(): (
            os.lstat(path).st_mode,
            path.read_bytes() if path.is_file() else None,
        )
        for path in sorted(root.rglob("*"))
        if ".pivot" not in path.parts and path.name != "pivot.yaml" and path.suffix != ".pvt"
    }
