"""What Pivot can do, one function each; every face calls these.

Each is loaded when it is asked for: a push needs nothing of what runs stages.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pivot.checkout import checkout, pull
    from pivot.doctor.examine import doctor
    from pivot.fetch import fetch
    from pivot.needed import select_needed
    from pivot.past import select_refs, select_revision
    from pivot.push import push, push_each
    from pivot.session import Session
    from pivot.status import status
    from pivot.verify import verify, verify_commit

__all__ = [
    "Session",
    "checkout",
    "doctor",
    "fetch",
    "pull",
    "push",
    "push_each",
    "select_needed",
    "select_refs",
    "select_revision",
    "status",
    "verify",
    "verify_commit",
]

_ELSEWHERE = {
    "Session": "session",
    "doctor": "doctor.examine",
    "pull": "checkout",
    "push_each": "push",
    "select_needed": "needed",
    "select_refs": "past",
    "select_revision": "past",
    "verify_commit": "verify",
}


def __getattr__(name: str) -> object:
    """Load what is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"pivot.{_ELSEWHERE.get(name, name)}"), name)
