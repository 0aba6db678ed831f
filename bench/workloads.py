"""The data that is moved: files whose contents are all different, and how they are named."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Workload:
    """So many files of so many bytes."""

    name: str
    count: int
    size: int
    title: str

    def write(self, directory: Path) -> None:
        """Write the files; the same on every machine."""
        chance = random.Random(self.name)
        for number in range(self.count):
            path = directory / f"{number // 1000:02}" / f"{number:05}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                for start in range(0, self.size, _BLOCK):
                    file.write(chance.randbytes(min(_BLOCK, self.size - start)))

    @property
    def bytes(self) -> int:
        """How much it is in all."""
        return self.count * self.size


WORKLOADS = (
    Workload("A", 5_000, 4096, "5,000 files of 4 KiB"),
    Workload("B", 200, 1 << 20, "200 files of 1 MiB"),
    Workload("C", 1, 2 << 30, "one file of 2 GiB"),
    Workload("F", 50_000, 256, "50,000 files of 256 B"),
    Workload("G", 100_000, 256, "100,000 files of 256 B"),
    Workload("N", 1, 4096, "one file of 4 KiB"),
)
