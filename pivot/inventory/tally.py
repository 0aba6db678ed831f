"""Count outputs, what is where, duplicates and growth; pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pivot.inventory.values import Amount, Answer, Duplicate, Item, Place, Point
from pivot.objects import Directory, files_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pivot.objects import Digest
    from pivot.targets import Reference

    Answers = Mapping[Digest, Answer]
    """What a place says of each object."""


def list_items(
    entries: Iterable[Reference],
    workspace: Mapping[str, Answer],
    objects: Mapping[Place, Answers],
    sizes: Mapping[Digest, int],
) -> tuple[Item, ...]:
    """Count the files of each output, the largest output first.

    *workspace* has an answer for each file by its path, *objects* those of the other places.
    """
    items = []
    for entry in entries:
        files = files_of(entry.output)
        answers = {Place.WORKSPACE: Counter(workspace[file.path] for file in files)}
        answers |= {
            place: Counter(said[file.digest] for file in files) for place, said in objects.items()
        }
        known = [sizes[file.digest] for file in files if file.digest in sizes]
        items.append(
            Item(
                entry.output.path,
                entry.owner,
                entry.is_stage,
                isinstance(entry.output, Directory),
                len(files),
                sum(known),
                len(files) - len(known),
                answers,
            )
        )
    return tuple(sorted(items, key=lambda item: (-item.bytes, item.path)))


def sum_places(
    entries: Iterable[Reference],
    workspace: Mapping[str, Answer],
    objects: Mapping[Place, Answers],
    sizes: Mapping[Digest, int],
) -> dict[Place, dict[Answer, Amount]]:
    """Count files of the workspace, and objects of the other places, each once."""
    said = {
        (file.path, workspace[file.path], file.digest)
        for entry in entries
        for file in files_of(entry.output)
    }
    places = {Place.WORKSPACE: _sum(((answer, digest) for _, answer, digest in said), sizes)}
    for place, answers in objects.items():
        places[place] = _sum(((answer, digest) for digest, answer in answers.items()), sizes)
    return places


def find_duplicates(
    entries: Iterable[Reference], sizes: Mapping[Digest, int]
) -> tuple[Duplicate, ...]:
    """List objects that stand for several files, those first that save most; empty ones do not."""
    paths: dict[Digest, dict[str, None]] = {}
    for entry in entries:
        for file in files_of(entry.output):
            paths.setdefault(file.digest, {})[file.path] = None
    found = (
        Duplicate(digest, sizes[digest], tuple(sorted(places)))
        for digest, places in paths.items()
        if len(places) > 1 and sizes.get(digest)
    )
    return tuple(sorted(found, key=lambda one: (-one.saved, one.paths)))


def grow(
    commits: Sequence[tuple[str, str, str]],
    referred: Iterable[tuple[Mapping[Digest, int | None], int]],
) -> tuple[Point, ...]:
    """Say for each commit, with date and subject, how much it refers to, and how much is new.

    *referred* has the objects of each with their sizes, as far as they are known, and how many
    documents could not be read. The first commit has nothing before it.
    """
    kept: dict[Digest, int | None] = {}
    total = 0
    points = []
    for about, (sizes, unread) in zip(commits, referred, strict=True):
        added = amount_of({d: size for d, size in sizes.items() if d not in kept})
        kept |= sizes
        total += added.bytes
        unsized = sum(size is None for size in sizes.values())
        so_far = Amount(len(kept), total)
        points.append(Point(*about, amount_of(sizes), added, so_far, unsized, unread))
    return tuple(points)


def amount_of(sizes: Mapping[Digest, int | None]) -> Amount:
    """Count objects, and their bytes as far as sizes are known."""
    return Amount(len(sizes), sum(size or 0 for size in sizes.values()))


def _sum(
    said: Iterable[tuple[Answer, Digest]], sizes: Mapping[Digest, int]
) -> dict[Answer, Amount]:
    counts: Counter[Answer] = Counter()
    totals: Counter[Answer] = Counter()
    for answer, digest in said:
        counts[answer] += 1
        totals[answer] += sizes.get(digest, 0)
    return {answer: Amount(counts[answer], totals[answer]) for answer in Answer if counts[answer]}
