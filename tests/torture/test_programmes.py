"""Every programme with its small figures; `make torture` runs them in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.servers import S3Server
from tests.torture.broken import BUILDS, Broken, broken_text
from tests.torture.programme import CannotRunError, Programme, Run
from tests.torture.programmes import PROGRAMMES

TRIED_HERE = [programme for programme in PROGRAMMES if not programme.small]


@pytest.mark.parametrize("programme", TRIED_HERE, ids=lambda programme: programme.name)
def test_no_promise_is_broken(programme: Programme, tmp_path: Path, server: S3Server) -> None:
    run = Run(tmp_path, server)
    try:
        programme.trials(run)
    except CannotRunError as error:
        pytest.skip(f"{programme.name}: {error}")

    assert run.violations == []
    assert run.points > 0


def test_the_others_are_tried_by_plain_tests() -> None:
    others = [programme.small for programme in PROGRAMMES if programme.small]

    assert others
    assert all((ROOT / small).exists() for small in others)


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_what_is_to_be_broken_is_there(build: Broken) -> None:
    text = (ROOT / "pivot" / build.file).read_text()

    assert broken_text(build, text) != text
