"""A bucket that lies: it lists and serves objects, and says what a test wants instead."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.servers.process import LOOPBACK

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
MODIFIED = "Wed, 01 Jan 2025 00:00:00 GMT"


@dataclass(frozen=True)
class Told:
    """What is said: *repeat* sends the body so often, without an end if it is `None`."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    announce: int | None = None
    repeat: int | None = 1


@dataclass
class Bucket:
    """Objects by key; *lies* answer in place of the truth, and give `None` for what is true."""

    objects: Mapping[str, bytes]
    page: int = 1000
    lie: Callable[[Bucket, str, str, Mapping[str, str]], Told | None] = lambda *_: None
    asked: list[tuple[str, str]] = field(default_factory=list)
    sent: int = 0

    def answer(self, method: str, key: str, query: Mapping[str, str]) -> Told:
        """Say what is to be said of a request."""
        self.asked.append((method, key))
        told = self.lie(self, method, key, query)
        if told is not None:
            return told
        if not key:
            return self.listing(sorted(self.objects), query)
        if key not in self.objects:
            return Told(404, error("NoSuchKey"))
        return Told(200, self.objects[key], {"ETag": '"x"', "Last-Modified": MODIFIED})

    def listing(self, keys: Sequence[str], query: Mapping[str, str], **more: str) -> Told:
        """List a page of *keys* in the order given; *more* are elements that replace others."""
        after = query.get("continuation-token") or query.get("start-after", "")
        prefix = query.get("prefix", "")
        left = [key for key in keys if key.startswith(prefix) and key > after]
        some, truncated = left[: self.page], len(left) > self.page
        elements = {
            "IsTruncated": str(truncated).lower(),
            "NextContinuationToken": some[-1] if truncated else "",
            "KeyCount": str(len(some)),
            "MaxKeys": str(self.page),
        } | more
        rows = "".join(self.row(key) for key in some)
        tags = "".join(f"<{k}>{escape(v)}</{k}>" for k, v in elements.items() if v)
        return Told(200, f"{_HEAD}<ListBucketResult>{tags}{rows}</ListBucketResult>".encode())

    def row(self, key: str, size: str | None = None) -> str:
        """Say one object as a listing does."""
        size = size or str(len(self.objects.get(key, b"")))
        return (
            f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size>"
            '<LastModified>2025-01-01T00:00:00.000Z</LastModified><ETag>"x"</ETag>'
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )


def error(code: str) -> bytes:
    """Say an error as S3 does."""
    return f"{_HEAD}<Error><Code>{code}</Code><Message>no</Message></Error>".encode()


@contextlib.contextmanager
def hostile(bucket: Bucket) -> Iterator[str]:
    """Serve *bucket*, whatever it is called, and give the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            # what only fills a buffer here was not read by anybody
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
            super().setup()

        def answer(self) -> None:
            parts = urlsplit(self.path)
            _, _, key = unquote(parts.path).removeprefix("/").partition("/")
            query = {k: v[0] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with contextlib.suppress(OSError):
                self._say(bucket.answer(self.command, key, query))

        do_GET = do_HEAD = do_PUT = answer  # noqa: N815  the base class's names

        def _say(self, told: Told) -> None:
            self.send_response_only(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            size = len(told.body) * (told.repeat or 0)
            if told.repeat is None:
                self.send_header("Connection", "close")
                self.close_connection = True
            if told.repeat is not None or told.announce is not None:
                self.send_header("Content-Length", str(told.announce or size))
            self.end_headers()
            turns = 0
            while self.command != "HEAD" and (told.repeat is None or turns < told.repeat):
                self.wfile.write(told.body)
                bucket.sent += len(told.body)
                turns += 1

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  likewise
            """Keep the output of the tests clean."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Stay silent about clients that hang up, which they should."""

    with Server((LOOPBACK, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
