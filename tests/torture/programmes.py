"""All programmes, in the order of their names."""

from __future__ import annotations

from tests.torture.log_volume import LOG_VOLUME
from tests.torture.programme import Programme

PROGRAMMES: tuple[Programme, ...] = (LOG_VOLUME,)
