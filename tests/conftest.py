"""What tests have at hand: an S3 server, a fresh bucket, the command, a clean environment."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import memory
from tests.servers import S3Server, seaweedfs

ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let many short runs share one server."""
    parser.addoption("--s3", metavar="URL", help="a SeaweedFS of tests/servers that runs already")


def pytest_configure() -> None:
    """Hear Ctrl-C also where we were started deaf to it, as a background job of a shell is.

    A test that would take all memory is ended before the machine stands still.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    memory.watch()


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left: its exit code and what it said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Command:
    """Runs `python -m pivot` in its own process, as a user would."""

    home: Path
    variables: Mapping[str, str]

    def __call__(
        self, *arguments: str | Path, cwd: Path, timeout: float = 120, **variables: str
    ) -> Done:
        """Run one command in *cwd*; *variables* are added to the environment."""
        with self.start(*arguments, cwd=cwd, **variables) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            except BaseException:
                process.kill()  # or leaving the block would wait for it
                raise
        return Done(process.returncode, out, err)

    def start(self, *arguments: str | Path, cwd: Path, **variables: str) -> subprocess.Popen[str]:
        """Start one command and leave it running."""
        return subprocess.Popen(
            [sys.executable, "-m", "pivot", *map(str, arguments)],
            cwd=cwd,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment that commands get."""
        return clean_environment(self.home) | {"PYTHONPATH": str(ROOT)} | dict(self.variables)


def clean_environment(home: Path) -> dict[str, str]:
    """Keep of our own environment only what a process needs to run at all."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "LANG", "LC_ALL", "TMPDIR")
        if name in os.environ
    }
    git = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    people = {
        f"GIT_{who}_{what}": text
        for who in ("AUTHOR", "COMMITTER")
        for what, text in (("NAME", "Ana"), ("EMAIL", "ana@example.org"))
    }
    return kept | git | people | {"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "GITHUB_", "PIVOT_")) and name != "PIVOT_MOTO_SERVER":
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    for name, value in clean_environment(home).items():
        if name.startswith(("GIT_", "HOME", "AWS_")):
            monkeypatch.setenv(name, value)


@pytest.fixture(name="server", scope="session")
def _server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[S3Server]:
    if url := request.config.getoption("--s3"):
        yield S3Server("seaweedfs", url, "testkey", "testsecret")
        return
    with seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(name="new_bucket", scope="session")
def _new_bucket(server: S3Server) -> Callable[[], str]:
    """Make buckets that nobody has used."""

    def make() -> str:
        name = f"bucket-{secrets.token_hex(6)}"
        server.make_bucket(name)
        return name

    return make


@pytest.fixture(name="bucket")
def _bucket(new_bucket: Callable[[], str]) -> str:
    return new_bucket()


@pytest.fixture(name="pivot")
def _pivot(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Run the command with credentials for the server, and a home of its own."""
    return Command(tmp_path_factory.mktemp("home"), server.environment())


@pytest.fixture(name="bare_pivot")
def _bare_pivot(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Run the command with no credentials and no endpoint at all."""
    return Command(tmp_path_factory.mktemp("home"), {})
