"""What a remote is: three verbs, and what each of them promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from os import PathLike

    from pivot.objects import Content, Digest, Hasher, Promise


class Remote(Protocol):
    """A place that several machines share. Safe from many threads."""

    @property
    def url(self) -> str:
        """Where it is, fit for messages: without secrets."""

    def close(self) -> None:
        """Finish: after this, all that was uploaded is visible to everybody. May raise."""

    def stat(self, digests: Collection[Digest]) -> dict[Digest, int | None]:
        """Say which of *digests* are kept here, with their sizes in bytes.

        One that is not kept is left out. `None` stands for one of which the remote would not say
        (it refuses the question for this object alone). Raises `RemoteError` when it cannot tell:
        an error never means "not here".
        """

    def read(self, promise: Promise, source: str | PathLike[str], hasher: Hasher) -> bytes | None:
        """Read *source*, which is small, for an `upload`; `None` where that reads it by itself.

        *hasher* is new, and knows the bytes then. Raises as `upload` does.
        """

    def upload(
        self,
        promise: Promise,
        source: str | PathLike[str],
        hasher: Hasher,
        *,
        count: Callable[[int], None],
        data: bytes | None = None,
    ) -> bool:
        """Store the bytes of *source*, if they are what *promise* says.

        Whole or not at all, and never over an object that is there: then the answer is true, or
        `ObjectDamaged` is raised if that one has another size. *hasher* is new, and knows all
        bytes that were stored; they are told to *count* as they pass. *data* is what `read` gave
        for it, with the same *hasher*. Raises `ObjectError` for this object, `LocalError` where
        *source* cannot be read, `RemoteError` for all.
        """

    def download(
        self, digest: Digest, *, start: int = 0, size: int | None = None, known: str = ""
    ) -> Content:
        """Open an object, to read it from the byte *start* on; what it yields is not verified yet.

        The *size* of the whole, where it is known, lets a large one come by several connections.
        What the answer says is the true one. Raises `ObjectUnchanged` if it is still the copy whose
        version is *known*; `ObjectMissing` and other `ObjectError`s, also while it is read;
        `RemoteError`.
        """
