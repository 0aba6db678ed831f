"""What a proxy may be told to do with a request, and who tells it."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Request:
    """The head of a client's request; the names of its headers are in lower case."""

    method: str
    target: str
    conditional: bool
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Refusal:
    """An answer in the server's place, with the XML body of an S3 error."""

    status: int
    code: str


@dataclasses.dataclass(frozen=True)
class Hangup:
    """No answer at all: the connection is reset, after so many seconds of silence."""

    after: float = 0


@dataclasses.dataclass(frozen=True)
class Damage:
    """How to change a body: announce fewer bytes, send fewer than announced, flip the bits of one.

    Each is an offset in the body or, when None, leaves that aspect alone. After fewer bytes than
    announced there is silence for *hold* seconds. No more than *rate* bytes go out in a second. The
    server's clock is made to be *ahead*.
    """

    announce: int | None = None
    send: int | None = None
    flip: int | None = None
    hold: float = 0
    rate: float = math.inf
    ahead: float = 0


class Policy(Protocol):
    """What the proxy asks; it is asked by many threads at a time."""

    def observe(self, request: Request) -> contextlib.AbstractContextManager[None]:
        """Watch a request from its head to the end of its answer."""

    def before(self, request: Request) -> Refusal | Hangup | None:
        """Decide on a request before the server sees it."""

    def after(self, request: Request, status: int, length: int) -> Refusal | Damage | None:
        """Decide on the server's answer, whose body has this length."""
