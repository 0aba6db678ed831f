"""Which outputs the user means; pure."""

from __future__ import annotations

import difflib
import functools
import os
from dataclasses import field, replace
from glob import escape
from typing import TYPE_CHECKING

from pivot.errors import IntegrityError, UsageError
from pivot.frozen import frozen
from pivot.globs import compile_glob, is_glob
from pivot.objects import Digest, Directory, File, Output, Sha256, files_of

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence


@frozen
class Reference:
    """An output that a lock or `.pvt` file refers to.

    *owner* is the stage, or the path of tracked data; *document* is the file that says so.
    *imported_from* is the URL of another project's remote, where the objects are kept instead.
    *sums* are the SHA-256 of its files by path, as the file *ledger* has them; with *stale* that
    file tells of other content of the output, and so nothing of this.
    """

    output: Output
    owner: str
    document: str
    is_stage: bool
    imported_from: str | None = None
    sums: Mapping[str, Sha256] = field(default_factory=dict, compare=False, repr=False)
    ledger: str = field(default="", compare=False)
    stale: bool = field(default=False, compare=False)


@frozen
class References:
    """All that the project's documents refer to.

    *stages* are all their names; *uncached* are outputs that git keeps, each with its stage.
    """

    entries: tuple[Reference, ...]
    stages: frozenset[str]
    uncached: Mapping[str, str]

    def paths(self) -> frozenset[str]:
        """List every file that any document names: none of them is an extra one."""
        cached = {file.path for entry in self.entries for file in files_of(entry.output)}
        return frozenset(cached | self.uncached.keys())


@frozen
class Selection:
    """What targets mean: the *entries*; *known* lists the paths of all files that are known.

    *all* are the entries that there are, whole. *past* are what other commits refer to, each as it
    says, and may contradict each other. *told* says in words what was chosen from.
    """

    entries: tuple[Reference, ...]
    known: Callable[[], frozenset[str]] = field(compare=False, repr=False)
    all: tuple[Reference, ...] = ()
    past: tuple[Reference, ...] = ()
    told: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def only_past(self) -> frozenset[Digest]:
        """The objects that other commits alone refer to."""
        own = {file.digest for entry in self.entries for file in files_of(entry.output)}
        past = {file.digest for entry in self.past for file in files_of(entry.output)}
        return frozenset(past - own)


def select(
    references: References, targets: Sequence[str], *, here: str = "", root: str = ""
) -> tuple[Reference, ...]:
    """Choose what *targets* name, seen from *here* below *root*; without targets, everything.

    A target is a stage, all stages of a matrix, the unique end of a stage's name, or a path: an
    output, something inside or above outputs, a `.pvt` or a lock file; or a pattern of such, see
    `globs`. Raises `UsageError` that names every unknown one, and `IntegrityError` when two
    documents say different things of one path.
    """
    return _without_conflicts(choose(references, targets, here=here, root=root))


def choose(
    references: References, targets: Sequence[str], *, here: str = "", root: str = ""
) -> Sequence[Reference]:
    """Choose as `select` does, of documents that may well contradict each other."""
    if not targets:
        return references.entries
    chosen: list[Reference] = []
    problems: list[str] = []
    for target in targets:
        try:
            pattern = _project_path(target, escape(here), root) if is_glob(target) else ""
            chosen += _resolve(references, target, _project_path(target, here, root), pattern)
        except UsageError as error:
            problems.append(f"{error.message}{f' ({error.hint})' if error.hint else ''}")
    if problems:
        raise UsageError(
            "; ".join(problems),
            hint="a target is a stage, an output, a directory with outputs or a pattern such as "
            "'data/*.csv'; without targets, everything is meant",
        )
    return chosen


def _resolve(references: References, target: str, path: str, pattern: str) -> Iterable[Reference]:
    if stages := _stages(references, target):
        return _of_stages(references, stages)
    if found := _below(references, path):
        return found
    if path in references.uncached:
        raise UsageError(f"'{target}' is an output that is not cached: git keeps it")
    groups = {name.partition("@")[0] for name in references.stages} | references.stages
    ends = sorted(name for name in groups if name.endswith(f"/{target}"))
    if pattern:
        return _matching(references, target, pattern)
    if len(ends) == 1:
        return _of_stages(references, _stages(references, ends[0]))
    if ends:
        raise UsageError(f"'{target}' may be any of the stages {', '.join(ends)}")
    raise UsageError(
        f"'{target}' is not a tracked file or stage output", hint=_nearest(references, target, path)
    )


def _matching(references: References, target: str, pattern: str) -> Iterable[Reference]:
    """Find what a pattern names: what it matches is taken as if it were the target itself."""
    glob = compile_glob(pattern)
    found = [part for entry in references.entries for part in _matched(entry, glob)]
    if found:
        return found
    if stages := {name for name in references.stages if glob.fullmatch(name)}:
        return _of_stages(references, stages)
    if kept := next((path for path in references.uncached if glob.fullmatch(path)), ""):
        raise UsageError(f"'{target}' matches no output that is cached: git keeps '{kept}'")
    raise UsageError(
        f"'{target}' matches no output, nor a file inside of one",
        hint=_nearest(references, target, pattern),
    )


