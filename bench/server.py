"""The server that all tools use: rclone's S3 gateway, which checks signatures; and a slow line."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import urlsplit

import trustme

from tests.servers import S3Server
from tests.servers.process import LOOPBACK, free_ports, listens, program, running

_BLOCK = 1 << 18


@contextlib.contextmanager
def serving(directory: Path, *, tls: bool = False, hashes: bool = True) -> Iterator[S3Server]:
    """Serve buckets as folders below *directory*, which should be in memory.

    Without *hashes* no ETag is told, for which it reads a file at each request.
    """
    (directory / "data").mkdir(parents=True)
    (port,) = free_ports(1)
    scheme, more, bundle = "http", [], None
    if tls:
        authority, bundle = trustme.CA(), directory / "ca.pem"
        certificate = authority.issue_cert("localhost", LOOPBACK)
        authority.cert_pem.write_to_path(str(bundle))
        certificate.private_key_and_cert_chain_pem.write_to_path(str(directory / "server.pem"))
        scheme = "https"
        more = [f"--cert={directory}/server.pem", f"--key={directory}/server.pem"]
    server = S3Server(
        "rclone",
        f"{scheme}://{LOOPBACK}:{port}",
        "benchkey",
        "benchsecret",
        bundle,
        directory / "data",
    )
    command = [
        program("rclone"),
        "serve",
        "s3",
        "--config=",
        f"--addr={LOOPBACK}:{port}",
        f"--auth-key={server.access_key},{server.secret_key}",
        "--vfs-cache-mode=off",
        "--dir-cache-time=1s",
        *([] if hashes else ["--etag-hash="]),
        *more,
        str(directory / "data"),
    ]
    with running(command, directory, lambda: listens(port)):
        yield server


@contextlib.contextmanager
def slow_line(server: S3Server, seconds: float) -> Iterator[S3Server]:
    """Lead to *server* over a line on which an answer takes *seconds* longer."""
    started: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    upstream = urlsplit(server.url)
    lines: set[asyncio.Task[None] | None] = set()  # asyncio itself would forget them

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.add(task := asyncio.current_task())
        there, back = await asyncio.open_connection(upstream.hostname, upstream.port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_delayed(reader, back, seconds / 2))
                both.create_task(_delayed(there, writer, seconds / 2))
        except* OSError:  # a tool has ended
            pass
        finally:
            lines.discard(task)
            for end in (back, writer):
                end.close()

    async def serve() -> None:
        listener = await asyncio.start_server(accept, LOOPBACK, 0, backlog=512)
        over = asyncio.Event()
        started.set_result((listener.sockets[0].getsockname()[1], asyncio.get_running_loop(), over))
        await over.wait()
        listener.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="slow line", daemon=True)
    thread.start()
    port, loop, over = started.result()
    try:
        yield dataclasses.replace(server, name="slow", url=f"http://{LOOPBACK}:{port}")
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(5)


async def _delayed(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, seconds: float
) -> None:
    """Pass on what comes, each piece so much later; many may be under way at a time."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=256)

    async def read() -> None:
        data = b"-"
        while data:
            data = await source.read(_BLOCK)
            await waiting.put((loop.time() + seconds, data))

    reading = asyncio.create_task(read())
    try:
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                break
            target.write(data)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
    finally:
        reading.cancel()
