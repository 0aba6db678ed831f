"""kill -9 at random moments, with a slow S3 server on the other side."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests import buckets
from tests.conftest import Command
from tests.projects import digest
from tests.servers import fault_proxy
from tests.torture.programme import Programme, Run
from tests.torture.scene import Case, make_cases, said_wrong

WORKERS = 3
_LATENCY = 0.01
_LONGEST = 0.9  # seconds in which a command has usually ended


def run_random_kills(run: Run) -> None:
    """Kill commands in the middle; what they left is right, and the next run completes."""
    cases = make_cases(run.directory, run.pivot())
    trials = [cases[n % len(cases)] for n in range(run.figure(16, 1000))]
    moments = [run.random.random() * _LONGEST for _ in trials]
    cut = [0]
    guard = threading.Lock()
    with fault_proxy(run.server) as proxy:
        proxy.delay = _LATENCY
        pivot = run.pivot(proxy.server)

        def attempt(case: Case, moment: float) -> list[str]:
            with guard:
                place, bucket = run.place("kill"), run.bucket()
            project = case.copy(place)
            buckets.fill(run.server, bucket, place / "remote")
            (project / ".pivot/config.yaml").write_text(f"remotes:\n  origin: s3://{bucket}\n")
            killed, wrong = _kill(pivot, case, project, moment)
            with guard:
                cut[0] += killed
            wrong += [*case.broken_now(project), *_wrong_on_remote(run, bucket)]
            again = pivot(*case.words, cwd=project)
            shutil.rmtree(place / "remote")
            _copy_bucket(run, bucket, place / "remote")
            wrong += [*said_wrong(again), *case.broken_at_end(project)]
            if again.code:
                wrong.append(f"I4: the next run ends with {again.code}: {again.err}")
            shutil.rmtree(place)
            return [f"{case.name}, killed after {moment:.3f} s: {text}" for text in wrong]

        with ThreadPoolExecutor(WORKERS) as pool:
            for violations in pool.map(attempt, trials, moments):
                run.point(*violations)
    run.note(f"{cut[0]} of {len(trials)} were killed before their end")


def _kill(pivot: Command, case: Case, project: Path, moment: float) -> tuple[bool, list[str]]:
    with pivot.start(*case.words, cwd=project) as process:
        time.sleep(moment)
        killed = process.poll() is None
        process.kill()
        out, err = process.communicate()
    return killed, ["I6: a traceback"] if "Traceback" in out + err else []


def _wrong_on_remote(run: Run, bucket: str) -> Iterator[str]:
    for key, body in buckets.contents(run.server, bucket).items():
        if digest(body) != key.removeprefix("files/").replace("/", ""):
            yield f"I3: the bucket has wrong bytes under {key}"


def _copy_bucket(run: Run, bucket: str, folder: Path) -> None:
    folder.mkdir()
    for key, body in buckets.contents(run.server, bucket).items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(body)


RANDOM_KILLS = Programme("R1", "kill -9 at random moments, with a slow server", run_random_kills)
