"""Look at this machine: the project, its configuration, its cache, and how files can be placed."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from pivot.copying import clone, copy_file
from pivot.doctor.checks import Check, State
from pivot.errors import LocalError, local_error
from pivot.keys import Level, Link
from pivot.remote_url import S3Url, parse_remote_url
from pivot.report import human_size
from pivot.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pivot.config import Config, RemoteSettings
    from pivot.project import Project
    from pivot.remote_url import RemoteUrl

_LITTLE = 1024**3
"""Bytes that are little room for outputs."""


def check_configuration(project: Project, config: Config, environment: Mapping[str, str]) -> Check:
    """Say which files there are, and what is set by none of them; raises `UsageError`."""
    files = (("project", project.config), ("user", project.user_config))
    told = [f"{level}: {_short(path, project)}" for level, path in files if path.exists()]
    told = told or ["no file"]
    told.append(f"integrity {config.integrity(environment)}")
    return Check("configuration", State.OK, "; ".join(told))


def check_cache(root: Path, project: Project) -> Check:
    """Say where the cache is, whether it can be written, and how much room there is."""
    place = root
    while not place.exists() and place != place.parent:
        place = place.parent
    where = _short(root, project)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise LocalError(
            f"{where}: {place} cannot be written",
            hint="check who owns it, or name another: PIVOT_CACHE_DIR, cache.dir",
        )
    disk = os.statvfs(place)
    free = disk.f_bavail * disk.f_frsize
    made = "writable" if root.exists() else "not there yet, can be made"
    seen = f"{where}: {made}, {human_size(free)} free"
    if free < _LITTLE or (disk.f_files and not disk.f_favail):
        inodes = ", and no inodes" if disk.f_files and not disk.f_favail else ""
        return Check("cache", State.WARNING, seen + inodes, "free some space there")
    return Check("cache", State.OK, seen)


def check_links(root: Path, project: Project, links: Sequence[Link]) -> Check:
    """Try how files of the workspace can share the bytes of the cache; raises `LocalError`.

    The first of *links* that works is what a checkout takes.
    """
    with _scratches(root, project) as (cached, placed):
        works = _try_links(cached, placed)
    modes = [link for link in links if works[link]]
    able = [name for name, can in works.items() if can]
    copies = "reflink" if works["reflink"] else "copy"
    seen = f"{', '.join(able)}; files are placed by "
    if not modes:
        raise LocalError(
            f"{' or '.join(links)} is not possible between {root} and the workspace",
            hint="pivot config set cache.checkout_mode hardlink,symlink,copy",
        )
    seen += copies if modes[0] is Link.COPY else str(modes[0])
    if modes[0] is links[0]:
        return Check("links", State.OK, seen)
    return Check(
        "links",
        State.WARNING,
        f"{seen}, since {links[0]} does not work there",
        "let cache.dir be on the file system of the workspace, if room is scarce",
    )


def _try_links(cached: Path, placed: Path) -> dict[str, bool]:
    """Try each way from the file *cached* to a new one beside *placed*."""
    works: dict[str, bool] = {}
    with contextlib.suppress(OSError), open(cached, "rb") as reader, open(placed, "xb") as writer:
        works["reflink"] = clone(reader.fileno(), writer.fileno())
    for link in Link:
        target = f"{placed}-{link}"
        try:
            match link:
                case Link.HARDLINK:
                    os.link(cached, target)
                case Link.SYMLINK:
                    os.symlink(cached, target)
                case Link.COPY:
                    copy_file(cached, target, mode=0o644)
        except OSError:
            works[str(link)] = False
        else:
            works[str(link)] = True
    return {"reflink": False} | works


@contextlib.contextmanager
def _scratches(root: Path, project: Project) -> Iterator[tuple[Path, Path]]:
    """Make a file in the cache and a place in the workspace, both gone afterwards."""
    made = [place for place in (root, project.scratch.parent) if not place.exists()]
    inside, outside = Scratch(root / "tmp"), Scratch(project.scratch)
    try:
        cached = inside.directory() / "cached"
        placed = outside.directory() / "placed"
        try:
            cached.write_bytes(b"doctor\n")
        except OSError as error:
            raise local_error(error, cached) from error
        yield cached, placed
    finally:
        inside.remove()
        outside.remove()
        for place in made:
            with contextlib.suppress(OSError):
                place.rmdir()


def check_remote(config: Config, remote: RemoteSettings, *, asked: bool) -> tuple[Check, RemoteUrl]:
    """Say which remote it is, why that one, and what is doubtful of it; raises `UsageError`.

    *asked* says that its user named it.
    """
    url = parse_remote_url(remote.url)
    default = config.get("default_remote")[0] == remote.name
    chosen = "the first that is read from" if config.get("read_remotes")[0] else "the only one"
    why = "as asked" if asked else "the default" if default else chosen
    doubts = [*config.doubts(remote), *_doubts(url)]
    if doubts:
        return Check("remote", State.WARNING, "; ".join(doubts), _cure(doubts)), url
    level = config.get(f"remotes.{remote.name}")[1]
    whose = "the project's" if level is Level.LOCAL else "the user's"
    return Check("remote", State.OK, f"'{remote.name}' ({why}; {whose}): {remote.url}"), url


def _doubts(url: RemoteUrl) -> list[str]:
    if isinstance(url, S3Url) and url.bucket.lower() != url.bucket:
        return [f"'{url.bucket}' has capitals, which no bucket has that was made since 2018"]
    if isinstance(url, S3Url) and url.prefix.split("/")[-1] == "files":
        return ["the prefix ends with 'files', below which objects get another 'files'"]
    return []


def _cure(doubts: Sequence[str]) -> str:
    return "use https://" if "without TLS" in doubts[0] else "check the URL: pivot remote list"


def _short(path: Path, project: Project) -> str:
    """Name a path as people do: from the project or from home."""
    if path.is_relative_to(project.root):
        return os.path.relpath(path, project.root)
    if path.is_relative_to(project.home):
        return f"~/{path.relative_to(project.home)}"
    return str(path)
