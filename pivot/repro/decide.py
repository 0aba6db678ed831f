"""Decide whether a stage has to run, and why; pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pivot.fingerprint import ENV, fingerprint
from pivot.frozen import frozen
from pivot.lock_writer import as_text
from pivot.objects import Directory, Output
from pivot.parameters import leaves, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pivot.documents import Value
    from pivot.lockfile import StageLock
    from pivot.stage import Stage
    from pivot.values import Typed

_SHOWN = 3
NOTHING_CHANGED = "nothing changed"


class Verdict(StrEnum):
    """What becomes of a stage."""

    SKIP = "skip"
    """All is as its lock file has it."""
    RESTORE = "restore"
    """It would make what is in the cache or on the remote: that is put in place."""
    RUN = "run"
    DEPENDS = "depends"
    """It runs if a stage before it makes something new; a dry run cannot know."""


class Has(StrEnum):
    """Where the recorded content of an output is to be had."""

    PLACE = "in place"
    CACHE = "in the cache"
    REMOTE = "on the remote"
    """It is fetched from there."""
    ACCEPTED = "left on the remote"
    NOWHERE = "nowhere"


@frozen
class OutputState:
    """An output compared with its lock: where the recorded content is, and whether *exists* any."""

    has: Has
    exists: bool


@frozen
class Found:
    """What a stage would find now: values of its parameters, dependencies, and its outputs.

    Those *dependencies* are absent, and the parameters if they are among them, that the stages
    *waits_for* may still change. *outputs* has those that the lock records.
    """

    parameters: Mapping[str, Typed] | None
    dependencies: Mapping[str, Output]
    outputs: Mapping[str, OutputState]
    waits_for: tuple[str, ...]


@frozen
class Decision:
    """What to do with a stage, and each reason for it, the first one first.

    *lost* are outputs that can be had nowhere, if it has to run for nothing else.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    lost: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Say the reasons in a line."""
        more = len(self.reasons) - _SHOWN
        return "; ".join(self.reasons[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def decide(stage: Stage, lock: StageLock | None, found: Found, *, force: bool = False) -> Decision:
    """Decide about *stage* from its *lock* and what is *found* now.

    It runs if anything differs that it depends on, or if an output cannot be had in another way.
    """
    if stage.idle:
        return _about_outputs(stage, found, stage.idle)
    if reasons := _reasons(stage, lock, found, force=force):
        return Decision(Verdict.RUN, reasons)
    decision = _about_outputs(stage, found, NOTHING_CHANGED)
    if found.waits_for and decision.verdict is not Verdict.RUN:
        reasons = tuple(f"{name} may change its input" for name in found.waits_for)
        return Decision(Verdict.DEPENDS, reasons)
    return decision


def _reasons(stage: Stage, lock: StageLock | None, found: Found, *, force: bool) -> tuple[str, ...]:
    if force:
        return ("forced",)
    if stage.always:
        return ("always runs",)
    if lock is None:
        return ("never ran",)
    return tuple(_changes(stage, lock, found))


def _about_outputs(stage: Stage, found: Found, otherwise: str) -> Decision:
    """Decide about a stage that need not run for its inputs."""
    lost = [path for path, state in found.outputs.items() if state.has is Has.NOWHERE]
    if lost and not stage.idle:
        reasons = tuple(f"{path} {_what(found.outputs[path])}" for path in lost)
        return Decision(Verdict.RUN, reasons, tuple(lost))
    restored = tuple(
        f"{path} {_what(state)}, restored from the {_PLACES[state.has]}"
        for path, state in found.outputs.items()
        if state.has in _PLACES
    )
    if restored:
        return Decision(Verdict.RESTORE, restored)
    left = [path for path, state in found.outputs.items() if state.has is Has.ACCEPTED]
    return Decision(Verdict.SKIP, (otherwise, *(f"{path} is {Has.ACCEPTED}" for path in left)))


_PLACES = {Has.CACHE: "cache", Has.REMOTE: "remote"}


def _what(state: OutputState) -> str:
    return "was changed" if state.exists else "is missing"


def _changes(stage: Stage, lock: StageLock, found: Found) -> Iterator[str]:
    values = found.parameters
    now = fingerprint(stage, values or {})
    if lock.manifest.get("cmd") != now["cmd"]:
        yield "command changed"
    yield from _variable_changes(lock.manifest, now)
    if values is not None and lock.manifest.get("params") != now.get("params"):
        yield from _parameter_changes(lock.parameters, values)
    yield from _dependency_changes(stage, lock, found)
    yield from _declaration_changes(stage, lock)


def _variable_changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for key in sorted(before.keys() | now.keys()):
        if key.startswith(ENV) and before.get(key) != now.get(key):
            new, old = key not in before, key not in now
            what = "is new" if new else "is gone" if old else "changed"
            yield f"variable {key.removeprefix(ENV)} {what}"


def _parameter_changes(before: Mapping[str, Value], now: Mapping[str, Typed]) -> Iterator[str]:
    told = False
    written = as_text(now)
    for name in dict.fromkeys((*before, *now)):
        if name not in now:
            told = True
            yield f"{name} is no parameter any more"
        elif name not in before:
            told = True
            yield f"{name} is a new parameter"
        elif before[name] != written[name]:
            told = True
            yield from _value_changes(name, before[name], written[name])
    if not told:  # 1 and "1" are the same text
        yield f"the type of a parameter changed, of {', '.join(now)}"


def _value_changes(name: str, before: Value, now: Value) -> Iterator[str]:
    """Say how a parameter changed: of a whole file or section, each value in it."""
    if isinstance(before, str) or isinstance(now, str):
        yield f"{name}: {_short(before)} → {_short(now)}"
        return
    old, new = dict(leaves(before)), dict(leaves(now))
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) != new.get(key):
            place = f"{name}{'' if key.startswith('[') else '.'}{key}"
            was, is_ = (_short(side[key]) if key in side else "nothing" for side in (old, new))
            yield f"{place}: {was} → {is_}"


def _short(value: Typed | Value) -> str:
    text = to_text(value)
    return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004


def _dependency_changes(stage: Stage, lock: StageLock, found: Found) -> Iterator[str]:
    before = {each.path: each for each in lock.dependencies}
    for path in stage.dependencies:
        if path not in before:
            yield f"{path} is a new dependency"
        elif path in found.dependencies and found.dependencies[path].digest != before[path].digest:
            yield f"{path} changed{_inside(before[path], found.dependencies[path])}"
    for path in sorted(before.keys() - set(stage.dependencies)):
        yield f"{path} is no dependency any more"


def _inside(before: Output, now: Output) -> str:
    """Name a few files that make two directories different."""
    if not isinstance(before, Directory) or not isinstance(now, Directory):
        return ""
    cut = len(now.path) + 1
    old = {file.path: file for file in before.files}
    new = {file.path: file for file in now.files}
    changed = sorted(p for p in old.keys() | new.keys() if old.get(p) != new.get(p))
    if not changed:
        return ""
    more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    return f" ({', '.join(path[cut:] for path in changed[:_SHOWN])}{more})"


def _declaration_changes(stage: Stage, lock: StageLock) -> Iterator[str]:
    recorded = {each.path: True for each in (*lock.outputs, *lock.undecided)}
    recorded |= {each.path: False for each in lock.uncached}
    declared = {each.path: each.cached for each in stage.outputs}
    for path, cached in declared.items():
        if path not in recorded:
            yield f"{path} is a new output"
        elif recorded[path] != cached:
            yield f"{path} is {'now' if cached else 'no longer'} kept in the cache"
    for path in sorted(recorded.keys() - declared.keys()):
        yield f"{path} is no output any more"
