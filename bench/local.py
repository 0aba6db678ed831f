"""What is measured without a server: start-up, checkout, and reading a large document."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from bench.measure import Cost, Job, measure
from bench.peers import ROOT, Place, program
from bench.workloads import WORKLOADS
from pivot.objects import Directory, File, digest_bytes, tree_digest
from pivot.tracked import render_tracked
from tests.servers import S3Server

Runs = Mapping[str, Callable[[], Cost] | str]
"""What each row of a table does once more, ours first; or why it cannot be had."""

_CALLS = Path(__file__).with_name("bare_calls.py")
_READER = Path(__file__).with_name("read_document.py")
_NOWHERE = S3Server("nowhere", "http://127.0.0.1:9", "key", "secret")
_PYTHON = (sys.executable, "-I", "-S")
_OURS = (sys.executable, "-m", "pivot")
_ENTRIES = 50_000


class Local:
    """A trial without a server; *made* prepares it in a directory and says what is run."""

    name: ClassVar[str]
    title: ClassVar[str]
    peers: ClassVar[Sequence[str]] = ()

    def __init__(self, directory: Path) -> None:
        self.place = Place(directory / "files", directory, _NOWHERE)
        self.log = directory / "log"
        directory.mkdir(parents=True)

    def run(self, job: Job, *, times: int = 1) -> Cost:
        """Measure a job; of what is over at once, the mean of so many *times*."""
        costs = [measure(job, self.log) for _ in range(times)]
        return Cost(
            sum(cost.cpu for cost in costs) / times,
            sum(cost.wall for cost in costs) / times,
            max(cost.mebibytes for cost in costs),
        )

    def made(self, missing: Mapping[str, str]) -> Runs:
        """Prepare; *missing* are the peers that are not here."""
        raise NotImplementedError

    def ours(self, *words: str, at: Path | None = None) -> Job:
        """Run this tool."""
        return self.place.job(*_OURS, *words, at=at, PYTHONPATH=str(ROOT))


class StartUp(Local):
    """How long it takes to say which version it is."""

    name = "S version"
    title = "S: --version (Pivot 0.5.11: --help)"
    peers = ("Pivot 0.5.11", "s5cmd", "rclone", "DVC", "aws s3")
    words: ClassVar[Mapping[str, tuple[str, str, str]]] = {
        "Pivot 0.5.11": ("pivot", ".venv-upstream", "--help"),
        "s5cmd": ("s5cmd", ".venv-bench", "version"),
        "rclone": ("rclone", ".venv", "version"),
        "DVC": ("dvc", ".venv-bench-dvc", "--version"),
        "aws s3": ("aws", ".venv-bench", "--version"),
    }

    def made(self, missing: Mapping[str, str]) -> Runs:
        jobs = {"pivot-remote": self.ours("--version")}
        jobs["python -c pass"] = self.place.job(sys.executable, "-c", "pass")
        for peer in self.peers:
            if peer not in missing:
                name, venv, word = self.words[peer]
                jobs[peer] = self.place.job(program(name, venv), word)
        runs = {name: partial(self.run, job, times=5) for name, job in jobs.items()}
        return {**runs, **missing}


class Checkout(Local):
    """Put 5,000 files from the cache in place."""

    link: ClassVar[str]
    peers = ("Pivot 0.5.11", "DVC")
    again: ClassVar[bool] = False

    def made(self, missing: Mapping[str, str]) -> Runs:
        WORKLOADS[0].write(self.place.files)
        runs = {"pivot-remote": self._checkout("ours", self._project("ours"))}
        if not self.again:
            job = self.place.job(*_PYTHON, _CALLS, self.link, "files", "target")
            runs["bare system calls"] = self._onto(self.place.directory / "target", job)
        if "Pivot 0.5.11" not in missing:
            runs["Pivot 0.5.11"] = self._checkout("real", self._project("real"))
        if "DVC" not in missing:
            runs["DVC"] = self._checkout("dvc", self._dvc())
        return {**runs, **missing}

    def _checkout(self, who: str, project: Path) -> Callable[[], Cost]:
        jobs = {
            "ours": lambda: self.ours("checkout", "--checkout-mode", self.link, "-q", at=project),
            "real": lambda: self.place.job(
                program("pivot", ".venv-upstream"),
                *("checkout", "--checkout-mode", self.link),
                at=project,
            ),
            "dvc": lambda: self.place.job(
                program("dvc", ".venv-bench-dvc"), "checkout", "--quiet", at=project
            ),
        }
        job = jobs[who]()
        return self._onto(project / "data", job)

    def _onto(self, data: Path, job: Job) -> Callable[[], Cost]:
        def run() -> Cost:
            if not self.again:
                shutil.rmtree(data, ignore_errors=True)
            cost = self.run(job)
            if sum(1 for path in data.rglob("*.bin") if path.is_file()) < WORKLOADS[0].count:
                raise RuntimeError(f"{job.words}: not all files are in place")
            return cost

        if self.again:
            self.run(job)
        return run

    def _project(self, name: str) -> Path:
        project = self.place.directory / name
        (project / ".pivot").mkdir(parents=True)
        self.place.run("git", "init", "--quiet", project)
        shutil.copytree(self.place.files, project / "data")
        self.place.run(sys.executable, "-m", "pivot", "track", "data", at=project)
        return project

    def _dvc(self) -> Path:
        project = self.place.directory / "dvc"
        project.mkdir()
        dvc = program("dvc", ".venv-bench-dvc")
        self.place.run(dvc, "init", "--no-scm", "--quiet", at=project)
        self.place.run(dvc, "config", "core.analytics", "false", at=project)
        self.place.run(dvc, "config", "cache.type", self.link, at=project)
        site = str(self.place.directory / "site")
        self.place.run(dvc, "config", "core.site_cache_dir", site, at=project)
        shutil.copytree(self.place.files, project / "data")
        self.place.run(dvc, "add", "--quiet", "data", at=project)
        return project


class HardLinks(Checkout):
    """By hard links."""

    name, link = "K hardlink", "hardlink"
    title = "K: check out 5,000 files by hard links"


class Symlinks(Checkout):
    """By symlinks."""

    name, link = "K symlink", "symlink"
    title = "K: check out 5,000 files by symlinks"


class Copies(Checkout):
    """By copies."""

    name, link = "K copy", "copy"
    title = "K: check out 5,000 files as copies"


class NothingToDo(Checkout):
    """All is in place already."""

    name, link, again = "K again", "copy", True
    title = "K: check out 5,000 copies that are in place"


class LargeDocument(Local):
    """Read a document of 50,000 entries."""

    name = "P"
    title = "P: read a document of 50,000 files"

    def made(self, missing: Mapping[str, str]) -> Runs:
        del missing
        files = tuple(
            File(f"data/{number:05}.bin", digest_bytes(f"{number}".encode()), number, False)  # noqa: FBT003
            for number in range(_ENTRIES)
        )
        whole = tree_digest(files, (), above="data")
        document = self.place.directory / "data.pvt"
        document.write_bytes(render_tracked(Directory("data", whole, files)))
        words = {
            "pivot-remote, checked values": "ours",
            "pivot-remote, YAML alone": "yaml",
            "PyYAML CSafeLoader": "csafe",
            "imports alone": "nothing",
        }
        reader = (sys.executable, _READER)
        jobs = {
            name: self.place.job(*reader, word, document, PYTHONPATH=str(ROOT))
            for name, word in words.items()
        }
        return {name: partial(self.run, job) for name, job in jobs.items()}


LOCAL: Sequence[type[Local]] = (
    StartUp,
    LargeDocument,
    HardLinks,
    Symlinks,
    Copies,
    NothingToDo,
)
