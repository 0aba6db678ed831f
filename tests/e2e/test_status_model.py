"""Random pipelines and edits: `status` says what `repro` would do, and leads to the same end."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pivot import api
from pivot.config import load_config
from pivot.pipeline.targets import Reach
from pivot.project import find_project
from pivot.repro.decide import Verdict
from pivot.repro.run import Options
from pivot.repro.start import repro
from pivot.session import Session
from pivot.stage_states import RUNS, State
from pivot.transfer import Meter
from tests.e2e.modelled import World, snapshot
from tests.e2e.test_repro_model import Edits, new_world, remove

EXAMPLES = int(os.environ.get("PIVOT_TEST_PIPELINES", "15"))
WORDS = {
    Verdict.SKIP: {State.HIT},
    Verdict.RESTORE: {State.HIT},
    Verdict.RUN: {State.CHANGED, State.MISSING, State.PARTIAL},
    Verdict.DEPENDS: {State.WAITING},
}


def session_of(world: World, root: Path | None = None) -> Session:
    environment = os.environ | {"LOG": str(world.log)}
    project = find_project(root or world.root, environment)
    return Session(project, load_config(project, project.user_config), environment, 1, Meter())


def add_remote(world: World) -> None:
    """Share the project through a folder beside it."""
    nas = world.root.parent / "nas"
    nas.mkdir()
    config = world.root / ".pivot/config.yaml"
    config.write_text(f"{config.read_text()}folders:\n  nas: file://{nas}\n")


def lose_some(world: World, chance: random.Random) -> None:
    """Take a few objects from the cache, from the remote, or from both, and files with them."""
    stores = [world.root / ".pivot/cache/files", world.root.parent / "nas/files"]
    for store in chance.sample(stores, chance.randint(0, 2)):
        for place in sorted(path for path in store.rglob("*") if path.is_file()):
            if chance.random() < 0.3:
                place.unlink()
    for name in ("early", "late"):
        if chance.random() < 0.3:
            shutil.rmtree(world.root / name, ignore_errors=True)


def as_cloned(world: World) -> None:
    """Leave the outputs that git has: `--single` takes what others made as it is, also edited."""
    for place in (*world.root.glob("*/*.txt"), *world.root.glob("*/*.d")):
        remove(place)


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32), rounds=st.integers(0, 4))
def test_status_decides_as_repro_does(seed: int, rounds: int) -> None:
    chance = random.Random(seed)
    with new_world("hardlink") as world:
        add_remote(world)
        edits = Edits(world, chance)
        world.write()
        world.run()
        api.push(session_of(world))
        told = [edits.some() for _ in range(rounds)]
        world.write()
        lose_some(world, chance)
        before = snapshot(world.root)
        for online in (False, True):
            seen = api.status(session_of(world), online=online)
            options = Options(allow_missing=online)
            planned = repro(session_of(world), options=options, dry_run=True)

            assert snapshot(world.root) == before
            states = {stage.name: stage for stage in seen.stages}
            for result in planned.stages:
                state = states.pop(result.stage)
                expected = WORDS[result.decision.verdict] if not result.error else {State.UNKNOWN}
                assert state.state in expected, (told, online, state, result)
                assert state.reason == result.decision.reason
            assert states.keys() == seen.past  # locks of stages that were removed or renamed
            order = [stage.name for stage in seen.stages]
            assert all(order.index(n) < order.index(s.name) for s in seen.stages for n in s.needs)
            assert set(seen.ready) <= set(seen.to_run)
            running = {stage.name for stage in seen.stages if stage.state in RUNS}
            for stage in seen.stages:
                if stage.name in seen.ready:
                    assert running.isdisjoint(stage.needs), (told, stage)


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32), rounds=st.integers(0, 4))
def test_running_what_is_ready_until_nothing_is_left_is_repro(seed: int, rounds: int) -> None:
    chance = random.Random(seed)
    with new_world("copy") as world, tempfile.TemporaryDirectory() as name:
        edits = Edits(world, chance)
        world.write()
        world.run()
        told = [edits.some() for _ in range(rounds)]
        world.write()
        world.ran()
        as_cloned(world)
        at_once = Path(name) / "project"
        shutil.copytree(world.root, at_once, symlinks=True)
        repro(session_of(world, at_once))
        expected = sorted(world.ran())

        turns = 0
        while ready := api.status(session_of(world), online=False).ready:
            turns += 1
            assert turns <= len(world.steps), told
            for stage in chance.sample(ready, len(ready)):
                done = repro(session_of(world), [stage], options=Options(reach=Reach.SINGLE))
                assert not done.problems, (told, done.problems)
        repro(session_of(world))  # what is unchanged is put in place

        assert sorted(world.ran()) == expected, told
        both = World(at_once, world.log).files(), world.files()
        assert both[0] == both[1], told
