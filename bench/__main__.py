"""Measure this tool and its peers in turn, and write bench/RESULTS.md.

Usage: python -m bench [--pairs N] [--peers NAME,...] [TRIAL ...]
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import table
from bench.action import Action
from bench.local import LOCAL, Local, Runs
from bench.measure import Cost, measure
from bench.peers import BUCKET, PEERS, CannotBeHad, Ours, Peer, Place
from bench.server import serving, slow_line
from bench.team import Team
from bench.workloads import WORKLOADS, Workload
from tests.servers import S3Server

HERE = Path(__file__).parent
FIGURES, RESULTS, PLOT = HERE / "figures.json", HERE / "RESULTS.md", HERE / "results.svg"
PAGE = HERE.parent / "docs/performance.md"
_BEGIN, _END = "<!-- bench: written by make bench -->", "<!-- /bench -->"
_MEMORY = Path("/dev/shm")
_ALONE = ("pivot-remote",)
_FAST = ("pivot-remote", "s5cmd", "rclone")
_HEAD = """# Ours and others, side by side

Written by `make bench`. Each tool runs in a process of its own, in turn with the others, on the
same files and the same server: rclone's S3 gateway, over loopback, in memory; it tells no ETag
where a file of 2 GiB is fetched, since it would read it at each request for that. CPU seconds are
user and system time of the client and its children, the median of all runs; they hold still where
wall time does not. Ours verifies every byte; s5cmd, rclone, aws and the script do not.

