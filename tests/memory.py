"""Ends a test process that eats the memory of the machine, and says where it was."""

from __future__ import annotations

import faulthandler
import os
import threading
import time
from pathlib import Path

MOST = 6 << 30
"""Bytes in memory; the whole suite needs a tenth of that."""

_EVERY = 0.5  # seconds


def watch() -> None:
    """Look now and then how large this process is, until it ends.

    It is called before output is captured.
    """
    statm = Path("/proc/self/statm")
    if statm.exists():
        stderr = os.dup(2)
        threading.Thread(target=_watch, args=[statm, stderr], name="memory", daemon=True).start()


def _watch(statm: Path, stderr: int) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    while True:
        size = int(statm.read_text().split()[1]) * page
        if size > MOST:
            os.write(stderr, b"\n%d MiB in memory; where every thread is:\n" % (size >> 20))
            faulthandler.dump_traceback(file=stderr)
            os._exit(1)
        time.sleep(_EVERY)
