"""Documents from strangers: each is read, or refused in a sentence that helps; nothing breaks."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pivot.documents import MAX_BYTES
from tests.conftest import ROOT, clean_environment
from tests.projects import ProjectBuilder
from tests.torture.malformed import HUGE, READERS, by_hand, make, samples
from tests.torture.programme import Programme, Run
from tests.torture.reading import READERS as READING

_MOST_TEXT = 10_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]")
_WORDS = {"pipeline": ("repro", "--dry-run"), "config": ("config", "list")}


def run_documents(run: Run) -> None:
    """Let each reader read many documents, in a process with limits; then some by command."""
    (run.directory / "fixtures").mkdir()
    real = samples(run.directory / "fixtures")
    (run.directory / "samples").write_bytes(pickle.dumps(real))
    count = run.figure(160, 20_000)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda reader: _read(run, reader, count), READERS))
    for _, violations in answers:
        run.point(*violations)
        run.points += count - 1
    most = max(memory for memory, _ in answers)
    run.note(f"{count} documents for each of {len(READERS)} readers, at most {most >> 20} MiB")
    chosen = run.figure(2, 60)
    for reader in READERS:
        hand = by_hand(reader)
        numbers = run.random.sample(range(count), chosen)
        for number in numbers:
            data = make(reader, number, run.seed, hand=hand, real=real[reader])
            run.point(*(f"{reader} {number}: {what}" for what in _command(run, reader, data)))


def _read(run: Run, reader: str, count: int) -> tuple[int, list[str]]:
    """Read *count* documents, beginning again after one that ends the process.

    The answer is the most memory that it had, in bytes, and what must not be.
    """
    first, most = 0, 0
    wrong: list[str] = []
    while first < count:
        words = [reader, str(run.seed), str(first), str(count), str(run.directory)]
        done = subprocess.run(
            [sys.executable, "-m", "tests.torture.reading", *words],
            cwd=ROOT,
            env=clean_environment(run.directory) | {"PYTHONPATH": str(ROOT)},
            check=False,
            capture_output=True,
            text=True,
            timeout=900,
        )
        for line in done.stdout.splitlines():
            number, what = json.loads(line)
            if number < 0:
                most = int(what)
            else:
                wrong.append(f"{reader} {number}: {what}")
        if done.returncode == 0:
            break
        last = int((run.directory / reader / "number").read_text())
        wrong.append(f"{reader} {last}: ends with {done.returncode}: {done.stderr[-1000:]}")
        first = last + 1
    return most, wrong


def _command(run: Run, reader: str, data: bytes) -> Sequence[str]:
    """Give *data* to the command as a user has it, or to the job; say what must not be."""
    root = run.place("command")
    remote = run.place("remote")
    remote.mkdir()
    builder = ProjectBuilder(root).config(f"folders:\n  origin: {remote.as_uri()}\n")
    builder.stage("x", {"out": b"x"})
    place = root / READING[reader][0]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    if data == HUGE:
        os.truncate(place, MAX_BYTES + 1)
    if reader == "inputs":
        done = _job(root, data)
    else:
        said = run.pivot()(*_WORDS.get(reader, ("push",)), cwd=root)
        done = said.code, said.out, said.err
    shutil.rmtree(root)
    code, out, err = done
    wrong = []
    if "Traceback" in out + err:
        wrong.append(f"a traceback: {err[-2000:]}")
    if code not in {0, 2, 3, 5, 8} or (code and "rror" not in out + err):
        wrong.append(f"exit {code}: {out[-500:]}{err[-500:]}")
    if _CONTROL.search(out + err):
        wrong.append(f"control characters: {out[-500:]!r}{err[-500:]!r}")
    if len(out + err) > _MOST_TEXT:
        wrong.append(f"says {len(out + err)} characters")
    return wrong


def _job(root: Path, data: bytes) -> tuple[int, str, str]:
    """Give *data* to a CI job as its inputs; a kernel takes no text of more than 128 KiB."""
    pairs = os.fsdecode(data.replace(b"\0", b"")).split("\n")
    given = dict(pair.split("=", 1) for pair in pairs if "=" in pair and len(pair) < 100_000)
    given = {name: text for name, text in given.items() if name.startswith("PIVOT_INPUT_")}
    done = subprocess.run(
        [sys.executable, "-m", "pivot.ci"],
        cwd=root,
        env=clean_environment(root) | {"PYTHONPATH": str(ROOT)} | given,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


DOCUMENTS = Programme("R9", "documents from strangers, and inputs of jobs", run_documents)
