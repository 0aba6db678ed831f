"""How the C library hands out memory, which Python does not offer to choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ARENA_MAX = -8  # M_ARENA_MAX of <malloc.h>
_FEW = 2
_CHOSEN = ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES")


def share_arenas(environment: Mapping[str, str]) -> None:
    """Let all threads take memory from two pools, where the C library has one for each thread.

    What a thread lets go stays with its pool: after 16 threads have read listings, 10 MiB that
    none of the others can use. It counts for the whole process, unless the *environment* says
    otherwise. See mallopt(3); other libraries than glibc have no such pools.
    """
    if not environment.keys().isdisjoint(_CHOSEN):
        return
    import ctypes  # noqa: PLC0415  few runs have so much to do

    try:
        choose = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    choose(_ARENA_MAX, _FEW)
