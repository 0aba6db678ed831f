"""All programmes, in the order of their names."""

from __future__ import annotations

from tests.torture.broken import BROKEN_BUILDS
from tests.torture.bucket import HOSTILE_BUCKET
from tests.torture.canaries import CANARIES
from tests.torture.codes import CODES
from tests.torture.containment import RACES
from tests.torture.disk import SMALL_DISKS
from tests.torture.documents import DOCUMENTS
from tests.torture.endpoint import DEAD_ENDPOINTS
from tests.torture.histories import HISTORIES
from tests.torture.interop import INTEROP
from tests.torture.kills import RANDOM_KILLS
from tests.torture.log_volume import LOG_VOLUME
from tests.torture.memory import MEMORY
from tests.torture.model import MODEL
from tests.torture.mutants import MUTANTS
from tests.torture.order import ORDER
from tests.torture.programme import Programme
from tests.torture.syscalls import CALL_ERRORS, KILLS
from tests.torture.together import TOGETHER
from tests.torture.weather import MIXED_FAULTS, SINGLE_FAULTS

PROGRAMMES: tuple[Programme, ...] = (
    RANDOM_KILLS,
    KILLS,
    CALL_ERRORS,
    ORDER,
    MIXED_FAULTS,
    SINGLE_FAULTS,
    DEAD_ENDPOINTS,
    HOSTILE_BUCKET,
    DOCUMENTS,
    RACES,
    TOGETHER,
    SMALL_DISKS,
    MODEL,
    INTEROP,
    MEMORY,
    HISTORIES,
    LOG_VOLUME,
    CODES,
    CANARIES,
    BROKEN_BUILDS,
    MUTANTS,
)
