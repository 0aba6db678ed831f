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
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.contract.remotes import CHOICE
from tests.servers import S3Server, seaweedfs
from tests.torture import mutator
from tests.torture.broken import copy_tree
from tests.torture.programme import Programme, Run

_WORKERS = 2
_SCORE = 80  # percent
_LEAST = 4  # mutants of a module
_LIFE = "torture/test_programmes.py::test_no_promise_is_broken[R13]"
_REMOTE = ("contract/test_remote.py", "contract/test_remote_refusals.py")
_FETCH_LIMIT = "e2e/test_limits.py::test_more_than_may_be_moved_is_refused_before_the_first_byte"
_PUSH_LIMIT = "e2e/test_limits.py::test_push_has_the_limit_too"
CORE: dict[str, tuple[str, ...]] = {
    "arrivals": ("unit/test_arrivals.py", "contract/test_cache.py", "e2e/test_ledger.py"),
    "cache": (
        "unit/test_cache_reads.py",
        "unit/test_arrivals.py",
        "contract/test_cache.py",
        "contract/test_partials.py",
        "e2e/test_damage.py",
    ),
    "checkout": (
        "unit/test_moves.py",
        "e2e/test_checkout.py",
        "e2e/test_link_modes.py",
        "e2e/test_damage.py",
        "e2e/test_ledger.py",
        "unit/test_checkout_reads.py",
    ),
    "ahead": ("unit/test_ahead.py",),
    "crew": ("unit/test_crew.py", "unit/test_transfer.py", "unit/test_groups.py"),
    "copying": ("unit/test_copying.py", "contract/test_cache.py"),
    "exchange": ("unit/test_exchange.py", "unit/test_placement_updates.py"),
    "fetch": (
        "unit/test_moves.py",
        "e2e/test_damage.py",
        "e2e/test_resume.py",
        _FETCH_LIMIT,
        _LIFE,
    ),
    "folder": _REMOTE,
    "ledger": ("unit/test_ledger.py",),
    "listing": ("unit/test_listing.py",),
    "manifests": ("unit/test_manifests.py",),
    "objects": ("unit/test_objects.py", "contract/test_cache.py"),
    "partials": ("contract/test_partials.py",),
    "paths": ("unit/test_paths.py",),
    "placement": ("unit/test_placement.py", "unit/test_placement_updates.py"),
    "plan": ("unit/test_plan.py",),
    "proofs": ("unit/test_proofs.py",),
    "push": ("unit/test_moves.py", "e2e/test_damage.py", "e2e/test_ledger.py", _PUSH_LIMIT, _LIFE),
    "room": ("unit/test_room.py",),
    "s3": (*_REMOTE, "contract/test_requests.py"),
    "s3_calls": ("contract/test_requests.py", *_REMOTE, "e2e/test_region.py"),
    "s3_download": ("unit/test_lanes.py", "contract/test_ranges.py"),
    "s3_errors": ("unit/test_s3_errors.py",),
    "s3_stat": ("contract/test_requests.py", *_REMOTE, "e2e/test_region.py"),
    "scratch": ("unit/test_scratch.py", "contract/test_cache.py"),
    "sums": ("unit/test_sums.py",),
    "transfer": ("unit/test_transfer.py", "unit/test_groups.py"),
    "tree": ("unit/test_tree.py", "unit/test_placement.py"),
    "verify": ("e2e/test_verify.py",),
    "workspace": ("unit/test_workspace.py", "unit/test_checkout_reads.py"),
}
"""The modules, and what tests each of them, the quickest first."""


@dataclass(frozen=True)
class Trial:
    """The tests of *module* with this fault in it, or with none, and how long they may take."""

    module: str
    fault: int | None = None
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
    with _bench(run) as bench:
        sound = dict(zip(modules, bench.try_all(map(Trial, modules)), strict=True))
        trials = [
            Trial(module, fault, 15 + 2 * sound[module].seconds)
            for module, faults in _sample(run, bench, modules).items()
            for fault in faults
        ]
        run.random.shuffle(trials)  # or the slow ones come together
        tried = bench.try_all(trials)
        again = bench.try_all([Trial("verify")] * _WORKERS if run.full else [])
    for each in (*sound.values(), *again):  # or all would be caught
        run.point(*([] if each.passed else [f"{each.where} fails without a fault"]))
    survivors = sorted(each.where for each in tried if each.passed)
    for where in survivors:
        print(f"not caught: {where}", flush=True)
    run.points = len(tried)
    caught = len(tried) - len(survivors)
    score = 100 * caught // len(tried)
    if score < run.figure(50, _SCORE):
        run.violations.append(f"only {score} % of the mutants are caught")
    run.note(f"{caught} of {len(tried)} mutants caught ({score} %)")


@dataclass(frozen=True)
class _Copy:
    """A copy of the tree, and a server that no other uses."""

    root: Path
    server: S3Server

    def file(self, module: str) -> Path:
        return self.root / "pivot" / f"{module}.py"


class _Bench:
    """Copies in which modules are changed, one for each worker."""

    def __init__(self, copies: Sequence[_Copy]) -> None:
        self._free: queue.Queue[_Copy] = queue.Queue()
        for copy in copies:
            self._free.put(copy)
        self.sources = {name: copies[0].file(name).read_text() for name in CORE}

    def try_all(self, trials: Iterable[Trial]) -> list[Tried]:
        with ThreadPoolExecutor(_WORKERS) as pool:
            return list(pool.map(self._try, trials))

    def _try(self, trial: Trial) -> Tried:
        copy = self._free.get()
        file, source = copy.file(trial.module), self.sources[trial.module]
        text, what = mutator.mutate(source, trial.fault)
        began = time.monotonic()
        try:
            file.write_text(text)
            passed = _passes(copy, trial)
        finally:
            file.write_text(source)
            self._free.put(copy)
        return Tried(f"{trial.module}.py:{what}", passed, time.monotonic() - began)


@contextlib.contextmanager
def _bench(run: Run) -> Iterator[_Bench]:
    with contextlib.ExitStack() as stack:
        workers = run.figure(1, _WORKERS)
        more = (seaweedfs(run.directory / f"server-{number}") for number in range(1, workers))
        servers = [run.server, *(stack.enter_context(server) for server in more)]
        copies = [_Copy(copy_tree(run), server) for server in servers]
        yield _Bench(copies)
        for copy in copies:
            shutil.rmtree(copy.root)


def _passes(copy: _Copy, trial: Trial) -> bool:
    """Run the tests until one fails; what takes too long has not passed."""
    scratch = copy.root / "scratch"
    words = ["-q", "-x", "-p", "no:cacheprovider", "-k", "not real_pivot"]
    words += ["--basetemp", str(scratch), "--s3", copy.server.url]
    tests = (f"tests/{test}" for test in CORE[trial.module])
    process = subprocess.Popen(
        ["nice", sys.executable, "-B", "-m", "pytest", *words, *tests],
        cwd=copy.root,
        env=os.environ | {"PYTHONPATH": str(copy.root), CHOICE: "folder seaweedfs"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(trial.seconds) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        with contextlib.suppress(ProcessLookupError):  # also the commands that do not end
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(scratch, ignore_errors=True)


def _sample(run: Run, bench: _Bench, modules: list[str]) -> dict[str, list[int]]:
    counts = {module: mutator.count(bench.sources[module]) for module in modules}
    share = run.figure(4, 300) / sum(counts.values())
    return {
        module: run.random.sample(range(count), min(count, max(_LEAST, round(count * share))))
        for module, count in counts.items()
    }


MUTANTS = Programme("R20b", "mutants of the storage core", run_mutants)
