"""Sizes, times and shares as people write them."""

from __future__ import annotations

import pytest

from pivot.quantities import parse_duration, parse_percent, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1", 1),
        ("500MB", 500_000_000),
        ("20GB", 20_000_000_000),
        ("1.5G", 1_500_000_000),
        ("2 kB", 2_000),
        ("2KiB", 2048),
        ("1gib", 1 << 30),
        ("3tb", 3 * 10**12),
        (" 7B ", 7),
    ],
)
def test_a_size_has_decimal_units_and_binary_ones_with_an_i(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "GB", "-1", "1e9", "20 GBs", "1i", "1iB", "٣", "1,5G", "inf", "9" * 20, "1PB"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 500MB or 20GB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400), ("5 M", 300)],
)
def test_a_time_has_a_unit_or_is_in_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "m", "1.5h", "-3", "1h30m", "1w", "9" * 20])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 90s, 30m or 2h"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "percent"), [("1%", 1.0), ("0.5%", 0.5), (" 100 %", 100.0), ("001%", 1.0)]
)
def test_a_share_is_in_percent(text: str, percent: float) -> None:
    assert parse_percent(text) == percent


@pytest.mark.parametrize("text", ["", "1", "0%", "0.0%", "101%", "-1%", "%", "1e1%", "nan%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as 1% or 0\.5%"):
        parse_percent(text)
