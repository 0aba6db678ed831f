"""File systems that are too small, in bytes or in inodes: all fits, or 7, and nothing is lost."""

from __future__ import annotations

import shutil

from tests.torture.namespace import check_mounting, on_a_disk
from tests.torture.programme import Programme, Run
from tests.torture.scene import Case, make_cases, move_links, said_wrong

_LOCAL = 7
_PAGE = 4096


def run_small_disks(run: Run) -> None:
    """Run each command on file systems of many sizes."""
    check_mounting()
    pivot = run.pivot()
    cases = [c for c in make_cases(run.directory, pivot) if c.name != "push"]
    sizes = [("size", n) for n in range(12, 52, run.figure(13, 2))]
    sizes += [("nr_inodes", n) for n in range(40, 110, run.figure(30, 5))]
    ended = {0: 0, _LOCAL: 0}
    for case in run.random.sample(cases, run.figure(4, len(cases))):
        for kind, count in sizes:
            option = f"size={count * _PAGE}" if kind == "size" else f"size=4m,nr_inodes={count}"
            violations, code = _try(run, case, option)
            run.point(*violations)
            ended[code] = ended.get(code, 0) + 1
    run.note(f"{ended[0]} ended well, {ended[_LOCAL]} with {_LOCAL}")


def _try(run: Run, case: Case, option: str) -> tuple[list[str], int]:
    pivot = run.pivot()
    place = run.place("ready")
    disk = place.with_name(f"{place.name}-disk")
    project = case.copy(place)
    config = f"folders:\n  origin: {(place / 'remote').as_uri()}\n"
    (project / ".pivot/config.yaml").write_text(config)
    move_links(place, place, disk)
    done, kept = on_a_disk(option, place, *case.words, pivot=pivot, below="project")
    if "No space left" in done.err and not (kept / "project").exists():
        return [], -1  # not even the project fits
    move_links(kept, disk)
    wrong = [*said_wrong(done), *case.broken_now(kept / "project")]
    if done.code not in {0, _LOCAL}:
        wrong.append(f"exit {done.code}: {done.err}")
    again = pivot(*case.words, cwd=kept / "project")
    wrong += [*said_wrong(again), *case.broken_at_end(kept / "project")]
    if again.code:
        wrong.append(f"I4: the next run ends with {again.code}: {again.err}")
    for used in (place, disk, kept):
        shutil.rmtree(used)
    return [f"{case.name}, {option}: {text}" for text in wrong], done.code


SMALL_DISKS = Programme("R12", "file systems that are too small", run_small_disks)
