"""Real lock and `.pvt` files with bytes changed: read, or refused in a sentence; never a crash."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pivot.config import load_level
from pivot.errors import PivotError
from pivot.keys import Level
from pivot.lockfile import load_lock
from pivot.tracked import load_tracked
from tests.projects import VERSIONS, unpack

TOKENS = [b"[", b"{", b"&a ", b"*a", b"- ", b": ", b"? ", b"!!int ", b"|", b"\xff", b"\0", b"../"]
EDITS = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 12),
        st.one_of(st.binary(max_size=6), st.sampled_from(TOKENS)),
    ),
    min_size=1,
    max_size=4,
)
SLOW = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(name="samples", scope="module")
def _samples(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, bytes]]:
    """Every document of every fixture, by the ending of its name."""
    return [
        (path.name, path.read_bytes())
        for version in VERSIONS
        for path in sorted(unpack(version, tmp_path_factory.mktemp("fixture")).project.rglob("*"))
        if path.name.endswith((".lock", ".pvt", "config.yaml")) and path.stat().st_size
    ]


def edited(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for where, drop, insert in edits:
        at = int(where * len(data))
        data = data[:at] + insert + data[at + drop :]
    return data


@SLOW
@given(number=st.integers(0, 10_000), edits=EDITS)
def test_a_mutated_document_gives_a_value_or_a_clear_error(
    number: int,
    edits: list[tuple[float, int, bytes]],
    samples: list[tuple[str, bytes]],
    tmp_path: Path,
) -> None:
    name, data = samples[number % len(samples)]
    place = tmp_path / (".pivot/stages" if name.endswith(".lock") else ".") / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(edited(data, edits))

    try:
        if name.endswith(".lock"):
            load_lock(place, tmp_path)
        elif name.endswith(".pvt"):
            load_tracked(place, tmp_path)
        else:
            load_level(place, Level.LOCAL)
    except PivotError as error:
        assert error.code in {5, 8}
        assert error.message
