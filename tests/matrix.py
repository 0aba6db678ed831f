"""Try the contract of remotes on every S3 server there is, and write docs/s3-servers.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.contract.remotes import CHOICE
from tests.servers.process import program

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs" / "s3-servers.md"
TESTS = [f"tests/contract/{name}.py" for name in ("test_remote", "test_remote_refusals")]
MOTO = "PIVOT_MOTO_SERVER"

INTRODUCTION = """\
# S3 servers

What a remote promises is tested on real servers, the same tests on all (`tests/contract/`).
`make s3-matrix` runs them on every server that can be had and writes this file. Each run of the
test suite tries the folder, SeaweedFS, rclone (over TLS, with an authority of its own) and
JuiceFS; the others are tried here only. AWS itself is not among them: that takes an account.
"""

PROMISES = """
## Promises

`yes`: all tests of the promise pass. `in part`: those that can be tried pass; the server lacks what
the others need, see below. `n/a`: it lacks what all of them need; a folder has no keys.

"""

REMARKS = """
## What that means

- *conditional put* keeps the second of two machines that push the same object from writing it
  again. Without it the object is replaced by the same bytes, verified: that costs time, not data.
  Large objects go up in parts, which know no condition: before that Pivot asks once more.
- *checks who asks*: a server that takes any keys is for tests, no place for data.

What was sent of an upload in parts that did not end stays on a server, unseen. Pivot ends what it
began, also when it fails; after a power failure only the server can clean up. On AWS, give the
bucket a lifecycle rule with `AbortIncompleteMultipartUpload`.

A server of your own is named by `AWS_ENDPOINT_URL` or `remote_options.<name>.endpoint`, and its
certificate authority, if nobody knows it, by `AWS_CA_BUNDLE`. `pivot doctor` says what it lacks.
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A server in the table: its *title*, and the command that tells its version."""

    name: str
    title: str
    version: tuple[str, ...]


KINDS = (
    Kind("folder", "folder", ()),
    Kind("seaweedfs", "SeaweedFS", ("weed", "version")),
    Kind("rclone", "rclone", ("rclone", "version")),
    Kind("rclone-tls", "rclone, TLS", ("rclone", "version")),
    Kind("juicefs", "JuiceFS", ("juicefs", "--version")),
    Kind("moto", "moto", ()),
    Kind("ceph", "Ceph RGW", ("radosgw", "--version")),
    Kind("swift", "Swift", ("dpkg-query", "--show", "--showformat=${Version}", "swift-proxy")),
)


@dataclass(slots=True)
class Cell:
    """What became of the tests of one promise on one server."""

    passed: int = 0
    failed: int = 0
    skipped: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        if self.failed:
            return f"**{self.failed} of {self.failed + self.passed} fail**"
        if self.skipped:
            return "in part" if self.passed else "n/a"
        return "yes" if self.passed else "n/a"


class Outcomes:
    """A plugin of pytest that collects what became of each promise on each kind of remote."""

    def __init__(self) -> None:
        self.cells: dict[str, dict[str, Cell]] = defaultdict(lambda: defaultdict(Cell))
        self.not_here: dict[str, str] = {}
        self.broken = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test once: when it was called, or could not be."""
        promise, kind = _parse(report.nodeid)
        reason = _reason(report)
        cause = re.search(r"\b(?:NotHere|NotReady): (.*)", reason) if report.failed else None
        self.broken += report.failed and cause is None
        if kind is None or (report.passed and report.when != "call"):
            return
        if cause:
            self.not_here.setdefault(
                kind, re.sub(r", see /.*", "", cause[1].replace(f"{ROOT}/", ""))
            )
            return
        cell = self.cells[promise][kind]
        if report.skipped:
            cell.skipped.add(reason)
        elif report.failed:
            cell.failed += 1
        else:
            cell.passed += 1


def main() -> int:
    """Run the tests and write the table; fail if a promise is broken anywhere."""
    if not os.environ.get(MOTO):
        os.environ[MOTO] = _install_moto()
    os.environ[CHOICE] = " ".join(kind.name for kind in KINDS)
    outcomes = Outcomes()
    code = pytest.main(["-q", "--timeout=300", *TESTS], plugins=[outcomes])
    TABLE.write_text(render(outcomes), encoding="utf-8")
    print(f"wrote {TABLE.relative_to(ROOT)}")
    return int(code) if code > pytest.ExitCode.TESTS_FAILED else int(outcomes.broken > 0)


def render(outcomes: Outcomes) -> str:
    """Write the table as Markdown."""
    here = [kind for kind in KINDS if kind.name not in outcomes.not_here]
    rows = [
        ["", *(kind.title for kind in here)],
        ["---", *(":---:" for _ in here)],
        ["version", *(_version(kind) for kind in here)],
    ]
    for promise, cells in outcomes.cells.items():
        words = promise.removeprefix("test_").replace("_", " ")
        rows.append([words, *(str(cells[kind.name]) for kind in here)])
    absent = [
        f"- {kind.title}: {outcomes.not_here[kind.name]}\n"
        for kind in KINDS
        if kind.name in outcomes.not_here
    ]
    return "".join(
        (
            INTRODUCTION,
            PROMISES,
            *(f"| {' | '.join(row)} |\n" for row in rows),
            "\n## What servers lack\n\n",
            *(f"- {line}\n" for line in sorted(_lacks(outcomes))),
            *(("\n## Not tried, and why\n\n", *absent) if absent else ()),
            REMARKS,
        )
    )


def _parse(node: str) -> tuple[str, str | None]:
    """Read a promise and a kind from the name of a test; those of one server have no kind."""
    name, _, parameters = node.rpartition("::")[2].partition("[")
    words = parameters.rstrip("]")
    found = [k.name for k in KINDS if re.match(rf"{k.name}(?!\w)(?!-tls)", words)]
    return name, found[0] if found else None


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(report.longrepr or "")


def _lacks(outcomes: Outcomes) -> set[str]:
    titles = {kind.name: kind.title for kind in KINDS}
    skips = {
        tuple(reason.split(" lacks: "))
        for cells in outcomes.cells.values()
        for cell in cells.values()
        for reason in cell.skipped
    }
    return {f"{titles.get(who, who)} lacks: {''.join(what)}" for who, *what in skips}


def _version(kind: Kind) -> str:
    """Ask a program for its version: the first number with dots in what it says."""
    if kind.name == "moto":
        python = Path(os.environ[MOTO]).with_name("python")
        code = "import importlib.metadata as m; print(m.version('moto'))"
        command = [str(python), "-c", code]
    elif kind.version:
        command = [program(kind.version[0]), *kind.version[1:]]
    else:
        return ""
    said = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    found = re.search(r"\d+(?:\.\d+)+", said.stdout + said.stderr)
    return found[0] if found else "?"


def _install_moto() -> str:
    """Install moto in an environment of its own: what it needs is not what we need."""
    home = ROOT / ".venv-moto"
    server = home / "bin" / "moto_server"
    if not server.exists():
        venv.create(home, with_pip=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        locked = ["--require-hashes", "-r", str(ROOT / "requirements" / "moto.txt")]
        subprocess.run([*pip, *locked], check=False)  # without it, moto is a server not to be had
    return str(server)


if __name__ == "__main__":
    sys.exit(main())
