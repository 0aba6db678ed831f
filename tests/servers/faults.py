"""A proxy in front of a real S3 server that answers wrongly, late or not at all on order."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import random
import threading
import time
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, urlsplit

from tests.servers.policy import Damage, Hangup, Refusal, Request
from tests.servers.process import LOOPBACK
from tests.servers.proxy import TIMEOUT, ReverseProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.server import S3Server

Kind = Literal["list", "object"]

LISTING = {
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "list-type",
    "marker",
    "max-keys",
    "prefix",
    "start-after",
}


REFUSALS = {
    "slow_down": Refusal(503, "SlowDown"),
    "server_error": Refusal(500, "InternalError"),
    "too_many": Refusal(429, "TooManyRequests"),
    "skew": Refusal(403, "RequestTimeTooSkewed"),
    "expired": Refusal(400, "ExpiredToken"),
    "denied": Refusal(403, "AccessDenied"),
}
"""What the server can be made to say, and its words."""

SILENCE = 6.0
"""Seconds for which a request that meets silence is held."""


def kind_of(method: str, target: str) -> Kind | None:
    """Tell what a request addressed by path is about; None for buckets and the service."""
    parts = urlsplit(target)
    bucket, _, key = parts.path.removeprefix("/").partition("/")
    if key:
        return "object"
    queries = parse_qs(parts.query, keep_blank_values=True).keys()
    return "list" if bucket and method == "GET" and queries <= LISTING else None


class FaultProxy:
    """What goes wrong from now on, and what was asked so far; safe to change at any moment.

    Switches stay as they are set. A fault with a number hits the next so many requests that it
    applies to, `math.inf` for all of them, and a new number replaces the old one.
    """

    def __init__(self, server: S3Server) -> None:
        self.upstream = server
        self.url = ""
        self.requests: list[tuple[str, str]] = []
        self.lengths: list[int] = []
        """The bytes that each answer with an object, or a part of one, announced."""
        self.max_in_flight = 0
        self._in_flight = 0
        self._lock = threading.Lock()
        self.heal()

    @property
    def server(self) -> S3Server:
        """The real server as it looks through this proxy."""
        return dataclasses.replace(self.upstream, name=f"{self.upstream.name}-faults", url=self.url)

    def heal(self) -> None:
        """End all faults; the counters go on."""
        self.deny_list = False
        """Answer every listing with 403 AccessDenied."""
        self.deny_head_of_missing = False
        """Say 403 AccessDenied of a missing object, as AWS does without s3:ListBucket."""
        self.not_implemented_conditional = False
        """Answer 501 NotImplemented to a PUT with If-None-Match."""
        self.stall = False
        """Take requests and never answer them."""
        self.ahead = 0.0
        """Let the server's clock be so many seconds ahead."""
        self.delay = 0.0
        """Wait so many seconds before each request goes on."""
        self.rate = math.inf
        """Send so many bytes of an object in a second, by each connection."""
        with self._lock:
            self._denial: Refusal | None = None
            self._left: dict[str, float] = {}
            self._shares: dict[str, float] = {}
            self._chance = random.Random(0)
            self._pages_left: int | None = None

    def deny_all(self, code: str = "AccessDenied", status: int | None = None) -> None:
        """Refuse every request with this S3 error code; the status is the one AWS gives it."""
        with self._lock:
            self._denial = Refusal(status or (400 if code == "ExpiredToken" else 403), code)

    def rain(self, seed: int, **shares: float) -> None:
        """Let each fault hit a share of all requests that it applies to, from now on.

        The names are those of the other methods, and those in `REFUSALS`; what is drawn depends on
        *seed*, and on the order in which requests come.
        """
        with self._lock:
            self._chance = random.Random(seed)
            self._shares = shares

    def slow_down(self, n: float) -> None:
        """Answer the next n requests with 503 SlowDown."""
        self._set("slow_down", n)

    def server_error(self, n: float) -> None:
        """Answer the next n requests with 500 InternalError."""
        self._set("server_error", n)

    def reset(self, n: float) -> None:
        """Reset the connections of the next n requests before an answer."""
        self._set("reset", n)

    def truncate(self, n: float) -> None:
        """Announce the next n objects in full, send half of each, and close the connection."""
        self._set("truncate", n)

    def freeze(self, n: float) -> None:
        """Send half of each of the next n objects, and then nothing for a while."""
        self._set("freeze", n)

    def corrupt(self, n: float) -> None:
        """Invert one byte in the middle of each of the next n objects."""
        self._set("corrupt", n)

    def short(self, n: float) -> None:
        """Serve the next n objects as if they had half their length."""
        self._set("short", n)

    def fail_list_page(self, k: int) -> None:
        """Answer the k-th listing from now, counted from 1, and all later ones with 500."""
        with self._lock:
            self._pages_left = k - 1

    def count(self, method: str | None = None, kind: Kind | None = None) -> int:
        """Count the requests so far by method and by what they were about; None counts all."""
        with self._lock:
            seen = list(self.requests)
        return sum(
            (method is None or method == each) and (kind is None or kind == kind_of(each, target))
            for each, target in seen
        )

    @contextlib.contextmanager
    def observe(self, request: Request) -> Iterator[None]:
        """Count a request, and how many there are at the same time."""
        with self._lock:
            self.requests.append((request.method, request.target))
            self._in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight)
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1

    def before(self, request: Request) -> Refusal | Hangup | None:
        """Decide on a request before the server sees it."""
        if self.delay:
            time.sleep(self.delay)
        if self.stall:
            return Hangup(after=TIMEOUT * 10)
        if self._take("reset"):
            return Hangup()
        for fault, refusal in REFUSALS.items():
            if self._take(fault):
                return refusal
        if self._take("silence"):
            return Hangup(after=SILENCE)
        return self._denial or self._refusal_by_content(request)

    def after(self, request: Request, status: int, length: int) -> Refusal | Damage | None:
        """Decide on the server's answer; an empty body cannot be damaged and uses up no fault."""
        if self.ahead:
            return Damage(ahead=self.ahead)
        if kind_of(request.method, request.target) != "object":
            return None
        missing = status == 404 and request.method in {"GET", "HEAD"}
        if missing and self.deny_head_of_missing:
            return Refusal(403, "AccessDenied")
        served = status in {200, 206} and request.method == "GET"
        if not (served and length):
            return None
        with self._lock:
            self.lengths.append(length)
        return self._damage(length)

    def _refusal_by_content(self, request: Request) -> Refusal | None:
        listing = kind_of(request.method, request.target) == "list"
        if listing and self.deny_list:
            return Refusal(403, "AccessDenied")
        if listing and self._page_fails():
            return Refusal(500, "InternalError")
        if self.not_implemented_conditional and request.method == "PUT" and request.conditional:
            return Refusal(501, "NotImplemented")
        return None

    def _damage(self, length: int) -> Damage | None:
        half = length // 2
        if self._take("truncate"):
            return Damage(send=half)
        if self._take("freeze"):
            return Damage(send=half, hold=SILENCE)
        if self._take("short"):
            return Damage(announce=half)
        if self._take("corrupt"):
            return Damage(flip=half)
        return Damage(rate=self.rate)

    def _set(self, fault: str, n: float) -> None:
        with self._lock:
            self._left[fault] = n

    def _take(self, fault: str) -> bool:
        with self._lock:
            left = self._left.get(fault, 0)
            self._left[fault] = max(0, left - 1)
            share = self._shares.get(fault, 0.0)
            return left > 0 or (share > 0 and self._chance.random() < share)

    def _page_fails(self) -> bool:
        with self._lock:
            if self._pages_left is None:
                return False
            self._pages_left -= 1
            return self._pages_left < 0


@contextlib.contextmanager
def fault_proxy(server: S3Server) -> Iterator[FaultProxy]:
    """Stand in front of a server that speaks plain HTTP; without a fault nothing is changed."""
    proxy = FaultProxy(server)
    upstream = urlsplit(server.url)
    if upstream.scheme != "http":
        raise ValueError("put TLS in front of the faults: tls(proxy.server, directory)")
    address = (upstream.hostname or LOOPBACK, upstream.port or 80)
    with ReverseProxy(address, proxy).serving() as port:
        proxy.url = f"http://{LOOPBACK}:{port}"
        yield proxy
