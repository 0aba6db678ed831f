"""Random pipelines and random edits: `repro` does what a model of thirty lines says, no more."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import Command
from tests.e2e.modelled import Step, World, contents, snapshot
from tests.projects import digest

EXAMPLES = int(os.environ.get("PIVOT_TEST_PIPELINES", "15"))
LINKS = ("hardlink", "symlink", "copy")


def new_file(path: Path, data: bytes) -> None:
    """Write a file as an editor does, not through a link into the cache."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


class Edits:
    """What somebody does to a project between two runs."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world, self.chance, self.count = world, chance, 0
        self.number = 0
        for name in ("a", "b", "c", "src/d", "src/e", "src/sub/f"):
            new_file(world.root / name, f"{name}\n".encode())
        for _ in range(chance.randint(2, 8)):
            self.add_stage()

    def some(self) -> str:
        """Do one thing, or several at once."""
        verbs: list[Callable[[], None]] = [
            *(self.edit_source, self.edit_source_and_back, self.touch, self.same_bytes, self.chmod),
            *(self.parameter, self.salt, self.tone, self.delete_output, self.edit_output),
            *(self.writable_output, self.lose_output, self.delete_lock, self.add_stage),
            *(self.remove_stage, self.rename_stage, self.add_read, self.remove_read),
            *(self.add_file, self.remove_file, self.forget, self.turn),
        ]
        chosen = self.chance.sample(verbs, self.chance.choice((1, 1, 1, 2, 2, 4)))
        for verb in chosen:
            self.count += 1
            verb()
        return ", ".join(verb.__name__ for verb in chosen)

    def source(self) -> Path:
        names = [n for n in self.world.files() if n in {"a", "b", "c"} or n.startswith("src/")]
        return self.world.root / self.chance.choice(sorted(names))

    def step(self) -> str:
        return self.chance.choice(list(self.world.steps))

    def change(self, name: str, **changes: object) -> None:
        self.world.steps[name] = replace(self.world.steps[name], **changes)  # type: ignore[arg-type]

    def output(self) -> tuple[Step, str]:
        step = self.world.steps[self.step()]
        return step, self.chance.choice(list(step.outs))

    def edit_source(self) -> None:
        new_file(self.source(), f"{self.count} edited\n".encode())

    def edit_source_and_back(self) -> None:
        path = self.source()
        before = path.read_bytes()
        path.write_bytes(b"for a moment")
        path.write_bytes(before)

    def touch(self) -> None:
        self.source().touch()

    def same_bytes(self) -> None:
        path = self.source()
        new_file(path, path.read_bytes())

    def chmod(self) -> None:
        path = self.source()
        path.chmod(path.stat().st_mode ^ 0o100)

    def parameter(self) -> None:
        self.world.params[self.chance.choice(list(self.world.params))] += 1

    def salt(self) -> None:
        self.change(self.step(), salt=self.chance.randint(0, 2))

    def turn(self) -> None:
        name = self.step()
        self.change(name, dull=not self.world.steps[name].dull)

    def tone(self) -> None:
        self.change(self.step(), tone=self.chance.choice((None, 1, 2)))

    def delete_output(self) -> None:
        _, path = self.output()
        remove(self.world.root / path)

    def edit_output(self) -> None:
        _, path = self.output()
        place = self.world.root / path
        if place.is_dir():
            place /= self.chance.choice(("made", "name", "more"))
        new_file(place, f"{self.count} by hand\n".encode())

    def writable_output(self) -> None:
        for path in sorted(self.world.files()):
            if path.startswith("late/"):
                (self.world.root / path).chmod(0o644)
                return

    def lose_output(self) -> None:
        _, path = self.output()
        for data in contents(path, self.world.files()).values():
            name = digest(data)
            (self.world.root / ".pivot/cache/files" / name[:2] / name[2:]).unlink(missing_ok=True)
            self.world.objects.discard(data)
        remove(self.world.root / path)

    def delete_lock(self) -> None:
        name = self.step()
        (self.world.root / f".pivot/stages/{name}.lock").unlink(missing_ok=True)
        self.world.locks.pop(name, None)

    def add_stage(self) -> None:
        chance, number = self.chance, self.number
        self.number += 1
        made = Step(
            number,
            frozenset(chance.sample(self.readable(number), chance.randint(0, 3))),
            frozenset(chance.sample(["p0", "p1", "p2"], chance.randint(0, 2))),
            dull=chance.random() < 0.4,
            tree=chance.random() < 0.3,
            metric=chance.random() < 0.3,
        )
        self.world.steps[f"s{number}"] = made

    def readable(self, number: int) -> list[str]:
        """List what a stage may read: sources, and what those of lower numbers make."""
        others = [step for step in self.world.steps.values() if step.number < number]
        early = ["early"] if number >= 4 and any(step.number < 4 for step in others) else []
        inside = [f"{out}/made" for step in others for out in step.outs if out.endswith(".d")]
        return ["a", "b", "c", "src", *early, *inside, *(o for step in others for o in step.outs)]

    def remove_stage(self) -> None:
        name = self.step()
        there = all((self.world.root / out).exists() for out in self.world.steps[name].outs)
        if len(self.world.steps) > 2 and there:
            del self.world.steps[name]

    def rename_stage(self) -> None:
        name = self.step()
        other = name.removesuffix("x") if name.endswith("x") else f"{name}x"
        self.world.steps[other] = self.world.steps.pop(name)

    def add_read(self) -> None:
        name = self.step()
        step = self.world.steps[name]
        more = self.chance.choice(self.readable(step.number))
        self.change(name, reads=step.reads | {more})

    def remove_read(self) -> None:
        name = self.step()
        self.change(name, reads=frozenset(sorted(self.world.steps[name].reads)[1:]))

    def add_file(self) -> None:
        new_file(self.world.root / f"src/{self.count}/new", b"new\n")

    def remove_file(self) -> None:
        names = sorted(n for n in self.world.files() if n.startswith("src/"))
        if len(names) > 1:
            place = self.world.root / self.chance.choice(names)
            place.unlink()
            if not any(place.parent.iterdir()):
                place.parent.rmdir()

    def forget(self) -> None:
        (self.world.root / ".pivot/cache/remembered.json").unlink(missing_ok=True)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def new_world(links: str, command: Command | None = None) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "project"
        (root / ".pivot").mkdir(parents=True)
        (root / ".pivot/config.yaml").write_text(f"cache:\n  checkout_mode: [{links}]\n")
        yield World(root, Path(name) / "log", command)


def check(world: World, told: str, jobs: int = 1) -> list[str]:
    """Run twice, and compare all that happens with what the model says; answer who ran."""
    world.write()
    before = snapshot(world.root)
    plan = world.run(dry_run=True)
    assert snapshot(world.root) == before, told
    expected, outputs = world.expect()

    done = world.run(jobs=jobs)

    ran = world.ran()
    seen = told, plan
    assert sorted(ran) == sorted(expected), seen
    assert set(ran) == {name for name, (_, state) in done.items() if state == "ran"}, seen
    sure = {name for name, (verdict, _) in plan.items() if verdict == "run"}
    perhaps = {name for name, (verdict, _) in plan.items() if verdict == "depends"}
    assert sure <= set(ran) <= sure | perhaps, seen
    files = world.files()
    assert {path: files.get(path, (b"", False))[0] for path in outputs} == outputs, seen
    again = world.run(jobs=jobs)
    assert world.ran() == [], seen
    assert {state for _, state in again.values()} == {"unchanged"}, seen
    return ran


def live(world: World, seed: int, rounds: int, jobs: int = 1) -> None:
    """Begin a project, and edit and run it so many times."""
    edits = Edits(world, random.Random(seed))
    check(world, "first", jobs)
    for _ in range(rounds):
        check(world, edits.some(), jobs)


@pytest.mark.parametrize("links", LINKS)
@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32), rounds=st.integers(3, 6), jobs=st.sampled_from((1, 4)))
def test_a_stage_runs_if_and_only_if_it_has_to(
    links: str, seed: int, rounds: int, jobs: int
) -> None:
    with new_world(links) as world:
        live(world, seed, rounds, jobs)


@pytest.mark.parametrize("links", LINKS)
def test_the_command_runs_a_stage_if_and_only_if_it_has_to(links: str, bare_pivot: Command) -> None:
    with new_world(links, bare_pivot) as world:
        live(world, LINKS.index(links), 2, jobs=3)


def test_two_hundred_stages_of_which_four_run_at_a_time(bare_pivot: Command) -> None:
    with new_world("hardlink", bare_pivot) as world:
        edits = Edits(world, random.Random(7))
        while len(world.steps) < 200:
            edits.add_stage()
        first = check(world, "first", jobs=4)
        edits.change("s0", salt=1)
        edits.change("s150", dull=not world.steps["s150"].dull)
        world.params["p0"] += 1
        second = check(world, "three edits", jobs=4)

    assert len(first) == 200
    assert {"s0", "s150"} < set(second) < set(first)
