"""Programmes about the network and what is told of it, with their small figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import S3Server
from tests.torture.programme import Programme
from tests.torture.small import NETWORK, named, try_small


@pytest.mark.parametrize("programme", named(*NETWORK), ids=lambda programme: programme.name)
def test_no_promise_is_broken(programme: Programme, tmp_path: Path, server: S3Server) -> None:
    try_small(programme, tmp_path, server)
