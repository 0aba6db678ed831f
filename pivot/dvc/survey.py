"""Look at a DVC project and plan what it becomes; nothing is changed."""

from __future__ import annotations

import os
import posixpath
import shlex
import stat
from typing import TYPE_CHECKING

from pivot.config import load_level
from pivot.documents import read_document
from pivot.dvc.comments import rewrite
from pivot.dvc.converted import convert
from pivot.dvc.declared import read_declared
from pivot.dvc.look import Looker, find_files
from pivot.dvc.notes import Note
from pivot.dvc.plan import ImportPlan, make_plan, wanted
from pivot.dvc.recorded import read_data, read_lock
from pivot.dvc.settings import CONFIG, LOCAL, Settings, read_settings
from pivot.dvc.store import Store, look
from pivot.errors import UsageError
from pivot.keys import Level
from pivot.pipeline import load_pipeline
from pivot.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pivot.dvc.converted import Converted, Match
    from pivot.dvc.recorded import Data, Ran
    from pivot.project import Project


_NAMED = 10


def survey(project: Project) -> ImportPlan:
    """Plan the import of the DVC project at the root of *project*.

    Raises `UsageError` where there is none, `InvalidDocument`, `PipelineError`, `LocalError`.
    """
    root = project.root
    files = find_files(root)
    if not (root / ".dvc").is_dir() and not any(name.endswith("dvc.yaml") for name in files):
        raise UsageError(
            f"No DVC project in {root}: there is neither a .dvc directory nor a dvc.yaml",
            hint="run it in the directory that holds .dvc, or name that with -C",
        )
    settings = read_settings(_read(root, CONFIG), _read(root, LOCAL), root)
    converted = _convert(root, files, settings)
    ran = {found.source: _locks(root, found) for found in converted}
    matches = [
        (match, ran[match.document].get(match.theirs))
        for found in converted
        for match in found.matches
    ]
    data, data_notes = _data(root, files)
    with Tree(root) as tree:
        looker = Looker(Store(settings.cache), tree)
        found = {want: looker.find(*want) for want in dict.fromkeys(wanted(matches, data))}
        links = list(_links(tree, matches, data))
    notes = [note for one in converted for note in one.notes]
    notes += [*data_notes, *settings.notes, *_other_notes(root, files), *links]
    documents = {
        one.document: rewrite(read_document(root / one.source), dict(one.tree), one.document)
        for one in converted
        if one.tree
    }
    load_pipeline(documents, lambda path: documents.get(path) or _read(root, path))
    return make_plan(documents, settings.keys, matches, data, found, notes)


def existing(project: Project, plan: ImportPlan) -> tuple[str, ...]:
    """List what *plan* would overwrite: files, and settings that have another value."""
    found = [path for path in plan.files if (project.root / path).exists()]
    present = load_level(project.config, Level.LOCAL)
    found += [
        f".pivot/config.yaml ({key})"
        for key, text in plan.settings.items()
        if key in present and present[key][0] != text
    ]
    return tuple(found)


def _convert(root: Path, files: Iterable[str], settings: Settings) -> list[Converted]:
    def read(path: str) -> bytes | None:
        return _read(root, path)

    return [
        convert(read_declared(read_document(root / name), name, read, settings), read)
        for name in files
        if posixpath.basename(name) == "dvc.yaml"
    ]


def _read(root: Path, path: str) -> bytes | None:
    place = root / path
    return read_document(place, follow=True) if place.is_file() else None


def _locks(root: Path, converted: Converted) -> dict[str, Ran]:
    name = posixpath.join(posixpath.dirname(converted.source), "dvc.lock")
    data = _read(root, name)
    return {} if data is None else dict(read_lock(data, name))


def _data(root: Path, files: Iterable[str]) -> tuple[list[Data], list[Note]]:
    found: list[Data] = []
    notes: list[Note] = []
    for name in files:
        if name.endswith(".dvc") and posixpath.basename(name) != ".dvc":
            data, told = read_data(read_document(root / name), name)
            found += data
            notes += told
    return found, notes


def _other_notes(root: Path, files: Iterable[str]) -> Iterator[Note]:
    for name in files:
        if posixpath.basename(name) == ".dvc":
            above = posixpath.dirname(name)
            yield Note(name, 0, f"{above} is a DVC project of its own", "import it by itself")
        if posixpath.basename(name) == ".dvcignore":
            lines = (_read(root, name) or b"").decode("utf-8", "replace").splitlines()
            used = [n for n, line in enumerate(lines, 1) if line.strip() and line[0] != "#"]
            if used:
                cure = "keep such files out of the directories that stages read and make"
                yield Note(name, used[0], "nothing is ignored in directories here", cure)


def _links(
    tree: Tree, matches: Iterable[tuple[Match, Ran | None]], data: Iterable[Data]
) -> Iterator[Note]:
    paths = [output.path for match, _ in matches for output in match.stage.outputs]
    paths += [entry.path for entry in data]
    linked = [path for path in dict.fromkeys(paths) if _is_linked(tree, path)]
    if linked:
        named = shlex.join(linked) if len(linked) <= _NAMED else "TARGET..."
        what = f"{len(linked)} output(s) are symlinks into DVC's cache, which do not count here"
        yield Note(linked[0], 0, what, f"pivot checkout --force {named}")


def _is_linked(tree: Tree, path: str) -> bool:
    """Tell whether *path* is a symlink, or a directory that begins with one."""
    found = look(tree, path)
    if found is None or not stat.S_ISDIR(found.st_mode):
        return found is not None and stat.S_ISLNK(found.st_mode)
    for place, _, names in os.walk(tree.root / path):
        if names:
            return os.path.islink(f"{place}/{min(names)}")
    return False
