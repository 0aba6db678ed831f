"""Random lives of a team, step by step: what the disks have is what a small model says."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from pivot import cli
from tests import buckets
from tests.conftest import Command
from tests.e2e.weather import leftovers
from tests.projects import digest, objects
from tests.torture.programme import Programme, Run
from tests.torture.scene import MODES
from tests.torture.team import OUTPUTS, Existing, File, Machine, Team

CONTENTS = tuple(bytes([65 + n]) * (10 + n % 2) for n in range(6))
PATHS = tuple(path for paths in OUTPUTS.values() for path in paths)
WRONG = tuple(b"z" * size for size in (10, 11, 3))
EXISTING: dict[Existing, tuple[str, ...]] = {
    "refuse": (),
    "update": (),
    "keep": ("--only-missing",),
    "overwrite": ("--force",),
}
_STEPS = 50
who = st.sampled_from((0, 1))
what = st.sampled_from((tuple(OUTPUTS), *((output,) for output in OUTPUTS)))
content = st.sampled_from(CONTENTS)
where = st.sampled_from(PATHS)


def run_model(run: Run) -> None:
    """Live many lives; hypothesis makes a life that disagrees as short as it can."""
    pivot, bucket = run.pivot(), run.bucket()

    class Life(_Life):
        def __init__(self) -> None:
            super().__init__(run, pivot, bucket)

    seed(run.seed)(Life)
    limits = settings(
        max_examples=run.figure(6, 420),
        stateful_step_count=_STEPS,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink) if run.full else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    with _environment(pivot):
        try:
            run_state_machine_as_test(Life, settings=limits)
        except AssertionError as error:
            run.point("\n".join([str(error), *getattr(error, "__notes__", ())]))


@contextlib.contextmanager
def _environment(pivot: Command) -> Iterator[None]:
    """Be in the environment of the command, and come back to our directory."""
    ours, here = dict(os.environ), Path.cwd()
    os.environ.clear()
    os.environ.update(pivot.environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(ours)
        os.chdir(here)


class _Life(RuleBasedStateMachine):
    """Two clones and a prefix of a bucket, and the model of them."""

    def __init__(self, run: Run, pivot: Command, bucket: str) -> None:
        super().__init__()
        self.run, self.pivot, self.bucket = run, pivot, bucket
        self.team = Team((Machine(), Machine()))
        self.place = run.place("life")
        for number in (0, 1):
            config = self.root(number) / ".pivot/config.yaml"
            config.parent.mkdir(parents=True)
            config.write_text(f"remotes:\n  origin: s3://{bucket}/{self.place.name}\n")

    def root(self, number: int) -> Path:
        return self.place / str(number)

    def teardown(self) -> None:
        shutil.rmtree(self.place)

    @initialize(
        modes=st.tuples(*(st.sampled_from(MODES),) * 2), contents=st.tuples(*(content,) * 4)
    )
    def begin(self, modes: tuple[str, str], contents: tuple[bytes, bytes, bytes, bytes]) -> None:
        """One makes and shares it all, and the other pulls it."""
        for one, mode in zip(self.team.machines, modes, strict=True):
            one.mode = mode
        a, b, *pair = contents
        for output, data in (("a", (a, a)), ("b", (b, b)), ("d", (pair[0], pair[1]))):
            self.make(0, output, data)
        self.push(0, tuple(OUTPUTS), None)
        self.follow(1)
        self.pull(1, tuple(OUTPUTS), "update", None)

    @invariant()
    def count(self) -> None:
        self.run.points += 1

    @rule(number=who, output=st.sampled_from(tuple(OUTPUTS)), pair=st.tuples(content, content))
    def make(self, number: int, output: str, pair: tuple[bytes, bytes]) -> None:
        for path, data in zip(OUTPUTS[output], pair, strict=False):
            self.write(number, path, data)
        self.team.track(self.team.machines[number], output, pair)
        self.agree(number, 0, "track", "--force", output)

    @rule(
        number=who, output=st.sampled_from(tuple(OUTPUTS)), data=st.sampled_from(CONTENTS + WRONG)
    )
    def edit(self, number: int, output: str, data: bytes) -> None:
        path = OUTPUTS[output][-1]
        self.write(number, path, data)
        self.team.machines[number].files[path] = File(data)

    @rule(number=who, outputs=what)
    def delete(self, number: int, outputs: tuple[str, ...]) -> None:
        for path in (path for output in outputs for path in OUTPUTS[output]):
            (self.root(number) / path).unlink(missing_ok=True)
            self.team.machines[number].files.pop(path, None)

    @rule(number=who, path=where)
    def lose(self, number: int, path: str) -> None:
        name = self.team.machines[number].lock.get(path, b"")
        _object(self.root(number), name).unlink(missing_ok=True)
        self.team.machines[number].cache.pop(name, None)

    @rule(number=who)
    def wipe(self, number: int) -> None:
        shutil.rmtree(self.root(number) / ".pivot/cache", ignore_errors=True)
        self.team.machines[number].cache.clear()

    @rule(number=who, path=where, data=st.sampled_from(WRONG), gone=st.booleans())
    def damage(self, number: int, path: str, data: bytes, *, gone: bool) -> None:
        """Let an object be wrong; its file is perhaps deleted, as by somebody who noticed."""
        if gone:
            (self.root(number) / path).unlink(missing_ok=True)
            self.team.machines[number].files.pop(path, None)
        name = self.team.machines[number].lock.get(path, b"")
        held = self.team.machines[number].cache.get(name)
        if held is not None:
            place = _object(self.root(number), name)
            place.chmod(0o644)
            place.write_bytes(data)
            held.data = data

    @rule(path=where, data=st.sampled_from((None, *WRONG)))
    def harm_the_remote(self, path: str, data: bytes | None) -> None:
        name = self.team.machines[0].lock.get(path, b"")
        if name not in self.team.remote:
            return
        key = self.key(name)
        if data is None:
            buckets.delete(self.run.server, self.bucket, key)
            del self.team.remote[name]
        else:
            buckets.put(self.run.server, self.bucket, key, data)
            self.team.remote[name] = data

    @rule(number=who)
    def follow(self, number: int) -> None:
        """Take the documents of the other, as git does."""
        ours, theirs = self.root(number), self.root(1 - number)
        for old in (*ours.glob("*.pvt"), *ours.glob(".pivot/digests/*")):
            old.unlink()
        for new in (*theirs.glob("*.pvt"), *theirs.glob(".pivot/digests/*")):
            target = ours / new.relative_to(theirs)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(new.read_bytes())
        machines = self.team.machines
        machines[number].lock = dict(machines[1 - number].lock)

    @rule(number=who, mode=st.sampled_from(MODES))
    def change_mode(self, number: int, mode: str) -> None:
        self.team.machines[number].mode = mode

    @rule(number=who, outputs=what, kill=st.sampled_from((None,) * 9 + (0.25,)))
    def push(self, number: int, outputs: tuple[str, ...], kill: float | None) -> None:
        outputs = self.known(number, outputs)
        words = ("push", *outputs)
        self.killed(number, kill, *words)
        code = self.team.push(self.team.machines[number], outputs)
        self.agree(number, code, *words)
        assert self.stored() == self.team.remote

    @rule(number=who, outputs=what)
    def fetch(self, number: int, outputs: tuple[str, ...]) -> None:
        outputs = self.known(number, outputs)
        code = self.team.fetch(self.team.machines[number], outputs)
        self.agree(number, code, "fetch", *outputs)

    @rule(
        number=who,
        outputs=what,
        existing=st.sampled_from(("update", "keep", "overwrite")),
        kill=st.sampled_from((None,) * 9 + (0.25, 0.35)),
    )
    def pull(
        self, number: int, outputs: tuple[str, ...], existing: Existing, kill: float | None
    ) -> None:
        outputs, one = self.known(number, outputs), self.team.machines[number]
        words = ("pull", "--checkout-mode", one.mode, *EXISTING[existing], *outputs)
        self.killed(number, kill, *words)
        self.agree(number, self.team.pull(one, outputs, existing), *words)

    @rule(number=who, outputs=what, existing=st.sampled_from(("refuse", "keep", "overwrite")))
    def checkout(self, number: int, outputs: tuple[str, ...], existing: Existing) -> None:
        outputs, one = self.known(number, outputs), self.team.machines[number]
        words = ("checkout", "--checkout-mode", one.mode, *EXISTING[existing], *outputs)
        self.agree(number, self.team.checkout(one, outputs, existing), *words)

    def known(self, number: int, outputs: tuple[str, ...]) -> tuple[str, ...]:
        """Leave out what no document has, which would be a wrong target; none mean all."""
        lock = self.team.machines[number].lock
        known = tuple(output for output in outputs if OUTPUTS[output][0] in lock)
        return known or tuple(output for output in OUTPUTS if OUTPUTS[output][0] in lock)

    def write(self, number: int, path: str, data: bytes) -> None:
        place = self.root(number) / path
        place.unlink(missing_ok=True)
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(data)

    def key(self, name: bytes) -> str:
        return f"{self.place.name}/files/{digest(name)[:2]}/{digest(name)[2:]}"

    def stored(self) -> dict[bytes, bytes]:
        prefix = f"{self.place.name}/"
        with contextlib.closing(self.run.server.client()) as s3:
            listed = s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", ())
            held = {
                entry["Key"]: s3.get_object(Bucket=self.bucket, Key=entry["Key"])["Body"].read()
                for entry in listed
            }
        return {name: held.pop(self.key(name)) for name in CONTENTS if self.key(name) in held} | {
            key.encode(): data for key, data in held.items()
        }

    def killed(self, number: int, seconds: float | None, *words: str) -> None:
        """Kill a command in the middle; no file may be half of one then."""
        if seconds is None:
            return
        before = _files(self.root(number))
        with self.pivot.start(*words, cwd=self.root(number)) as process:
            time.sleep(seconds)
            process.kill()
            process.communicate()
        lock = self.team.machines[number].lock
        for path, data in _files(self.root(number)).items():
            assert data in {before.get(path), lock.get(path)}, path

    def agree(self, number: int, code: int, *words: str) -> None:
        """Run a command, and compare the end with the model."""
        root, one = self.root(number), self.team.machines[number]
        os.chdir(root)
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            ended = cli.run(words)
        told = f"{' '.join(words)}: {ended}\n{said.getvalue()}"
        assert ended == code, told
        wanted = {path: one.read(path) for path in PATHS if path in one.files}
        assert _files(root) == {p: data for p, data in wanted.items() if data is not None}, told
        for path, node in one.files.items():
            assert (root / path).is_symlink() == isinstance(node, bytes), told
        held = {digest(name): file.data for name, file in one.cache.items()}
        assert objects(root / ".pivot/cache") == held, told
        assert leftovers(root) == [], told


def _object(root: Path, name: bytes) -> Path:
    return root / ".pivot/cache/files" / digest(name)[:2] / digest(name)[2:]


def _files(root: Path) -> dict[str, bytes]:
    return {path: (root / path).read_bytes() for path in PATHS if (root / path).is_file()}


MODEL = Programme("R13", "random lives of a team, against a model", run_model)
