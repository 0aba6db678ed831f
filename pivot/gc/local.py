"""What belongs to the local cache alone: no stage runs meanwhile, and hints are cleared up."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from pivot.gc.places import is_shared
from pivot.gc.protected import list_workspaces
from pivot.objects import Digest, object_name
from pivot.partials import Partials
from pivot.proofs import Proofs
from pivot.remembered import Remembered
from pivot.repro.exclusive import exclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from pivot.session import Session


@contextlib.contextmanager
def quiet(session: Session, waiting: Callable[[str], None]) -> Iterator[None]:
    """Keep `repro` out of the cache: in this workspace, and in others that may share it.

    *waiting* is told who has to end first. Raises `LocalError`, `PivotError`.
    """
    project = session.project
    locks = {project.root: project.pivot / "cache" / "repro.lock"}
    if is_shared(session, None):
        for root in list_workspaces(project):
            lock = root / ".pivot" / "cache" / "repro.lock"
            if lock.exists():
                locks.setdefault(root, lock)
    with contextlib.ExitStack() as stack:
        for root in sorted(locks):
            stack.enter_context(exclusive(locks[root], waiting))
        yield


def prune(session: Session, needed: Collection[Digest], going: Collection[Digest]) -> None:
    """Forget what is noted of objects and files that are gone or *going*; drop cut-off downloads.

    Such a download stays if its process lives, or if somebody needs the object and has not got it.
    """
    project = session.project
    root = session.config.cache_dir(project, session.environment)

    def is_there(digest: str) -> bool:
        return digest not in going and os.path.lexists(f"{root}/{object_name(Digest(digest))}")

    Proofs(root / "checked.json").prune(is_there)
    Remembered(project.remembered).prune(lambda path: os.path.lexists(project.root / path))
    Partials(root / "partial").drop(lambda digest: digest not in needed or is_there(digest))
