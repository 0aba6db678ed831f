"""What `repro` has to do, said once more: pipelines of a few kinds of stages, and a model."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from pivot.config import load_config
from pivot.project import find_project
from pivot.repro.run import Options
from pivot.repro.start import repro
from pivot.session import Session
from pivot.transfer import Meter
from tests.conftest import Command
from tests.projects import dump

Files = dict[str, tuple[bytes, bool]]
Told = tuple[str, str]


def below(path: str, files: Files) -> Files:
    """List what stands at or in *path*; the mode of a file counts only in a directory."""
    if path in files:
        return {path: (files[path][0], False)}
    return {name: node for name, node in files.items() if name.startswith(f"{path}/")}


@dataclass(frozen=True)
class Step:
    """A stage: a file, a directory with two files in it, and a metric are what it may make.

    A *dull* one makes the number of bytes that it reads, so often the same.
    """

    number: int
    reads: frozenset[str]
    keys: frozenset[str]
    salt: int = 0
    tone: int | None = None
    dull: bool = False
    tree: bool = False
    metric: bool = False

    @property
    def outs(self) -> dict[str, bool]:
        """Paths, and whether each is cached."""
        above = "early" if self.number < 4 else "late"
        made = {f"{above}/{self.number}.{'d' if self.tree else 'txt'}": True}
        return made | ({f"{above}/{self.number}.json": False} if self.metric else {})

    def command(self, name: str) -> str:
        """Name the stage in the log, read what is declared, write what depends on nothing else."""
        sources = "find -L {} -type f | LC_ALL=C sort -u | xargs cat".format(
            " ".join(sorted(self.reads)) or "/dev/null"
        )
        keys = " ".join(f"grep ^{key}: params.yaml;" for key in sorted(self.keys))
        last = "wc -c | tr -d ' '" if self.dull else "sha256sum"
        out, *metric = self.outs
        lines = [f'echo {name} >> "$LOG"']
        target = out
        if self.tree:
            lines.append(f"mkdir {out}; echo {out} > {out}/name")
            target = f"{out}/made"
        lines.append(f'{{ echo {self.salt} "$TONE"; {keys} {sources}; }} | {last} > {target}')
        lines += [f"echo of $(wc -c < {target}) > {path}" for path in metric]
        return "; ".join(lines)

    def entry(self, name: str) -> dict[str, object]:
        cached = [path for path, is_cached in self.outs.items() if is_cached]
        metrics = [path for path, is_cached in self.outs.items() if not is_cached]
        body = {"cmd": self.command(name), "deps": sorted(self.reads), "outs": cached}
        body |= {"metrics": metrics} if metrics else {}
        body |= {"params": sorted(self.keys)} if self.keys else {}
        return body | ({"env": {"TONE": str(self.tone)}} if self.tone is not None else {})

    def made(self, files: Files, params: dict[str, int]) -> dict[str, dict[str, bytes]]:
        """Say what the command writes, by output."""
        read = {path: data for each in self.reads for path, (data, _) in below(each, files).items()}
        tone = "" if self.tone is None else str(self.tone)
        head = f"{self.salt} {tone}\n" + "".join(f"{k}: {params[k]}\n" for k in sorted(self.keys))
        data = head.encode() + b"".join(read[path] for path in sorted(read))
        name = hashlib.sha256(data).hexdigest()
        body = f"{len(data)}\n" if self.dull else f"{name}  -\n"
        out, *metric = self.outs
        found = {f"{out}/name": f"{out}\n".encode()} if self.tree else {}
        found |= {f"{out}/made" if self.tree else out: body.encode()}
        return {out: found} | {path: {path: f"of {len(body)}\n".encode()} for path in metric}


@dataclass
class World:
    """A project on the disk, and what the model knows: who ran with what, and what is cached."""

    root: Path
    log: Path
    command: Command | None = None
    steps: dict[str, Step] = field(default_factory=dict)
    params: dict[str, int] = field(default_factory=lambda: {f"p{n}": n for n in range(4)})
    locks: dict[str, tuple[object, dict[str, dict[str, bytes]]]] = field(default_factory=dict)
    objects: set[bytes] = field(default_factory=set)

    def files(self) -> Files:
        return {
            path.relative_to(self.root).as_posix(): (
                path.read_bytes(),
                bool(path.stat().st_mode & 0o100),
            )
            for path in self.root.rglob("*")
            if path.is_file() and ".pivot" not in path.parts
        }

    def write(self) -> None:
        tree = {"stages": {name: step.entry(name) for name, step in self.steps.items()}}
        (self.root / "pivot.yaml").write_text(dump(tree))
        text = "".join(f"{key}: {value}\n" for key, value in self.params.items())
        (self.root / "params.yaml").write_text(text)

    def expect(self) -> tuple[list[str], dict[str, bytes]]:
        """Say which stages run, and what all outputs are then; take note of it. The model."""
        files, ran, wanted = self.files(), list[str](), dict[str, bytes]()
        cached = frozenset(self.objects)
        for name, step in sorted(self.steps.items(), key=lambda item: item[1].number):
            seen = {each: below(each, files) for each in step.reads}
            values = {key: self.params[key] for key in step.keys}
            key = (step.command(name), step.tone, seen, values, step.outs)
            old, recorded = self.locks.get(name, (None, {}))
            there = {out: contents(out, files) for out in step.outs}
            wrong = [o for o in step.outs if old and there[o] != recorded[o]]
            lost = [o for o in wrong if not (step.outs[o] and cached >= {*recorded[o].values()})]
            if old != key or lost:
                ran.append(name)
                recorded = step.made(files, self.params)
                self.locks[name] = key, recorded
                wrong = list(step.outs)
            for out in wrong:  # what is replaced is kept
                kept = {*there[out].values(), *recorded[out].values()}
                self.objects |= kept if step.outs[out] else set()
                files = {p: node for p, node in files.items() if p not in there[out]}
            made = {p: data for out in recorded.values() for p, data in out.items()}
            files |= {path: (data, False) for path, data in made.items()}
            wanted |= made
        return ran, wanted

    def run(self, *, dry_run: bool = False, jobs: int = 1) -> dict[str, Told]:
        """Run the pipeline and answer with what was decided and done, by stage."""
        if self.command is not None:
            words = ["repro", "--json", f"--jobs={jobs}", *(["--dry-run"] if dry_run else [])]
            done = self.command(*words, cwd=self.root, LOG=str(self.log))
            assert done.code == 0, done
            stages = json.loads(done.out)["stages"]
            return {each["name"]: (each["verdict"], each["state"]) for each in stages}
        environment = os.environ | {"LOG": str(self.log)}
        project = find_project(self.root, environment)
        config = load_config(project, project.user_config)
        session = Session(project, config, environment, 1, Meter())
        result = repro(session, options=Options(jobs=jobs), dry_run=dry_run)
        assert not result.problems, result.problems
        return {each.stage: (each.decision.verdict, each.state) for each in result.stages}

    def ran(self) -> list[str]:
        """Take the names that stages wrote down since the last time."""
        names = self.log.read_text().split() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return names


def contents(path: str, files: Files) -> dict[str, bytes]:
    return {name: data for name, (data, _) in below(path, files).items()}


def snapshot(root: Path) -> dict[str, tuple[float, ...]]:
    """Note all that a write would change."""
    found = {str(path): path.lstat() for path in (root, *root.rglob("*"))}
    return {
        p: (s.st_ino, s.st_mode, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for p, s in found.items()
    }
