"""Values: classes of named fields that are compared by them, and never change."""

from __future__ import annotations

import dataclasses
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def frozen(cls: type[T]) -> type[T]:
    """Make *cls* a dataclass with slots that the type checker takes for frozen.

    To be frozen at run time as well would cost three times as much for each value, of which a
    project has 100,000, and half as much again for each class, of which a command has 60.
    """
    return dataclasses.dataclass(slots=True, unsafe_hash=True)(cls)
