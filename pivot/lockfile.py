"""A stage's lock file as a value. Its keys on disk occur here and in `tracked` only.

The format and its generations are described in docs/format.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pivot.documents import Value, kind, load_yaml, mapping, parse_yaml
from pivot.errors import InvalidDocument, UnsafePath
from pivot.frozen import frozen
from pivot.manifests import expand
from pivot.objects import Digest, Directory, File, Output, is_digest, tree_digest
from pivot.paths import data_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# What releases before 0.3 leave out of a directory; names that such a directory never lists.
IGNORED_NAMES = frozenset(
    {"__pycache__", ".venv", "venv", ".git", ".hg", ".svn", ".idea", ".vscode"}
    | {"node_modules", ".pivot", "dist", "build"}
)
IGNORED_ENDINGS = (".pyc", ".pyo", ".swp", ".swo", "~")


_OUTPUTS = b"\nouts:\n"
_PATH_LINE = re.compile(rb"^(?:- |  )path: (.*(?:\n {4}.*)*)$", re.MULTILINE)
_UNUSUAL = re.compile(rb"[^\w./]|.*[\n#:]|null$|true$|false$|[0-9.]+$", re.DOTALL)  # quoted, folded


@frozen
class Wire:
    """A dependency as releases from 0.2 record it: by who made it, not by its path.

    *producer* is a stage, and *key* that of its output; or it is an input of the pipeline, and
    then *path* says where that is. *content* is what was read, at a path that says nothing.
    """

    producer: str
    key: str
    path: str
    content: Output


@frozen
class StageLock:
    """What one lock file records: the *outputs* of *stage* that are kept in the cache.

    *undecided* are outputs of the oldest generation, which does not say whether they are cached:
    those that git tracks are not. *manifest* is what identifies code and command, *parameters*
    are values as text. *dependencies*, *wires*, and *keys*, by which others name each output, are
    empty unless asked for.
    """

    stage: str
    document: str
    outputs: tuple[Output, ...]
    undecided: tuple[Output, ...] = ()
    uncached: tuple[Output, ...] = ()
    manifest: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Value] = field(default_factory=dict)
    dependencies: tuple[Output, ...] = ()
    wires: tuple[Wire, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)


def load_lock(path: Path, root: Path, *, dependencies: bool = False) -> StageLock:
    """Read the lock file at *path* of the project at *root*, with its *dependencies* if asked.

    Raises `InvalidDocument`, `UnsafePath`, `LocalError`.
    """
    document = path.relative_to(root).as_posix()
    try:
        content = load_yaml(path)
    except InvalidDocument as error:
        raise InvalidDocument(document, _conflict(path) or error.problems, hint=_RESTORE) from error
    return parse_lock(content, document, dependencies=dependencies)


def _conflict(path: Path) -> list[str]:
    """Say that a merge left a conflict in a file, if it did."""
    if path.is_symlink() or not path.is_file():
        return []
    with open(path, "rb") as file:
        number, begins = 1, True
        while part := file.readline(_PART):  # nobody promises that a line is short
            if begins and part.startswith(b"<<<<<<< "):
                return [f"line {number}: has the conflict markers of a merge"]
            begins = part.endswith(b"\n")
            number += begins
    return []


def parse_lock(content: Value, document: str, *, dependencies: bool = False) -> StageLock:
    """Take *content* as that of the lock file *document*; see `load_lock`."""
    tree = mapping(content, document)
    problems = [
        f"{key} must be {what}, not {kind(tree.get(key))}"
        for key, type_, what in (
            ("code_manifest", dict, "a mapping"),
            ("params", dict, "a mapping"),
            ("deps", list, "a list"),
            ("outs", list, "a list"),
        )
        if not isinstance(tree.get(key), type_)
    ]
    if problems:
        raise InvalidDocument(document, problems, hint=_RESTORE)
    lock = _Lock(stage_name(document), document, tree)
    for number, entry in enumerate(tree["outs"]):
        lock.read_output(f"outs[{number}]", entry)
    read = tuple(lock.dependencies()) if dependencies else ()
    if lock.problems:
        raise InvalidDocument(document, lock.problems, hint=_RESTORE)
    return StageLock(
        lock.stage,
        document,
        tuple(lock.cached),
        tuple(lock.undecided),
        tuple(lock.uncached),
        {key: value for key, value in lock.manifest.items() if isinstance(value, str)},
        mapping(expand(tree["params"]), document),
        read,
        tuple(lock.wires()) if dependencies else (),
        lock.keys if dependencies else {},
    )


_FALSE = frozenset({"false", "no", "off", "n"})  # as YAML 1.1 has it
_PART = 1 << 16
_NO_KEY = frozenset({None, "null", "~", ""})
_RESTORE = "restore the file from git, or delete it and run the stage again"


def stage_name(document: str) -> str:
    """Name the stage of a lock file: its path below `stages/`, after the directory that has them.

    `.pivot/stages/demo/train.lock` is `demo/train`; `b/.pivot/stages/make.lock` is `b/make`.
    """
    above, _, name = document.removesuffix(".lock").rpartition(".pivot/stages/")
    return above + name


def glance_outputs(data: bytes, document: str) -> list[str]:
    """List the paths of outputs in the text of a lock file, a hundred times as fast as to read it.

    What does not look like one has none. Raises `InvalidDocument`.
    """
    _, mark, text = data.partition(_OUTPUTS)
    found = _PATH_LINE.findall(text)
    if not mark or any(_UNUSUAL.match(path) for path in found):
        tree = parse_yaml(data, document)
        outs = tree.get("outs") if isinstance(tree, dict) else None
        entries = outs if isinstance(outs, list) else []
        paths = [entry.get("path") for entry in entries if isinstance(entry, dict)]
        return [path for path in paths if isinstance(path, str)]
    return [path.decode(errors="replace") for path in found]


@dataclass
class _Lock:
    """A lock file while it is read."""

    stage: str
    document: str
    tree: Mapping[str, Value]
    problems: list[str] = field(default_factory=list)
    cached: list[Output] = field(default_factory=list)
    undecided: list[Output] = field(default_factory=list)
    uncached: list[Output] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)

    def read_output(self, place: str, entry: Value) -> None:
        if not isinstance(entry, dict):
            self.problems.append(f"{place} must be a mapping, not {kind(entry)}")
            return
        path = entry.get("path")
        if not isinstance(path, str) or not path:
            self.problems.append(f"{place}.path is missing")
            return
        key = entry.get("key")
        if key is not None and not isinstance(key, str):
            self.problems.append(f"{place}.key must be text, not {kind(key)}")
            return
        tag = self._tag(key)
        # Our own locks have no tags, and say what their stage's command is.
        old = tag is None and "empty_dirs" not in entry and "cmd" not in self.manifest
        output = read_output(entry, path, self.document, place, self.problems, old=old)
        if isinstance(output, Directory) and "key" not in entry:
            files = tuple(replace(file, lenient=True) for file in output.files)
            output = replace(output, files=files)
        if output is not None:
            if "key" in entry:
                self.keys["" if key in _NO_KEY else key or ""] = output.path
            self._keep(output, entry, tag)

    def _tag(self, key: str | None) -> Value | None:
        """Read what releases since 0.5.8 say of an output: data, metric, plot or directory."""
        identity = self.stage if key in _NO_KEY else f"{self.stage}:{key}"
        return self.manifest.get(f"out:{identity}:tag")

    @property
    def manifest(self) -> Mapping[str, Value]:
        return mapping(self.tree["code_manifest"], self.document)

    def dependencies(self) -> Iterator[Output]:
        """List those that are known by their path in the project, as in F1 and in our own locks."""
        deps = self.tree["deps"]
        for number, entry in enumerate(deps if isinstance(deps, list) else ()):
            path = entry.get("path") if isinstance(entry, dict) else None
            if not isinstance(entry, dict) or not isinstance(path, str) or path.startswith("/"):
                continue
            place = f"deps[{number}]"
            found = read_output(entry, path, self.document, place, self.problems, old=False)
            if found is not None:
                yield found

    def wires(self) -> Iterator[Wire]:
        """List those that are known by who made them; what is not as it should be is left out."""
        inputs = {
            name: self.manifest.get(f"{wire}:path")
            for wire, name in self.manifest.items()
            if wire.startswith("wire:") and wire.count(":") == 1 and isinstance(name, str)
        }
        deps = self.tree["deps"]
        for entry in deps if isinstance(deps, list) else ():
            if not isinstance(entry, dict) or isinstance(entry.get("path"), str):
                continue
            producer, key = entry.get("producer"), entry.get("key")
            if not isinstance(producer, str) or not isinstance(key, str | None):
                continue
            path, key = inputs.get(producer), "" if key in _NO_KEY else key or ""
            try:
                path = data_path(path, self.document) if isinstance(path, str) else ""
                content = read_output(entry, "_", self.document, "", [], old=True)
            except UnsafePath:
                continue
            if content is not None:
                yield Wire(producer, key, path, content)

    def _keep(self, output: Output, entry: Mapping[str, Value], tag: Value | None) -> None:
        if "cached" in entry:
            cached: bool | None = str(entry["cached"]).lower() not in _FALSE
        elif tag is not None:
            cached = tag != "metric"
        elif "key" in entry:  # schema 2 always puts metrics, and nothing else, there
            cached = not output.path.startswith("metrics/")
        else:
            cached = None
        {True: self.cached, False: self.uncached, None: self.undecided}[cached].append(output)


def read_output(
    entry: Mapping[str, Value],
    path: str,
    document: str,
    place: str,
    problems: list[str],
    *,
    old: bool,
) -> Output | None:
    """Read what lock and `.pvt` files say alike of a file or directory at *path*.

    Adds to *problems*, and then answers `None`. *old* says that the release that wrote it may
    have left out ignored names. Raises `UnsafePath`.
    """
    count = len(problems)
    path = data_path(path, document)
    digest = _digest(entry.get("hash"), f"{place}.hash".removeprefix("."), problems)
    if "manifest" not in entry:
        size = _size(entry["size"], "size", problems) if "size" in entry else None
        executable = True if entry.get("isexec") == "true" else None  # our own locks say it
        return File(path, digest, size, executable) if len(problems) == count else None
    manifest, empty = entry["manifest"], entry.get("empty_dirs", [])
    if not isinstance(manifest, list) or not isinstance(empty, list):
        problems.append(f"{place}: manifest and empty_dirs must be lists".removeprefix(": "))
        return None
    files = [
        _regular_member(item, path, document)
        or _member(item, path, f"{place}.manifest[{number}]".removeprefix("."), document, problems)
        for number, item in enumerate(manifest)
    ]
    bare = [data_path(f"{path}/{name}", document) for name in empty if isinstance(name, str)]
    if len(bare) != len(empty):
        problems.append(f"{place}.empty_dirs must be a list of names".removeprefix("."))
    if len(problems) > count:
        return None
    members = tuple(file for file in files if file is not None)
    if (found := tree_digest(members, bare, above=path)) != digest:
        problems.append(f"{place}.hash is not that of its manifest ({found})".removeprefix("."))
        return None
    skips = old and not any(is_ignored(file.path[len(path) + 1 :]) for file in members)
    return Directory(path, digest, members, tuple(bare), skips)


def is_ignored(relative: str) -> bool:
    """Tell whether old releases leave the file at this path inside a directory output out."""
    *above, name = relative.split("/")
    return (
        not IGNORED_NAMES.isdisjoint(above)
        or name in IGNORED_NAMES
        or name.endswith(IGNORED_ENDINGS)
        or name.startswith(".#")
    )


def _regular_member(item: Value, above: str, document: str) -> File | None:
    """Read what nearly every entry is like, without preparing to say what is wrong with it."""
    if isinstance(item, tuple):
        relative, hashed, length, flag = item
        path = data_path(f"{above}/{relative}", document)
        return File(path, Digest(hashed), int(length), flag == "true")
    if not isinstance(item, dict):
        return None
    name, digest, size = item.get("relpath"), item.get("hash"), item.get("size")
    executable = item.get("isexec", "false")
    if not (name and isinstance(name, str) and isinstance(size, str) and is_digest(digest)):
        return None
    if executable not in {"true", "false"} or not _is_size(size):
        return None
    path = data_path(f"{above}/{name}", document)
    return File(path, digest, int(size), executable == "true")


def _member(item: Value, above: str, place: str, document: str, problems: list[str]) -> File | None:
    if not isinstance(item, dict):
        problems.append(f"{place} must be a mapping, not {kind(item)}")
        return None
    name, executable = item.get("relpath"), item.get("isexec", "false")
    if not isinstance(name, str) or not name:
        problems.append(f"{place}.relpath is missing")
        return None
    if executable not in {"true", "false"}:
        problems.append(f"{place}.isexec must be true or false, not {kind(executable)}")
    digest = _digest(item.get("hash"), f"{place}.hash", problems)
    size = _size(item.get("size"), f"{place}.size", problems)
    return File(data_path(f"{above}/{name}", document), digest, size, executable == "true")


def _digest(value: Value | None, place: str, problems: list[str]) -> Digest:
    if isinstance(value, str) and is_digest(value):
        return Digest(value)
    problems.append(f"{place} must be 16 hexadecimal digits, not {kind(value)}")
    return Digest("")


def _size(value: Value | None, place: str, problems: list[str]) -> int | None:
    if isinstance(value, str) and _is_size(value):
        return int(value)
    problems.append(f"{place} must be a number of bytes, not {kind(value)}")
    return None


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19  # noqa: PLR2004
