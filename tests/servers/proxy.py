"""A streaming HTTP/1.1 reverse proxy on threads, which asks what to do with every request."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import sys
import threading
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NoReturn

from tests.servers.policy import Damage, Hangup, Policy, Refusal, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 1 << 16
TIMEOUT = 30.0
# headers about one connection only, which a proxy writes itself
HOP = {"connection", "keep-alive", "transfer-encoding", "expect"}


class ReverseProxy(ThreadingHTTPServer):
    """Forward everything that arrives on a free port of loopback to the upstream server."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, upstream: tuple[str, int], policy: Policy) -> None:
        self.upstream = upstream
        self.policy = policy
        self.stopping = threading.Event()
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    @contextlib.contextmanager
    def serving(self) -> Iterator[int]:
        """Serve on a thread inside the block, give the port, and leave nothing running behind."""
        thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="proxy")
        thread.start()
        try:
            yield self.server_address[1]
        finally:
            self.shutdown()
            thread.join()
            with self._lock:
                self.stopping.set()
                for client in self._clients:
                    with contextlib.suppress(OSError):
                        client.shutdown(socket.SHUT_RDWR)
            self.server_close()

    @contextlib.contextmanager
    def connected(self, client: socket.socket) -> Iterator[None]:
        """Remember a client's connection, so that the end of the proxy ends it."""
        with self._lock:
            if self.stopping.is_set():
                # accepted in time, but its thread came too late to be among those that are ended
                raise ConnectionAbortedError("the proxy is stopping")
            self._clients.add(client)
        try:
            yield
        finally:
            with self._lock:
                self._clients.discard(client)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent about lost connections, which are routine here; report anything else."""
        if not isinstance(sys.exception(), OSError | http.client.HTTPException):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    """One client's connection, with one connection to the server behind it."""

    server: ReverseProxy
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT
    disable_nagle_algorithm = True
    # the end of every answer waits here until the request is no longer counted as in flight, or
    # a quick client would be seen asking again before it was seen to be done
    wbufsize = 2 * BLOCK

    def handle(self) -> None:
        self.upstream = http.client.HTTPConnection(*self.server.upstream, timeout=TIMEOUT)
        with self.server.connected(self.connection), contextlib.closing(self.upstream):
            super().handle()

    def relay(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, "if-none-match" in headers, headers)
        with self.server.policy.observe(request):
            match self.server.policy.before(request):
                case Refusal() as refusal:
                    for _ in self._body():
                        pass
                    self._refuse(refusal)
                case Hangup(after=seconds):
                    self.server.stopping.wait(seconds)
                    self._reset()
                case None:
                    self._forward(request)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = relay  # noqa: N815 - the base class's names

    def handle_expect_100(self) -> bool:
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Keep the output of the tests clean."""

    def _forward(self, request: Request) -> None:
        chunked = "Transfer-Encoding" in self.headers
        self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP:
                self.upstream.putheader(name, value)
        if chunked:
            self.upstream.putheader("Transfer-Encoding", "chunked")
        try:
            self.upstream.endheaders(self._body(), encode_chunked=chunked)
        except (BrokenPipeError, ConnectionResetError):
            # a server may answer before it has read everything; then nobody reads the rest
            self.close_connection = True
        with self.upstream.getresponse() as response:
            length = int(response.headers.get("Content-Length", 0))
            match self.server.policy.after(request, response.status, length):
                case Refusal() as refusal:
                    response.read()
                    self._refuse(refusal)
                case damage:
                    self._answer(response, damage or Damage())

    def _body(self) -> Iterator[bytes]:
        """Give the request's body in blocks, as it arrives."""
        if "Transfer-Encoding" not in self.headers:
            yield from self._blocks(int(self.headers.get("Content-Length", 0)))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield from self._blocks(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers

    def _blocks(self, size: int) -> Iterator[bytes]:
        while size > 0:
            block = self.rfile.read(min(size, BLOCK))
            if not block:
                raise ConnectionAbortedError("the client went away in the middle of its request")
            size -= len(block)
            yield block

    def _answer(self, response: http.client.HTTPResponse, damage: Damage) -> None:
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in HOP:
                told = _shifted(name, value, damage.ahead)
                self.send_header(name, _shortened(name, told, damage.announce))
        chunked = response.chunked
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif self.command != "HEAD" and response.length is None:
            self.close_connection = True
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        end = damage.announce if damage.send is None else damage.send
        for block in _damaged(response, end, damage.flip):
            self.server.stopping.wait(len(block) / damage.rate)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        if damage.send is not None:
            self.wfile.flush()
            self.server.stopping.wait(damage.hold)
            self.close_connection = True

    def _refuse(self, refusal: Refusal) -> None:
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{refusal.code}</Code><Message>made up by a test</Message></Error>"
        ).encode()
        self.send_response_only(refusal.status)
        if self.command != "HEAD":
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> NoReturn:
        # without lingering, closing a socket sends RST; the files hold it open until they close
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.rfile.close()
        self.wfile.close()
        self.connection.close()
        raise ConnectionResetError("on order")


def _shifted(name: str, value: str, seconds: float) -> str:
    """Make a header that tells the time tell another."""
    if not seconds or name.lower() != "date":
        return value
    return formatdate(parsedate_to_datetime(value).timestamp() + seconds, usegmt=True)


def _shortened(name: str, value: str, length: int | None) -> str:
    """Make a header tell the smaller length, if there is one and the header speaks of it."""
    if length is not None and name.lower() == "content-length":
        return str(length)
    if length is not None and name.lower() == "content-range":
        first = int(value.removeprefix("bytes ").split("-")[0])
        return f"bytes {first}-{first + length - 1}/{value.rpartition('/')[2]}"
    return value


def _damaged(
    response: http.client.HTTPResponse, end: int | None, flip: int | None
) -> Iterator[bytes]:
    """Read the body to its end, and give it up to `end` with the bits of byte `flip` inverted."""
    position = 0
    while block := response.read1(BLOCK):
        start, position = position, position + len(block)
        if flip is not None and start <= flip < position:
            at = flip - start
            block = block[:at] + bytes([block[at] ^ 0xFF]) + block[at + 1 :]
        kept = block if end is None else block[: max(0, end - start)]
        if kept:
            yield kept
