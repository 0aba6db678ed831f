"""What a CI job has to tell, also with names that want to be more than names."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from pivot.ci.event import Event
from pivot.ci.told import Counts, ObjectState, ObjectTold, Status, Told
from pivot.errors import ExitCode
from pivot.results import Problem
from pivot.stage_states import StageState, State
from tests.unit.values import digest

HOSTILE = (
    "a/b@c",
    "@octocat",
    "mail me@example.org",
    "me@-x.example.org",
    "#1",
    "owner/repo#12",
    "octocat@0123456789abcdef0123456789abcdef01234567",
    "é@octocat",
    "a_@octocat",
    "train@v1.2",
    "GH-7",
    "_GH-7",
    "https://example.org/x",
    "_http://example.org",
    "1ftp://example.org",
    "www.example.org",
    "_www.example.org",
    "<https://example.org>",
    "[x](https://example.org)",
    "![x](https://example.org/x.png)",
    "[x]: https://example.org",
    "<script>alert(1)</script>",
    "</details></td><b>",
    "<!-- -->",
    "&lt;b&gt;",
    "a|b",
    "a\\|b",
    "a\\",
    "``` x",
    "`a`",
    "**a** _b_ ~~c~~ $d$",
    "- a",
    "1. a",
    "# a",
    "> a",
    "    a",
    "---",
    ":tada:",
    "a\nb",
    "a\r\n\r\nb",
    "::error::a",
    "100%0Aa",
    "%%{init: {}}%%",
    '"]; click s0 "javascript:x"',
    "#quot;",
    "fa:fa-car",
    "$$x^2$$",
    "ﬂ°°60¶ßb¶ß",
    "end",
    "\u202egnp.exe",
    "\udcff\ud800",
    "\x1b[31m",
    "é 東京 😀",
)

NAMES = (
    st.sampled_from(HOSTILE)
    | st.text(min_size=1, max_size=30)
    | st.text("\udcff\n\r|<>&\"'`@#:/\\%*_~[](){}-=+.!$; aw1", min_size=1, max_size=30)
)


def telling(**changes: Any) -> Told:
    """Tell of a pull that copied nothing, but for *changes*."""
    event = Event("push", trusted=True, reason="a push to this repository")
    fields = {
        "command": "pull",
        "status": Status.NOTHING_TO_DO,
        "raw": ExitCode.DONE,
        "final": ExitCode.DONE,
        "event": event,
        "runtime": "docker",
        "version": "1.2.3",
        "remote": "origin",
        "url": "s3://bucket/prefix",
        "seconds": 1.25,
    }
    return Told(**(fields | changes))


def stage(name: str, state: State = State.HIT, *needs: str, **changes: Any) -> StageState:
    """Make a stage of two objects; one or both are missing, as its state says."""
    missing = {State.MISSING: 2, State.PARTIAL: 1}.get(state, 0)
    fields = {"lock": f".pivot/stages/{name}.lock", "objects": 2, "bytes": 2500} | changes
    return StageState(name, state=state, missing=missing, needs=needs, **fields)


def missed(*stages: str, final: ExitCode = ExitCode.DONE, **changes: Any) -> Told:
    """Tell of a pull of *stages* that found an object of none of them."""
    rows = tuple(
        ObjectTold(name, f"out/{name}", digest(n), 7, ObjectState.MISSING)
        for n, name in enumerate(stages)
    )
    problems = tuple(
        Problem(ExitCode.MISSING, f"object {row.digest} is not on remote 'origin'", "push it")
        for row in rows
    )
    fields = {
        "status": Status.MISS,
        "raw": ExitCode.MISSING,
        "final": final,
        "counts": Counts(missing=len(rows)),
        "stages": tuple(stage(name, State.MISSING) for name in stages),
        "objects": rows,
        "problems": problems,
        "hints": ("push it",),
    }
    return telling(**(fields | changes))


def huge() -> Told:
    """Tell of a project of 5,000 stages and 100,000 objects, of which few can be had."""
    names = [f"stages/{n:04}@{'x' * 50}" for n in range(5000)]
    states = list(State)
    objects = tuple(
        ObjectTold(names[n % 5000], f"out/{n}", digest(n), n, ObjectState.MISSING)
        for n in range(100_000)
    )
    return missed(
        stages=tuple(
            stage(name, states[n % 6], *names[:n][-1:], reason="because " * 30)
            for n, name in enumerate(names)
        ),
        objects=objects,
        problems=tuple(
            Problem(ExitCode.MISSING, "not there", f"run {row.stage}", row.path, row.stage)
            for row in objects
        ),
        hints=tuple(f"run {name}" for name in names),
        to_run=tuple(names),
        ready=tuple(names),
    )
