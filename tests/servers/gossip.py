"""A service that repeats all it was told, and all it happens to know, whatever it is asked."""

from __future__ import annotations

import contextlib
import json
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SO_LINGER, SOL_SOCKET
from urllib.parse import quote
from xml.sax.saxutils import escape

from tests.servers.process import LOOPBACK


class Manner(StrEnum):
    """How it answers."""

    DENIES = "denies"
    EXPIRED = "expired"
    FAILS = "fails"
    REDIRECTS = "redirects"
    GARBLES = "garbles"
    HANGS_UP = "hangs up"


@dataclass
class Gossip:
    """What is known beforehand, and how it is told."""

    manner: Manner
    known: tuple[str, ...]
    url: str = ""


_STATUS = {
    Manner.DENIES: (403, "SignatureDoesNotMatch"),
    Manner.EXPIRED: (400, "ExpiredToken"),
    Manner.FAILS: (500, "InternalError"),
    Manner.REDIRECTS: (307, "TemporaryRedirect"),
    Manner.GARBLES: (200, "OK"),
}


@contextlib.contextmanager
def gossiping(gossip: Gossip) -> Iterator[str]:
    """Serve on loopback, and give the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            heard = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if gossip.manner is Manner.HANGS_UP:
                self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                return
            lines = [self.path, str(self.headers), heard.decode(errors="replace"), *gossip.known]
            self._say("\n".join(lines))

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815  the base's names
        do_CONNECT = do_PATCH = answer  # noqa: N815

        def _say(self, told: str) -> None:
            status, code = _STATUS[gossip.manner]
            if "json" in self.headers.get("Accept", ""):
                body = json.dumps({"message": told, "code": code}).encode()
            else:
                text = f"<Code>{code}</Code><Message>{escape(told)}</Message>"
                body = f"<Error>{text}<StringToSign>{escape(told)}</StringToSign></Error>".encode()
            self.send_response_only(status)
            self.send_header("Content-Length", str(len(body)))
            known = quote(gossip.known[0] if gossip.known else "")
            self.send_header("x-amz-request-id", "7")
            if gossip.manner is Manner.REDIRECTS:
                signed = f"X-Amz-Signature={known}&X-Amz-Security-Token={known}"
                self.send_header("Location", f"{gossip.url}/elsewhere?{signed}")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  likewise
            """Keep the output of the tests clean."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Let clients hang up."""

    with Server((LOOPBACK, 0), Handler) as server:
        gossip.url = f"http://{LOOPBACK}:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield gossip.url
        finally:
            server.shutdown()
            thread.join()
