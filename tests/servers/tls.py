"""Put TLS with a throw-away authority in front of a server, byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ssl
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.servers.process import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.server import S3Server

BLOCK = 1 << 16


@contextlib.contextmanager
def tls(server: S3Server, directory: Path) -> Iterator[S3Server]:
    """Serve the same at https://localhost; its authority lies in `directory/ca.pem`."""
    import trustme

    directory.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", LOOPBACK).configure_cert(context)
    bundle = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    upstream = urlsplit(server.url)
    with _terminating(context, upstream.hostname or LOOPBACK, upstream.port or 80) as port:
        yield dataclasses.replace(
            server,
            name=f"{server.name}-tls",
            url=f"https://localhost:{port}",
            ca_bundle=bundle,
        )


@contextlib.contextmanager
def _terminating(context: ssl.SSLContext, host: str, port: int) -> Iterator[int]:
    """Run the proxy's event loop on a thread inside the block and give the port it listens on."""
    started: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        relays: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            relays.add(task)
            # cancelled is how a relay ends when the block does
            with contextlib.suppress(asyncio.CancelledError):
                await _relay(reader, writer, host, port)
            relays.discard(task)

        stop = asyncio.Event()
        listener = await asyncio.start_server(
            accept, LOOPBACK, 0, ssl=context, ssl_handshake_timeout=10, ssl_shutdown_timeout=1
        )
        number = listener.sockets[0].getsockname()[1]
        started.set_result((number, asyncio.get_running_loop(), stop))
        await stop.wait()
        listener.close()
        for task in relays:
            task.cancel()
        if relays:
            await asyncio.wait(relays)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="tls")
    thread.start()
    number, loop, stop = started.result(timeout=30)
    try:
        yield number
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
) -> None:
    """Copy both ways until either side is done; a lost connection is the client's to notice."""
    pumps: list[asyncio.Task[None]] = []
    writers = [writer]
    try:
        upstream_reader, upstream_writer = await asyncio.open_connection(host, port)
        writers.append(upstream_writer)
        pumps.append(asyncio.ensure_future(_pump(reader, upstream_writer)))
        pumps.append(asyncio.ensure_future(_pump(upstream_reader, writer)))
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    except OSError:
        pass
    finally:
        for pump in pumps:
            pump.cancel()
        for each in writers:
            each.close()
        await asyncio.gather(
            *pumps, *(each.wait_closed() for each in writers), return_exceptions=True
        )


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while block := await reader.read(BLOCK):
            writer.write(block)
            await writer.drain()
