"""The files of the workspace, or of a revision in git, to be read by their paths."""

from __future__ import annotations

import os
import posixpath
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from pivot.documents import read_document
from pivot.errors import InvalidDocument, local_error
from pivot.frozen import frozen
from pivot.git import tracked_paths
from pivot.project import NEVER_ENTERED, PIPELINE, find_documents
from pivot.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from pivot.pipeline.file import Reader
    from pivot.project import Project

WORKSPACE = "workspace"
"""How reports call the files as they are now."""

_CLOSED = NEVER_ENTERED | {".pivot"}


@frozen
class Place:
    """The files of the workspace or of a revision, by their paths from the project's root."""

    name: str
    commit: str
    pipelines: tuple[str, ...]
    locks: tuple[str, ...]
    read: Reader
    in_git: Callable[[Iterable[str]], set[str]]


@contextmanager
def open_places(
    project: Project, cache: Path, revisions: Sequence[str | None]
) -> Iterator[tuple[Place, ...]]:
    """Open *revisions*, `None` being the workspace, which may have links into *cache*.

    Raises `UsageError` for a revision that there is not, `LocalError`, and `PivotError` when git
    cannot tell.
    """
    with ExitStack() as stack:
        yield tuple(
            _workspace(project, cache)
            if revision is None
            else _committed(revision, stack.enter_context(Snapshot(project.root, revision)))
            for revision in revisions
        )


def _workspace(project: Project, cache: Path) -> Place:
    root = project.root
    found = find_documents(project)
    real_root, real_cache = os.path.realpath(root), os.path.realpath(cache)

    def read(path: str) -> bytes | None:
        try:
            os.stat(root / path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise local_error(error, path) from error
        real = os.path.realpath(root / path)
        inside = os.path.relpath(real, real_root)
        leads_out = not {"..", ".git", ".pivot"}.isdisjoint(inside.split("/"))
        if leads_out and inside != path and not real.startswith(f"{real_cache}/"):
            raise InvalidDocument(path, ["is a symlink that leads out of the project's data"])
        return read_document(root / path, follow=True)

    return Place(
        WORKSPACE,
        "",
        tuple(path.relative_to(root).as_posix() for path in found.pipelines),
        tuple(path.relative_to(root).as_posix() for path in found.locks),
        read,
        lambda paths: tracked_paths(root, paths),
    )


def _committed(revision: str, snapshot: Snapshot) -> Place:
    names = sorted(snapshot.files.keys() | snapshot.others)
    closed = tuple(  # virtual environments
        f"{posixpath.dirname(name)}/" for name in names if posixpath.basename(name) == "pyvenv.cfg"
    )
    names = [name for name in names if not name.startswith(closed)]
    return Place(
        revision,
        snapshot.commit,
        tuple(
            name
            for name in names
            if posixpath.basename(name) == PIPELINE and _CLOSED.isdisjoint(name.split("/"))
        ),
        tuple(n for n in names if n.endswith(".lock") and "/.pivot/stages/" in f"/{n}"),
        snapshot.read,
        lambda paths: snapshot.files.keys() & set(paths),
    )
