"""Ours to the real Pivot and back: five releases, projects of their own making."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import buckets
from tests.conftest import Done
from tests.interop.conftest import RELEASES, RealPivot, find_python, install
from tests.interop.projects import git, git_clone
from tests.torture.programme import CannotRunError, Programme, Run
from tests.torture.real_projects import RealProject, draw_project

_MODES = ("hardlink", "symlink", "copy")
_WITHOUT_SYMLINKS = frozenset({"0.1.0", "0.2.4"})
"""Releases that see no symlinks in a directory: one that is full of them is changed to them."""

_SMALL = ("0.4.1",)
_CLEAN = {"cached", "clean"}


def run_interop(run: Run) -> None:
    """Let both push what the other pulls, and ask the real one whether all is in order."""
    python = find_python()
    if python is None:
        raise CannotRunError("the real Pivot needs Python 3.13: no python3.13 that runs was found")
    count = run.figure(1, 20)
    for release in run.figure(_SMALL, RELEASES):
        venv = _whole(python, release)
        for number in range(count):
            home = run.place("home")
            home.mkdir()
            real = RealPivot(venv / "bin" / "pivot", home, run.server.environment())
            project = draw_project(run.random, release)
            modes = [m for m in _MODES if m != "symlink" or release not in _WITHOUT_SYMLINKS]
            try:
                wrong = list(_Trial(run, real, project, modes[number % len(modes)]).broken())
            except _Refused as error:
                wrong = [str(error)]
            run.point(*(f"{release}, project {number}: {text}" for text in wrong))
    run.note(f"{count} projects for each of {len(run.figure(_SMALL, RELEASES))} releases")


def _whole(python: Path, release: str) -> Path:
    """Install *release* so that all of it runs: what its lock reader does not need is shared."""
    venv = install(python, release)
    if not (venv / "lib/python3.13/site-packages/click").exists():
        rest = install(python) / "lib/python3.13/site-packages"
        (venv / "lib/python3.13/site-packages/rest.pth").write_text(f"{rest}\n")
    return venv


class _Refused(Exception):
    """A command that has to succeed did not."""


@dataclass(frozen=True)
class _Trial:
    """One project, made by a release, and the ways that its data goes."""

    run: Run
    real: RealPivot
    project: RealProject
    mode: str

    def broken(self) -> Iterator[str]:
        """Say what is not as it should be."""
        theirs, ours = self.run.bucket(), self.run.bucket()
        made = self._make(theirs)
        pivot = self.run.pivot()
        wanted = self.project.kept(_contents(made))
        by_real = buckets.contents(self.run.server, theirs)
        # the real one pushed, and ours pulls
        clone = git_clone(made, self.run.place("clone"))
        _need(pivot("pull", "--checkout-mode", self.mode, cwd=clone))
        found = self.project.kept(_contents(clone))
        yield from _differences("we pulled", wanted, found)
        yield from self._unclean("after our pull", clone)
        # ours pushes from the cache of the real one: the same bucket, and nothing is left to push
        to_ours = ("config", "set", "--global", "remotes.other", f"s3://{ours}/p")
        _need(pivot(*to_ours, cwd=made))
        _need(pivot("push", "-r", "other", cwd=made))
        by_us = buckets.contents(self.run.server, ours)
        yield from _differences("we pushed", by_real, by_us)
        # ours pushed, and the real one pulls
        other = self._pull(made, ours)
        yield from _differences("the real one pulled", wanted, self.project.kept(_contents(other)))
        unclean = list(self._unclean(when := "after its own pull", other))
        # an old release loses modes when it pulls: that is so with its own bucket, too
        if unclean and unclean != list(self._unclean(when, self._pull(made, theirs))):
            yield from unclean

    def _pull(self, made: Path, bucket: str) -> Path:
        """Let the real one pull a clone from *bucket*."""
        clone = git_clone(made, self.run.place("clone"))
        _need(self.real("config", "set", "remotes.origin", f"s3://{bucket}/p", cwd=clone))
        _need(self.real("pull", cwd=clone))
        return clone

    def _make(self, bucket: str) -> Path:
        """Let the real one make the project, run it and push it."""
        root = self.run.place("made")
        self.project.write(root)
        git(root, "init", "--quiet", "--initial-branch=main")
        for words in (
            ("init",),
            ("config", "set", "remotes.origin", f"s3://{bucket}/p"),
            ("track", "data/raw.txt"),
            ("track", "data/imgs"),
            ("repro",),
            ("push",),
        ):
            _need(self.real(*words, cwd=root))
        git(
            root,
            "add",
            "pipeline.py",
            ".pivot",
            ".pivotignore",
            "data/imgs.pvt",
            "data/raw.txt.pvt",
        )
        git(root, "commit", "--quiet", "--message", "one")
        return root

    def _unclean(self, when: str, place: Path) -> Iterator[str]:
        """Say what the real one has to say of *place*, and what it would run."""
        status = json.loads(_need(self.real("status", "--json", cwd=place)).out)
        entries = [*status["stages"], *status["tracked_files"]]
        for entry in entries:
            if entry["status"] not in _CLEAN:
                yield f"{when}, its status: {entry}"
        if len(status["stages"]) != self.project.stages:
            yield f"{when}, its status knows {len(status['stages'])} stages"
        ran = json.loads(_need(self.real("repro", "--json", cwd=place)).out.splitlines()[-1])
        if (ran["ran"], ran["failed"]) != (0, 0):
            yield f"{when}, its repro runs {ran['ran']} stages, and {ran['failed']} fail"


def _need(done: Done) -> Done:
    if done.code:
        raise _Refused(f"{done}")
    return done


def _contents(place: Path) -> dict[str, bytes | None]:
    """Read what a workspace holds: files, whatever they are linked to, and empty directories."""
    found: dict[str, bytes | None] = {}
    for above, directories, names in os.walk(place, followlinks=True):
        directories[:] = [n for n in directories if n not in {".git", ".pivot", "__pycache__"}]
        relative = Path(above).relative_to(place)
        found |= {str(relative / name): (Path(above) / name).read_bytes() for name in names}
        if not directories and not names:
            found[str(relative)] = None
    return {name: data for name, data in found.items() if not name.endswith(".gitignore")}


def _differences(
    who: str,
    wanted: dict[str, bytes | None] | dict[str, bytes],
    found: dict[str, bytes | None] | dict[str, bytes],
) -> Iterator[str]:
    lacking, more = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    other = sorted(name for name in wanted.keys() & found.keys() if wanted[name] != found[name])
    if lacking or more or other:
        yield f"{who}: {lacking} lacking, {more} more, {other} other"


INTEROP = Programme("R14", "to the real Pivot and back", run_interop, small="tests/interop")
