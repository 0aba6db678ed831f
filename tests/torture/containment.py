"""Directories that turn into symlinks while a command works: nothing is written outside."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.projects import tree
from tests.torture.programme import Programme, Run
from tests.torture.scene import make_cases

_SWAPPED = ("data", "data/tree", "data/tree/sub", ".pivot/digests", ".pivot/stages")


def run_races(run: Run) -> None:
    """Swap a directory and a symlink that leads outside, and back, all the time."""
    pivot = run.pivot()
    cases = [
        case for case in make_cases(run.directory, pivot) if case.words[0] in {"pull", "checkout"}
    ]
    codes: dict[int, int] = {}
    for number in range(run.figure(20, 1000)):
        case = cases[number % len(cases)]
        swapped = _SWAPPED[number % len(_SWAPPED)]
        place = run.place("race")
        project = case.copy(place)
        outside = place / "outside"
        for name in ("sub", "tree/sub", "make"):
            (outside / name).mkdir(parents=True)
        (outside / "precious").write_text("precious")
        before = tree(outside)
        with _swapping(project / swapped, outside):
            done = pivot(*case.words, cwd=project)
        codes[done.code] = codes.get(done.code, 0) + 1
        wrong = ["I6: a traceback"] if "Traceback" in done.err else []
        if (after := tree(outside)) != before:
            wrong.append(f"bytes were written outside: {sorted(after.keys() ^ before.keys())}")
        again = pivot(*case.words, "--force", cwd=project)
        if again.code:
            wrong.append(f"I4: the next run ends with {again.code}: {again.err}")
        if tree(outside) != before:
            wrong.append("bytes were written outside by the next run")
        run.point(*(f"{case.name}, {swapped}: {text}" for text in wrong))
        shutil.rmtree(place)
    run.note(", ".join(f"{count} x exit {code}" for code, count in sorted(codes.items())))


@contextlib.contextmanager
def _swapping(path: Path, outside: Path) -> Iterator[None]:
    """Swap a directory and a symlink as fast as can be; the directory is there in the end."""
    over = threading.Event()
    aside = path.parent / f".{path.name}-aside"
    path.mkdir(parents=True, exist_ok=True)

    def swap() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                os.rename(path, aside)
                os.symlink(outside, path)
            with contextlib.suppress(OSError):
                if path.is_symlink():
                    os.unlink(path)
                os.rename(aside, path)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        if path.is_symlink():
            path.unlink()
        if aside.exists():
            if path.exists():
                shutil.rmtree(aside)
            else:
                aside.rename(path)


RACES = Programme("R10", "directories that turn into symlinks in between", run_races)
