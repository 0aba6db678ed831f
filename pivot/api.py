"""What Pivot can do, one function each; every face calls these."""

from __future__ import annotations

from pivot.checkout import checkout, pull
from pivot.fetch import fetch
from pivot.push import push
from pivot.session import Session
from pivot.status import status
from pivot.verify import verify

__all__ = ["Session", "checkout", "fetch", "pull", "push", "status", "verify"]
