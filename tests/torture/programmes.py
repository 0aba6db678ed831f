"""All programmes, in the order of their names."""

from __future__ import annotations

from tests.torture.containment import RACES
from tests.torture.disk import SMALL_DISKS
from tests.torture.kills import RANDOM_KILLS
from tests.torture.log_volume import LOG_VOLUME
from tests.torture.order import ORDER
from tests.torture.programme import Programme
from tests.torture.syscalls import CALL_ERRORS, KILLS
from tests.torture.together import TOGETHER

PROGRAMMES: tuple[Programme, ...] = (
    RANDOM_KILLS,
    KILLS,
    CALL_ERRORS,
    ORDER,
    RACES,
    TOGETHER,
    SMALL_DISKS,
    LOG_VOLUME,
)
