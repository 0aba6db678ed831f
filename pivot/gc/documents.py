"""The files that stand beside the objects of a place: receipts, and who may clean up there."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING

from pivot.errors import InvalidDocument
from pivot.frozen import frozen
from pivot.objects import Digest, is_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_VERSION = 1


@frozen
class Owner:
    """A project, known by the first commits of its repository and where it is in that.

    *name* is for people alone.
    """

    roots: frozenset[str]
    inside: str
    name: str

    def is_same(self, other: Owner) -> bool:
        """Tell whether both are clones of one project."""
        return self.inside == other.inside and bool(self.roots & other.roots)


@frozen
class Entry:
    """An object of a receipt, with the paths at which it was last known, if any."""

    digest: Digest
    size: int
    paths: tuple[str, ...] = ()


@frozen
class Receipt:
    """What one run put into the trash: *began* is its time in UTC, *owner* the project's name."""

    name: str
    began: str
    owner: str
    entries: tuple[Entry, ...]


def new_receipt(now: float, owner: str, entries: Sequence[Entry]) -> Receipt:
    """Make a receipt with a name that nobody else has."""
    then = time.gmtime(now)
    name = f"{time.strftime('%Y%m%dT%H%M%SZ', then)}-{secrets.token_hex(4)}"
    return Receipt(name, time.strftime("%Y-%m-%dT%H:%M:%SZ", then), owner, tuple(entries))


def render_receipt(receipt: Receipt) -> bytes:
    """Say it as JSON."""
    tree = {
        "version": _VERSION,
        "receipt": receipt.name,
        "began": receipt.began,
        "project": receipt.owner,
        "objects": [
            {"digest": entry.digest, "size": entry.size, "paths": list(entry.paths)}
            for entry in receipt.entries
        ],
    }
    return json.dumps(tree, indent=1).encode()


def parse_receipt(data: bytes, place: str) -> Receipt:
    """Read it back; *place* is for the error alone. Raises `InvalidDocument`."""
    try:
        tree = json.loads(data)
        _check_version(tree, place)
        entries = tuple(
            Entry(_digest(each["digest"]), int(each["size"]), tuple(map(str, each["paths"])))
            for each in tree["objects"]
        )
        return Receipt(str(tree["receipt"]), str(tree["began"]), str(tree["project"]), entries)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidDocument(place, ["is no receipt of 'pivot gc'"]) from error


def render_claim(owners: Sequence[Owner]) -> bytes:
    """Say as JSON which projects keep objects in a place."""
    tree = {
        "version": _VERSION,
        "projects": [
            {"name": owner.name, "inside": owner.inside, "first_commits": sorted(owner.roots)}
            for owner in owners
        ],
    }
    return (json.dumps(tree, indent=2) + "\n").encode()


def parse_claim(data: bytes, place: str) -> tuple[Owner, ...]:
    """Read it back; *place* is for the error alone. Raises `InvalidDocument`."""
    try:
        tree = json.loads(data)
        _check_version(tree, place)
        return tuple(
            Owner(
                frozenset(map(str, each["first_commits"])), str(each["inside"]), str(each["name"])
            )
            for each in tree["projects"]
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidDocument(
            place, ["does not say which projects keep objects there"], hint=f"look at {place}"
        ) from error


def _check_version(tree: Mapping[str, object], place: str) -> None:
    if tree["version"] != _VERSION:
        raise InvalidDocument(place, [f"is of version {tree['version']}, which is newer than this"])


def _digest(text: object) -> Digest:
    if not is_digest(text):
        raise ValueError(text)
    return text
