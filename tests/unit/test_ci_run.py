"""The end of a job that has met a fault of our own: later steps read its outputs all the same."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pivot.ci import run as job
from pivot.ci.host import open_host
from pivot.ci.table import OUTPUTS
from tests.e2e.ci import read_outputs


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
    (tmp_path / ".pivot").mkdir()
    (tmp_path / ".pivot/config.yaml").write_text("remotes:\n  origin: s3://bucket/p\n")
    environment = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "GITHUB_WORKSPACE": str(tmp_path),
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "RUNNER_DEBUG": debug,
        "PIVOT_INPUT_COMMAND": "pull",
        "HOME": str(tmp_path),
    }
    log = io.StringIO()

    code = job.run(open_host(environment, log), environment, log)

    assert code == 1
    outputs = read_outputs((tmp_path / "output").read_text())
    assert outputs.keys() == {output.name for output in OUTPUTS}
    assert (outputs["status"], outputs["exit-code"]) == ("failed", "1")
    assert "ZeroDivisionError: division by zero" in log.getvalue()
    assert ("Traceback" in capsys.readouterr().err) == bool(debug)
    assert (tmp_path / "summary").read_text().startswith("### ❌ pivot pull: failed")
