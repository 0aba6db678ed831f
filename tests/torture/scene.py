"""A small project in all the states that a command may find it in, and what must hold of it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Command, Done
from tests.e2e.weather import leftovers, without_cache
from tests.projects import Content, ProjectBuilder, digest, objects

OLD: dict[str, Content] = {
    "data/a.bin": b"first" * 2000,
    "data/b.bin": b"second" * 2000,
    "data/tree": {"x.txt": b"x" * 500, "sub/y.txt": b"y" * 700, "run.sh": (b"#!/bin/sh\n", True)},
}
NEW: dict[str, Content] = OLD | {
    "data/b.bin": b"another" * 2000,
    "data/tree": {"x.txt": b"X" * 500, "sub/z.txt": b"z" * 700, "run.sh": (b"#!/bin/sh\n", True)},
}
_TORN = re.compile(r"\..+\.[0-9a-f]{8}")  # what was to be renamed
MODES = ("copy", "hardlink", "symlink")


def place_of(output: str, content: Content) -> dict[str, bytes]:
    """Say which files an output is."""
    if isinstance(content, bytes):
        return {output: content}
    return {
        f"{output}/{name}": body[0] if isinstance(body, tuple) else body or b""
        for name, body in content.items()
    }


@dataclass(frozen=True)
class Case:
    """A command, the state in which it finds the project, and what the workspace may hold."""

    name: str
    words: tuple[str, ...]
    ready: Path
    """A project to be copied; a folder `remote` lies beside the copy."""
    before: Mapping[str, Content]
    after: Mapping[str, Content]

    def copy(self, place: Path) -> Path:
        """Make a copy that may be spoiled; the answer is the project in it."""
        shutil.copytree(self.ready, place, symlinks=True)
        move_links(place, self.ready)
        _configure(place)
        return place / "project"

    def broken_now(self, project: Path) -> Iterator[str]:
        """Say what must not be at any moment: wrong bytes, or half of an output."""
        for place in (project / ".pivot/cache", project.parent / "remote"):
            for name, body in objects(place).items():
                if digest(body) != name:
                    yield f"I1: {place.name} has wrong bytes under {name}"
        for output in self.after:
            found = self._found(project, output)
            allowed = [place_of(output, self.after[output]), {}]
            if output in self.before:
                allowed.append(place_of(output, self.before[output]))
            if found not in allowed:
                yield f"I2: {output} is neither old nor new nor absent: {sorted(found)}"

    def broken_at_end(self, project: Path) -> Iterator[str]:
        """Say what is not as it should be after the command has succeeded."""
        wanted = {
            path: body
            for output, content in self.after.items()
            for path, body in place_of(output, content).items()
        }
        if self.words[0] == "push":
            held = objects(project.parent / "remote")
            if set(held) < {digest(body) for body in wanted.values()}:
                yield "I4: the remote is not complete"
        else:
            found = {p: b for output in self.after for p, b in self._found(project, output).items()}
            if self.words[0] != "fetch" and found != wanted:
                yield f"I4: the workspace is not complete: {sorted(found)}"
            if not {digest(body) for body in wanted.values()} <= set(
                objects(project / ".pivot/cache")
            ):
                yield "I4: the cache is not complete"
        left = [*leftovers(project), *leftovers(project.parent / "remote")]
        left += [path.name for path in project.rglob(".*") if _TORN.fullmatch(path.name)]
        if left:
            yield f"I5: left behind: {left}"

    def _found(self, project: Path, output: str) -> dict[str, bytes]:
        place = project / output
        if not place.is_dir():
            return {output: place.read_bytes()} if place.is_file() else {}
        return {
            f"{output}/{path.relative_to(place).as_posix()}": path.read_bytes()
            for path in place.rglob("*")
            if path.is_file()
        }


def move_links(place: Path, before: Path, after: Path | None = None) -> None:
    """Let links into the cache lead into that of the copy, which is at *after* if not here."""
    for path in place.rglob("*"):
        if path.is_symlink():
            target = str(path.readlink()).replace(str(before), str(after or place))
            path.unlink()
            path.symlink_to(target)


def said_wrong(done: Done) -> Iterator[str]:
    """Say what must be on no stream."""
    if "Traceback" in done.out + done.err:
        yield f"I6: a traceback: {done.err[-2000:]}"


def make_cases(directory: Path, pivot: Command) -> list[Case]:
    """Make the states: nothing pushed, cloned, fetched, and an older version in place."""
    base = directory / "base"
    _project(base / "project", OLD)
    (base / "remote").mkdir()
    pushed = directory / "pushed"
    shutil.copytree(base, pushed)
    _configure(pushed)
    _run(pivot, "push", cwd=pushed / "project")
    cloned = directory / "cloned"
    without_cache(pushed / "project", cloned / "project")
    shutil.copytree(pushed / "remote", cloned / "remote")
    fetched = directory / "fetched"
    shutil.copytree(cloned, fetched)
    _configure(fetched)
    _run(pivot, "fetch", cwd=fetched / "project")
    cases = [
        Case("push", ("push", "--jobs", "1"), base, {}, OLD),
        Case("fetch", ("fetch", "--jobs", "1"), cloned, {}, OLD),
    ]
    for mode in MODES:
        words = ("--checkout-mode", mode)
        cases += [
            Case(f"pull {mode}", ("pull", "--jobs", "1", *words), cloned, {}, OLD),
            Case(f"checkout {mode}", ("checkout", *words), fetched, {}, OLD),
            _update(directory, pivot, fetched, mode),
        ]
    return cases


def _update(directory: Path, pivot: Command, fetched: Path, mode: str) -> Case:
    """Make a workspace with the old version, and the lock files of a new one that was pushed."""
    place = directory / f"update-{mode}"
    shutil.copytree(fetched, place)
    _configure(place)
    (place / "project/.pivot/cache/checked.json").unlink()
    _run(pivot, "checkout", "--checkout-mode", mode, cwd=place / "project")
    newer = directory / f"newer-{mode}"
    _project(newer / "project", NEW)
    shutil.copytree(place / "remote", newer / "remote")
    _configure(newer)
    _run(pivot, "push", cwd=newer / "project")
    for name in ("stages", "digests"):
        shutil.copytree(
            newer / "project/.pivot" / name, place / "project/.pivot" / name, dirs_exist_ok=True
        )
    shutil.rmtree(place / "remote")
    shutil.copytree(newer / "remote", place / "remote")
    words = ("pull", "--jobs", "1", "--checkout-mode", mode)
    return Case(f"update {mode}", words, place, OLD, NEW)


def _project(root: Path, outputs: Mapping[str, Content]) -> Path:
    builder = ProjectBuilder(root)
    for path, content in outputs.items():
        builder.stage(f"make/{Path(path).stem}", {path: content})
    return root


def _configure(place: Path) -> None:
    config = f"folders:\n  origin: {(place / 'remote').as_uri()}\n"
    (place / "project/.pivot/config.yaml").write_text(config)


def _run(pivot: Command, *words: str, cwd: Path) -> None:
    done = pivot(*words, cwd=cwd)
    assert done.code == 0, done
