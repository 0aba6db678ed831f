"""A project for `repro`, and clones of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.e2e.built import make_built
from tests.e2e.cleaning import Start, forking
from tests.e2e.places import Clone, clone_of
from tests.e2e.ugly import Place, make_place
from tests.projects import ProjectBuilder
from tests.servers import S3Server
from tests.torture.namespace import check_mounting
from tests.torture.programme import CannotRunError


@pytest.fixture(name="place")
def _place(tmp_path: Path, bare_pivot: Command) -> Place:
    return make_place(tmp_path / "project", bare_pivot)


@pytest.fixture(name="clone")
def _clone(place: Place) -> Clone:
    return lambda name: clone_of(place, name)


@pytest.fixture(name="built")
def _built(tmp_path: Path) -> ProjectBuilder:
    return make_built(tmp_path)


@pytest.fixture(name="start", scope="module")
def _start(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    with forking(server, tmp_path_factory) as start:
        yield start


@pytest.fixture(name="can_mount")
def _can_mount() -> None:
    try:
        check_mounting()
    except CannotRunError as error:
        pytest.skip(str(error))
