"""A bad line: many faults at once, and each alone, on a third of all requests."""

from __future__ import annotations

import itertools
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests import buckets
from tests.conftest import Done
from tests.e2e.weather import leftovers, without_cache
from tests.projects import Content, ProjectBuilder, digest
from tests.servers import FaultProxy, fault_proxy
from tests.torture.programme import Programme, Run

MIXED = {"slow_down": 0.2, "reset": 0.05, "truncate": 0.05}
SHARE = 0.3
SINGLE = {
    "slow_down": {0, 6},
    "server_error": {0, 6},
    "too_many": {0, 6},
    "reset": {0, 6},
    "truncate": {0, 6},
    "short": {0, 5},
    "corrupt": {0, 5},
    "silence": {0, 6},
    "skew": {4},
    "expired": {4},
    "denied": {0, 4},
}
"""Which exit codes each may come to: none of them is damage, and none is success with a hole."""


def run_mixed(run: Run) -> None:
    """Push and pull while much goes wrong, and all arrives."""
    small, big = run.figure((120, 9), (500, 60))
    outputs: dict[str, Content] = {
        "data/many": {f"{n // 50}/{n}": b"%07d" % n * 280 for n in range(small)},
        "data/big": run.random.randbytes(big << 20),
        "data/a": b"a",
        "data/b": b"b",
    }
    with fault_proxy(run.server) as proxy:
        for number in range(run.figure(2, 50)):
            place, bucket = _make(run, outputs)
            wrong: list[str] = []
            pivot = run.pivot(proxy.server)
            proxy.rain(run.seed * 1000 + number, **MIXED)
            pushed = pivot("push", cwd=place, timeout=600)
            clone = without_cache(place, run.place("clone"))
            pulled = pivot("pull", cwd=clone, timeout=600)
            wrong += [f"exit {d.code}: {d.err[-600:]}" for d in (pushed, pulled) if d.code]
            wrong += _differences(run, bucket, clone, outputs)
            run.point(*(f"sequence {number}: {text}" for text in wrong))
            shutil.rmtree(place)
            shutil.rmtree(clone)
    run.note(f"{small + 3} objects, one of {big} MiB")


def run_single(run: Run) -> None:
    """Let one kind of fault hit a third of the requests, both ways."""
    outputs: dict[str, Content] = {
        "data/many": {f"{n}": b"%d" % n * 300 for n in range(run.figure(10, 200))},
        "data/big": run.random.randbytes(9 << 20),
    }

    def attempt(number: int, fault: str, codes: set[int]) -> list[str]:
        with fault_proxy(run.server) as proxy:
            wrong = _try(run, proxy, outputs, fault, codes, number)
        return [f"{fault}: {text}" for text in wrong]

    with ThreadPoolExecutor(4) as pool:  # most of the time they wait
        for violations in pool.map(attempt, itertools.count(), SINGLE, SINGLE.values()):
            run.point(*violations)


def _try(
    run: Run,
    proxy: FaultProxy,
    outputs: dict[str, Content],
    fault: str,
    codes: set[int],
    number: int,
) -> list[str]:
    place, bucket = _make(run, outputs)
    wrong: list[str] = []
    pivot = run.pivot(proxy.server)
    clone = run.place("clone")
    for word in ("push", "pull"):
        if word == "pull":
            without_cache(place, clone)
        proxy.rain(run.seed * 100 + number, **{fault: SHARE})
        done = pivot(word, cwd=place if word == "push" else clone, timeout=300)
        proxy.heal()
        wrong += _said(word, done, codes)
        again = run.pivot()(word, cwd=place if word == "push" else clone)
        if again.code:
            wrong.append(f"I4: the next {word} ends with {again.code}: {again.err[-600:]}")
    wrong += _differences(run, bucket, clone, outputs)
    shutil.rmtree(place)
    shutil.rmtree(clone)
    return wrong


def _said(word: str, done: Done, codes: set[int]) -> list[str]:
    wrong = []
    if done.code not in codes:
        wrong.append(f"{word} ends with {done.code}: {done.err[-600:]}")
    if "Traceback" in done.err:
        wrong.append(f"I6: a traceback: {done.err}")
    return wrong


def _make(run: Run, outputs: dict[str, Content]) -> tuple[Path, str]:
    bucket, place = run.bucket(), run.place()
    builder = ProjectBuilder(place)
    builder.config(
        f"remotes:\n  origin: s3://{bucket}/p\nremote:\n  read_timeout: 3\n  connect_timeout: 3\n"
    )
    for path, content in outputs.items():
        builder.stage(Path(path).name, {path: content})
    return place, bucket


def _differences(run: Run, bucket: str, clone: Path, outputs: dict[str, Content]) -> list[str]:
    wrong = [
        f"I3: the bucket has wrong bytes under {key}"
        for key, body in buckets.contents(run.server, bucket).items()
        if digest(body) != key.removeprefix("p/files/").replace("/", "")
    ]
    for output, content in outputs.items():
        parts = {"": content} if isinstance(content, bytes) else content
        for name, body in parts.items():
            place = clone / output / name if name else clone / output
            if not place.is_file() or place.read_bytes() != body:
                wrong.append(f"I2: {place.relative_to(clone)} is not there, or is wrong")
    if left := leftovers(clone):
        wrong.append(f"I5: left behind: {left}")
    return wrong


MIXED_FAULTS = Programme("R5", "throttled, reset and cut all the time, both ways", run_mixed)
SINGLE_FAULTS = Programme("R6", "one kind of fault on a third of the requests", run_single)
