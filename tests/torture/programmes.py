"""All programmes, in the order of their names."""

from __future__ import annotations

from tests.torture.log_volume import LOG_VOLUME
from tests.torture.programme import Programme
from tests.torture.syscalls import CALL_ERRORS, KILLS

PROGRAMMES: tuple[Programme, ...] = (KILLS, CALL_ERRORS, LOG_VOLUME)
