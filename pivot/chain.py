"""Several remotes read as one: each object from the first that has it."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from pivot.errors import (
    NoCredentials,
    ObjectError,
    ObjectMissing,
    ObjectRefused,
    ObjectUnreachable,
    PivotError,
    RemoteError,
    worst,
)
from pivot.frozen import frozen
from pivot.objects import Content

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from os import PathLike
    from typing import NoReturn

    from pivot.objects import Digest, Hasher, Promise
    from pivot.remote import Remote


@frozen
class Link:
    """One remote of a chain, which is opened when it is first asked."""

    name: str
    url: str
    open: Callable[[], Remote]


class Chain:
    """See `Remote`; it is only read from.

    Who does not have an object, or does not say, is followed by the next. Who cannot be asked is
    left out from then on; `complaints` has that once, and `unasked` for what it leaves open.
    """

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = tuple(links)
        self._lock = threading.RLock()
        self._stores: dict[str, Remote] = {}
        self._failures: dict[str, PivotError] = {}
        self._complaints: dict[str, None] = {}
        self._holders: dict[Digest, Link] = {}

    @property
    def url(self) -> str:
        """See `Remote.url`: all of them."""
        return ", ".join(link.url for link in self._links)

    @property
    def complaints(self) -> tuple[str, ...]:
        """What went wrong with some of them, each once."""
        with self._lock:
            return tuple(self._complaints)

    def close(self) -> None:
        """See `Remote.close`."""
        with contextlib.ExitStack() as stack:
            for store in self._stores.values():
                stack.callback(store.close)

    def stat(self, digests: Collection[Digest]) -> dict[Digest, int | None]:
        """See `Remote.stat`; raises only when none of them can be asked."""
        found: dict[Digest, int | None] = {}
        left = list(digests)
        for link in self._links:
            if not left:
                break
            held = self._ask(link, left)
            unsaid = sum(size is None for size in held.values())
            if unsaid:
                self._complain(
                    f"remote '{link.name}' ({link.url}) refuses to say whether it has "
                    f"{unsaid} object(s)"
                )
            for digest, size in held.items():
                if size is not None or digest not in found:
                    found[digest] = size
                    self._holders[digest] = link
            left = [digest for digest in left if found.get(digest) is None]
        if len(self._failures) == len(self._links):
            self._fail()
        return found

    def unasked(self, digests: Collection[Digest]) -> dict[Digest, PivotError]:
        """Say of what nobody has who could be asked why it may be there all the same."""
        if not self._failures:
            return {}
        error = self._unknown()
        return dict.fromkeys(digests, error)

    def read(self, promise: Promise, source: str | PathLike[str], hasher: Hasher) -> NoReturn:
        """See `upload`."""
        raise NotImplementedError

    def upload(
        self,
        promise: Promise,
        source: str | PathLike[str],
        hasher: Hasher,
        *,
        count: Callable[[int], None],
        data: bytes | None = None,
    ) -> NoReturn:
        """See `Remote.upload`; a push has each remote by itself."""
        raise NotImplementedError

    def download(
        self, digest: Digest, *, start: int = 0, size: int | None = None, known: str = ""
    ) -> Content:
        """See `Remote.download`: from where `stat` found it, else from any other.

        A version is of one remote's copy, and so begins with that one's name.
        """
        holder = self._holders.get(digest)
        refusal: ObjectError | None = None
        for link in sorted(self._links, key=lambda link: link is not holder):
            try:
                store = self._store(link)
                if store is None:
                    continue
                name, _, version = known.partition(" ")
                version = version if name == link.name else ""
                content = store.download(digest, start=start, size=size, known=version)
            except ObjectMissing:
                continue
            except (ObjectRefused, ObjectUnreachable) as error:
                refusal = refusal or type(error)(
                    f"remote '{link.name}': {error.message}", hint=error.hint
                )
            except RemoteError as error:
                self._give_up(link, error)
            else:
                self._holders[digest] = link
                version = content.version and f"{link.name} {content.version}"
                whole = isinstance(content.chunks, tuple)
                chunks = content.chunks if whole else self._read(link, content.chunks)
                return Content(content.size, chunks, content.claimed, version)
        if refusal is not None:
            raise refusal
        raise self._unknown() if self._failures else ObjectMissing("is not there any more")

    def pass_over(self, digest: Digest) -> None:
        """Look for another copy of an object: the one that was read is damaged."""
        damaged = self._holders.get(digest)
        behind = self._links.index(damaged) + 1 if damaged is not None else 0
        for link in self._links[behind:]:
            if damaged is not None and self._ask(link, [digest]).get(digest) is not None:
                self._complain(
                    f"remote '{damaged.name}' ({damaged.url}) has a damaged copy of object "
                    f"{digest}: delete it there; it is read from '{link.name}'"
                )
                self._holders[digest] = link
                break

    def holder(self, digest: Digest) -> str:
        """Name the remote that has an object, as far as is known; empty for none."""
        link = self._holders.get(digest)
        return link.name if link is not None else ""

    def _ask(self, link: Link, digests: Collection[Digest]) -> dict[Digest, int | None]:
        try:
            store = self._store(link)
            return store.stat(digests) if store is not None else {}
        except (RemoteError, ObjectError) as error:
            self._give_up(link, error)
            return {}

    def _store(self, link: Link) -> Remote | None:
        """Open a remote, once; `None` for one that could not be asked before."""
        with self._lock:
            if link.name in self._failures:
                return None
            if link.name not in self._stores:
                self._stores[link.name] = link.open()
            return self._stores[link.name]

    def _read(self, link: Link, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Read on; where the remote as a whole fails, the others are asked when it is repeated."""
        try:
            yield from chunks
        except RemoteError as error:
            self._give_up(link, error)
            raise ObjectUnreachable(error.message, hint=error.hint) from error

    def _give_up(self, link: Link, error: PivotError) -> None:
        with self._lock:
            if link.name not in self._failures:
                self._failures[link.name] = error
                self._complain(f"remote '{link.name}' could not be asked: {error.message}")

    def _complain(self, text: str) -> None:
        with self._lock:
            self._complaints[text] = None

    def _unknown(self) -> ObjectError:
        """Say that an object is nowhere, as far as could be asked: that is not "missing"."""
        asked = [f"'{link.name}'" for link in self._links if link.name not in self._failures]
        silent = [f"'{name}'" for name in self._failures]
        hints = [error.hint for error in self._failures.values() if error.hint]
        not_there = f"is not on remote {', '.join(asked)}, and " if asked else ""
        error = ObjectError(
            f"{not_there}remote {', '.join(silent)} could not be asked",
            hint=hints[0] if hints else "",
        )
        error.code = worst(failure.code for failure in self._failures.values())
        return error

    def _fail(self) -> NoReturn:
        """Raise why none of them could be asked."""
        failures = list(self._failures.values())
        kind = NoCredentials if all(isinstance(e, NoCredentials) for e in failures) else RemoteError
        told = "; ".join(f"'{name}': {error.message}" for name, error in self._failures.items())
        failure = kind(f"no remote could be asked: {told}", hint=failures[0].hint)
        failure.code = worst(error.code for error in failures)
        raise failure


def unasked(store: Remote, digests: Collection[Digest]) -> dict[Digest, PivotError]:
    """See `Chain.unasked`; a remote by itself has been asked, or has raised."""
    return store.unasked(digests) if isinstance(store, Chain) else {}


def complaints(store: Remote) -> tuple[str, ...]:
    """See `Chain.complaints`; a remote by itself raises."""
    return store.complaints if isinstance(store, Chain) else ()


def holder(store: Remote, digest: Digest) -> str:
    """See `Chain.holder`; empty for a remote by itself."""
    return store.holder(digest) if isinstance(store, Chain) else ""


def pass_over(store: Remote, digest: Digest) -> None:
    """See `Chain.pass_over`; a remote by itself has no other copy."""
    if isinstance(store, Chain):
        store.pass_over(digest)
