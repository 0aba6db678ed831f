"""`track`: keep data that no stage makes in the cache, and write its `.pvt` file."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

from pivot.errors import UnsafePath, UsageError
from pivot.frozen import frozen
from pivot.gitignore import update_gitignore
from pivot.objects import Directory, Output
from pivot.observer import Observer
from pivot.paths import data_path, related
from pivot.pipeline.workspace import load_workspace_pipeline
from pivot.references import load_documents
from pivot.remembered import Remembered
from pivot.tracked import write_tracked
from pivot.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pivot.cache import Cache
    from pivot.objects import Digest
    from pivot.project import Project
    from pivot.references import Documents
    from pivot.session import Session


@frozen
class NewlyTracked:
    """Data that is tracked now, as the user *given* it; *links* inside of it are left out."""

    given: str
    output: Output
    document: str
    links: tuple[str, ...] = ()


def track(
    session: Session, paths: Sequence[str], *, force: bool = False
) -> tuple[NewlyTracked, ...]:
    """Track *paths*, seen from the current directory; with *force* also what is tracked already.

    The data stays as it is. Nothing is written before every path is known to be right. Raises
    `UsageError`.
    """
    project = session.project
    documents = load_documents(project)
    outputs = dict(_outputs(project, documents))
    known = {entry.output.path for entry in documents.tracked}
    wanted: dict[str, str] = {}
    for given in paths:
        path = _project_path(project, given)
        _check(project, given, path, outputs)
        if related(path, wanted.values()):
            raise UsageError(f"'{given}' is given twice, or inside of another")
        around = [other for other in related(path, known) if other != path]
        if around:
            raise UsageError(f"'{given}' overlaps with {around[0]}, which is tracked")
        if path in known and not force:
            raise UsageError(f"'{given}' is already tracked. Use --force to update.")
        wanted[given] = path
    with session.cache() as cache:
        made = tuple(_keep(project, cache, wanted))
    cached = [path for path, is_cached in outputs.items() if is_cached]
    update_gitignore(project.root, [*cached, *known, *wanted.values()])
    return made


def _outputs(project: Project, documents: Documents) -> Iterator[tuple[str, bool]]:
    """List what stages make, of the pipeline or of any lock, and whether it is cached."""
    for entry in documents.references.entries:
        if entry.is_stage:
            yield entry.output.path, False
    if documents.paths.pipelines:
        for stage in load_workspace_pipeline(project, documents).stages.values():
            yield from ((output.path, output.cached) for output in stage.outputs)


def _project_path(project: Project, given: str) -> str:
    path = os.path.relpath(os.path.normpath(project.here / given), project.root)
    if path == ".." or path.startswith("../"):
        raise UsageError(f"Path '{given}' resolves outside project root")
    try:
        return data_path("" if path == "." else path, given)
    except UnsafePath as error:
        raise UsageError(error.message) from error


def _check(project: Project, given: str, path: str, outputs: dict[str, bool]) -> None:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        shown = given.encode("utf-8", "backslashreplace").decode()
        raise UsageError(f"The name '{shown}' is not UTF-8, so no .pvt file can hold it") from error
    with Tree(project.root) as tree:
        tree.parent(path)  # not through a symlink
    place = project.root / path
    if place.is_symlink() and not place.exists():
        raise UsageError(f"Path '{given}' is a broken symlink (target does not exist)")
    if not place.exists():
        raise UsageError(f"Path not found: {given}")
    mode = place.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise UsageError(f"'{given}' is neither a file nor a directory")
    if path.endswith(".pvt"):
        raise UsageError(f"'{given}' says itself what is tracked", hint="name the data")
    if overlap := related(path, outputs):
        raise UsageError(f"Cannot track '{given}': overlaps with stage output '{overlap[0]}'")


def _keep(project: Project, cache: Cache, wanted: dict[str, str]) -> Iterator[NewlyTracked]:
    remembered = Remembered(project.remembered)
    observer = Observer(project.root, cache, remembered)

    def read(path: str, found: os.stat_result) -> tuple[Digest, int]:
        read_at = time.time_ns()
        place = project.root / path
        executable = bool(found.st_mode & stat.S_IXUSR) and path not in wanted.values()
        digest, size = cache.add(place.resolve(), executable=executable)
        remembered.note(path, found, digest, read_at=read_at)
        return digest, size

    found = {given: observer.look(path, read=read) for given, path in wanted.items()}
    cache.publish()
    remembered.save(complete=False)
    for given, output in found.items():
        if output is None:
            raise UsageError(f"Path not found: {given}")
        document = write_tracked(project.root, output)
        links = tuple(_links(project.root / output.path)) if isinstance(output, Directory) else ()
        yield NewlyTracked(given, output, document.relative_to(project.root).as_posix(), links)


def _links(directory: Path) -> Iterator[str]:
    """List symlinks below *directory*, which no manifest has."""
    for place, below, names in os.walk(directory):
        for name in sorted((*below, *names)):
            path = os.path.join(place, name)
            if os.path.islink(path):
                yield os.path.relpath(path, directory)
