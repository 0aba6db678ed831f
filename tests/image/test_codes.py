"""A container ends with the exit code of the command line, by either way to start it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.e2e.ci import Runner
from tests.e2e.classes import CLASSES, Maker
from tests.image.container import Image, give
from tests.image.test_action import run
from tests.servers import S3Server


@pytest.mark.parametrize("name", CLASSES)
def test_a_container_ends_with_the_code_of_the_command(
    name: str, plain: Image, tmp_path: Path, server: S3Server, bucket: str, pivot: Command
) -> None:
    with getattr(Maker(tmp_path, server, bucket, pivot), name)() as case:
        give(case.clone)
        said = plain.given(**case.variables)(*case.arguments, at=case.clone)
        give(case.clone, os.getuid())
        runner = Runner(case.clone, tmp_path / "runner", case.variables)
        step = run(runner, plain, "pull", on_miss="fail", **case.inputs)

    assert said.code == case.code, said
    assert step.code == case.code, step.done
    assert step.outputs["exit-code"] == str(case.code)
