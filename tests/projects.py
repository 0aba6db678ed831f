"""Projects for tests: the fixtures that the real Pivot wrote, and synthetic ones in its form."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import xxhash
import yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

FIXTURES = Path(__file__).parent / "fixtures"
VERSIONS = ("0.1.0", "0.2.4", "0.3.11", "0.5.11")
SYMLINK_MODE = "0.5.11-symlink-mode"
"""Only a cache, locks and `.pvt` files: the bucket and workspace of this fixture do not exist."""

Document: TypeAlias = dict[str, Any]
Node: TypeAlias = tuple[bytes | None, int] | tuple[Literal["link"], str]
"""A file's bytes and mode, an empty directory's `None` and mode, or a symlink's target."""
Tree: TypeAlias = "dict[str, Node]"
Leaf: TypeAlias = bytes | tuple[bytes, bool] | None
"""What a directory output holds: a file, a file that may be executable, an empty directory."""
Content: TypeAlias = "bytes | Mapping[str, Leaf]"


@dataclass(frozen=True)
class Fixture:
    """An unpacked fixture; `tests/fixtures/README.md` describes its directories."""

    version: str
    root: Path

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def bucket(self) -> Path:
        return self.root / "bucket"


def digest(content: bytes) -> str:
    return xxhash.xxh64_hexdigest(content)


def tree_digest(manifest: Iterable[Document], empty_dirs: Iterable[str] = ()) -> str:
    files, empty = list(manifest), list(empty_dirs)
    hashed = {"empty_dirs": empty, "manifest": files} if empty else files
    return digest(json.dumps(hashed, sort_keys=True, separators=(",", ":")).encode())


def dump(document: Document) -> str:
    """Write YAML to the byte as the real Pivot does, folding and quoting included."""
    return str(yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False))


