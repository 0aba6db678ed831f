"""Print what the real Pivot in whose environment this runs reads from the locks of a project.

`python read_lock.py` in the root of a project prints a JSON object: for each stage what its lock
says of outputs and dependencies, by path or other name; null if the release takes the lock for
missing, and the text of the exception if it fails.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pivot.storage.lock import StageLock

ROOT = Path.cwd()
STAGES = ROOT / ".pivot" / "stages"


def main() -> None:
    names = [
        path.relative_to(STAGES).as_posix().removesuffix(".lock")
        for path in sorted(STAGES.rglob("*.lock"))
    ]
    json.dump({name: read(name) for name in names}, sys.stdout)


def read(stage: str) -> object:
    try:
        lock = StageLock(stage, STAGES).read()
    except Exception as error:  # noqa: BLE001 - whatever the release does with a lock is the answer
        return repr(error)
    if lock is None:
        return None
    paths = lock.get("output_paths")
    return {
        "outs": {
            path_of(key) if paths is None else paths[key]: value
            for key, value in lock["output_hashes"].items()
        },
        "deps": {
            path_of(key) if isinstance(key, str) else key.producer: value
            for key, value in lock["dep_hashes"].items()
        },
        "keys": [] if paths is None else [key.key for key in lock["output_hashes"]],
        "params": lock["params"],
    }


def path_of(key: str) -> str:
    """Undo what 0.1.0 does, which knows outputs by their absolute paths."""
    return key.removeprefix(f"{ROOT}/")


if __name__ == "__main__":
    main()
