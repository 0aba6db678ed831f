"""Put the files of a directory into another with the system calls alone that this takes.

Usage: bare_calls.py hardlink|symlink|copy SOURCE TARGET
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _copy(source: str, target: str) -> None:
    reading = os.open(source, os.O_RDONLY)
    writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    while os.copy_file_range(reading, writing, 1 << 30):
        pass
    os.close(reading)
    os.close(writing)


def main(how: str, source: str, target: str) -> None:
    """Do it."""
    places: dict[str, Callable[[str, str], None]] = {
        "hardlink": os.link,
        "symlink": os.symlink,
        "copy": _copy,
    }
    place = places[how]
    os.mkdir(target)
    source = os.path.abspath(source)
    for directory in os.listdir(source):
        os.mkdir(f"{target}/{directory}")
        for name in os.listdir(f"{source}/{directory}"):
            place(f"{source}/{directory}/{name}", f"{target}/{directory}/{name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
