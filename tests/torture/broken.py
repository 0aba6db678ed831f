"""Deliberately broken builds: the tests that are there to catch each of them do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from tests.torture.programme import Programme, Run

_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "build", "*.egg-info")
_DOCS = ("README.md", "pyproject.toml")
_TAIL = 3000


@dataclass(frozen=True)
class Broken:
    """A build that breaks a promise: in *file*, *old* becomes *new*; *tests* are to notice."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


BUILDS = (
    Broken(
        "nothing is verified",
        "objects.py",
        "    if promise.size not in {None, hasher.size}:\n",
        "    return\n    if promise.size not in {None, hasher.size}:\n",
        ("tests/unit/test_objects.py",),
    ),
    Broken(
        "SHA-256 is not compared",
        "objects.py",
        "sha256 is not None and sha256 != promise.sha256:",
        "sha256 is not None and False:",
        ("tests/e2e/test_ledger.py",),
    ),
    Broken(
        "names come before the data is synced",
        "arrivals.py",
        "sync_files([entry.private for entry in arrived])",
        "pass",
        ("R4",),
    ),
    Broken(
        "directories are not synced after a name",
        "arrivals.py",
        "sync_directories({self._name(entry) for entry in arrived})",
        "[self._name(entry) for entry in arrived]",
        ("R4",),
    ),
    Broken(
        "damaged downloads are not fetched again",
        "fetch.py",
        "    for last in (False, True):\n        try:\n            if early",
        "    for last in (True,):\n        try:\n            if early",
        ("tests/e2e/test_errors_network.py",),
    ),
    Broken(
        "objects that are read again are not checked",
        "cache.py",
        "        check(promise, hasher)\n        if not note",
        "        if not note",
        ("R13",),
    ),
    Broken(
        "paths are not checked",
        "paths.py",
        '    path = text.removesuffix("/")\n',
        '    return text.removesuffix("/")\n',
        ("tests/unit/test_paths.py",),
    ),
    Broken(
        "symlinks are followed",
        "tree.py",
        "_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC",
        "_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC",
        ("tests/unit/test_tree.py",),
    ),
    Broken(
        "a symlink in place of an updated directory is entered",
        "placement.py",
        "            if not stat.S_ISDIR(old.st_mode) or not os.path.samestat(before, old):\n",
        "            if False:\n",
        ("tests/unit/test_placement_updates.py",),
    ),
    Broken(
        "a listing that fails is an empty one",
        "s3_stat.py",
        "            if not answer.unlistable:\n"
        "                raise of_remote(answer, self._calls.url) from error\n",
        "            return []\n",
        ("tests/contract/test_requests.py",),
    ),
    Broken(
        "what is forbidden is missing",
        "s3_errors.py",
        "        return self.status == 404 and",
        "        return self.status in {403, 404} and",
        ("tests/unit/test_s3_errors.py",),
    ),
    Broken(
        "what is pushed is not read for its digest",
        "objects.py",
        "    hasher.update(data)\n    try:\n        check(promise, hasher)\n",
        "    hasher.update(data)\n    try:\n        pass\n",
        ("tests/e2e/test_damage.py", "tests/e2e/test_ledger.py"),
    ),
    Broken(
        "local changes are overwritten",
        "plan.py",
        "        return Step.REPLACE\n    return Step.REFUSE\n",
        "        return Step.REPLACE\n    return Step.REPLACE\n",
        ("tests/unit/test_plan.py",),
    ),
    Broken(
        "a directory appears file by file",
        "placement.py",
        "        if plan.build and isinstance",
        "        if False and isinstance",
        ("tests/unit/test_placement.py",),
    ),
    Broken(
        "objects can be written to",
        "cache.py",
        "0o555 if file.executable else 0o444)",
        "0o755 if file.executable else 0o644)",
        ("tests/contract/test_cache.py",),
    ),
    Broken(
        "small objects can be written to",
        "cache.py",
        "chunks, 0o555 if executable else 0o444)",
        "chunks, 0o755 if executable else 0o644)",
        ("tests/contract/test_cache.py",),
    ),
    Broken(
        "what went wrong does not count",
        "results.py",
        "    return worst(p.code for p in problems if misses_fail",
        "    return worst(p.code for p in () if misses_fail",
        ("tests/unit/test_report.py",),
    ),
    Broken(
        "ledgers are not asked at checkout",
        "checkout.py",
        "    likely = want.sha256 or any(",
        "    likely = any(",
        ("tests/e2e/test_ledger.py",),
    ),
    Broken(
        "nothing is required",
        "session.py",
        "        if self.integrity is not Integrity.REQUIRE:\n",
        "        if True:\n",
        ("tests/e2e/test_ledger.py",),
    ),
    Broken(
        "addresses of requests are printed",
        "s3_errors.py",
        'return tell(reason).removeprefix("HTTP error: ")',
        "return reason",
        ("tests/unit/test_s3_errors.py",),
    ),
    Broken(
        "what is young is put aside",
        "gc/plan.py",
        "    return each.changed <= now - min_age\n",
        "    return True\n",
        ("tests/unit/test_gc_plan.py",),
    ),
    Broken(
        "what is stashed counts for nothing",
        "gc/repository.py",
        "    return found + (_stashes(root) if",
        "    return found + ([] if",
        ("tests/e2e/test_gc.py",),
    ),
    Broken(
        "objects go before they are in the trash",
        "gc/run.py",
        "    moves = _copy_all(session, place, plan.out, lambda",
        "    place.delete(LIVE, [each.digest for each in plan.out])\n"
        "    moves = _copy_all(session, place, plan.out, lambda",
        ("R16",),
    ),
    Broken(
        "an object that is found and used is put aside all the same",
        "arrivals.py",
        "                os.chmod(target, stat.S_IMODE(held.st_mode))",
        "                pass",
        ("tests/contract/test_clean_up.py",),
    ),
)


