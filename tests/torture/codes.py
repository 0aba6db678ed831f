"""Every class of errors has one exit code, wherever the tool runs: the tests of that, together."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.conftest import ROOT
from tests.torture.programme import CannotRunError, Programme, Run

_FACES = {
    "command line and job": "tests/e2e/test_exit_codes.py",
    "interrupts": "tests/e2e/test_interrupts.py",
    "container and action": "tests/image/test_codes.py",
    "signals in a container": "tests/image/test_signals.py",
}
_SMALL = "test_exit_codes.py and integrity"
_ENGINE = ROOT / "tests/image/with-engine.sh"


def run_codes(run: Run) -> None:
    """Provoke each class on the command line, in a job, in a container and through the action."""
    small = [*_FACES.values()][:1]
    report = run.place("report")
    pytest = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        f"--junitxml={report}",
        "-p",
        "no:cacheprovider",
    ]
    if run.full:
        words = [str(_ENGINE), *pytest, *_FACES.values()]
    else:
        words = [*pytest, "--s3", run.server.url, "-k", _SMALL, *small]
    done = subprocess.run(
        words,
        check=False,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    if not report.exists():
        run.point(f"the tests did not run: {done}")
        return
    _count(run, report)


def _count(run: Run, report: Path) -> None:
    """Take each test for a point; what was not run at all is not passed over in silence."""
    skipped: dict[str, str] = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        wrong = [
            f"{name}: {entry.get('message')}"
            for kind in ("failure", "error")
            for entry in case.iter(kind)
        ]
        reason = next((entry.get("message", "") for entry in case.iter("skipped")), None)
        if reason is None:
            run.point(*wrong)
        else:
            skipped[name] = reason
    if skipped and run.full:
        raise CannotRunError("; ".join(sorted(set(skipped.values()))))
    run.note(f"on {', '.join(_FACES)}" if run.full else "on the command line and in a job")


CODES = Programme(
    "R18",
    "every class of errors, one code everywhere",
    run_codes,
    small="tests/e2e/test_exit_codes.py",
)
