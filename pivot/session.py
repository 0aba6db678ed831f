"""Where a command runs: its project, configuration and environment, and who is told of progress."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pivot.allocator import share_arenas
from pivot.cache import Cache
from pivot.chain import unasked
from pivot.crew import Jobs
from pivot.errors import LocalError, ObjectWeak, PivotError
from pivot.frozen import frozen
from pivot.keys import Integrity, Level
from pivot.ledger import ledger_path
from pivot.proofs import Proofs
from pivot.references import load_references
from pivot.remotes import open_remote
from pivot.targets import Selection, select
from pivot.transfer import Ahead, Meter, Moves, move_all

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from pivot.aws import Credentials
    from pivot.config import Config, RemoteSettings
    from pivot.objects import Digest
    from pivot.plan import TransferPlan, Wanted
    from pivot.project import Project
    from pivot.remote import Remote

_MANY = 10_000  # objects, with which it counts how much memory each thread keeps
_FEW = 4  # transfers at a time, to begin with: enough where the processor is what limits


class Answers:
    """What remotes said in this very run, by their URLs, where nothing is to be asked twice."""

    def __init__(self) -> None:
        self._asked: dict[str, set[Digest]] = {}
        self._kept: dict[str, dict[Digest, int | None]] = {}
        self._doubts: dict[str, dict[Digest, PivotError]] = {}

    def new(self, url: str, digests: Collection[Digest]) -> Collection[Digest]:
        """List those of *digests* for which nobody has asked yet."""
        asked = self._asked.get(url)
        return [digest for digest in digests if digest not in asked] if asked else digests

    def note(
        self,
        url: str,
        asked: Collection[Digest],
        kept: Mapping[Digest, int | None],
        doubts: Mapping[Digest, PivotError],
    ) -> None:
        """Take note of an answer, and of what it leaves open; an error is none."""
        self._asked.setdefault(url, set()).update(asked)
        self._kept.setdefault(url, {}).update(kept)
        self._doubts.setdefault(url, {}).update(doubts)

    def doubts(self, url: str, digests: Collection[Digest]) -> dict[Digest, PivotError]:
        """Say which of *digests* may be there though nobody said so, and why."""
        open_ = self._doubts.get(url, {})
        return {digest: open_[digest] for digest in digests if digest in open_}

    def of(self, url: str, digests: Collection[Digest]) -> dict[Digest, int | None]:
        """Give the answer for *digests*; see `Remote.stat`."""
        kept = self._kept.get(url, {})
        return {digest: kept[digest] for digest in digests if digest in kept}


@frozen
class Session:
    """One run of one command, with so many *jobs*, which are transfers at a time.

    More than *max_size* bytes are not moved; with *spare*, some of the disk is to stay free.
    *integrity* is what to do with contents that no ledger vouches for. Given *credentials* take
    the place of those that AWS's chain would find. With *answers*, remotes are asked once.
    """

    project: Project
    config: Config
    environment: Mapping[str, str]
    jobs: int | Jobs
    meter: Meter
    max_size: int | None = None
    spare: bool = False
    integrity: Integrity = Integrity.AUTO
    credentials: Callable[[], Credentials] | None = None
    answers: Answers | None = None

    @property
    def here(self) -> str:
        """The current directory, as a path from the project root; empty for the root itself."""
        here = os.path.relpath(self.project.here, self.project.root)
        return "" if here == "." else here

    def cache(self) -> Cache:
        """Open the cache; use it in a `with` statement."""
        root = self.config.cache_dir(self.project, self.environment)
        return Cache(root, Proofs(root / "checked.json"))

    def open_remote(self, remote: RemoteSettings) -> Remote:
        """Open a remote, see `remotes.open_remote`."""
        return open_remote(
            remote,
            self.config,
            self.environment,
            jobs=self.jobs,
            credentials=self.credentials,
        )

    def ask(self, store: Remote, digests: Collection[Digest]) -> dict[Digest, int | None]:
        """Ask a remote what it has, see `Remote.stat`, and let the user see that it takes time."""
        if len(digests) > _MANY:
            share_arenas(self.environment)
        if self.answers is None:
            with self.meter.asking(store.url):
                return store.stat(digests)
        known = self.answers
        if new := known.new(store.url, digests):
            with self.meter.asking(store.url):
                kept = store.stat(new)
            known.note(store.url, new, kept, unasked(store, [d for d in new if d not in kept]))
        return known.of(store.url, digests)

    def unasked(self, store: Remote, digests: Collection[Digest]) -> dict[Digest, PivotError]:
        """Say of what `ask` did not find why it may be there all the same; see `Chain.unasked`."""
        if self.answers is None:
            return unasked(store, digests)
        return self.answers.doubts(store.url, digests)

    def select(self, targets: Sequence[str]) -> Selection:
        """Find what *targets* name, seen from the current directory; see `targets.select`."""
        references = load_references(self.project)
        chosen = select(references, targets, here=self.here, root=str(self.project.root))
        return Selection(chosen, references.paths, references.entries)

    def refuse_weak(self, wanted: Iterable[Wanted]) -> dict[Digest, PivotError]:
        """Refuse what no ledger vouches for, if that is required."""
        if self.integrity is not Integrity.REQUIRE:
            return {}
        return {want.digest: _weak(want) for want in wanted if want.sha256 is None}

    def check_size(self, size: int) -> None:
        """Refuse to move *size* bytes when that is more than may be moved; see `LocalError`."""
        if self.max_size is not None and size > self.max_size:
            raise LocalError(
                f"{size} bytes are to be moved, and no more than {self.max_size} may be",
                hint="raise the limit, or name the stages that are needed",
            )

    def move(
        self,
        plan: TransferPlan,
        move: Callable[[Digest], bool],
        *,
        doing: str = "Transferring",
        prepare: Callable[[Digest], None] | None = None,
    ) -> Moves:
        """Move what *plan* says, and let the user see it; *prepare* small objects before."""
        self.meter.start(len(plan.transfer), plan.bytes, doing=doing)
        try:
            moves = move_all(
                plan.transfer,
                move,
                jobs=self.jobs,
                meter=self.meter,
                ahead=None if prepare is None else Ahead(prepare, plan.is_small),
            )
        finally:
            self.meter.finish()
        self.meter.chose(moves.jobs)
        return moves


def choose_jobs(config: Config, asked: int | None) -> Jobs:
    """Say how many transfers there are at a time: as *asked*, as configured, or as many as help."""
    value, level = config.get("remote.jobs")
    assert isinstance(value, int)  # noqa: S101  parsed so
    if asked is None and level is Level.DEFAULT:
        return Jobs(min(_FEW, value), value)
    return Jobs.exactly(asked or value)


def _weak(want: Wanted) -> ObjectWeak:
    ledger = ledger_path(want.document)
    return ObjectWeak(
        f"is not vouched for: {ledger} has no SHA-256 of it, and 'integrity' is 'require'",
        hint=f"'pivot push', where it was made, writes {ledger}: commit it with the lock",
    )
