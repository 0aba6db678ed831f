"""What Pivot can do, one function each; every face calls these."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pivot.cache import Cache
from pivot.config import RemoteSettings
from pivot.errors import (
    LocalError,
    ObjectDamaged,
    PivotError,
    RemoteError,
    UsageError,
)
from pivot.objects import Digest, files_of
from pivot.placement import place
from pivot.plan import (
    Existing,
    TransferPlan,
    Wanted,
    list_wanted,
    plan_checkout,
    plan_transfer,
)
from pivot.references import load_references
from pivot.remotes import open_remote
from pivot.results import Checkout, Pull, Transfer
from pivot.scratch import Scratch
from pivot.targets import Reference, select
from pivot.transfer import Meter, Moves, move_all
from pivot.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from pivot.config import Config
    from pivot.keys import Link
    from pivot.project import Project
    from pivot.remote import Remote


@dataclass(frozen=True, slots=True)
class Setup:
    """Where a command runs: the *project*, its *config*, the *environment*, who is told."""

    project: Project
    config: Config
    environment: Mapping[str, str]
    jobs: int
    meter: Meter

    def cache(self) -> Cache:
        """Open the cache; use it in a `with` statement."""
        return Cache(self.config.cache_dir(self.project, self.environment))

    def open_remote(self, remote: RemoteSettings) -> Remote:
        """Open a remote, see `remotes.open_remote`."""
        return open_remote(remote, self.config, self.environment, jobs=self.jobs)

    def select(self, targets: Sequence[str]) -> tuple[Reference, ...]:
        """Find what *targets* name, seen from the current directory; see `targets.select`."""
        root = str(self.project.root)
        here = os.path.relpath(self.project.here, root)
        here = "" if here == "." else here
        return select(load_references(self.project), targets, here=here, root=root)


def push(
    setup: Setup,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    dry_run: bool = False,
    all_cache: bool = False,
) -> Transfer:
    """Copy what *targets* need to the remote; with *all_cache* also all else that is cached.

    Raises what stands in the way before anything is asked of the remote; what goes wrong after
    that is in the answer.
    """
    settings = setup.config.remote(remote)
    if all_cache and targets:
        raise UsageError("--all-cache takes no targets: it pushes the whole cache")
    references = setup.select(targets)
    references = tuple(entry for entry in references if entry.imported_from is None)
    wanted = list_wanted(references)
    with setup.cache() as cache:
        if all_cache:
            for digest, size in cache.scan():
                wanted.setdefault(digest, _unnamed(digest, size))
        if not wanted:
            return _stopped("push", settings, wanted, None)
        try:
            with contextlib.closing(setup.open_remote(settings)) as store:
                return _push(setup, settings, store, cache, references, wanted, dry_run=dry_run)
        except RemoteError as error:
            return _stopped("push", settings, wanted, error)


def _push(
    setup: Setup,
    settings: RemoteSettings,
    store: Remote,
    cache: Cache,
    references: Iterable[Reference],
    wanted: Mapping[Digest, Wanted],
    *,
    dry_run: bool,
) -> Transfer:
    kept = store.stat(wanted)
    cached = cache.stat(wanted)
    unkept = [digest for digest in wanted if kept.get(digest) is None and digest not in cached]
    elsewhere = _find_in_workspace(setup.project, cache, references, frozenset(unkept))
    sizes = cached | {digest: path.stat().st_size for digest, path in elsewhere.items()}
    plan = plan_transfer(wanted, source=sizes, destination=kept)
    damaged: dict[Digest, PivotError] = {
        digest: ObjectDamaged(
            f"remote '{settings.name}' holds {size} bytes instead of {right}",
            hint=f"delete {store.url}/files/{digest[:2]}/{digest[2:]} and push again",
        )
        for digest, size in plan.present.items()
        if (right := _right_size(wanted[digest], cached)) not in {None, size}
    }
    if dry_run:
        return Transfer("push", settings.name, store.url, wanted, plan, damaged=damaged)

    def upload(digest: Digest) -> bool:
        source = elsewhere.get(digest) or cache.path(digest)
        try:
            return store.upload(digest, source, wanted[digest].size, count=setup.meter.bytes)
        except ObjectDamaged as error:
            raise ObjectDamaged(
                f"the copy in the local cache is damaged: {error.message}; it was not pushed",
                hint=f"delete {source}, then 'pivot pull' or run the stage again",
            ) from error

    moves = _move(setup, plan, upload)
    return Transfer("push", settings.name, store.url, wanted, plan, moves, damaged=damaged)


def fetch(
    setup: Setup,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    dry_run: bool = False,
) -> tuple[Transfer, ...]:
    """Copy what *targets* need into the cache: from the remote, and imports from theirs."""
    settings = setup.config.remote(remote)
    references = setup.select(targets)
    with setup.cache() as cache:
        return _fetch_all(setup, settings, cache, references, dry_run=dry_run)


def _fetch_all(
    setup: Setup,
    settings: RemoteSettings,
    cache: Cache,
    references: Sequence[Reference],
    *,
    dry_run: bool,
) -> tuple[Transfer, ...]:
    imports = sorted({entry.imported_from for entry in references if entry.imported_from})
    sources = [(settings, None), *((RemoteSettings(url, url), url) for url in imports)]
    fetched = []
    for source, url in sources:
        own = [entry for entry in references if entry.imported_from == url]
        if own or url is None:
            fetched.append(_fetch(setup, source, cache, own, dry_run=dry_run))
    return tuple(fetched)


def _fetch(
    setup: Setup,
    settings: RemoteSettings,
    cache: Cache,
    references: Sequence[Reference],
    *,
    dry_run: bool,
) -> Transfer:
    wanted = list_wanted(references)
    cached = _sound(cache.stat(wanted), wanted)
    lacking = [digest for digest in wanted if digest not in cached]
    if not lacking:
        plan = plan_transfer(wanted, source={}, destination=cached)
        moves = None if dry_run else Moves()
        return Transfer("fetch", settings.name, settings.url, wanted, plan, moves)
    try:
        with contextlib.closing(setup.open_remote(settings)) as store:
            kept = store.stat(lacking)
            unkept = frozenset(digest for digest in lacking if digest not in kept)
            # what only the workspace has needs no fetching, wherever else it may be lacking
            here = _find_in_workspace(setup.project, cache, references, unkept)
            held = cached | {digest: path.stat().st_size for digest, path in here.items()}
            plan = plan_transfer(wanted, source=kept, destination=held)
            if dry_run:
                return Transfer("fetch", settings.name, store.url, wanted, plan)
            _check_space(cache.root, plan)
            moves = _move(setup, plan, lambda d: _receive(setup, store, cache, wanted[d]))
            cache.publish()
            return Transfer("fetch", settings.name, store.url, wanted, plan, moves)
    except RemoteError as error:
        return _stopped("fetch", settings, wanted, error, cached)


def _move(setup: Setup, plan: TransferPlan, move: Callable[[Digest], bool]) -> Moves:
    """Move what *plan* says, and let the user see it."""
    setup.meter.start(len(plan.transfer), plan.bytes)
    try:
        return move_all(plan.transfer, move, jobs=setup.jobs, meter=setup.meter)
    finally:
        setup.meter.finish()


def _receive(setup: Setup, store: Remote, cache: Cache, want: Wanted) -> bool:
    """Fetch one object; wrong bytes are fetched once more before they are called damage."""
    for last in (False, True):
        try:
            cache.receive(
                want.digest,
                store.download(want.digest),
                want.size,
                executable=want.executable,
                count=setup.meter.bytes,
            )
        except ObjectDamaged as error:
            if last:
                raise ObjectDamaged(
                    f"the copy on the remote is damaged: {error.message}; it was not kept",
                    hint="delete it there, and push it again from where it was made",
                ) from error
        else:
            break
    return False


def checkout(
    setup: Setup,
    targets: Sequence[str] = (),
    *,
    existing: Existing = Existing.REFUSE,
    links: Sequence[Link] | None = None,
    dry_run: bool = False,
) -> Checkout:
    """Place what *targets* name, from the cache into the workspace."""
    references = setup.select(targets)
    with setup.cache() as cache:
        return _checkout(setup, cache, references, existing, links, dry_run=dry_run)


def pull(
    setup: Setup,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    existing: Existing = Existing.UPDATE,
    links: Sequence[Link] | None = None,
    dry_run: bool = False,
) -> Pull:
    """Fetch, then check out what is then there, also when something could not be fetched."""
    settings = setup.config.remote(remote)
    references = setup.select(targets)
    with setup.cache() as cache:
        fetched = _fetch_all(setup, settings, cache, references, dry_run=dry_run)
        coming = [d for part in fetched if part.dry_run for d in part.plan.transfer]
        placed = _checkout(
            setup, cache, references, existing, links, dry_run=dry_run, fetched=coming
        )
    return Pull(fetched, placed)


def _checkout(
    setup: Setup,
    cache: Cache,
    references: Sequence[Reference],
    existing: Existing,
    links: Sequence[Link] | None,
    *,
    dry_run: bool,
    fetched: Iterable[Digest] = (),
) -> Checkout:
    wanted = list_wanted(references)
    coming = frozenset(fetched)
    cached = _sound(cache.stat(wanted), wanted).keys() | coming
    workspace = Workspace(setup.project.root, cache, coming)
    found = workspace.observe(references, existing=existing)
    plan = plan_checkout(references, cached=cached, workspace=found, existing=existing)
    if dry_run:
        return Checkout(plan)
    scratch = Scratch(setup.project.scratch)
    try:
        placed = place(
            plan,
            setup.project.root,
            cache=cache,
            scratch=scratch,
            links=setup.config.links if links is None else links,
        )
    except LocalError as error:
        return Checkout(plan, stopped=error)
    finally:
        scratch.remove()
    return Checkout(plan, tuple(placed))


def _find_in_workspace(
    project: Project, cache: Cache, references: Iterable[Reference], digests: frozenset[Digest]
) -> dict[Digest, Path]:
    """Find the files of the workspace that have the contents *digests*, at their own paths."""
    found: dict[Digest, Path] = {}
    if digests:
        workspace = Workspace(project.root, cache)
        for entry in references:
            for file in files_of(entry.output):
                if file.digest in digests and file.digest not in found and workspace.find(file):
                    found[file.digest] = project.root / file.path
    return found


def _sound(held: Mapping[Digest, int], wanted: Mapping[Digest, Wanted]) -> dict[Digest, int]:
    """Leave out objects that cannot be right, since their size is not."""
    return {d: size for d, size in held.items() if wanted[d].size in {None, size}}


def _right_size(want: Wanted, cached: Mapping[Digest, int]) -> int | None:
    return want.size if want.size is not None else cached.get(want.digest)


def _check_space(cache: Path, plan: TransferPlan) -> None:
    """Refuse to begin what cannot fit; raises `LocalError`."""
    place = cache
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if plan.bytes > free:
        raise LocalError(
            f"{cache}: {plan.bytes} bytes are needed, {free} are free",
            hint="free some space, or set cache.dir to a larger disk",
        )


def _unnamed(digest: Digest, size: int) -> Wanted:
    return Wanted(digest, size, executable=False, path=f"object {digest}", owner="", document="")


def _stopped(
    direction: str,
    settings: RemoteSettings,
    wanted: Mapping[Digest, Wanted],
    error: RemoteError | None,
    present: Mapping[Digest, int] | None = None,
) -> Transfer:
    plan = TransferPlan({}, present or {}, ())
    moves = Moves() if error is None else None
    return Transfer(direction, settings.name, settings.url, wanted, plan, moves, error)
