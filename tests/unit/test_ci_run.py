"""How a job ends that met a fault of our own, or more than one problem."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pivot.ci import run as job
from pivot.ci.host import open_host
from pivot.ci.table import OUTPUTS
from pivot.ci.use_cases import Answer
from pivot.errors import ExitCode, NoCredentials
from pivot.results import Problem
from tests.e2e.ci import read_outputs


def run(place: Path, **variables: str) -> tuple[int, dict[str, str], str]:
    """Run a pull in a project; an event that nobody knows is not trusted."""
    (place / ".pivot").mkdir()
    (place / ".pivot/config.yaml").write_text("remotes:\n  origin: s3://bucket/p\n")
    environment = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(place / "output"),
        "GITHUB_STEP_SUMMARY": str(place / "summary"),
        "GITHUB_WORKSPACE": str(place),
        "RUNNER_TEMP": str(place / "temp"),
        "PIVOT_INPUT_COMMAND": "pull",
        "HOME": str(place),
        **variables,
    }
    log = io.StringIO()
    code = job.run(open_host(environment, log), environment, log)
    return code, read_outputs((place / "output").read_text()), log.getvalue()


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_fault_is_told_in_a_sentence(
    debug: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(job, "perform", fail)
    code, outputs, log = run(tmp_path, RUNNER_DEBUG=debug)

    assert code == 1
    assert outputs.keys() == {output.name for output in OUTPUTS}
    assert (outputs["status"], outputs["exit-code"]) == ("failed", "1")
    assert "ZeroDivisionError in test_ci_run.py, line" in log
    assert ("Traceback" in capsys.readouterr().err) == bool(debug)
    assert (tmp_path / "summary").read_text().startswith("### ❌ pivot pull: failed")


@pytest.mark.parametrize("worse", [ExitCode.INTEGRITY, ExitCode.INVALID])
def test_damage_is_told_also_where_a_job_without_credentials_is_skipped(
    worse: ExitCode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = Problem.ending(NoCredentials("origin: no AWS credentials found"))
    wrong = Problem(worse, "9 bytes instead of 5", path="data/a.bin")
    monkeypatch.setattr(job, "perform", lambda *_: Answer(problems=(none, wrong)))

    code, outputs, log = run(tmp_path)

    assert code == worse
    assert outputs["status"] == "failed"
    assert "9 bytes instead of 5" in log


def test_what_is_missing_beside_no_credentials_is_no_reason_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = Problem.ending(NoCredentials("origin: no AWS credentials found"))
    gone = Problem(ExitCode.MISSING, "gone", path="data/a.bin")
    monkeypatch.setattr(job, "perform", lambda *_: Answer(problems=(none, gone)))

    code, outputs, _ = run(tmp_path)

    assert (code, outputs["status"]) == (0, "skipped-no-credentials")