def _matched(entry: Reference, glob: re.Pattern[str]) -> Iterable[Reference]:
    """Narrow an output to what a pattern matches of it: all, or directories and files inside."""
    output = entry.output
    if any(map(glob.fullmatch, _and_above(output.path))):
        return [entry]
    if not isinstance(output, Directory):
        return []
    cut = len(output.path) + 1
    chosen: dict[str, None] = {}
    count = 0
    for file in output.files:
        places = reversed(_and_above(file.path))
        place = next((p for p in places if len(p) > cut and glob.fullmatch(p)), None)
        if place is not None:
            chosen[place] = None
            count += 1
    if count == len(output.files) and count and not output.empty:
        return [entry]
    files = {file.path: file for file in output.files if file.path in chosen}
    parts = (files.get(place) or _part_of(output, place) for place in chosen)
    return [replace(entry, output=part) for part in parts if part is not None]


def _and_above(path: str) -> list[str]:
    """List a path and the directories above it, the nearest first."""
    ends = [end for end, letter in enumerate(path) if letter == "/"]
    return [path, *(path[:end] for end in reversed(ends))]


def _stages(references: References, name: str) -> set[str]:
    """Find the stage of this name, or all `name@…` that a matrix makes of one."""
    if name in references.stages:
        return {name}
    return {stage for stage in references.stages if stage.partition("@")[0] == name}


def _of_stages(references: References, stages: Collection[str]) -> list[Reference]:
    return [entry for entry in references.entries if entry.is_stage and entry.owner in stages]


def _project_path(target: str, here: str, root: str) -> str:
    if not target:
        raise UsageError("a target may not be empty")
    absolute = bool(root) and os.path.isabs(target)
    place = os.path.relpath(target, root) if absolute else os.path.join(here, target)
    path = os.path.normpath(place)
    if path == ".." or path.startswith(("../", "/")):
        raise UsageError(f"Target '{target}' resolves outside project root")
    return "" if path == "." else path


def _below(references: References, path: str) -> list[Reference]:
    """Find what is at, above or below *path*; the root has everything below it."""
    found: list[Reference] = []
    above = f"{path}/" if path else ""
    for entry in references.entries:
        place = entry.output.path
        if path in {place, entry.document} or place.startswith(above):
            found.append(entry)
        elif path.startswith(f"{place}/") and isinstance(entry.output, Directory):
            part = _part_of(entry.output, path)
            if part is not None:
                found.append(replace(entry, output=part))
    return found


def _part_of(directory: Directory, path: str) -> Output | None:
    """Narrow a directory output to the file or directory at *path* inside it."""
    above = f"{path}/"
    files = tuple(file for file in directory.files if file.path.startswith(above))
    empty = tuple(name for name in directory.empty if f"{name}/".startswith(above))
    if files or empty:
        return replace(directory, path=path, digest=Digest(""), files=files, empty=empty)
    return next((file for file in directory.files if file.path == path), None)


def _nearest(references: References, target: str, path: str) -> str:
    places = {entry.output.path for entry in references.entries}
    names = {name.rpartition("/")[2]: name for name in sorted(references.stages)}
    names |= {name: name for name in references.stages | places}
    near = dict.fromkeys(
        names[name]
        for word in (target, path)
        for name in difflib.get_close_matches(word, names, n=3, cutoff=0.6)
    )
    return f"did you mean {' or '.join(repr(name) for name in near)}?" if near else ""


def _without_conflicts(entries: Sequence[Reference]) -> tuple[Reference, ...]:
    """Drop what is named twice; two different contents for one path contradict each other."""
    kept: dict[str, Reference] = {}
    said: dict[str, File] = {}
    for entry in entries:
        before = kept.setdefault(entry.output.path, entry)
        if before is not entry and before.output == entry.output:
            continue
        _check_same(before, entry)
        for file in files_of(entry.output):
            other = said.setdefault(file.path, file)
            if other.digest != file.digest:
                earlier = _holder(other, entries)
                raise IntegrityError(
                    f"{file.path}: {earlier.document} and {entry.document} name different contents "
                    f"({other.digest} and {file.digest})",
                    hint="remove the lock file of the stage that no longer makes it",
                )
    _check_nesting(said, entries)
    return _without_parts(kept.values())


def _holder(file: File, entries: Iterable[Reference]) -> Reference:
    """Find the entry that has *file*, this very value."""
    return next(e for e in entries if any(each is file for each in files_of(e.output)))


def _check_same(one: Reference, other: Reference) -> None:
    """Refuse two outputs at one path that cannot both be right; parts have no digest."""
    digests = one.output.digest, other.output.digest
    if type(one.output) is not type(other.output) or (all(digests) and len(set(digests)) > 1):
        raise IntegrityError(
            f"{one.output.path}: {one.document} and {other.document} name different contents "
            f"({digests[0]} and {digests[1]})",
            hint="remove the lock file of the stage that no longer makes it",
        )


def _check_nesting(said: Mapping[str, File], entries: Sequence[Reference]) -> None:
    for path, file in said.items():
        place = path
        while place := place.rpartition("/")[0]:
            if place in said:
                above, below = (_holder(one, entries) for one in (said[place], file))
                raise IntegrityError(
                    f"{place} is a file in {above.document} and a directory in {below.document}",
                    hint="remove the lock file of the stage that no longer makes it",
                )


def _without_parts(entries: Iterable[Reference]) -> tuple[Reference, ...]:
    """Drop a part of a directory that is chosen whole as well."""
    chosen = list(entries)
    whole = {e.output.path: e.output for e in chosen if isinstance(e.output, Directory)}

    @functools.cache
    def paths(place: str) -> frozenset[str]:
        return frozenset(file.path for file in whole[place].files)

    def is_part(output: Output) -> bool:
        place = output.path
        while place := place.rpartition("/")[0]:
            if place in whole and all(file.path in paths(place) for file in files_of(output)):
                return True
        return False

    return tuple(entry for entry in chosen if not is_part(entry.output))
