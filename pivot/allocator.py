"""How the C library hands out memory, which Python does not offer to choose."""

from __future__ import annotations

_ARENA_MAX = -8  # M_ARENA_MAX of <malloc.h>
_FEW = 2


def share_arenas() -> None:
    """Let all threads take memory from two pools, where the C library has one for each thread.

    What a thread lets go stays with its pool: after 16 threads have read listings, 10 MiB that
    none of the others can use. See mallopt(3); other libraries than glibc have no such pools.
    """
    import ctypes  # noqa: PLC0415  few runs have so much to do

    try:
        choose = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    choose(_ARENA_MAX, _FEW)
