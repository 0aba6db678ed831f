"""A plain HTTP proxy, as companies have it between their machines and the world."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.servers.process import LOOPBACK

HOP = {"connection", "transfer-encoding", "keep-alive"}


@contextlib.contextmanager
def forward_proxy() -> Iterator[tuple[str, list[str]]]:
    """Give the proxy's URL, and the list to which it adds every URL that it is asked for."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        """Every connection serves one request."""

        def relay(self) -> None:
            seen.append(self.path)
            parts = urlsplit(self.path)
            path = parts._replace(scheme="", netloc="").geturl()
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {
                name: value
                for name, value in self.headers.items()
                if not name.lower().startswith("proxy-") and name.lower() not in HOP
            }
            server = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
            with contextlib.closing(server):
                server.request(self.command, path, body or None, headers)
                answer = server.getresponse()
                data = answer.read()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_HEAD = do_PUT = relay  # noqa: N815 - the base class's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - likewise
            """Keep the output of the tests clean."""

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{listener.server_address[1]}", seen
        finally:
            listener.shutdown()
            thread.join()
