"""Whether a stage runs, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pivot.documents import Value, parse_yaml
from pivot.lock_writer import Record, lock_path, render_lock
from pivot.lockfile import StageLock, parse_lock
from pivot.objects import Output
from pivot.repro.decide import Decision, Found, Has, OutputState, Verdict, decide
from pivot.stage import DeclaredOutput, Stage
from pivot.values import Typed
from tests.unit.test_lock_writer import PARAMETERS, records
from tests.unit.values import directory_of, file_of

STAGE = Stage(
    "t",
    "t",
    "pivot.yaml",
    2,
    ("run",),
    dependencies=("in.csv", "lib"),
    outputs=(DeclaredOutput("out"), DeclaredOutput("m.json", cached=False)),
    environment={"A": "1"},
)
INPUTS: Mapping[str, Output] = {
    "in.csv": file_of("in.csv", b"in"),
    "lib": directory_of("lib", {"a.py": b"a", "b.py": b"b"}),
}
OUTPUTS = {"out": file_of("out", b"out"), "m.json": file_of("m.json", b"{}")}
PARAMETERS_NOW: Mapping[str, Typed] = {"lr": 0.1, "layers": [{"width": 8}], "name": "1"}


def lock_of(record: Record) -> StageLock:
    data = parse_yaml(render_lock(record), "t.lock")
    return parse_lock(data, lock_path(record.stage.name), dependencies=True)


LOCK = lock_of(Record(STAGE, PARAMETERS_NOW, tuple(INPUTS.values()), tuple(OUTPUTS.values())))
PLACED = OutputState(Has.PLACE, exists=True)
GONE = OutputState(Has.NOWHERE, exists=False)


@dataclass(frozen=True)
class Now:
    """What is found, where it differs from what the lock says."""

    parameters: Mapping[str, Typed] | None = None
    inputs: Mapping[str, Output] | None = None
    outputs: Mapping[str, OutputState] | None = None
    waits_for: tuple[str, ...] = ()

    @property
    def found(self) -> Found:
        return Found(
            PARAMETERS_NOW if self.parameters is None else self.parameters,
            INPUTS if self.inputs is None else self.inputs,
            {"out": PLACED, "m.json": PLACED} | dict(self.outputs or {}),
            self.waits_for,
        )


def decided(
    now: Now | None = None, *, stage: Stage = STAGE, lock: StageLock | None = LOCK
) -> Decision:
    return decide(stage, lock, (now or Now()).found)


def test_a_stage_that_finds_all_as_it_was_is_skipped() -> None:
    assert decided() == Decision(Verdict.SKIP, ("nothing changed",))


def test_a_stage_without_lock_runs() -> None:
    assert decided(lock=None) == Decision(Verdict.RUN, ("never ran",))


def test_a_stage_that_is_forced_runs() -> None:
    seen = decide(STAGE, LOCK, Now().found, force=True)

    assert seen == Decision(Verdict.RUN, ("forced",))


def test_a_stage_that_always_runs_runs() -> None:
    assert decided(stage=replace(STAGE, always=True)).reasons == ("always runs",)


CHANGED_STAGES = {
    "command changed": {"commands": ("run ",)},
    "variable A changed": {"environment": {"A": "2"}},
    "lib is no dependency any more": {"dependencies": ("in.csv",)},
    "a is a new output": {"outputs": (*STAGE.outputs, DeclaredOutput("a"))},
    "m.json is no output any more": {"outputs": STAGE.outputs[:1]},
    "m.json is now kept in the cache": {"outputs": (STAGE.outputs[0], DeclaredOutput("m.json"))},
    "out is no longer kept in the cache": {
        "outputs": (DeclaredOutput("out", cached=False), STAGE.outputs[1])
    },
}


@pytest.mark.parametrize("reason", CHANGED_STAGES)
def test_another_declaration_makes_a_stage_run(reason: str) -> None:
    stage = replace(STAGE, **CHANGED_STAGES[reason])  # type: ignore[arg-type]

    assert decided(stage=stage) == Decision(Verdict.RUN, (reason,))


@pytest.mark.parametrize(
    "changes",
    [{"directory": "sub"}, {"commands": ("run", "more")}, {"commands": ("run\n",)}],
)
def test_another_directory_or_list_is_another_command(changes: Mapping[str, object]) -> None:
    assert decided(stage=replace(STAGE, **changes)).reasons == ("command changed",)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"description": "more"},
        {"line": 9},
        {"document": "sub/pivot.yaml"},
        {"outputs": STAGE.outputs[::-1]},
        {"dependencies": STAGE.dependencies[::-1]},
        {"outputs": (replace(STAGE.outputs[0], persist=True), STAGE.outputs[1])},
    ],
)
def test_what_says_nothing_of_the_work_makes_no_stage_run(changes: Mapping[str, object]) -> None:
    assert decided(stage=replace(STAGE, **changes)).verdict is Verdict.SKIP  # type: ignore[arg-type]


def test_variables_that_are_new_or_gone_are_a_change() -> None:
    bare = replace(STAGE, environment={})
    lock = lock_of(Record(bare, PARAMETERS_NOW, tuple(INPUTS.values()), tuple(OUTPUTS.values())))

    assert decided(stage=bare).reasons == ("variable A is gone",)
    assert decided(lock=lock).reasons == ("variable A is new",)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lr": 0.2}, "lr: 0.1 → 0.2"),
        ({"lr": None}, "lr: 0.1 → null"),
        ({"lr": "0.1"}, "the type of a parameter changed, of lr, layers, name"),
        ({"name": 1}, "the type of a parameter changed, of lr, layers, name"),
        ({"new": 1}, "new is a new parameter"),
        ({"layers": [{"width": 9}]}, "layers[0].width: 8 → 9"),
        ({"layers": [{"width": "8"}]}, "the type of a parameter changed, of lr, layers, name"),
        ({"lr": "x" * 50}, f"lr: 0.1 → {'x' * 37}..."),
    ],
)
def test_another_parameter_makes_a_stage_run(changes: dict[str, Typed], reason: str) -> None:
    seen = decided(Now(parameters={**PARAMETERS_NOW, **changes}))

    assert seen == Decision(Verdict.RUN, (reason,))


def test_a_parameter_that_is_gone_makes_a_stage_run() -> None:
    left = {name: value for name, value in PARAMETERS_NOW.items() if name != "lr"}

    assert decided(Now(parameters=left)).reasons == ("lr is no parameter any more",)


def test_a_stage_without_parameters_may_get_and_lose_them() -> None:
    bare = lock_of(Record(STAGE, {}, tuple(INPUTS.values()), tuple(OUTPUTS.values())))

    assert decided(Now(parameters={"a": 1}), lock=bare).reasons == ("a is a new parameter",)
    assert decided(Now(parameters={}), lock=bare).verdict is Verdict.SKIP
    assert decided(Now(parameters={})).reasons == (
        "layers is no parameter any more",
        "lr is no parameter any more",
        "name is no parameter any more",
    )


@pytest.mark.parametrize(
    ("path", "now", "reason"),
    [
        ("in.csv", file_of("in.csv", b"other"), "in.csv changed"),
        ("in.csv", directory_of("in.csv", {"a": b"in"}), "in.csv changed"),
        ("lib", file_of("lib", b""), "lib changed"),
        ("lib", directory_of("lib", {"a.py": b"A", "b.py": b"b"}), "lib changed (a.py)"),
        ("lib", directory_of("lib", {"b.py": b"b"}), "lib changed (a.py)"),
        ("lib", directory_of("lib", {"a.py": b"a", "b.py": b"b", "x/c": b""}), "lib changed (x/c)"),
        ("lib", directory_of("lib", dict.fromkeys("uvwxyz", b"")),
         "lib changed (a.py, b.py, u and 5 more)"),
        ("lib", directory_of("lib", {"a.py": b"a", "b.py": b"b"}, empty=("e",)), "lib changed"),
    ],
)  # fmt: skip
def test_another_input_makes_a_stage_run(path: str, now: Output, reason: str) -> None:
    assert decided(Now(inputs={**INPUTS, path: now})) == Decision(Verdict.RUN, (reason,))


def test_an_executable_bit_inside_of_a_directory_is_a_change() -> None:
    before = INPUTS["lib"]
    changed = directory_of("lib", {"a.py": b"a", "b.py": b"b"})
    files = (replace(changed.files[0], executable=True), changed.files[1])
    other = replace(changed, files=files, digest=file_of("x", b"another").digest)

    assert other != before
    assert decided(Now(inputs={**INPUTS, "lib": other})).reasons == ("lib changed (a.py)",)


def test_an_input_that_is_new_makes_a_stage_run() -> None:
    stage = replace(STAGE, dependencies=(*STAGE.dependencies, "more"))
    inputs = {**INPUTS, "more": file_of("more", b"")}

    assert decided(Now(inputs=inputs), stage=stage).reasons == ("more is a new dependency",)


def test_all_reasons_are_given_and_a_few_are_said() -> None:
    stage = replace(STAGE, commands=("other",), dependencies=(), outputs=())

    seen = decided(stage=stage)

    assert seen.reasons == (
        "command changed",
        "in.csv is no dependency any more",
        "lib is no dependency any more",
        "m.json is no output any more",
        "out is no output any more",
    )
    assert seen.reason == (
        "command changed; in.csv is no dependency any more; lib is no dependency any more; "
        "and 2 more"
    )


@pytest.mark.parametrize(
    ("state", "verdict", "reason"),
    [
        (OutputState(Has.CACHE, exists=False), Verdict.RESTORE,
         "out is missing, restored from the cache"),
        (OutputState(Has.CACHE, exists=True), Verdict.RESTORE,
         "out was changed, restored from the cache"),
        (OutputState(Has.REMOTE, exists=False), Verdict.RESTORE,
         "out is missing, restored from the remote"),
        (OutputState(Has.NOWHERE, exists=False), Verdict.RUN, "out is missing"),
        (OutputState(Has.NOWHERE, exists=True), Verdict.RUN, "out was changed"),
    ],
)  # fmt: skip
def test_an_output_that_is_not_there_is_restored_or_made(
    state: OutputState, verdict: Verdict, reason: str
) -> None:
    lost = ("out",) if verdict is Verdict.RUN else ()
    assert decided(Now(outputs={"out": state})) == Decision(verdict, (reason,), lost)


def test_an_output_may_stay_on_the_remote() -> None:
    seen = decided(Now(outputs={"out": OutputState(Has.ACCEPTED, exists=False)}))

    assert seen == Decision(Verdict.SKIP, ("nothing changed", "out is left on the remote"))


def test_one_lost_output_makes_the_stage_run_and_nothing_is_restored() -> None:
    outputs = {"out": OutputState(Has.CACHE, exists=False), "m.json": GONE}

    seen = decided(Now(outputs=outputs))
    assert seen == Decision(Verdict.RUN, ("m.json is missing",), ("m.json",))


def test_a_stage_may_depend_on_what_others_make_first() -> None:
    inputs = {"lib": INPUTS["lib"]}

    seen = decided(Now(inputs=inputs, waits_for=("a", "b")))

    assert seen == Decision(Verdict.DEPENDS, ("a may change its input", "b may change its input"))


def test_parameters_that_are_still_to_be_made_are_no_change() -> None:
    found = replace(Now(waits_for=("a",)).found, parameters=None)

    assert decide(STAGE, LOCK, found).verdict is Verdict.DEPENDS
    assert decide(STAGE, LOCK, replace(found, waits_for=())).verdict is Verdict.SKIP


def test_a_stage_that_runs_anyway_waits_for_no_decision() -> None:
    other = replace(STAGE, commands=("other",))

    assert decided(Now(waits_for=("a",)), stage=other).reasons == ("command changed",)
    assert decided(Now(waits_for=("a",), outputs={"out": GONE})).verdict is Verdict.RUN


def test_a_frozen_stage_never_runs() -> None:
    frozen = replace(STAGE, frozen=True, always=True, commands=("other",))

    assert decided(stage=frozen) == Decision(Verdict.SKIP, ("is frozen",))
    assert decided(stage=frozen, lock=None).verdict is Verdict.SKIP
    assert decide(frozen, LOCK, Now().found, force=True).verdict is Verdict.SKIP
    assert decided(Now(outputs={"out": GONE}), stage=frozen).verdict is Verdict.SKIP


def test_a_frozen_stage_is_restored() -> None:
    outputs = {"out": OutputState(Has.CACHE, exists=False), "m.json": GONE}

    seen = decided(Now(outputs=outputs), stage=replace(STAGE, frozen=True))

    assert seen == Decision(Verdict.RESTORE, ("out is missing, restored from the cache",))


def test_a_lock_of_another_tool_does_not_say_the_command() -> None:
    entry: Value = {"path": "out", "hash": OUTPUTS["out"].digest}
    lock = parse_lock(
        {"code_manifest": {"self:f": "1" * 16}, "params": {}, "deps": [], "outs": [entry]},
        ".pivot/stages/t.lock",
        dependencies=True,
    )
    bare = replace(STAGE, dependencies=(), outputs=STAGE.outputs[:1], environment={})

    seen = decide(bare, lock, replace(Now(parameters={}, inputs={}).found))

    assert seen.reasons == ("command changed",)


def found_of(record: Record) -> Found:
    return Found(
        record.parameters,
        {each.path: each for each in record.dependencies},
        {each.path: PLACED for each in record.outputs},
        (),
    )


@given(records())
def test_what_was_just_recorded_is_skipped(record: Record) -> None:
    seen = decide(record.stage, lock_of(record), found_of(record))

    assert seen == Decision(Verdict.SKIP, ("nothing changed",))


@given(PARAMETERS, PARAMETERS)
def test_other_parameters_run_and_the_same_do_not(
    before: dict[str, Typed], now: dict[str, Typed]
) -> None:
    bare = Stage("t", "t", "pivot.yaml", commands=("run",))
    found = Found(now, {}, {}, ())

    seen = decide(bare, lock_of(Record(bare, before, (), ())), found)

    assert (seen.verdict is Verdict.SKIP) == (_exact(before) == _exact(now))


def _exact(tree: Typed) -> object:
    """Tell 1 from 1.0 and true, and not one order of keys from another."""
    match tree:
        case dict():
            return {key: _exact(value) for key, value in tree.items()}
        case list():
            return [_exact(value) for value in tree]
    return repr(tree)


@given(records(), st.data())
def test_any_other_input_runs_and_is_named(record: Record, data: st.DataObject) -> None:
    assume(record.dependencies)
    changed = data.draw(st.sampled_from(record.dependencies))
    other = replace(changed, digest=file_of("x", changed.digest.encode()).digest)
    found = found_of(record)
    found = replace(found, dependencies={**found.dependencies, changed.path: other})

    seen = decide(record.stage, lock_of(record), found)

    assert seen == Decision(Verdict.RUN, (f"{changed.path} changed",))
