"""Small faults put into the storage core at random: do the tests of each module notice?

In full the sample is spread over all modules, by what there is to change in each. The small figures
try the machinery on one module that is tested in no time: a few mutants say little of the score.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from tests.contract.remotes import CHOICE
from tests.torture import mutator
from tests.torture.broken import copy_tree
from tests.torture.programme import Programme, Run

_WORKERS = 2
_SCORE = 80  # percent
_LEAST = 4  # mutants of a module
_LIFE = "torture/test_programmes.py::test_no_promise_is_broken[R13]"
_REMOTE = ("contract/test_remote.py", "contract/test_remote_refusals.py")
CORE: dict[str, tuple[str, ...]] = {
    "arrivals": ("contract/test_cache.py", "e2e/test_ledger.py"),
    "cache": ("contract/test_cache.py", "contract/test_partials.py", "e2e/test_damage.py"),
    "checkout": ("e2e/test_checkout.py", "e2e/test_damage.py", "e2e/test_ledger.py"),
    "copying": ("unit/test_copying.py", "contract/test_cache.py"),
    "exchange": ("unit/test_exchange.py", "unit/test_placement.py"),
    "fetch": ("e2e/test_damage.py", "e2e/test_resume.py", "e2e/test_limits.py", _LIFE),
    "folder": _REMOTE,
    "ledger": ("unit/test_ledger.py",),
    "listing": ("unit/test_listing.py",),
    "manifests": ("unit/test_manifests.py",),
    "objects": ("unit/test_objects.py", "contract/test_cache.py"),
    "partials": ("contract/test_partials.py",),
    "paths": ("unit/test_paths.py",),
    "placement": ("unit/test_placement.py",),
    "plan": ("unit/test_plan.py",),
    "proofs": ("e2e/test_ledger.py",),
    "push": ("e2e/test_damage.py", "e2e/test_ledger.py", "e2e/test_limits.py", _LIFE),
    "room": ("unit/test_room.py",),
    "s3": (*_REMOTE, "contract/test_requests.py"),
    "s3_calls": ("contract/test_requests.py", *_REMOTE),
    "s3_errors": ("unit/test_s3_errors.py",),
    "s3_stat": ("contract/test_requests.py", *_REMOTE),
    "scratch": ("unit/test_scratch.py", "contract/test_cache.py"),
    "sums": ("e2e/test_ledger.py",),
    "transfer": ("unit/test_transfer.py",),
    "tree": ("unit/test_tree.py", "unit/test_placement.py"),
    "verify": ("e2e/test_verify.py",),
    "workspace": ("unit/test_workspace.py",),
}
"""The modules, and what tests each of them, the quickest first."""


@dataclass(frozen=True)
class Trial:
    """Tests of a module in which there is a fault, or none yet, and how long they may take."""

    module: str
    number: int | None = None
    seconds: float = 600.0


@dataclass(frozen=True)
class Tried:
    """What came of it: *where* the fault is, whether the tests *passed*, and what they took."""

    where: str
    passed: bool
    seconds: float


def run_mutants(run: Run) -> None:
    """Let the tests of each module run on a sample of its mutants."""
    modules = list(CORE) if run.full else ["ledger"]
    places: queue.Queue[Path] = queue.Queue()
    for _ in range(_WORKERS):
        places.put(copy_tree(run))
    with ThreadPoolExecutor(_WORKERS) as pool:
        sound = dict(zip(modules, pool.map(lambda m: _try(places, Trial(m)), modules), strict=True))
        failing = [module for module, tried in sound.items() if not tried.passed]
        if failing:
            run.point(*(f"the tests of {module} fail without a fault" for module in failing))
            return
        trials = [
            Trial(module, number, 15 + 2 * sound[module].seconds)
            for module, numbers in _sample(run, modules, run.figure(6, 300)).items()
            for number in numbers
        ]
        run.random.shuffle(trials)  # or the slow ones come together
        tried = list(pool.map(lambda trial: _try(places, trial), trials))
    survivors = sorted(each.where for each in tried if each.passed)
    run.points += len(tried)
    print(*(f"not noticed: {where}" for where in survivors), sep="\n", flush=True)
    caught = len(tried) - len(survivors)
    score = 100 * caught // len(tried)
    if score < run.figure(50, _SCORE):
        run.violations.append(f"only {score} % of the mutants are caught")
    run.note(f"{caught} of {len(tried)} mutants caught ({score} %)")


def _sample(run: Run, modules: list[str], size: int) -> dict[str, list[int]]:
    counts = {module: mutator.count(_source(module)) for module in modules}
    share = size / sum(counts.values())
    return {
        module: run.random.sample(range(count), min(count, max(_LEAST, round(count * share))))
        for module, count in counts.items()
    }


def _source(module: str) -> str:
    return (ROOT / "pivot" / f"{module}.py").read_text()


def _try(places: queue.Queue[Path], trial: Trial) -> Tried:
    """Run the tests in a copy; what takes too long has not passed."""
    place = places.get()
    file = place / "pivot" / f"{trial.module}.py"
    source = file.read_text()
    text, what = mutator.mutate(source, trial.number)
    began = time.monotonic()
    try:
        file.write_text(text)
        passed = _passes(place, CORE[trial.module], trial.seconds)
    finally:
        file.write_text(source)
        places.put(place)
    return Tried(f"{trial.module}.py:{what}", passed, time.monotonic() - began)


def _passes(place: Path, tests: tuple[str, ...], seconds: float) -> bool:
    scratch = place / "scratch"
    words = ["pytest", "-q", "-x", "-p", "no:cacheprovider", f"--basetemp={scratch}"]
    process = subprocess.Popen(
        ["nice", sys.executable, "-B", "-m", *words, *(f"tests/{test}" for test in tests)],
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(place), CHOICE: "folder seaweedfs"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        with contextlib.suppress(ProcessLookupError):  # also the commands that do not end
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(scratch, ignore_errors=True)


MUTANTS = Programme("R20b", "mutants of the storage core", run_mutants)
