"""Many commands at once in one cache and one workspace, and file locks that do nothing."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from subprocess import Popen

from tests.conftest import Command
from tests.torture.programme import Programme, Run
from tests.torture.scene import Case, make_cases

_NO_LOCKS = """
import fcntl
fcntl.flock = fcntl.lockf = lambda *_: None
"""


def run_together(run: Run) -> None:
    """Start eight of each, a mixture, and pairs in one workspace; all end well."""
    pivot = run.pivot()
    cases = {case.name: case for case in make_cases(run.directory, pivot)}
    no_locks = run.place("patch")
    no_locks.mkdir()
    (no_locks / "sitecustomize.py").write_text(_NO_LOCKS)
    for number in range(run.figure(2, 50)):
        path = pivot.environment["PYTHONPATH"] + (f":{no_locks}" if number % 2 else "")
        _pull_all(run, pivot, [cases["pull copy"]] * 6, path)
        _pull_all(run, pivot, [cases["pull hardlink"], cases["update hardlink"]] * 3, path)
        _push_all(run, pivot, cases["push"], path)
    run.note("every second round with file locks that do nothing")


def _pull_all(run: Run, pivot: Command, cases: Sequence[Case], path: str) -> None:
    """Pull in many workspaces with one cache, and twice in the last."""
    cache = run.place("cache")
    projects = [case.copy(run.place()) for case in cases]
    for case, project in zip(cases, projects, strict=True):
        held = project / ".pivot/cache/files"
        if held.exists() and case.name.startswith("update"):
            shutil.copytree(held, cache / "files", dirs_exist_ok=True)
    pairs = [*zip(cases, projects, strict=True), *([(cases[-1], projects[-1])] * 2)]
    started = [
        (
            case,
            project,
            pivot.start(*case.words, cwd=project, PIVOT_CACHE_DIR=str(cache), PYTHONPATH=path),
        )
        for case, project in pairs
    ]
    wrong = _wait([process for _, _, process in started])
    for case, project, _ in started:
        link = project / ".pivot/cache"
        shutil.rmtree(link, ignore_errors=True)
        if not link.exists():
            link.symlink_to(cache)
        wrong += [*case.broken_now(project), *case.broken_at_end(project)]
    run.point(*wrong)


def _push_all(run: Run, pivot: Command, case: Case, path: str) -> None:
    """Push eight times into one empty remote, while others pull."""
    place = run.place()
    project = case.copy(place)
    started = [pivot.start(*case.words, cwd=project, PYTHONPATH=path) for _ in range(8)]
    wrong = _wait(started)
    wrong += [*case.broken_now(project), *case.broken_at_end(project)]
    run.point(*wrong)


def _wait(processes: Sequence[Popen[str]]) -> list[str]:
    wrong = []
    for process in processes:
        with process:
            out, err = process.communicate(timeout=120)
        if process.returncode or "Traceback" in err:
            wrong.append(f"exit {process.returncode}: {out}{err}")
        if "lock" in err.replace("lock file", ""):
            wrong.append(f"a word about locks: {err}")
    return wrong


TOGETHER = Programme("R11", "many commands in one cache, one workspace, one remote", run_together)
