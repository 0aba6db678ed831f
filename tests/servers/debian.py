"""Get servers that exist as Debian packages only, where that is possible."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.servers.process import NotHere

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def need(programs: Sequence[str], packages: Sequence[str], directory: Path) -> None:
    """See to it that the programs are there, by apt-get if need be; raises `NotHere`."""
    missing = [name for name in programs if shutil.which(name) is None]
    if os.geteuid() != 0:
        raise NotHere("this server is started by root only")
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise NotHere(f"there is neither {', '.join(missing)} nor apt-get to install it")
    log = directory / "apt-get.log"
    patient = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
    install = [*patient, "install", "-y", "--no-install-recommends", *packages]
    # the lists of a fresh machine are empty or old, so a failed installation gets a second chance
    if not (_done(install, log) or (_done([*patient, "update"], log) and _done(install, log))):
        raise NotHere(f"apt-get could not install {' '.join(packages)}, see {log}")


def _done(command: Sequence[str], log: Path) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with log.open("ab") as output:
        return (
            subprocess.run(
                command,
                check=False,
                timeout=600,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            ).returncode
            == 0
        )
