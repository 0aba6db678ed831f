"""A job that has begun: what it is told to do, where it runs, and what is true of every end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pivot import __version__
from pivot.ci.told import Status, Told
from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pivot.ci.host import Host
    from pivot.ci.inputs import Inputs
    from pivot.errors import ExitCode
    from pivot.progress import LineMeter


@frozen
class Job:
    """A job that has begun: what it is told to do, and where it runs."""

    inputs: Inputs
    host: Host
    environment: Mapping[str, str]
    meter: LineMeter
    began: float

    @property
    def runtime(self) -> str:
        """What the program runs in, as who started it says."""
        return self.environment.get("PIVOT_RUNTIME", "python")

    def tell(self, status: Status, raw: ExitCode, final: ExitCode) -> Told:
        """Begin to tell: what is true of every end."""
        return Told(
            command=self.inputs.command,
            status=status,
            raw=raw,
            final=final,
            event=self.host.event,
            runtime=self.runtime,
            version=__version__,
            region=self.inputs.aws_region or self.environment.get("AWS_REGION", ""),
            remote=self.inputs.remote or "",
            seconds=round(time.monotonic() - self.began, 3),
        )
