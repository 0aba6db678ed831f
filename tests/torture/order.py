"""Durability: an object's data is on the disk before its name is, and then its directory is too."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.projects import ProjectBuilder, dump
from tests.torture.programme import Programme, Run
from tests.torture.scene import make_cases
from tests.torture.tracing import MUTATING, check_tracing, traced

_LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)")
_FIRST = re.compile(r"\d+<([^>]*)>")
_THIRD = re.compile(r"\d+<[^>]*>, [^,]+, \d+<([^>]*)>")
_NAMES = re.compile(r'"([^"]*)", (?:AT_FDCWD(?:<[^>]*>)?, )?"([^"]*)"')


@dataclass
class Journal:
    """What a trace says of files: when each was written, synced and named, by line."""

    written: dict[str, int] = field(default_factory=dict)
    synced: dict[str, int] = field(default_factory=dict)
    all_synced: list[int] = field(default_factory=lambda: [-1])
    named: dict[str, tuple[str, int]] = field(default_factory=dict)
    _open: dict[str, str] = field(default_factory=dict)

    def read(self, number: int, line: str) -> None:
        """Take in one line of the trace; a call counts when it has returned."""
        found = _LINE.match(line)
        if found is None:
            return
        thread, resumed, name, rest = found.groups()
        if resumed:
            name, rest = resumed, self._open.pop(thread, "") + rest
        elif rest.endswith("<unfinished ...>"):
            self._open[thread] = rest.removesuffix("<unfinished ...>")
            if name in {"write", "pwrite64", "copy_file_range"}:
                self._note(number, name, rest)
            return
        self._note(number, name, rest)

    def _note(self, number: int, name: str, rest: str) -> None:
        first = _FIRST.match(rest)
        if name == "syncfs":
            self.all_synced.append(number)
        elif name in {"fsync", "fdatasync"} and first:
            self.synced[first[1]] = number
        elif name in {"write", "pwrite64"} and first:
            self.written[first[1]] = number
        elif name == "copy_file_range" and (third := _THIRD.match(rest)):
            self.written[third[1]] = number
        elif name in {"link", "linkat", "rename", "renameat", "renameat2"}:
            names = _NAMES.search(rest)
            if names and "/files/" in names[2] and rest.rstrip().endswith("= 0"):
                self.named[names[2]] = names[1], number

    def broken(self) -> list[list[str]]:
        """Say what was not in order, for each object."""
        return [self._broken(target, *source) for target, source in self.named.items()]

    def _broken(self, target: str, source: str, named: int) -> list[str]:
        wrong = []
        syncs = (self.synced.get(source, -1), *self.all_synced)
        if not any(self.written.get(source, -1) < sync < named for sync in syncs):
            wrong.append(f"{target} was named before its data was synced")
        if named > max(self.synced.get(str(Path(target).parent), -1), *self.all_synced):
            wrong.append(f"the directory of {target} was not synced after it was named")
        return wrong


def run_order(run: Run) -> None:
    """Trace fetches, a push into a folder, and a stage, and look at every object."""
    check_tracing()
    pivot = run.pivot()
    count = run.figure(300, 5000)
    root = run.place("many")
    builder = ProjectBuilder(root / "project")
    builder.stage("many", {"data/many": {f"{n}": b"%d" % n for n in range(count)}})
    builder.stage("big", {"data/big": bytes(9 << 20)})
    (root / "remote").mkdir()
    builder.config(f"folders:\n  origin: {(root / 'remote').as_uri()}\n")
    cases = [(("push",), root / "project")]
    cases += [
        (case.words, case.copy(run.place()))
        for case in make_cases(run.directory, pivot)
        if case.words[0] in {"fetch", "push"}
    ]
    made = run.place("stage")
    (made / ".pivot").mkdir(parents=True)
    stage = {"cmd": "mkdir d; seq 50 | split -l 1 - d/; seq 100000 > big", "outs": ["d", "big"]}
    (made / "pivot.yaml").write_text(dump({"stages": {"make": stage}}))
    cases.append((("repro",), made))
    for words, project in cases:
        log = run.place("trace")
        options = ("-y", "-s", "0", "-e", f"trace={','.join(MUTATING)}", "-o", str(log))
        done = traced(pivot, *words, cwd=project, options=options)
        assert done.code == 0, done
        journal = Journal()
        for number, line in enumerate(log.read_text(errors="replace").splitlines()):
            journal.read(number, line)
        for violations in journal.broken():
            run.point(*violations)
    run.note(f"{run.points} objects")


ORDER = Programme("R4", "data is synced before its name, and the name after it", run_order)