def run_broken_builds(run: Run) -> None:
    """Break a copy of the package, and let the tests that should notice it run."""
    builds = BUILDS if run.full else run.random.sample(BUILDS, 1)
    sound = copy_tree(run)
    watching = sorted({test for build in builds for test in build.tests})
    if run.full:
        told = {test: _run(sound, test) for test in watching}
        run.point(
            *(
                f"{test} fails on the sound build: {done.stdout[-_TAIL:].decode(errors='replace')}"
                for test, done in told.items()
                if done.returncode
            )
        )
    with ThreadPoolExecutor(2) as pool:
        for build, missed in pool.map(lambda each: (each, _survives(run, each)), builds):
            run.point(*([f"nobody notices that {build.name}"] if missed else []))
    shutil.rmtree(sound)
    run.note(f"{len(builds)} of {len(BUILDS)} builds")


def copy_tree(run: Run) -> Path:
    """Copy what tests need, with the package, to break it there."""
    place = run.place("build")
    place.mkdir()
    for name in ("pivot", "tests", "examples", "docs"):
        shutil.copytree(ROOT / name, place / name, ignore=_LEFT_OUT, symlinks=True)
    for name in _DOCS:
        shutil.copy(ROOT / name, place / name)
    return place


def _break(place: Path, build: Broken) -> None:
    file = place / "pivot" / build.file
    file.write_text(broken_text(build, file.read_text()))


def broken_text(build: Broken, text: str) -> str:
    """Break the *text* of a build's file; raises `ValueError` if that is not what it was."""
    if text.count(build.old) != 1:
        raise ValueError(f"{build.file} does not have once what is to be broken: {build.name}")
    return text.replace(build.old, build.new)


def _survives(run: Run, build: Broken) -> bool:
    place = copy_tree(run)
    _break(place, build)
    survives = all(_run(place, test).returncode == 0 for test in build.tests)
    shutil.rmtree(place)
    return survives


def _run(place: Path, test: str) -> subprocess.CompletedProcess[bytes]:
    words = ["pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    if test.startswith("R"):
        words = ["tests.torture", "--small", test]
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(place)},
        check=False,
        capture_output=True,
        timeout=600,
    )


BROKEN_BUILDS = Programme("R20", "deliberately broken builds are caught", run_broken_builds)
