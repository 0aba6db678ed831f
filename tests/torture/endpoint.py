"""Endpoints that are dead or silent: a word within two seconds, and an end in time."""

from __future__ import annotations

import contextlib
import dataclasses
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.e2e.weather import without_cache
from tests.projects import ProjectBuilder
from tests.servers import S3Server
from tests.servers.process import LOOPBACK, free_ports
from tests.torture.programme import Programme, Run

_FIRST_WORD = (10.0, 2.5)  # seconds: among tests on a busy machine, and on one that is not
_UNAVAILABLE = 6


def run_dead_endpoints(run: Run) -> None:
    """Push and pull against nobody, against who never answers, and who stops in the middle."""
    root = run.place()
    builder = ProjectBuilder(root)
    builder.config("remotes:\n  origin: s3://bucket/p\n")
    builder.stage("make", {"data/a": b"a" * 1000, "data/b": b"b" * 1000})
    places = {"push": root, "pull": without_cache(root, run.place("clone"))}
    measured = []
    words = ("pull", "push")
    for name, limit, small, full, opened in (
        ("refused", 20.0, 2, 2, _refused),
        ("silent", 60.0, 1, 2, _silent),
        ("half a body", 150.0, 0, 1, _half_a_body),
    ):
        for word in words[: run.figure(small, full)]:
            with opened() as url:
                server = dataclasses.replace(run.server, url=url)
                wrong, seconds = _try(run, server, word, places[word], limit)
            run.point(*(f"{name}, {word}: {text}" for text in wrong))
            measured.append(f"{name} {word} {seconds:.0f} s")
    run.note(", ".join(measured))


def _try(
    run: Run, server: S3Server, word: str, root: Path, limit: float
) -> tuple[list[str], float]:
    pivot = run.pivot(server)
    began = time.monotonic()
    with pivot.start(word, cwd=root) as process:
        assert process.stderr is not None
        ready, _, _ = select.select([process.stderr, process.stdout], [], [], limit)
        first = time.monotonic() - began
        try:
            out, err = process.communicate(timeout=limit)
        except BaseException:
            process.kill()
            raise
    took = time.monotonic() - began
    wrong = []
    if not ready or first > run.figure(*_FIRST_WORD):
        wrong.append(f"nothing was said for {first:.1f} s")
    if process.returncode != _UNAVAILABLE:
        wrong.append(f"exit {process.returncode}: {out}{err}")
    if took > limit:
        wrong.append(f"it took {took:.0f} s")
    return wrong, took


@contextlib.contextmanager
def _refused() -> Iterator[str]:
    (port,) = free_ports(1)
    yield f"http://{LOOPBACK}:{port}"


@contextlib.contextmanager
def _silent() -> Iterator[str]:
    with _serving(lambda client: None) as url:
        yield url


@contextlib.contextmanager
def _half_a_body() -> Iterator[str]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 5000\r\n\r\n<?xml"
    with _serving(lambda client: client.sendall(head)) as url:
        yield url


@contextlib.contextmanager
def _serving(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Take every connection, read a little, answer or not, and keep it open."""
    clients: list[socket.socket] = []
    over = threading.Event()
    with socket.create_server((LOOPBACK, 0)) as listener:
        listener.settimeout(0.2)

        def serve() -> None:
            while not over.is_set():
                with contextlib.suppress(OSError):
                    client, _ = listener.accept()
                    clients.append(client)
                    client.settimeout(1)
                    client.recv(4096)
                    answer(client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        finally:
            over.set()
            thread.join()
            for client in clients:
                client.close()


DEAD_ENDPOINTS = Programme("R7", "endpoints that are dead or silent", run_dead_endpoints)
