"""Where objects go out of: a cache or a remote, and the trash in it. No other use case can delete.

The trash is a directory `trash/<receipt>/` that has the objects of one run by their usual names.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Protocol

from pivot.frozen import frozen
from pivot.objects import Digest, object_name, parse_object_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

LIVE = ""
"""The shelf of the objects that are in use; every other is named like its receipt."""

TRASH = "trash"
CLAIM = "pivot-gc.json"

_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")


@frozen
class Found:
    """An object: its size in bytes, and when it last changed, in seconds, by the place's clock."""

    digest: Digest
    size: int
    changed: float


@frozen
class Trashed:
    """An object that lies in the trash of the run *receipt*, since *changed*."""

    receipt: str
    digest: Digest
    size: int
    changed: float


class Place(Protocol):
    """A cache or remote. Safe from many threads, for one object each.

    *receipt* and *shelf* are names that `is_receipt` accepts, and a shelf may be `LIVE`.
    """

    @property
    def url(self) -> str:
        """Where it is, fit for messages: without secrets."""

    def close(self) -> None:
        """Finish: after this, all that was done is visible to everybody. May raise."""

    def objects(self) -> Iterator[Found]:
        """List all objects in use; raises `RemoteError` or `LocalError` when it cannot tell."""

    def trash(self, receipt: str = "") -> Iterator[Trashed]:
        """List what is in the trash, of all runs or of one; raises as `objects`."""

    def copy(self, digest: Digest, size: int, *, source: str, target: str) -> None:
        """Let an object be on the shelf *target* as well, whole or not at all.

        What is there already may be replaced by it. One in use that was used again since it was
        listed need not be copied, as far as the place can tell. Raises `ObjectMissing` where it is
        not on *source*, other `ObjectError`s, and what ends everything.
        """

    def delete(self, shelf: str, digests: Collection[Digest]) -> Collection[Digest]:
        """Take objects off a shelf; the answer is which are not there any more.

        One in use that was used again since it was listed is left, as far as the place can tell.
        Raises what ends everything.
        """

    def receipts(self) -> dict[str, float]:
        """List the receipts that there are, with the times at which they were written; raises."""

    def read_note(self, name: str) -> bytes | None:
        """Read a small file that is no object; `None` where there is none. Raises."""

    def write_note(self, name: str, data: bytes) -> float:
        """Write one, over any other; the answer is the time by the place's clock. Raises."""

    def delete_note(self, name: str) -> None:
        """Remove one; raises."""


def is_receipt(text: str) -> bool:
    """Tell whether *text* has the form of a receipt's name."""
    return _ID.fullmatch(text) is not None


def name_on(shelf: str, digest: Digest) -> str:
    """Name an object on a shelf, below the root of a place."""
    return f"{TRASH}/{shelf}/{object_name(digest)}" if shelf else object_name(digest)


def clock_name() -> str:
    """Name a file that is there for a moment, to see what time it is by the place's clock."""
    return f"{TRASH}/clock-{secrets.token_hex(4)}"


def receipt_name(receipt: str) -> str:
    """Name the file that lists what a run put into the trash."""
    return f"{TRASH}/{receipt}/receipt.json"


def parse_receipt_name(name: str) -> str | None:
    """Read the name of such a file back; `None` for any other."""
    receipt = name.removeprefix(f"{TRASH}/").partition("/")[0]
    return receipt if is_receipt(receipt) and name == receipt_name(receipt) else None


def parse_trash_name(name: str) -> tuple[str, Digest] | None:
    """Read the name of an object in the trash back; `None` for any other."""
    head, _, rest = name.partition("/")
    receipt, _, inside = rest.partition("/")
    digest = parse_object_name(inside)
    return (receipt, digest) if head == TRASH and is_receipt(receipt) and digest else None
