"""Every call that changes a file system is once the last one, and once one that fails."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

from tests.conftest import Command
from tests.torture.programme import Programme, Run
from tests.torture.scene import Case, make_cases, said_wrong
from tests.torture.tracing import Point, check_tracing, failing_at, killed_at, points

WORKERS = 2
ERRORS = ("ENOSPC", "EDQUOT", "EIO", "EACCES", "EMFILE")
_LOCAL = 7


def run_kills(run: Run) -> None:
    """Kill each command at each of its calls; what it left is right, and the next completes."""
    _sweep(run, [("",)], 40)


def run_errors(run: Run) -> None:
    """Let each call fail in each way: a sentence and 7, or no difference; the next completes."""
    _sweep(run, [(error,) for error in ERRORS], 40)


def _sweep(run: Run, errors: list[tuple[str]], small: int) -> None:
    check_tracing()
    pivot = run.pivot()
    cases = make_cases(run.directory, pivot)
    trials: list[tuple[Case, Point, str]] = []
    for case in cases:
        place = run.place("count")
        project = case.copy(place)
        found = points(pivot, *case.words, cwd=project, inside=place)
        trials += [(case, point, error) for point in found for (error,) in errors]
        shutil.rmtree(place)
    everything = len(trials)
    if not run.full:
        trials = run.random.sample(trials, min(small, everything))
    with ThreadPoolExecutor(WORKERS) as pool:
        for violations in pool.map(lambda trial: _try(run, pivot, *trial), trials):
            run.point(*violations)
    run.note(f"{len(trials)} of {everything} calls, {len(cases)} commands")


def _try(run: Run, pivot: Command, case: Case, point: Point, error: str) -> list[str]:
    place = run.place("try")
    project = case.copy(place)
    if error:
        done = failing_at(pivot, point, error, *case.words, cwd=project)
    else:
        done = killed_at(pivot, point, *case.words, cwd=project)
    wrong = [*said_wrong(done), *case.broken_now(project)]
    if error and done.code not in {0, _LOCAL}:
        wrong.append(f"exit {done.code} instead of {_LOCAL}: {done.err}")
    if (
        error
        and done.code == _LOCAL
        and not any(line.startswith("Error: ") for line in done.err.splitlines())
    ):
        wrong.append(f"no sentence: {done.err}")
    again = pivot(*case.words, cwd=project)
    wrong += [*said_wrong(again), *case.broken_at_end(project)]
    if again.code:
        wrong.append(f"I4: the next run ends with {again.code}: {again.err}")
    shutil.rmtree(place)
    return [f"{case.name}, {error or 'killed'} at {point}: {text}" for text in wrong]


KILLS = Programme("R2", "kill -9 at every call that changes a file system", run_kills)
CALL_ERRORS = Programme("R3", "every such call fails once in five ways", run_errors)
