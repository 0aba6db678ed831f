"""Open the cache or a remote as a place out of which objects go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pivot.errors import RemoteError
from pivot.gc.folder import FolderPlace
from pivot.remote_url import FolderUrl
from pivot.remotes import limits_of, url_of

if TYPE_CHECKING:
    from pivot.config import RemoteSettings
    from pivot.gc.place import Place
    from pivot.project import Project
    from pivot.session import Session


def open_place(session: Session, remote: RemoteSettings | None) -> Place:
    """Open *remote*, or without one the cache; nothing is sent yet.

    Raises `UsageError` for a URL that is none, `RemoteDenied` where there are no credentials,
    `RemoteError` for a folder that is not there.
    """
    if remote is None:
        root = session.config.cache_dir(session.project, session.environment)
        return FolderPlace(root, str(root))
    url = url_of(remote)
    if isinstance(url, FolderUrl):
        if not url.path.is_dir():
            raise RemoteError(
                f"{url.path.as_uri()}: there is no such folder",
                hint="is it mounted? a folder that is not there is not an empty one",
            )
        return FolderPlace(url.path, url.path.as_uri())
    from pivot.aws import find_access  # noqa: PLC0415  only the kind that is needed
    from pivot.gc.s3 import S3Place  # noqa: PLC0415

    access = find_access(remote, url.bucket, session.environment, session.credentials)
    return S3Place(url, access, limits_of(session.config, session.jobs))


def is_shared(session: Session, remote: RemoteSettings | None) -> bool:
    """Tell whether other clones use the place as well: a remote, or a cache outside of this one."""
    project = session.project
    return remote is not None or not is_own_cache(
        project, session.config.cache_dir(project, session.environment)
    )


def is_own_cache(project: Project, root: os.PathLike[str]) -> bool:
    """Tell whether the cache at *root* is inside of this project, so that no other can use it."""
    inside = os.path.relpath(os.path.realpath(root), os.path.realpath(project.root))
    return inside != ".." and not inside.startswith("../")
