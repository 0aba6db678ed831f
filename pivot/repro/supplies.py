"""Where the contents that lock and `.pvt` files record are to be had: in the cache, on a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.errors import PivotError, RemoteDenied
from pivot.fetch import fetch_all
from pivot.objects import Digest, Output, files_of
from pivot.plan import list_wanted, sound
from pivot.repro.decide import Has

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pivot.cache import Cache
    from pivot.config import RemoteSettings
    from pivot.results import Transfer
    from pivot.session import Session
    from pivot.targets import Reference


class Supplies:
    """What the cache has of *references*, and what the remote has, which is asked once and late.

    Without *remote* nobody is asked. With *accept*, what is on the remote may stay there.
    *warnings* are what asking and fetching warned of, such as remotes that were passed over.
    """

    def __init__(
        self,
        session: Session,
        cache: Cache,
        references: Sequence[Reference],
        *,
        remote: RemoteSettings | None,
        accept: bool,
    ) -> None:
        self._session = session
        self._cache = cache
        self._references = references
        self._remote = remote
        self._accept = accept
        self._wanted = list_wanted(references)
        self._cached = dict(sound(cache.stat(self._wanted), self._wanted))
        self._kept: frozenset[Digest] | None = None
        self._refused: dict[Digest, PivotError] = {}
        self._lost: set[Digest] = set()
        self.warnings: dict[str, None] = {}

    def has(self, output: Output) -> Has:
        """Say where all files of *output* are to be had, if anywhere.

        Raises what the remote answers instead: an error never means that it has not.
        """
        lacking = [f.digest for f in files_of(output) if f.digest not in self._cached]
        if not lacking:
            return Has.CACHE
        if self._remote is None:
            return Has.NOWHERE
        if self._kept is None:
            self._kept = self._ask(self._remote)
        for digest in lacking:
            if digest in self._refused:
                raise self._refused[digest]
        if not self._kept.issuperset(lacking):
            return Has.NOWHERE
        return Has.ACCEPTED if self._accept else Has.REMOTE

    def lacks(self, output: Output) -> set[Digest]:
        """List the objects of *output* that nobody has who was asked."""
        kept = self._kept or frozenset()
        digests = {file.digest for file in files_of(output)}
        return {digest for digest in digests if digest not in self._cached and digest not in kept}

    def size(self, digest: Digest) -> int | None:
        """Say how large an object of the cache is."""
        return self._cached.get(digest)

    def fetch(self, references: Iterable[Reference]) -> tuple[Transfer, ...]:
        """Bring what the cache lacks of *references* from the remote, if it did not fail before.

        Raises what stops the remote as a whole; an object's failure is in the answer, and `has`
        raises it from then on.
        """
        needed = [
            entry
            for entry in references
            if any(self._is_lacking(file.digest) for file in files_of(entry.output))
        ]
        if not needed or self._remote is None:
            return ()
        fetched = fetch_all(self._session, self._remote, self._cache, needed, dry_run=False)
        wanted = list_wanted(needed)
        self._cached |= sound(self._cache.stat(wanted), wanted)
        self._take_warnings(fetched)
        for problem in (problem for part in fetched for problem in part.problems):
            error = problem.as_error()
            if not problem.digest:
                raise error
            self._refused[Digest(problem.digest)] = error
        return fetched

    def check(self, references: Iterable[Reference]) -> None:
        """Raise why an object of *references* could not be fetched, if there was one."""
        for entry in references:
            for file in files_of(entry.output):
                if file.digest in self._refused and file.digest not in self._cached:
                    raise self._refused[file.digest]

    def _is_lacking(self, digest: Digest) -> bool:
        return digest not in self._cached and digest not in self._refused

    def lose(self, digests: Iterable[Digest]) -> None:
        """Take objects of the cache for lost, since they are damaged."""
        for digest in digests:
            self._cached.pop(digest, None)
            self._lost.add(digest)

    def _ask(self, remote: RemoteSettings) -> frozenset[Digest]:
        """Ask what is kept; a remote that does not answer fails those who need it."""
        kept: set[Digest] = set()
        parts = fetch_all(
            self._session,
            remote,
            self._cache,
            self._references,
            dry_run=True,
            damaged=frozenset(self._lost),
        )
        self._take_warnings(parts)
        for part in parts:
            if part.stopped is not None:
                self._refused |= dict.fromkeys(part.wanted.keys() - self._cached, part.stopped)
            self._refused |= part.unasked
            if self._accept and any(size is None for size in part.plan.transfer.values()):
                raise RemoteDenied(
                    f"remote '{part.remote}' does not say which objects it has",
                    hint="the role needs s3:ListBucket, or --pull without --allow-missing",
                )
            kept |= part.plan.transfer.keys()
        return frozenset(kept)

    def _take_warnings(self, parts: Iterable[Transfer]) -> None:
        self.warnings |= dict.fromkeys(text for part in parts for text in part.warnings)
