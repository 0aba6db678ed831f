"""Where one output is: in the workspace, in the cache and on the remote; pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pivot.frozen import frozen
from pivot.lockfile import is_ignored
from pivot.objects import Directory, File, files_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pivot.objects import Digest, Output


class Here(StrEnum):
    """How the workspace has an output."""

    SAME = "same"
    """As it is recorded."""
    MODIFIED = "modified"
    MISSING = "missing"
    UNKNOWN = "unknown"
    """It could not be looked at."""


class There(StrEnum):
    """How a cache or remote has the objects of an output."""

    THERE = "there"
    PARTIAL = "partial"
    MISSING = "missing"
    UNKNOWN = "unknown"
    """It could not be asked, or would not say."""
    UNASKED = "not-asked"
    GIT = "git"
    """They do not belong there, since git keeps the output."""


@frozen
class Count:
    """So many *files* of so many *bytes* together, as far as sizes are known."""

    files: int = 0
    bytes: int = 0

    def __add__(self, other: Count) -> Count:
        """Count both."""
        return Count(self.files + other.files, self.bytes + other.bytes)


@frozen
class Whereabouts:
    """An output at *path*, and its files, counted: *all* that are recorded.

    Of these, some are the *same*, *modified* or *missing* in the workspace, some *cached*, some
    *kept* on the remote; *unsaid* could not be asked for, if the remote was *asked* at all.
    *extra* files are not recorded. Git keeps what is *in_git*, and no cache.
    """

    path: str
    here: Here
    all: Count = Count()
    same: Count = Count()
    modified: Count = Count()
    missing: Count = Count()
    extra: int = 0
    cached: Count = Count()
    kept: Count = Count()
    unsaid: Count = Count()
    asked: bool = False
    in_git: bool = False

    @property
    def cache(self) -> There:
        """Say whether the cache has it."""
        return There.GIT if self.in_git else _word(self.cached, self.all)

    @property
    def remote(self) -> There:
        """Say whether the remote has it."""
        if self.in_git or not self.asked:
            return There.GIT if self.in_git else There.UNASKED
        return There.UNKNOWN if self.unsaid.files else _word(self.kept, self.all)


def _word(has: Count, whole: Count) -> There:
    if has.files == whole.files:
        return There.THERE
    return There.PARTIAL if has.files else There.MISSING


def total(path: str, places: Iterable[Whereabouts]) -> Whereabouts:
    """Count *places* together; of what they are here, what needs most attention is said.

    What git keeps counts in the workspace alone.
    """
    places = tuple(places)
    ours = [place for place in places if not place.in_git] or places
    worst = (Here.UNKNOWN, Here.MISSING, Here.MODIFIED)

    def add(counts: Iterable[Count]) -> Count:
        return sum(counts, Count())

    return Whereabouts(
        path,
        next((here for here in worst if any(p.here is here for p in places)), Here.SAME),
        add(place.all for place in ours),
        add(place.same for place in places),
        add(place.modified for place in places),
        add(place.missing for place in places),
        sum(place.extra for place in places),
        add(place.cached for place in places),
        add(place.kept for place in places),
        add(place.unsaid for place in places),
        asked=any(place.asked for place in places),
        in_git=all(place.in_git for place in places),
    )


def locate(
    output: Output,
    look: Callable[[], Output | None] | None,
    size: Callable[[Digest], int | None],
    on_remote: Callable[[Digest], bool | None] | None,
    *,
    in_git: bool = False,
) -> Whereabouts:
    """Say where *output* is, by what a *look* at its place shows; `None` when that is impossible.

    *size* is that of an object of the cache, `None` for none; *on_remote* answers `None` where it
    could not be asked, and is `None` where nobody was to be.
    """
    files = files_of(output)
    sizes = {f.path: f.size if f.size is not None else size(f.digest) or 0 for f in files}

    def count(some: Iterable[File]) -> Count:
        found = [sizes[file.path] for file in some]
        return Count(len(found), sum(found))

    now = look() if look is not None else None
    present = {file.path: file for file in files_of(now)} if now is not None else {}
    gone = [file for file in files if file.path not in present]
    same = [file for file in files if file.path in present and _is_same(file, present[file.path])]
    kept = {} if on_remote is None or in_git else {f.path: on_remote(f.digest) for f in files}
    known = {file.path for file in files}
    extra = [path for path in present if path not in known and not _is_left_out(output, path)]
    differs = bool(extra) or len(same) != len(files) or _is_bare(output, now)
    here = Here.MODIFIED if differs else Here.SAME
    if look is None:
        here = Here.UNKNOWN
    elif now is None:
        here = Here.MISSING
    whole, right, absent = count(files), count(same), count(gone if look is not None else ())
    changed = Count(len(files) - len(same) - len(gone), whole.bytes - right.bytes - absent.bytes)
    return Whereabouts(
        output.path,
        here,
        whole,
        right,
        changed if look is not None else Count(),
        absent,
        len(extra),
        Count() if in_git else count(file for file in files if size(file.digest) is not None),
        count(file for file in files if kept.get(file.path)),
        count(file for file in files if file.path in kept and kept[file.path] is None),
        asked=on_remote is not None,
        in_git=in_git,
    )


def _is_same(recorded: File, now: File) -> bool:
    if recorded.digest != now.digest:
        return False
    free = recorded.lenient or recorded.executable is None
    return free or bool(recorded.executable) == bool(now.executable)


def _is_left_out(output: Output, path: str) -> bool:
    """Tell whether the release that recorded a directory would not have listed a file in it."""
    left_out = isinstance(output, Directory) and output.skips_ignored
    return left_out and is_ignored(path[len(output.path) + 1 :])


def _is_bare(recorded: Output, now: Output | None) -> bool:
    """Tell whether two directories differ in nothing but those that are empty in them."""
    if not isinstance(recorded, Directory) or not isinstance(now, Directory):
        return isinstance(recorded, Directory) != isinstance(now, Directory)
    return not recorded.skips_ignored and recorded.empty != now.empty
