"""What identifies a stage's command, variables and parameters in its lock file; pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pivot.objects import digest_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pivot.stage import Stage
    from pivot.values import Typed

ENV = "env:"


def fingerprint(stage: Stage, parameters: Mapping[str, Typed]) -> dict[str, str]:
    """Hash what *stage* runs and with what: `cmd`, `env:NAME` of each variable, `params` if any.

    Each is the digest of its JSON text, as short as JSON can be and with sorted keys.
    """
    made = {"cmd": _digest([stage.directory, *stage.commands])}
    made |= {f"{ENV}{name}": _digest(text) for name, text in sorted(stage.environment.items())}
    if parameters:
        made["params"] = _digest(dict(parameters))
    return made


def _digest(value: Typed) -> str:
    return digest_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())