def unpack(version: str, directory: Path) -> Fixture:
    """Unpack the fixture *version* below *directory* with the modes that the archive records."""

    def keep_mode(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo:
        # The data filter refuses unsafe members but drops group bits and makes files writable.
        return tarfile.data_filter(member, path).replace(mode=member.mode, deep=False)

    with tarfile.open(FIXTURES / f"pivot-{version}.tar.gz") as archive:
        archive.extractall(directory, filter=keep_mode)
    return Fixture(version, directory / version)


def clone(fixture: Fixture, directory: Path) -> Path:
    """Make *directory* what `git clone` of the fixture's project gives; needs no git settings."""
    for source in sorted(path for path in fixture.project.rglob("*") if path.is_file()):
        target = directory / _place_of(source.relative_to(fixture.project), fixture)
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        # Git keeps the executable bit alone, and a clone has the modes of the usual umask.
        target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
    who = {"NAME": "Pivot", "EMAIL": "pivot@example.com", "DATE": "2026-01-01T00:00:00Z"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = {
        **inherited,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        **{f"GIT_AUTHOR_{key}": value for key, value in who.items()},
        **{f"GIT_COMMITTER_{key}": value for key, value in who.items()},
    }
    for arguments in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--all", "--force"),  # 0.1.0 committed files that a later .gitignore names
        ("commit", "--quiet", "--no-verify", "--message", f"Pivot {fixture.version}"),
    ):
        subprocess.run(["git", *arguments], cwd=directory, env=environment, check=True)
    return directory


def _place_of(path: Path, fixture: Fixture) -> Path:
    # The symlink-mode fixture keeps the contents of .pivot/ and of data/ side by side.
    if fixture.version != SYMLINK_MODE:
        return path
    return Path("data" if path.suffix == ".pvt" else ".pivot") / path


def tree(directory: Path) -> Tree:
    """Read *directory* without `.git` and `.pivot`; directories are listed when empty."""
    return dict(_walk(directory, ""))


def _walk(directory: Path, prefix: str) -> Iterator[tuple[str, Node]]:
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        name, path = prefix + entry.name, Path(entry.path)
        mode = entry.stat(follow_symlinks=False).st_mode & 0o777
        if entry.name in {".git", ".pivot"}:
            continue
        if entry.is_symlink():
            yield name, ("link", str(path.readlink()))
        elif entry.is_file():
            yield name, (path.read_bytes(), mode)
        elif any(path.iterdir()):
            yield from _walk(path, f"{name}/")
        else:
            yield name, (None, mode)


def objects(directory: Path) -> dict[str, bytes]:
    """Read the objects of a cache, or of a bucket laid out as a folder, by digest."""
    return {
        path.parent.name + path.name: path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if re.search(r"(^|/)files/[0-9a-f]{2}/[0-9a-f]{14}$", path.as_posix()) and path.is_file()
    }


def locks(fixture: Fixture) -> dict[str, Document]:
    """Read the fixture's lock files by stage name."""
    (stages,) = fixture.project.rglob("stages")
    return {
        path.relative_to(stages).as_posix().removesuffix(".lock"): yaml.safe_load(path.read_text())
        for path in sorted(stages.rglob("*.lock"))
    }


def tracked(fixture: Fixture) -> dict[str, Document]:
    """Read the fixture's `.pvt` files by the path of their data, relative to the root."""
    found = {}
    for path in sorted(fixture.project.rglob("*.pvt")):
        document: Document = yaml.safe_load(path.read_text())
        place = _place_of(path.relative_to(fixture.project), fixture)
        found[(place.parent / document["path"]).as_posix()] = document
    return found


def expected_workspace(fixture: Fixture) -> Tree:
    """The workspace as a pull can restore it: without what no lock or `.pvt` file records.

    Contents only are to be relied on: modes are those the real Pivot left, which depend on its
    version, on the checkout mode, and on who wrote the file.
    """
    outs = [(out["path"], out) for lock in locks(fixture).values() for out in lock["outs"]]
    recorded = {
        path.rstrip("/"): {entry["relpath"] for entry in document["manifest"]}
        | set(document.get("empty_dirs", ()))
        for path, document in [*outs, *tracked(fixture).items()]
        if "manifest" in document
    }

    def is_stored(name: str) -> bool:
        above = [str(place) for place in PurePosixPath(name).parents if str(place) in recorded]
        return all(name.removeprefix(f"{place}/") in recorded[place] for place in above)

    return {name: node for name, node in tree(fixture.workspace).items() if is_stored(name)}


class ProjectBuilder:
    """A project in *root* as the real Pivot 0.5.11 would have left it.

    Its cache, `.pivot/cache`, is also a bucket with an empty prefix: both have the same layout.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._outs: dict[str, list[Document]] = {}
        (root / ".pivot" / "stages").mkdir(parents=True, exist_ok=True)

    def config(self, text: str) -> Self:
        self.workspace(".pivot/config.yaml", text.encode())
        return self

    def workspace(self, path: str, content: bytes, *, executable: bool = False) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(0o755 if executable else 0o644)
        return target

    def store(self, content: bytes) -> str:
        """Put an object into the cache, read-only as the real Pivot keeps it."""
        name = digest(content)
        target = self.root / ".pivot/cache/files" / name[:2] / name[2:]
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            target.chmod(0o444)
        return name

    def stage(
        self,
        name: str,
        outputs: Mapping[str, Content],
        *,
        after: Sequence[str] = (),
        metrics: Collection[str] = (),
        place: bool = False,
    ) -> Path:
        """Write the lock of a stage whose inputs are all outputs of the stages *after*.

        The *metrics* among the output paths are not cached; as git would hold them, they are
        placed always.
        """
        keys = {path: re.sub(r"\W", "_", path) if len(outputs) > 1 else None for path in outputs}
        manifest = {f"wire:{producer.rpartition('/')[2]}": producer for producer in after}
        deps = [
            {"producer": producer, **{key: out[key] for key in out if key != "path"}}
            for producer in after
            for out in self._outs[producer]
        ]
        outs: list[Document] = []
        for path, content in outputs.items():
            identity = name if keys[path] is None else f"{name}:{keys[path]}"
            manifest[f"out:{identity}:tag"] = "metric" if path in metrics else "data"
            recorded = self._record(path, content, cached=path not in metrics, place=place)
            outs.append({"key": keys[path], "hash": recorded.pop("hash"), "path": path, **recorded})
        if len({out["key"] for out in outs}) < len(outs):
            raise ValueError(f"outputs of {name} whose names differ in punctuation only")
        self._outs[name] = outs
        lock = {
            "schema_version": 2,
            "code_manifest": dict(sorted(manifest.items())),
            "params": {},
            # Values that occur twice would be written as YAML aliases, hence the copy.
            "deps": json.loads(json.dumps(deps)),
            "outs": outs,
        }
        return self.workspace(f".pivot/stages/{name}.lock", dump(lock).encode())

    def tracked(self, path: str, content: Content, *, place: bool = False) -> Path:
        """Write the `.pvt` file of *path*, as `pivot track` does."""
        recorded = self._record(path, content, cached=True, place=place)
        document: Document = {"path": PurePosixPath(path).name, "hash": recorded.pop("hash")}
        if "manifest" in recorded:
            document["size"] = sum(entry["size"] for entry in recorded["manifest"])
            document["num_files"] = len(recorded["manifest"])
        else:
            document["size"] = len(content)
        return self.workspace(f"{path}.pvt", dump(document | recorded).encode())

    def _record(self, path: str, content: Content, *, cached: bool, place: bool) -> Document:
        leaves: dict[str, Leaf] = {"": content} if isinstance(content, bytes) else dict(content)
        manifest: list[Document] = []
        for relpath, leaf in sorted(leaves.items()):
            where = f"{path}/{relpath}".rstrip("/")
            if leaf is None:
                if place:
                    (self.root / where).mkdir(parents=True, exist_ok=True)
                continue
            data, executable = (leaf, False) if isinstance(leaf, bytes) else leaf
            entry = {"hash": self.store(data) if cached else digest(data), "size": len(data)}
            manifest.append({"relpath": relpath, **entry, "isexec": executable})
            if place or not cached:
                self.workspace(where, data, executable=executable)
        if isinstance(content, bytes):
            return {"hash": manifest[0]["hash"]}
        empty = sorted(name for name, leaf in leaves.items() if leaf is None)
        extra = {"empty_dirs": empty} if empty else {}
        return {"hash": tree_digest(manifest, empty), "manifest": manifest, **extra}
