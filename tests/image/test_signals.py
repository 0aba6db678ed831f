"""Signals reach the program through the engine, and it clears up."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.weather import leftovers
from tests.image.conftest import Team
from tests.image.container import SOMEBODY, Image, owners
from tests.servers import S3Server, fault_proxy


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "stop", "client"])
@pytest.mark.parametrize("options", [[], ["--init"]], ids=["plain", "init"])
def test_an_interrupted_pull_ends_soon_and_leaves_nothing(
    how: str, options: list[str], pushed: Team, plain: Image, server: S3Server
) -> None:
    clone = pushed.clone("clone")
    name = f"pivot-test-signal-{os.getpid()}"
    with fault_proxy(server) as proxy:
        image = plain.given(**proxy.server.environment())
        proxy.stall = True
        with image.start("pull", at=clone, options=options, name=name) as process:
            deadline = time.monotonic() + 60
            while not proxy.requests and time.monotonic() < deadline:
                time.sleep(0.05)
            began = time.monotonic()
            match how:
                case "stop":
                    image.engine("stop", "--time", "30", name)
                case "client":
                    process.send_signal(signal.SIGINT)
                case _:
                    image.engine("kill", "--signal", how, name)
            _, err = process.communicate(timeout=60)
            took = time.monotonic() - began

    assert process.returncode == 130, err
    assert err.endswith("Interrupted. The same command again completes.\n")
    assert took < 10
    assert leftovers(clone) == []
    assert owners(clone) == {SOMEBODY}
    assert Path(clone / "data").exists() is False
