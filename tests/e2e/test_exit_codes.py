"""The command line and a CI job end alike; so does the image, see tests/image/test_codes.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from pivot.errors import ExitCode
from tests.conftest import Command
from tests.e2e.ci import Runner
from tests.e2e.classes import CLASSES, Maker
from tests.servers import S3Server


@pytest.mark.parametrize("name", CLASSES)
def test_a_job_ends_with_the_code_of_the_command(
    name: str, tmp_path: Path, server: S3Server, bucket: str, pivot: Command
) -> None:
    with getattr(Maker(tmp_path, server, bucket, pivot), name)() as case:
        command = Command(pivot.home, case.variables)
        said = command(*case.arguments, cwd=case.clone)
        runner = Runner(case.clone, tmp_path / "runner", case.variables)
        step = runner("pull", on_miss="fail", **case.inputs)

    assert said.code == case.code, said
    assert step.code == case.code, step.done
    assert step.outputs["exit-code"] == str(case.code)


def test_every_class_is_there() -> None:
    """130 is a signal's, see test_interrupts.py and test_ci_job.py."""
    assert len(CLASSES) == len(ExitCode) - 1
