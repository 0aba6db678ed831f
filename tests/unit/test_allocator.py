"""What threads keep of the memory they took: measured in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAMME = """
import ctypes, os, sys, threading
from pivot.allocator import share_arenas

libc = ctypes.CDLL(None)
if not hasattr(libc, "malloc_info"):
    sys.exit(77)
if sys.argv[1] == "shared":
    share_arenas(os.environ)
held, ready, enough = [], threading.Barrier(9), threading.Event()

def work():
    held.append(bytearray(2000))  # more than Python hands out by itself
    ready.wait()
    enough.wait()

for _ in range(8):
    threading.Thread(target=work, daemon=True).start()
ready.wait()
libc.fdopen.restype = ctypes.c_void_p
stream = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, stream)
libc.fflush(stream)
"""


def pools(how: str, **chosen: str) -> int:
    """Count the pools of memory that eight threads have."""
    environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(sys.path), **chosen}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAMME, how], capture_output=True, check=False, env=environment
    )
    if done.returncode == 77:
        pytest.skip("a C library that tells nothing of its memory")
    assert done.returncode == 0, done.stderr
    return done.stdout.count(b"<heap nr=")


def test_all_threads_share_two_pools() -> None:
    assert pools("alone") > 2
    assert pools("shared") <= 2


def test_what_the_user_chose_counts_more() -> None:
    assert pools("shared", MALLOC_ARENA_MAX="5") > 2
