"""Sizes, times and shares as people write them: `20GB`, `30m`, `1%`."""

from __future__ import annotations

import re

_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) *([kmgt]?)(i?)b?", re.ASCII | re.IGNORECASE)
_TIME = re.compile(r"([0-9]{1,9}) *([smhd]?)", re.ASCII | re.IGNORECASE)
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?) *%", re.ASCII)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_size(text: str) -> int:
    """Read a number of bytes: `500MB`, `1.5G`, `2GiB`; raises `ValueError`."""
    found = _SIZE.fullmatch(text.strip())
    if found is None or (found[3] and not found[2]):
        raise ValueError("must be a size such as 500MB or 20GB")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2].lower()])


def parse_duration(text: str) -> int:
    """Read a number of seconds: `90s`, `30m`, `2h`, `1d`, or `90`; raises `ValueError`."""
    seconds = _seconds(text)
    if not seconds:
        raise ValueError("must be a time such as 90s, 30m or 2h")
    return seconds


def parse_age(text: str) -> int:
    """Read a number of seconds, which may be none: `14d`, `12h`, `0`; raises `ValueError`."""
    seconds = _seconds(text)
    if seconds is None:
        raise ValueError("must be a time such as 12h, 14d or 0")
    return seconds


def _seconds(text: str) -> int | None:
    found = _TIME.fullmatch(text.strip())
    return int(found[1]) * _SECONDS[found[2].lower()] if found else None


def parse_percent(text: str) -> float:
    """Read a share of more than nothing: `1%`, `0.5%`; raises `ValueError`."""
    found = _PERCENT.fullmatch(text.strip())
    percent = float(found[1]) if found else 0.0
    if not 0 < percent <= 100:  # noqa: PLR2004
        raise ValueError("must be a share such as 1% or 0.5%")
    return percent
