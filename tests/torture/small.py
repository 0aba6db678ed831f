"""The small figures of the programmes, in three parts that take about the same time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import S3Server
from tests.torture.programme import CannotRunError, Programme, Run
from tests.torture.programmes import PROGRAMMES

TRIED_HERE = [programme for programme in PROGRAMMES if not programme.small]
NETWORK = ("R5", "R6", "R7", "R8", "R19")
CODE = ("R1", "R10", "R20", "R20b")


def named(*names: str) -> list[Programme]:
    """Choose programmes by their names."""
    return [programme for programme in TRIED_HERE if programme.name in names]


def others() -> list[Programme]:
    """Give those that are in neither part."""
    return [programme for programme in TRIED_HERE if programme.name not in (*NETWORK, *CODE)]


def try_small(programme: Programme, directory: Path, server: S3Server) -> None:
    """Run one; it fails where a promise is broken, or nothing was tried."""
    run = Run(directory, server)
    try:
        programme.trials(run)
    except CannotRunError as error:
        pytest.skip(f"{programme.name}: {error}")

    assert run.violations == []
    assert run.points > 0
