"""A relay in front of a server that counts the bytes which a client takes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.servers.process import LOOPBACK

BLOCK = 1 << 16


@dataclass
class Relay:
    """Where it listens, and how many bytes have *received* its clients so far."""

    url: str
    received: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def pump(self, source: socket.socket, target: socket.socket, *, count: bool) -> None:
        """Copy one direction to its end; a lost connection is the client's to notice."""
        with contextlib.suppress(OSError):
            while block := source.recv(BLOCK):
                target.sendall(block)
                if count:
                    with self.lock:
                        self.received += len(block)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def relay(url: str) -> Iterator[Relay]:
    """Stand in front of the server at *url*."""
    parts = urlsplit(url)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((LOOPBACK, 0)))
        made = Relay(f"http://{LOOPBACK}:{listener.getsockname()[1]}")
        threads: list[threading.Thread] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    server = socket.create_connection((parts.hostname or "", parts.port or 80))
                    stack.callback(client.close)
                    stack.callback(server.close)
                    for source, target, count in ((client, server, False), (server, client, True)):
                        thread = threading.Thread(
                            target=made.pump, args=(source, target), kwargs={"count": count}
                        )
                        thread.start()
                        threads.append(thread)

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield made
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            stack.close()
            for thread in threads:
                thread.join()
