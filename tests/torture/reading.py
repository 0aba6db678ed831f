"""Read malformed documents in a process with limits: `python -m tests.torture.reading`.

It is started by the trials of `documents`, with the name of a reader, a seed, the number of the
first document and of the one after the last, and a directory with samples. It prints a line of
JSON for each document that broke a promise, and at last the most memory that it had.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from pivot.ci.inputs import read_inputs
from pivot.ci.table import INPUTS
from pivot.config import load_level
from pivot.documents import MAX_BYTES
from pivot.errors import InvalidDocument, PipelineError, PivotError
from pivot.keys import Level
from pivot.ledger import load_ledger
from pivot.lockfile import load_lock
from pivot.pipeline import load_pipeline
from pivot.tracked import load_tracked
from tests.torture.malformed import HUGE, KEYS, by_hand, make

SECONDS = 2
BYTES = 256 << 20
_ADDRESSES = 1 << 30  # the most that a process may ask for; what it has is measured
_LONGEST = 4000
_PLACE = re.compile(
    r"\bline \d+|\bbyte \d+|'[^']+'|unsafe path|unknown key|: there is no such input$"
)
_KEY = re.compile(r"^(\w[\w-]*)[\w.@\[\]-]*(?: |:)")
_MORE = re.compile(r"and \d+ more problems")
_WHOLE = re.compile(
    r"is (?:not a regular file|a symlink|larger than|nested)|has more than|the document must"
)
_EXPECTED = re.compile(
    r"must|expected|is not|are not|not allowed|unknown|undefined|missing|stands? (?:twice|in)|"
    r"is (?:made|required|there|inside|removed)|no such|larger|deeper|too |markers|mutually|cannot"
    r"|reads what|depends on|more than|has not the form|would replace|not Unicode|unsafe|only "
    r"|duplicate|invalid|incompatible|does not|both make|is no |may be set|did not find|violates"
)


class TooSlowError(BaseException):
    """A document takes longer than it may."""


Reader = Callable[[Path, Path], list[str]]


def read_pipeline(path: Path, root: Path) -> list[str]:
    """Read the file as the only one of a pipeline."""
    name = path.relative_to(root).as_posix()
    load_pipeline([name], lambda asked: path.read_bytes() if asked == name else None)
    return []


def read_environment(path: Path, root: Path) -> list[str]:
    """Read the file as the environment of a CI job; the answer is what is said of it."""
    del root
    pairs = os.fsdecode(path.read_bytes().replace(b"\0", b"")).split("\n")
    environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    inputs, problems = read_inputs(environment)
    return [*problems, *(["said nothing"] if inputs is None and not problems else [])]


def _quietly(read: Callable[[Path, Path], object]) -> Reader:
    def run(path: Path, root: Path) -> list[str]:
        read(path, root)
        return []

    return run


READERS: dict[str, tuple[str, Reader]] = {
    "lock": (".pivot/stages/x.lock", _quietly(lambda p, r: load_lock(p, r, dependencies=True))),
    "pvt": ("data/x.pvt", _quietly(load_tracked)),
    "config": (".pivot/config.yaml", _quietly(lambda p, _: load_level(p, Level.LOCAL))),
    "pipeline": ("pivot.yaml", read_pipeline),
    "ledger": (
        ".pivot/digests/x.sha256",
        _quietly(lambda p, r: load_ledger(r, p.relative_to(r).as_posix())),
    ),
    "inputs": ("environment", read_environment),
}
"""Where each kind of document stands in a project, and who reads it."""


NAMES = {reader: frozenset(words.split()) for reader, words in KEYS.items()}
NAMES |= {"ledger": frozenset(), "inputs": frozenset(known.name for known in INPUTS)}
"""The keys that a message may name."""


def broken(reader: str, data: bytes, root: Path) -> Iterator[str]:
    """Let *data* be read, and say what must not be."""
    name, read = READERS[reader]
    path = root / name
    path.write_bytes(data)
    if data == HUGE:
        os.truncate(path, MAX_BYTES + 1)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    began = time.process_time()
    said: list[str] = []
    try:
        said = read(path, root)
    except (PivotError, OSError) as error:
        if getattr(error, "code", 0) not in {5, 8}:
            yield f"ends as {error!r}"
        else:
            yield from _unclear(str(error), Path(name).name)
        said = list(error.problems) if isinstance(error, InvalidDocument | PipelineError) else []
    except TooSlowError:
        yield "takes too long: " + "".join(traceback.format_exc(limit=-3))
    except BaseException:  # noqa: BLE001  whatever it is, a user would see it
        yield traceback.format_exc(limit=-4)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if (took := time.process_time() - began) > SECONDS:
        yield f"takes {took:.1f} s"
    for problem in said:
        yield from _vague(reader, problem.removeprefix(f"{name}: "))


def _unclear(message: str, name: str) -> Iterator[str]:
    if name not in message:
        yield f"does not name {name}: {message:.300}"
    if len(message) > _LONGEST:
        yield f"is told in {len(message)} characters: {message:.300}"


def _vague(reader: str, problem: str) -> Iterator[str]:
    if _MORE.fullmatch(problem):
        return
    key = _KEY.match(problem)
    named = key is not None and key[1] in NAMES[reader]
    if not (named or _PLACE.search(problem) or _WHOLE.search(problem)):
        yield f"says no line and no key: {problem:.300}"
    if not _EXPECTED.search(problem):
        yield f"does not say what is expected: {problem:.300}"


def _most_memory() -> int:
    status = Path("/proc/self/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) << 10 if found else 0


def _too_slow(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise TooSlowError


def main(reader: str, seed: str, first: str, end: str, directory: str) -> None:
    """Read the documents from *first* to *end*, in the project in *directory*."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    signal.signal(signal.SIGPROF, _too_slow)
    root = Path(directory) / reader
    (root / READERS[reader][0]).parent.mkdir(parents=True, exist_ok=True)
    real = pickle.loads((Path(directory) / "samples").read_bytes())[reader]
    hand = by_hand(reader)
    most = 0
    for number in range(int(first), int(end)):
        (root / "number").write_text(str(number))
        data = make(reader, number, int(seed), hand=hand, real=real)
        for what in broken(reader, data, root):
            print(json.dumps([number, what]), flush=True)
        if _most_memory() > max(most, BYTES):
            most = _most_memory()
            print(json.dumps([number, f"takes {most >> 20} MiB"]), flush=True)
    print(json.dumps([-1, str(_most_memory())]))


if __name__ == "__main__":
    main(*sys.argv[1:])