"""
_PLOT = "![CPU seconds](results.svg)"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Trial:
    """What is measured: *verb* of a *workload*, by *peers*; *latency* is added to each answer.

    Without *hashes* the server tells no ETag, for which it reads a file at each request.
    """

    name: str
    verb: str
    workload: Workload
    peers: Sequence[str] = tuple(PEERS)
    latency: float = 0.0
    tls: bool = False
    hashes: bool = True

    @property
    def title(self) -> str:
        """Say it to a reader."""
        how = f", over a line with {self.latency * 1000:.0f} ms" if self.latency else ""
        how += ", over HTTPS" if self.tls else ""
        return f"{self.name}: {self.verb} {self.workload.title}{how}"


def _trials() -> Iterator[Trial]:
    a, b, c, f, g, n = WORKLOADS
    for workload, peers in ((a, tuple(PEERS)), (b, tuple(PEERS)), (c, tuple(PEERS)), (f, _FAST)):
        yield Trial(f"{workload.name} push", "push", workload, peers)
        yield Trial(f"{workload.name} fetch", "fetch", workload, peers, hashes=workload is not c)
    yield Trial("C push tls", "push", c, ("pivot-remote", "s5cmd", "rclone", "aws s3"), tls=True)
    yield Trial("G push", "push", g, _ALONE)
    yield Trial("G fetch", "fetch", g, _ALONE)
    yield Trial("N", "push again", n)
    yield Trial("D", "push again", a)
    yield Trial("D 20 ms", "push again", a, latency=0.02)
    yield Trial("L fetch", "fetch", a, ("pivot-remote", "Pivot 0.5.11", "s5cmd"), latency=0.05)


_LOCAL: Sequence[type[Local]] = (*LOCAL, Team, Action)
TRIALS: Mapping[str, Trial | type[Local]] = {
    **{trial.name: trial for trial in _trials()},
    **{trial.name: trial for trial in _LOCAL},
}


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("trials", nargs="*", help=f"{', '.join(TRIALS)}; all without")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--peers", default=",".join(PEERS))
    options = parser.parse_args(words)
    if unknown := set(options.trials) - TRIALS.keys():
        parser.error(f"there is no trial {', '.join(sorted(unknown))}")
    chosen = [TRIALS[name] for name in options.trials or TRIALS]
    peers = {name: PEERS[name] for name in options.peers.split(",")}
    versions = dict(_versions(peers))
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as directory:
        for trial in chosen:
            place = Path(directory) / f"{next(_numbers)}"
            there = {n: p for n, p in peers.items() if n in trial.peers}
            told = {name: versions.get(name, "missing: not asked for") for name in trial.peers}
            missing = {name: text for name, text in told.items() if text.startswith("missing")}
            with ExitStack() as stack:
                if isinstance(trial, Trial):
                    runs = _made(trial, there, missing, place, stack)
                else:
                    runs = trial(place).made(missing)
                rows = _measure(trial.name, runs, options.pairs)
            shutil.rmtree(place)
            done = table.Trial(trial.title, rows)
            print(table.as_markdown(done), flush=True)
            if len(peers) == len(PEERS):
                table.save([done], FIGURES)
    _write(versions)
    return 0


def _versions(peers: Mapping[str, Peer]) -> Iterator[tuple[str, str]]:
    for name, peer in peers.items():
        try:
            yield name, peer.version()
        except CannotBeHad as error:
            yield name, f"missing: {error}"


def _measure(name: str, runs: Runs, pairs: int) -> list[table.Row]:
    """Run each in turn, so often."""
    costs: dict[str, list[Cost]] = {who: [] for who in runs}
    for _ in range(pairs):
        for who, run in runs.items():
            if isinstance(run, str):
                continue
            costs[who].append(run())
            print(f"  {name} {who}: {costs[who][-1].cpu:.2f} s", file=sys.stderr, flush=True)
    return [table.Row(w, costs[w], run if isinstance(run, str) else "") for w, run in runs.items()]


def _made(
    trial: Trial,
    peers: Mapping[str, Peer],
    missing: Mapping[str, str],
    directory: Path,
    stack: ExitStack,
) -> Runs:
    """Prepare a server and what each peer does with it; that ends with *stack*."""
    files = directory / "files"
    trial.workload.write(files)
    server = stack.enter_context(serving(directory / "server", tls=trial.tls, hashes=trial.hashes))
    (directory / "server/data" / BUCKET).mkdir()
    line = server
    if trial.latency:
        line = stack.enter_context(slow_line(server, trial.latency))
    return {
        name: missing.get(name) or _ready(trial, peer, files, directory, server, line)
        for name, peer in peers.items()
    }


def _ready(
    trial: Trial, peer: Peer, files: Path, directory: Path, server: S3Server, line: S3Server
) -> Callable[[], Cost]:
    """Prepare a peer; the answer runs it once and checks what it did."""
    where = directory / peer.name.replace(" ", "-")
    place, near = Place(files, where, line), Place(files, where, server)
    peer.prepare(near)
    log = directory / "log"
    # those that fetch the same share it: it is all in memory
    first = f"{'copied' if peer.copies and trial.verb == 'fetch' else where.name}/first"
    bucket = directory / "server/data" / BUCKET
    if trial.verb != "push" and not (bucket / first).exists():
        measure(peer.push(near, first), log)

    def push() -> Cost:
        prefix = f"{where.name}/{next(_numbers)}"
        cost = measure(peer.push(place, prefix), log)
        _check(trial, bucket / prefix)
        shutil.rmtree(bucket / prefix)
        return cost

    def push_again() -> Cost:
        cost = measure(peer.push(place, first, again=True), log)
        _check(trial, bucket / first)
        return cost

    def fetch() -> Cost:
        job, target = peer.fetch(place, first)
        cost = measure(job, log)
        _check(trial, target)
        shutil.rmtree(target)
        return cost

    return {"push": push, "push again": push_again, "fetch": fetch}[trial.verb]


def _check(trial: Trial, place: Path) -> None:
    """Refuse figures of a tool that did not do it all."""
    sizes = [path.stat().st_size for path in place.rglob("*") if path.is_file()]
    whole = [size for size in sizes if size == trial.workload.size]
    if len(whole) < trial.workload.count:
        raise RuntimeError(f"{place.name} has {len(whole)} of {trial.workload.count} files")


def _write(versions: Mapping[str, str]) -> None:
    """Write what is known of all trials."""
    trials = table.load(FIGURES)
    order = [trial.title for trial in TRIALS.values() if trial.title in trials]
    known = {title: trials[title] for title in order}
    machine = (
        f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}, "
        f"{time.strftime('%Y-%m-%d')}"
    )
    tables = "\n".join(table.as_markdown(trial) for trial in known.values())
    RESULTS.write_text(f"{_HEAD}{machine}. {'; '.join(versions.values())}.\n\n{_PLOT}\n\n{tables}")
    PLOT.write_text(table.as_svg(known))
    before, begin, rest = PAGE.read_text().partition(_BEGIN)
    summary = table.as_summary(known, [name for name in PEERS if name != Ours.name])
    PAGE.write_text(f"{before}{begin}\n{summary}{_END}{rest.partition(_END)[2]}")


if __name__ == "__main__":
    sys.exit(main())
