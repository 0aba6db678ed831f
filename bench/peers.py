"""The tools that are measured: how each is prepared, and the commands that push and fetch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.measure import Job
from tests.servers import S3Server

ROOT = Path(__file__).parent.parent
BUCKET = "bench"


class CannotBeHad(Exception):
    """A peer is not on this machine; the table says so."""


@dataclass(frozen=True)
class Place:
    """Where one tool works: its files, its home, and the server that it is to use."""

    files: Path
    directory: Path
    server: S3Server

    @property
    def environment(self) -> dict[str, str]:
        """What each command gets: no setting of the user's."""
        home = self.directory / "home"
        home.mkdir(parents=True, exist_ok=True)
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.server.environment(),
        }

    def job(self, *words: str | Path, at: Path | None = None, **more: str) -> Job:
        """Make a job of it."""
        return Job([str(w) for w in words], at or self.directory, {**self.environment, **more})

    def run(self, *words: str | Path, at: Path | None = None) -> str:
        """Run a command that prepares something."""
        job = self.job(*words, at=at)
        done = subprocess.run(
            job.words,
            cwd=job.directory,
            env=dict(job.environment),
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.stdout

    def emptied(self, name: str) -> Path:
        """Make an empty directory."""
        path = self.directory / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path


class Peer(Protocol):
    """A tool. Each push goes to a prefix of its own; *push* again means that nothing is to do."""

    name: str
    copies: bool
    """Whether it fetches what any other tool has put there, under the names of the files."""

    def version(self) -> str:
        """Say which it is; raises `CannotBeHad`."""

    def prepare(self, place: Place) -> None:
        """Let the tool know the files, once."""

    def push(self, place: Place, prefix: str, *, again: bool = False) -> Job:
        """Make ready to push."""

    def fetch(self, place: Place, prefix: str) -> tuple[Job, Path]:
        """Make ready to fetch what was pushed; the answer has the directory that it comes to."""


def program(name: str, venv: str) -> Path:
    """Find a program; raises `CannotBeHad`."""
    path = ROOT / venv / "bin" / name
    if not path.exists():
        raise CannotBeHad(f"{path.relative_to(ROOT)} is not there")
    return path


def _first_line(*words: str | Path) -> str:
    done = subprocess.run([*map(str, words)], check=True, capture_output=True, text=True)
    return (done.stdout or done.stderr).splitlines()[0].strip()


class _Project:
    """A Pivot project with one directory that is tracked."""

    copies = False

    def prepare(self, place: Place) -> None:
        ours = [sys.executable, "-m", "pivot"]
        project = place.directory / "project"
        (project / ".pivot").mkdir(parents=True)
        place.run("git", "init", "--quiet", project)
        # a link costs no memory, and these files are never written to
        shutil.copytree(place.files, project / "data", copy_function=os.link)
        done = place.job(*ours, "track", "data", at=project, PYTHONPATH=str(ROOT))
        subprocess.run(
            done.words,
            cwd=project,
            env=dict(done.environment),
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def _at(self, project: Path, prefix: str, *, keep: bool = False) -> None:
        (project / ".pivot/config.yaml").write_text(f"remotes:\n  origin: s3://{BUCKET}/{prefix}\n")
        if not keep:
            shutil.rmtree(project / ".pivot/state.lmdb", ignore_errors=True)

    def _clone(self, place: Place, prefix: str) -> Path:
        clone = place.emptied("clone")
        (clone / ".pivot").mkdir()
        shutil.copy(place.directory / "project/data.pvt", clone / "data.pvt")
        place.run("git", "init", "--quiet", clone)
        self._at(clone, prefix)
        return clone


class Ours(_Project):
    """This tool."""

    name = "pivot-remote"
    _words = (sys.executable, "-m", "pivot")

    def version(self) -> str:
        return _first_line(sys.executable, "-m", "pivot", "--version")

    def push(self, place: Place, prefix: str, *, again: bool = False) -> Job:
        project = place.directory / "project"
        self._at(project, prefix, keep=again)
        return place.job(*self._words, "push", "--quiet", at=project, PYTHONPATH=str(ROOT))

    def fetch(self, place: Place, prefix: str) -> tuple[Job, Path]:
        clone = self._clone(place, prefix)
        job = place.job(*self._words, "fetch", "--quiet", at=clone, PYTHONPATH=str(ROOT))
        return job, clone / ".pivot/cache/files"


class RealPivot(_Project):
    """The real Pivot."""

    name = "Pivot 0.5.11"

    def version(self) -> str:
        program("pivot", ".venv-upstream")
        return "pivot[s3]==0.5.11"

    def push(self, place: Place, prefix: str, *, again: bool = False) -> Job:
        project = place.directory / "project"
        self._at(project, prefix, keep=again)
        return place.job(program("pivot", ".venv-upstream"), "push", at=project)

    def fetch(self, place: Place, prefix: str) -> tuple[Job, Path]:
        clone = self._clone(place, prefix)
        job = place.job(program("pivot", ".venv-upstream"), "fetch", at=clone)
        return job, clone / ".pivot/cache/files"


class Dvc:
    """DVC with a directory that is added."""

    name = "DVC"
    copies = False

    def version(self) -> str:
        return f"DVC {_first_line(program('dvc', '.venv-bench-dvc'), '--version')}"

    def prepare(self, place: Place) -> None:
        project = place.directory / "project"
        project.mkdir(parents=True)
        dvc = program("dvc", ".venv-bench-dvc")
        place.run(dvc, "init", "--no-scm", "--quiet", at=project)
        place.run(dvc, "config", "core.analytics", "false", at=project)
        shutil.copytree(place.files, project / "data")
        place.run(dvc, "add", "--quiet", "data", at=project)

    def _configure(self, place: Place, project: Path, prefix: str) -> None:
        (project / ".dvc/config").write_text(
            "[core]\n    analytics = false\n    no_scm = True\n    remote = origin\n"
            f"    site_cache_dir = {place.directory}/site\n"
            f"['remote \"origin\"']\n    url = s3://{BUCKET}/{prefix}\n"
            f"    endpointurl = {place.server.url}\n"
        )

    def push(self, place: Place, prefix: str, *, again: bool = False) -> Job:
        project = place.directory / "project"
        self._configure(place, project, prefix)
        if not again:
            shutil.rmtree(place.directory / "site", ignore_errors=True)
        return place.job(program("dvc", ".venv-bench-dvc"), "push", "--quiet", at=project)

    def fetch(self, place: Place, prefix: str) -> tuple[Job, Path]:
        clone = place.emptied("clone")
        (clone / ".dvc").mkdir()
        shutil.copy(place.directory / "project/data.dvc", clone)
        self._configure(place, clone, prefix)
        shutil.rmtree(place.directory / "site", ignore_errors=True)
        job = place.job(program("dvc", ".venv-bench-dvc"), "fetch", "--quiet", at=clone)
        return job, clone / ".dvc/cache/files"


class _Copier:
    """A tool that copies directories and verifies nothing by content."""

    copies = True

    def prepare(self, place: Place) -> None:
        place.directory.mkdir(parents=True)


class S5cmd(_Copier):
    """s5cmd."""

    name = "s5cmd"

    def version(self) -> str:
        return f"s5cmd {_first_line(program('s5cmd', '.venv-bench'), 'version')}"

    def _job(self, place: Place, *words: str) -> Job:
        found = program("s5cmd", ".venv-bench")
        return place.job(found, "--log", "error", "--endpoint-url", place.server.url, *words)

    def push(self, place: Place, prefix: str, *, again: bool = False) -> Job:
        verb = "sync" if again else "cp"
        return self._job(place, verb, f"{place.files}/", f"s3://{BUCKET}/{prefix}/")

    def fetch(self, place: Place, prefix: str) -> tuple[Job, Path]:
        target = place.emptied("target")
        return self._job(place, "cp", f"s3://{BUCKET}/{prefix}/*", f"{target}/"), target


class Rclone(_Copier):
    """rclone."""

    name = "rclone"

    def version(self) -> str:
        return _first_line(program("rclone", ".venv"), "version")

    def _job(self, place: Place, source: str, target: str) -> Job:
        remote = {
            "RCLONE_CONFIG": "",
            "RCLONE_CONFIG_R_TYPE": "s3",
            "RCLONE_CONFIG_R_PROVIDER": "Other",
            "RCLONE_CONFIG_R_ENV_AUTH": "true",
            "RCLONE_CONFIG_R_ENDPOINT": place.server.url,
            "RCLONE_CONFIG_R_REGION": "us-east-1",
        }
        if place.server.ca_bundle is not None:
            remote["RCLONE_CA_CERT"] = str(place.server.ca_bundle)
        words = ("copy", "--quiet", "--transfers", "20", "--checkers", "20", source, target)
        return place.job(program("rclone", ".venv"), *words, at=None, **remote)

    def push(self, place: Place, prefix: str, *, again: bool = False) -> Job:
        del again
        return self._job(place, str(place.files), f"r:{BUCKET}/{prefix}")

    def fetch(self, place: Place, prefix: str) -> tuple[Job, Path]:
        target = place.emptied("target")
        return self._job(place, f"r:{BUCKET}/{prefix}", str(target)), target


class Aws(_Copier):
    """The AWS command line."""

    name = "aws s3"

    def version(self) -> str:
        return _first_line(program("aws", ".venv-bench"), "--version").partition(" Python")[0]

    def push(self, place: Place, prefix: str, *, again: bool = False) -> Job:
        words = ("sync",) if again else ("cp", "--recursive")
        target = f"s3://{BUCKET}/{prefix}"
        found = program("aws", ".venv-bench")
        # over TLS it sends checksums behind the bytes, which rclone's gateway does not take
        when = "when_required" if place.server.url.startswith("https:") else "when_supported"
        words = ("s3", *words, "--only-show-errors")
        return place.job(found, *words, place.files, target, AWS_REQUEST_CHECKSUM_CALCULATION=when)

    def fetch(self, place: Place, prefix: str) -> tuple[Job, Path]:
        target = place.emptied("target")
        source = f"s3://{BUCKET}/{prefix}"
        found = program("aws", ".venv-bench")
        job = place.job(found, "s3", "cp", "--recursive", "--only-show-errors", source, target)
        return job, target


class Script(_Copier):
    """What a user would write with boto3 in ten minutes."""

    name = "boto3 script"

    def version(self) -> str:
        words = (program("python", ".venv-bench"), "-c", "import boto3; print(boto3.__version__)")
        return f"boto3 {_first_line(*words)}"

    def _job(self, place: Place, *words: str) -> Job:
        script = Path(__file__).with_name("boto3_script.py")
        return place.job(program("python", ".venv-bench"), script, *words)

    def push(self, place: Place, prefix: str, *, again: bool = False) -> Job:
        return self._job(place, "sync" if again else "push", str(place.files), BUCKET, prefix)

    def fetch(self, place: Place, prefix: str) -> tuple[Job, Path]:
        target = place.emptied("target")
        return self._job(place, "fetch", str(target), BUCKET, prefix), target


PEERS: Mapping[str, Peer] = {
    peer.name: peer for peer in (Ours(), RealPivot(), S5cmd(), Rclone(), Dvc(), Aws(), Script())
}
