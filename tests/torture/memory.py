"""Memory and descriptors do not grow with the data."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from tests.conftest import Command
from tests.projects import ProjectBuilder
from tests.torture.programme import Programme, Run

_MOST = 200 << 20
_JOBS = 8
_GROWTH = 1.1


def run_memory(run: Run) -> None:
    """Push and fetch many objects, and one sparse file of two sizes; watch the process."""
    count = run.figure(4000, 100_000)
    root = _project(run, {"many": {f"{n % 100}/{n}": b"%d" % n for n in range(count)}}, s3=True)
    peaks = [_watch(run, run.pivot(), word, root) for word in ("push", "fetch")]
    run.note(f"{count} objects: {max(peaks) >> 20} MiB")
    if max(peaks) > _MOST:
        run.point(f"{count} objects take {max(peaks) >> 20} MiB")
    sizes = run.figure((64 << 20, 256 << 20), (1 << 30, 10 << 30))
    seen = []
    for size in sizes:
        root = _project(run, {}, s3=False)
        _add_sparse(root, size, run.pivot())
        seen.append(_watch(run, run.pivot(), "push", root))
    run.note(", ".join(f"{s >> 20} MiB: {p >> 20} MiB" for s, p in zip(sizes, seen, strict=True)))
    if seen[1] > seen[0] * _GROWTH:
        run.point(f"memory grows with the file: {seen}")


def _project(run: Run, outputs: dict[str, dict[str, bytes]], *, s3: bool) -> Path:
    root = run.place()
    builder = ProjectBuilder(root)
    for path, content in outputs.items():
        builder.stage(path, {f"data/{path}": {**content}})
    if s3:
        builder.config(f"remotes:\n  origin: s3://{run.bucket()}/p\n")
        return root
    remote = run.place("remote")
    remote.mkdir()
    builder.config(f"folders:\n  origin: {remote.as_uri()}\n")
    return root


def _add_sparse(root: Path, size: int, pivot: Command) -> None:
    (root / "sparse").touch()
    os.truncate(root / "sparse", size)
    done = pivot("track", "sparse", cwd=root, timeout=600)
    assert done.code == 0, done


def _watch(run: Run, pivot: Command, word: str, root: Path) -> int:
    """Run a command; the answer is the most memory that it had, in bytes."""
    with pivot.start(word, "--jobs", str(_JOBS), cwd=root) as process:
        most = [0, 0]
        thread = threading.Thread(target=_sample, args=(process.pid, most))
        thread.start()
        out, err = process.communicate(timeout=1800)
        thread.join()
    wrong = [f"{word} ends with {process.returncode}: {out}{err}"] if process.returncode else []
    if most[1] > 2 * _JOBS + 32:
        wrong.append(f"{word} has {most[1]} descriptors open")
    run.point(*wrong)
    return most[0]


def _sample(pid: int, most: list[int]) -> None:
    while True:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            opened = len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            return
        line = next((each for each in status.splitlines() if each.startswith("VmHWM")), "")
        if not line:
            return  # it has ended
        most[0] = max(most[0], int(line.split()[1]) << 10)
        most[1] = max(most[1], opened)
        time.sleep(0.02)


MEMORY = Programme("R15", "memory and descriptors at many and at large objects", run_memory)
