"""Say what a diagnosis found, as text or as JSON; pure."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from pivot.doctor.checks import State, Works
from pivot.report import Report, dump, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pivot.doctor.checks import Check, Diagnosis
    from pivot.report import Json

_STATE = max(map(len, State)) + 2
_NAME = 15

_WORKS = {Works.YES: "works", Works.NO: "does not work", Works.UNKNOWN: "was not tried"}


def doctor_text(found: Diagnosis, *, quiet: bool = False) -> Report:
    """Say each check in a line, with its cure, and what all means; *quiet*: failures alone."""
    if quiet:
        failed = (check for check in found.checks if check.state is State.FAILED)
        return Report((), tuple(line for check in failed for line in _lines(check)), found.code)
    out: list[str] = []
    for skipped, some in groupby(found.checks, lambda check: check.state is State.NOT_ASKED):
        checks = list(some)
        out += _not_asked(checks) if skipped else [line for c in checks for line in _lines(c)]
    where = f"'{found.remote}': " if found.remote else ""
    return Report((*out, "", printable(f"{where}{verdict(found)}")), (), found.code)


def doctor_json(found: Diagnosis) -> Report:
    """Say all of it, in the form of `schemas/doctor.json`."""
    tree: dict[str, Json] = {
        "version": 1,
        "command": "doctor",
        "exit_code": int(found.code),
        "remote": found.remote,
        "url": found.url,
        "read_only": found.read_only,
        "pull": str(found.pull),
        "push": str(found.push),
        "checks": [
            {
                "name": check.name,
                "state": str(check.state),
                "seen": check.seen,
                "cure": check.cure,
                "permission": check.permission,
                "code": int(check.code),
            }
            for check in found.checks
        ],
    }
    return Report((dump(tree),), (), found.code)


def _lines(check: Check) -> Iterator[str]:
    yield _line(str(check.state), check.name, check.seen)
    if check.state in {State.FAILED, State.WARNING}:
        if check.permission:
            yield _line("", "", f"missing: {check.permission}")
        if check.cure:
            yield _line("", "", f"cure: {check.cure}")


def _not_asked(checks: Iterable[Check]) -> Iterator[str]:
    """Say in one line what was not asked for the same reason."""
    reasons: dict[str, list[str]] = {}
    for check in checks:
        reasons.setdefault(check.seen, []).append(check.name)
    for reason, names in reasons.items():
        text = f"{State.NOT_ASKED:<{_STATE}}{', '.join(names)}: {reason}"
        yield printable(text)


def _line(state: str, name: str, text: str) -> str:
    return printable(f"{state:<{_STATE}}{name:<{_NAME}}{text}".rstrip())


def verdict(found: Diagnosis) -> str:
    """Say whether pull and push work."""
    return f"pull {_WORKS[found.pull]}, push {_WORKS[found.push]}"
