"""What may stand at a place of a command line, for completion: quick rather than complete.

Nothing here reads a lock file whole: a tab key cannot wait for that.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from pivot.errors import InvalidDocument, PivotError
from pivot.frozen import frozen
from pivot.git import list_branches
from pivot.keys import KEYS, OPTIONS, Integrity, Link
from pivot.lockfile import glance_outputs, stage_name
from pivot.pipeline import load_pipeline
from pivot.pipeline.file import stage_names
from pivot.project import find_documents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pivot.config import Config
    from pivot.project import DocumentPaths, Project
    from pivot.stage import Stage


@frozen
class Candidate:
    """A word, and what it is about; one that *leads on* is the beginning of a path of files."""

    word: str
    about: str = ""
    leads_on: bool = False


def list_remotes(config: Config) -> Iterator[Candidate]:
    """Offer the names of the configured remotes."""
    for name, remote in config.remotes.items():
        yield Candidate(name, remote.url)


def list_keys(config: Config) -> Iterator[Candidate]:
    """Offer the keys of the configuration, also those of the remotes that there are."""
    for name, key in KEYS.items():
        yield Candidate(name, key.meaning)
    yield Candidate("remotes.", "URL of a remote")
    for name, remote in config.remotes.items():
        yield Candidate(f"remotes.{name}", remote.url)
        for option in OPTIONS:
            yield Candidate(f"remote_options.{name}.{option}", f"{option} of {name}")


def list_values(config: Config, key: str) -> Iterator[Candidate]:
    """Offer what the configuration *key* can be set to, where that is one of a few words."""
    flags = ("read_only", "anonymous", "requester_pays")
    is_flag = key.startswith("remote_options.") and key.endswith(flags)
    if key in {"default_remote", "read_remotes"}:
        yield from list_remotes(config)
    elif is_flag or (key in KEYS and isinstance(KEYS[key].default, bool)):
        yield from (Candidate("true"), Candidate("false"))
    words = {"integrity": Integrity, "cache.checkout_mode": Link}
    yield from (Candidate(str(word)) for word in words.get(key, ()))


def list_targets(project: Project, incomplete: str) -> Iterator[Candidate]:
    """Offer what push and pull take: stages of lock files, their outputs and tracked data.

    Inside of a directory output the files that are there may be meant.
    """
    documents = find_documents(project)
    names = {stage_name(path.relative_to(project.root).as_posix()) for path in documents.locks}
    groups = {name.partition("@")[0] for name in names}
    yield from (Candidate(name, "stage") for name in sorted(names | groups))
    yield from _paths(project, _recorded(project, documents), incomplete)


def list_stages(project: Project, incomplete: str) -> Iterator[Candidate]:
    """Offer what `repro` takes: stages of `pivot.yaml`, and what they make."""
    documents = find_documents(project)
    stages = list(_stages(project, documents))
    about = {stage.group: "stage" for stage in stages}
    about |= {stage.name: stage.description or "stage" for stage in stages}
    if not stages:
        about = dict.fromkeys(sorted(_names(project, documents)), "stage")
    yield from (Candidate(name, text) for name, text in about.items())
    outputs = {output.path for stage in stages for output in stage.outputs}
    yield from _paths(project, outputs, incomplete)


def list_any(project: Project, incomplete: str) -> Iterator[Candidate]:
    """Offer what `status` takes, which is what either of them does."""
    found = (*list_stages(project, incomplete), *list_targets(project, incomplete))
    yield from {candidate.word: candidate for candidate in found}.values()


def list_needs(project: Project) -> Iterator[Candidate]:
    """Offer the stages of `pivot.yaml`, and those of lock files alone."""
    documents = find_documents(project)
    names = {stage_name(path.relative_to(project.root).as_posix()) for path in documents.locks}
    names |= {stage.name for stage in _stages(project, documents)}
    yield from (Candidate(name, "stage") for name in sorted(names))


def list_revisions(project: Project) -> Iterator[Candidate]:
    """Offer branches and tags."""
    yield from (Candidate(name) for name in ("HEAD", *list_branches(project.root)))


def _stages(project: Project, documents: DocumentPaths) -> Iterable[Stage]:
    """Read the stages of `pivot.yaml` with the values of matrices; none if it is not right."""
    paths = [path.relative_to(project.root).as_posix() for path in documents.pipelines]
    try:
        return load_pipeline(paths, lambda path: _read(project, path)).stages.values()
    except PivotError:
        return ()


def _names(project: Project, documents: DocumentPaths) -> set[str]:
    """Name the stages of files that are not right, as far as they can be read."""
    paths = [path.relative_to(project.root).as_posix() for path in documents.pipelines]
    return {name for path in paths for name in stage_names(_read(project, path) or b"", path)}


def _read(project: Project, path: str) -> bytes | None:
    place = project.root / path
    return place.read_bytes() if place.is_file() else None


def _recorded(project: Project, documents: DocumentPaths) -> Iterator[str]:
    for path in documents.locks:
        with contextlib.suppress(InvalidDocument):  # the others have outputs even so
            yield from glance_outputs(path.read_bytes(), path.relative_to(project.root).as_posix())
    for path in documents.tracked:
        yield path.relative_to(project.root).as_posix().removesuffix(".pvt")


def _paths(project: Project, paths: Iterable[str], incomplete: str) -> Iterator[Candidate]:
    """Offer paths as they are seen from here; those above only to who begins with a dot."""
    here = os.path.relpath(project.here, project.root)
    above = "" if here == "." else f"{here}/"
    words = []
    for path in paths:
        if path.startswith(above):
            words.append(path[len(above) :])
        elif incomplete.startswith("."):
            words.append(os.path.relpath(project.root / path, project.here))
    yield from (Candidate(word, "output") for word in sorted(set(words)))
    if any(incomplete.startswith(f"{word}/") for word in words):
        yield Candidate(incomplete, leads_on=True)
