"""Every other programme with its small figures; `make torture` runs them in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.servers import S3Server
from tests.torture.broken import BUILDS, Broken, broken_text
from tests.torture.programme import Programme
from tests.torture.programmes import PROGRAMMES
from tests.torture.small import CODE, NETWORK, TRIED_HERE, named, others, try_small


@pytest.mark.parametrize("programme", others(), ids=lambda programme: programme.name)
def test_no_promise_is_broken(programme: Programme, tmp_path: Path, server: S3Server) -> None:
    try_small(programme, tmp_path, server)


def test_no_programme_is_left_out() -> None:
    assert {*named(*NETWORK), *named(*CODE), *others()} == set(TRIED_HERE)
    assert len(named(*NETWORK, *CODE)) == len(NETWORK) + len(CODE)


def test_the_others_are_tried_by_plain_tests() -> None:
    plain = [programme.small for programme in PROGRAMMES if programme.small]

    assert plain
    assert all((ROOT / small).exists() for small in plain)


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_what_is_to_be_broken_is_there(build: Broken) -> None:
    text = (ROOT / "pivot" / build.file).read_text()

    assert broken_text(build, text) != text
