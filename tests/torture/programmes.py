"""All programmes, in the order of their names."""

from __future__ import annotations

from tests.torture.kills import RANDOM_KILLS
from tests.torture.log_volume import LOG_VOLUME
from tests.torture.order import ORDER
from tests.torture.programme import Programme
from tests.torture.syscalls import CALL_ERRORS, KILLS

PROGRAMMES: tuple[Programme, ...] = (
    RANDOM_KILLS,
    KILLS,
    CALL_ERRORS,
    ORDER,
    LOG_VOLUME,
)
