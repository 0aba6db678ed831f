"""What the commands of a team do to bytes, said once more: a model without names or files.

A name is the content that it promises. A file is an inode: what is a hard link to an object is the
same `File` as the object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Existing = Literal["refuse", "update", "keep", "overwrite"]
WORST = (5, 3, 1, 0)
OUTPUTS = {"a": ("a",), "b": ("b",), "d": ("d/x", "d/y")}


@dataclass(eq=False)
class File:
    """An inode."""

    data: bytes


@dataclass
class Machine:
    """A clone: what its documents promise, what its cache has by name, and its files.

    Bytes in place of a file are a symlink to the object of that name.
    """

    lock: dict[str, bytes] = field(default_factory=dict)
    cache: dict[bytes, File] = field(default_factory=dict)
    files: dict[str, File | bytes] = field(default_factory=dict)
    mode: str = "copy"

    def read(self, path: str) -> bytes | None:
        """Read a file as others do."""
        node = self.files.get(path)
        if isinstance(node, bytes):
            node = self.cache.get(node)
        return node.data if node is not None else None

    def sound(self, name: bytes) -> bool:
        """Tell whether an object is there and has the right size."""
        return name in self.cache and len(self.cache[name].data) == len(name)

    def good(self, name: bytes) -> bool:
        """Tell whether an object is there and right."""
        return name in self.cache and self.cache[name].data == name

    def wanted(self, outputs: Iterable[str]) -> dict[bytes, list[str]]:
        """List what outputs need, and where."""
        found: dict[bytes, list[str]] = {}
        for path in (p for output in outputs for p in OUTPUTS[output] if p in self.lock):
            found.setdefault(self.lock[path], []).append(path)
        return found

    def has(self, name: bytes, paths: Iterable[str]) -> bool:
        """Tell whether one of the files has the content itself."""
        nodes = (self.files.get(path) for path in paths)
        return any(isinstance(node, File) and node.data == name for node in nodes)


@dataclass
class Team:
    """Some machines, and what the remote has by name."""

    machines: tuple[Machine, ...]
    remote: dict[bytes, bytes] = field(default_factory=dict)

    def track(self, one: Machine, output: str, contents: tuple[bytes, ...]) -> None:
        """Save an output as an editor does, and track it."""
        for path, data in zip(OUTPUTS[output], contents, strict=False):
            one.files[path] = File(data)
            one.lock[path] = data
            if not one.good(data):
                one.cache[data] = File(data)

    def push(self, one: Machine, outputs: Iterable[str]) -> int:
        codes = {0}
        for name, paths in one.wanted(outputs).items():
            if name in self.remote:
                codes.add(0 if len(self.remote[name]) == len(name) else 5)
            elif one.good(name) or (not one.sound(name) and one.has(name, paths)):
                self.remote[name] = name
            else:
                codes.add(5 if name in one.cache else 3)
        return worst(codes)

    def fetch(self, one: Machine, outputs: Iterable[str]) -> int:
        codes = {0}
        for name, paths in one.wanted(outputs).items():
            if one.sound(name):
                continue
            if name not in self.remote:
                codes.add(0 if one.has(name, paths) else 3)
            elif self.remote[name] == name:
                one.cache[name] = File(name)
            else:
                codes.add(5)
        return worst(codes)

    def pull(self, one: Machine, outputs: Iterable[str], existing: Existing) -> int:
        for name in one.wanted(outputs):
            if one.sound(name) and not one.good(name):
                del one.cache[name]
        code = self.fetch(one, outputs)
        return worst({code, self.checkout(one, outputs, existing)})

    def checkout(self, one: Machine, outputs: Iterable[str], existing: Existing) -> int:
        codes = {0}
        for output in outputs:
            steps = dict(_steps(one, output, existing))
            codes |= {_CODES.get(step, 0) for step in steps.values()}
            if not {"refuse", "missing"} & set(steps.values()):
                for path in (path for path, step in steps.items() if step == "place"):
                    _place(one, path)
        return worst(codes)


_CODES = {"refuse": 1, "missing": 3}


def worst(codes: Iterable[int]) -> int:
    """Choose the exit code."""
    return min(codes, key=WORST.index)


def _steps(one: Machine, output: str, existing: Existing) -> Iterator[tuple[str, str]]:
    for path in OUTPUTS[output]:
        if path not in one.lock:
            continue
        name, node, data = one.lock[path], one.files.get(path), one.read(path)
        linked = isinstance(node, bytes)
        if node is None or (node == name and data != name):
            step = "place"
        elif data == name or existing == "keep":
            step = "leave"
        elif existing == "overwrite":
            step = "place"
        else:
            had = linked or (data is not None and one.sound(data))
            step = "place" if existing == "update" and had else "refuse"
        yield path, "missing" if step == "place" and not one.good(name) else step


def _place(one: Machine, path: str) -> None:
    name = one.lock[path]
    kinds = {"copy": File(name), "hardlink": one.cache[name], "symlink": name}
    one.files[path] = kinds[one.mode]
