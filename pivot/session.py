"""Where a command runs: its project, configuration and environment, and who is told of progress."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pivot.cache import Cache
from pivot.references import load_references
from pivot.remotes import open_remote
from pivot.targets import Selection, select
from pivot.transfer import Meter, Moves, move_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pivot.config import Config, RemoteSettings
    from pivot.objects import Digest
    from pivot.plan import TransferPlan
    from pivot.project import Project
    from pivot.remote import Remote


@dataclass(frozen=True, slots=True)
class Session:
    """One run of one command; *jobs* is the most transfers at a time."""

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

    def select(self, targets: Sequence[str]) -> Selection:
        """Find what *targets* name, seen from the current directory; see `targets.select`."""
        root = str(self.project.root)
        here = os.path.relpath(self.project.here, root)
        here = "" if here == "." else here
        references = load_references(self.project)
        chosen = select(references, targets, here=here, root=root)
        return Selection(chosen, references.paths())

    def move(self, plan: TransferPlan, move: Callable[[Digest], bool]) -> Moves:
        """Move what *plan* says, and let the user see it."""
        self.meter.start(len(plan.transfer), plan.bytes)
        try:
            return move_all(plan.transfer, move, jobs=self.jobs, meter=self.meter)
        finally:
            self.meter.finish()
