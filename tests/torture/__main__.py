"""Run programmes in full and write what came of them to RESULTS.md.

Usage: python -m tests.torture [--small] [--seed N] [--keep] [R1 R2 ...]
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pivot
from tests.servers import S3Server, seaweedfs
from tests.torture.programme import CannotRunError, Programme, Run
from tests.torture.programmes import PROGRAMMES

_SHOWN = 20
RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = """# What the trials found

Written by `make torture`: each row is a real run of one programme in full, against a real
S3 server, file system and processes. A *point* is one trial, a *violation* one broken promise.
SECURITY.md says what is promised.

| Programme | | Points | Violations | Seconds | Date | Measured |
|---|---|---:|---:|---:|---|---|
"""
_ROW = re.compile(r"^\| (R\d+[a-z]?) \|.*\|$", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    """What came of one programme."""

    programme: Programme
    points: str
    violations: str
    seconds: float
    measured: str

    def __str__(self) -> str:
        """Say it as a row of the table."""
        cells = (
            self.programme.name,
            self.programme.title,
            self.points,
            self.violations,
            f"{self.seconds:.0f}",
            time.strftime("%Y-%m-%d"),
            self.measured,
        )
        return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def main(words: Sequence[str] | None = None) -> int:
    """Run what is asked for; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture")
    parser.add_argument("names", nargs="*", help="R1 R2 …; all without")
    parser.add_argument("--small", action="store_true", help="small figures, nothing written")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the files of the trials")
    options = parser.parse_args(words)
    chosen = [p for p in PROGRAMMES if not options.names or p.name in options.names]
    if unknown := set(options.names) - {p.name for p in chosen}:
        parser.error(f"there is no programme {', '.join(sorted(unknown))}")
    directory = Path(tempfile.mkdtemp(prefix="torture-"))
    try:
        with seaweedfs(directory / "server") as server:
            broken = [_run(p, directory / p.name, server, options) for p in chosen]
    finally:
        if not options.keep:
            shutil.rmtree(directory, ignore_errors=True)
    return int(any(broken))


def _run(
    programme: Programme, directory: Path, server: S3Server, options: argparse.Namespace
) -> bool:
    directory.mkdir(parents=True)
    run = Run(directory, server, full=not options.small, seed=options.seed)
    began = time.monotonic()
    print(f"{programme.name} {programme.title} …", flush=True)
    skipped = ""
    try:
        programme.trials(run)
    except CannotRunError as error:
        skipped = f"skipped: {error}"
    except Exception:  # noqa: BLE001  a trial that cannot be made is no success
        run.violations.append(traceback.format_exc())
    seconds = time.monotonic() - began
    row = Row(
        programme,
        "-" if skipped else str(run.points),
        "-" if skipped else str(len(run.violations)),
        seconds,
        skipped or "; ".join(run.notes),
    )
    print(row, *run.violations[:_SHOWN], sep="\n", flush=True)
    if run.full:
        _write(row)
    if not options.keep:
        shutil.rmtree(directory, ignore_errors=True)
    return bool(run.violations) or not (run.points or skipped)


def _write(row: Row) -> None:
    """Put *row* into the table, where others stay as they are."""
    text = RESULTS.read_text() if RESULTS.exists() else ""
    rows = {match[1]: match[0] for match in _ROW.finditer(text)} | {row.programme.name: str(row)}
    order = [p.name for p in PROGRAMMES if p.name in rows]
    version = f"\npivot-remote {pivot.__version__}, Python {sys.version.split()[0]}.\n"
    RESULTS.write_text(HEAD + "".join(f"{rows[name]}\n" for name in order) + version)


if __name__ == "__main__":
    sys.exit(main())
