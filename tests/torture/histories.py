"""Random histories of two clones and one remote, in which somebody cleans up all the time.

What is needed is told by a model that reads git and files in its own way: whatever a digest
stands in, of any commit that a branch, tag, stash or worktree has, or of a file of a worktree.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import obstore

from tests.projects import ProjectBuilder, digest
from tests.torture.forks import Child, Forks
from tests.torture.programme import Programme, Run

_CONTENTS = [b"content %d " % number * (number + 1) for number in range(9)]
_NAMES = frozenset(map(digest, _CONTENTS))
"""All objects that there can be: directories have digests too, and are none."""

_DIGEST = re.compile(r"\b[0-9a-f]{16}\b")
_OBJECT = re.compile(r"(?:^|/)files/([0-9a-f]{2})/([0-9a-f]{14})$")
_NOW = ("--min-age", "0")
_LONGEST = 0.12  # seconds in which a run has usually ended
_AT_A_TIME = 3  # as most of the time goes to processes of git and of the command


def run_histories(run: Run) -> None:
    """Let histories happen, and look after each step whether what is needed is still there."""
    counts: Counter[str] = Counter()
    free: SimpleQueue[Forks] = SimpleQueue()
    with ExitStack() as stack:
        for _ in range(_AT_A_TIME):
            free.put(stack.enter_context(Forks(run.pivot().environment, run.place("forks"))))
        pool = stack.enter_context(ThreadPoolExecutor(_AT_A_TIME))
        done = pool.map(partial(_let_happen, run, free), range(run.figure(20, 500)))
        for number, history in enumerate(done):
            run.point(*(f"history {number}: {text}" for text in history.wrong))
            counts += history.counts
    run.note(", ".join(f"{count} {name}" for name, count in sorted(counts.items())))


def _let_happen(run: Run, free: SimpleQueue[Forks], number: int) -> History:
    """Let one history happen; its number and the seed of the run tell all that is chosen in it."""
    forks = free.get()
    place = run.place("history")
    bucket = run.bucket() if number % 3 == 2 else ""
    history = History(run, forks, place, bucket, random.Random(f"{run.seed} {number}"))
    try:
        history.begin()
        for _ in range(run.figure(6, 14)):
            history.step()
        history.end()
    except _WrongError as error:
        history.wrong.append(str(error))
    finally:
        free.put(forks)
    shutil.rmtree(place)
    return history


class _WrongError(Exception):
    """The history cannot go on."""


@dataclass
class Clone:
    """One of the two: its project, and the number of what was made in it."""

    root: Path
    extra: list[Path] = field(default_factory=list)  # other worktrees

    def builder(self) -> ProjectBuilder:
        return ProjectBuilder(self.root)


class History:
    """Two clones, a bare repository and a remote; each step is chosen at random."""

    def __init__(
        self, run: Run, forks: Forks, place: Path, bucket: str, chance: random.Random
    ) -> None:
        self.wrong: list[str] = []
        self.counts: Counter[str] = Counter()
        self._random = chance
        self._forks = forks
        self._place = place
        self._environment = run.pivot().environment
        self._folder = place / "remote"
        self._store = run.server.store(bucket) if bucket else None
        self._receipts: list[str] = []
        self._emptied: set[str] = set()
        self._pushed: frozenset[str] = frozenset()
        self._commits: dict[str, frozenset[str]] = {}
        self._names = 0
        url = f"remotes:\n  origin: s3://{bucket}/ä b" if bucket else ""
        self._config = url or f"folders:\n  origin: {self._folder.as_uri()}"
        self._clones: list[Clone] = []

    def begin(self) -> None:
        """Make the repository that both share, and the clones, of which one has pushed."""
        self._folder.mkdir(parents=True)
        self._git(self._place, "init", "-q", "--bare", "-b", "main", "team.git")
        first = self._clone("one")
        self._clones.append(first)
        self._make(first)
        self._share(first)
        self._git(first.root, "push", "-q", "origin", "HEAD:main")
        self._done("gc", "-r", "--claim", clone=first)
        self._clones.append(self._clone("two"))

    def _clone(self, name: str) -> Clone:
        self._git(self._place, "clone", "-q", "team.git", name)
        root = self._place / name
        (root / ".pivot").mkdir(exist_ok=True)
        if not (root / ".pivot/config.yaml").exists():
            self._git(root, "checkout", "-q", "-B", "main")
            (root / ".pivot/config.yaml").write_text(f"{self._config}\n")
            (root / ".gitignore").write_text("/.pivot/cache/\n/data/\n")
        return Clone(root)

    def step(self) -> None:
        """Do one thing at random in one of the clones."""
        clone = self._random.choice(self._clones)
        self._random.choice(
            [
                self._make,
                self._make_and_push,
                self._change_history,
                self._change_history,
                self._share,
                self._collect_exactly,
                self._collect_exactly,
                self._collect_and_kill,
                self._collect_while_pushing,
                self._collect_cache,
                self._undo,
                self._empty,
            ]
        )(clone)

    def end(self) -> None:
        """Let everybody know of everything: then all that is needed is in use again."""
        for clone in self._clones:
            self._share(clone)
        for clone in self._clones:
            self._git(clone.root, "fetch", "-q", "--all", "--tags")
            self._done("gc", "-r", *_NOW, "--yes", clone=clone)
            self._done("gc", *_NOW, "--yes", clone=clone)
        team = self._place / "team.git"
        commits = self._git(team, "rev-list", "--all").split()
        shared = frozenset[str]().union(*(self._in_commit(team, commit) for commit in commits))
        known = self._needed(self._clones[0]) | self._needed(self._clones[1])
        live, trash = self._remote()
        self._expect(self._pushed & shared <= live, f"lost: {(self._pushed & shared) - live}")
        nowhere = (self._pushed & known) - live - trash  # one's stash is not known to the other
        self._expect(not nowhere, f"nowhere: {nowhere}")

    # what happens

    def _make(self, clone: Clone) -> None:
        """Leave what a run of a stage leaves, or what `track` does."""
        self._names += 1
        stage = self._random.choice(["make/ä", "make/b", "tree"])
        one, two = self._random.choices(_CONTENTS, k=2)
        content = {"x": one, "ü y": two} if stage == "tree" else one
        clone.builder().stage(stage, {f"data/{stage} out": content})

    def _make_and_push(self, clone: Clone) -> None:
        self._make(clone)
        self._done("push", clone=clone)
        self._note_pushed(clone)

    def _note_pushed(self, clone: Clone) -> None:
        self._pushed |= _named(clone.root / ".pivot/stages")

    def _share(self, clone: Clone) -> None:
        """Push the objects, commit, and push all branches; as the others do."""
        self._done("push", clone=clone)
        self._note_pushed(clone)
        self._commit(clone)
        self._names += 1
        ours = f"refs/heads/*:refs/heads/of-{clone.root.name}/*"
        head = f"HEAD:refs/heads/shared-{self._names}"
        self._git(clone.root, "push", "-q", "--force", "--tags", "origin", head, ours)

    def _commit(self, clone: Clone, *words: str) -> None:
        self._git(clone.root, "add", "-A")
        self._git(clone.root, "commit", "-q", "--allow-empty", "-m", "made", *words)

    def _change_history(self, clone: Clone) -> None:
        """Commit, amend, branch, tag, stash, or work in another worktree."""
        self._names += 1
        name, root = f"n{self._names}", clone.root
        kind = self._random.randrange(8)
        if kind == 0:
            self._make(clone)
            self._commit(clone, "--amend")
        elif kind == 1:
            self._commit(clone)
            self._git(root, "tag", *self._random.choice([[name], ["-am", "x", name]]))
        elif kind == 2:
            self._commit(clone)
            self._git(root, "checkout", "-q", "-b", name)
        elif kind == 3:
            self._commit(clone)
            form = "--format=%(refname:short)"
            others = self._git(root, "for-each-ref", form, "refs/heads").split()
            self._git(root, "checkout", "-q", "--detach")
            lost = self._random.choice([*others, name])
            self._git(root, "update-ref", "-d", f"refs/heads/{lost}")
        elif kind == 4:
            self._make(clone)
            self._git(root, "add", "-A")
            self._git(root, "stash", "push", "-q", "-u")
        elif kind == 5:
            tree = self._place / f"{root.name}-{name}"
            self._git(root, "worktree", "add", "-q", "--detach", str(tree))
            ProjectBuilder(tree).stage("make/b", {"data/b": self._random.choice(_CONTENTS)})
            clone.extra.append(tree)
        elif kind == 6:
            self._make(clone)
            self._git(root, "add", "-A")  # staged, and then made anew
            self._make(clone)
        else:
            self._commit(clone)
            self._git(root, "reset", "-q", "--hard", "HEAD~1" if self._has_parent(root) else "HEAD")

    def _has_parent(self, root: Path) -> bool:
        return self._git(root, "rev-list", "--count", "HEAD").strip() != "1"

    # who cleans up

    def _collect_exactly(self, clone: Clone) -> None:
        """What the dry run lists is what goes, and nothing that is needed."""
        self._refresh(clone)
        before, _ = self._remote()
        needed = self._needed(clone)
        dry = self._json("gc", "-r", *_NOW, clone=clone)
        done = self._json("gc", "-r", *_NOW, "--yes", clone=clone)
        after, trash = self._remote()
        planned, gone = _digests(dry["plan"]["out"]), _digests(done["gone"])
        self._expect(planned == gone, f"dry list {planned}, deleted list {gone}")
        self._expect(before - after == gone, f"gone {before - after}, told {gone}")
        self._expect(gone.isdisjoint(needed), f"needed objects went: {gone & needed}")
        self._expect(gone == before - needed, f"what nobody needs stayed: {before - needed - gone}")
        self._expect(gone <= trash, f"not in the trash: {gone - trash}")
        self._receipts += [done["receipt"]] if done["receipt"] else []
        if self._random.random() < 0.3:
            self._undo(clone)

    def _collect_and_kill(self, clone: Clone) -> None:
        self._refresh(clone)
        before, old = self._remote()
        needed = self._needed(clone)
        child = self._forks.start("gc", "-r", *_NOW, "--yes", cwd=clone.root)
        time.sleep(self._random.random() * _LONGEST)
        child.kill()
        self._count("killed" if child.wait() < 0 else "not killed in time")
        after, trash = self._remote()
        self._expect(before & needed <= after, f"a kill lost {(before & needed) - after}")
        self._expect(before | old <= after | trash, f"a kill lost {before - after - trash}")
        self._receipts += self._left()
        if self._random.random() < 0.5:
            self._undo(clone)

    def _collect_while_pushing(self, clone: Clone) -> None:
        """Clean up while the other pushes, perhaps what is there and was not needed till now."""
        other = next(one for one in self._clones if one is not clone)
        self._refresh(clone)
        self._make(other)
        before, old = self._remote()
        needed = self._needed(clone)
        one = self._forks.start("gc", "-r", *_NOW, "--yes", "--json", cwd=clone.root)
        time.sleep(self._random.random() * _LONGEST)
        two = self._forks.start("push", cwd=other.root)
        if self._random.random() < 0.3:
            one.kill()
        for child in (one, two):
            self._ended(child, allowed={0, -9} if child is one else {0})
        self._count("concurrent pushes")
        self._note_pushed(other)
        after, trash = self._remote()
        wanted = _named(other.root / ".pivot/stages")
        self._expect(before & needed <= after, f"lost to a push: {(before & needed) - after}")
        self._expect(before | old | wanted <= after | trash, f"nowhere: {wanted - after - trash}")

    def _collect_cache(self, clone: Clone) -> None:
        """Clean up the cache, while somebody tracks what may be in it, and perhaps die."""
        needed = self._needed(clone)
        files = clone.root / ".pivot/cache"
        before, old = _objects(files)
        data = clone.root / "tracked.bin"
        data.write_bytes(self._random.choice(_CONTENTS))
        one = self._forks.start("gc", *_NOW, "--yes", cwd=clone.root)
        time.sleep(self._random.random() * _LONGEST)
        two = self._forks.start("track", "--force", data.name, cwd=clone.root)
        if self._random.random() < 0.3:
            one.kill()
        self._ended(one, allowed={0, -9})
        self._ended(two, allowed={0})
        after, trash = _objects(files)
        needed &= self._needed(clone)  # not what was tracked before
        wanted = {digest(data.read_bytes())}
        self._expect(before & needed <= after, f"the cache lost {(before & needed) - after}")
        self._expect(before | old | wanted <= after | trash, "the cache lost what was tracked")
        self._done("gc", *_NOW, "--yes", clone=clone)
        self._expect(wanted <= _objects(files)[0], "what is tracked did not come back")

    def _undo(self, clone: Clone) -> None:
        """Undo brings back all that the receipt names."""
        if not self._receipts:
            return
        receipt = self._receipts.pop()
        before, trash = self._remote()
        named = self._named_in(receipt)
        self._done("gc", "-r", "--undo", receipt, clone=clone)
        after, _ = self._remote()
        self._expect(named <= after, f"undo left {named - after} of {receipt}")
        self._expect(after >= before, f"undo took {before - after}")
        self._expect((before | trash) <= after | self._remote()[1], "undo lost something")
        self._count("undone")

    def _empty(self, clone: Clone) -> None:
        """Delete for good when all have told what they need, which the minimum age is there for."""
        for one in self._clones:
            self._share(one)
        self._refresh(clone)
        needed = self._needed(clone)
        before, trash = self._remote()
        dry = self._json("gc", "-r", *_NOW, "--empty-trash", clone=clone)
        done = self._json("gc", "-r", *_NOW, "--empty-trash", "--yes", clone=clone)
        after, left = self._remote()
        self._expect(_digests(dry["plan"]["out"]) == _digests(done["gone"]), "emptied otherwise")
        lost = (needed & (before | trash)) - after
        self._expect(not lost, f"emptying the trash lost {lost}")
        self._expect(not left - after, f"the trash still has {left}")
        self._emptied.update(self._written())
        self._pushed &= after
        self._receipts.clear()
        self._count("emptied")

    # what there is

    def _refresh(self, clone: Clone) -> None:
        """Fetch; half of the time it is seen before that a clone which has not is refused."""
        if self._random.random() < 0.5:
            before = self._remote()
            told = self._git(clone.root, "ls-remote", "--heads", "--tags", "origin").split()[::2]
            asked = subprocess.run(
                ["git", "cat-file", "--batch-check"],
                cwd=clone.root,
                env=self._environment,
                input="".join(f"{name}\n" for name in told),
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            if " missing" in asked:
                child = self._forks.start("gc", "-r", *_NOW, "--yes", cwd=clone.root)
                self._expect(self._ended(child, allowed={1}) == 1, "old branches were enough")
                self._expect(self._remote() == before, "a refusal changed something")
                self._count("refused")
        self._git(clone.root, "fetch", "-q", "--tags", "origin")

    def _needed(self, clone: Clone) -> set[str]:
        """List every digest that anything of a clone has."""
        found: set[str] = set()
        heads = self._git(clone.root, "worktree", "list", "--porcelain")
        starts = re.findall(r"^HEAD ([0-9a-f]+)$", heads, re.MULTILINE)
        refs = self._git(clone.root, "for-each-ref", "--format=%(refname)").split()
        if "refs/stash" in refs:
            starts += self._git(clone.root, "rev-list", "-g", "refs/stash").split()
        for commit in self._git(clone.root, "rev-list", "--all", *starts).split():
            found |= self._in_commit(clone.root, commit)
        for root in (clone.root, *clone.extra):
            found |= _named(root / ".pivot/stages")
            found |= {d for path in root.glob("*.pvt") for d in _DIGEST.findall(path.read_text())}
            staged = self._git(root, "ls-files", "--stage", "--", ".pivot/stages")
            for line in staged.splitlines():
                found |= self._in_blob(clone.root, line.split()[1])
        return found

    def _in_commit(self, root: Path, commit: str) -> frozenset[str]:
        if commit not in self._commits:
            listed = self._git(root, "ls-tree", "-r", commit)
            blobs = [
                line.split()[2]
                for line in listed.splitlines()
                if (".lock" in line or ".pvt" in line) and ".sha256" not in line
            ]
            found = [self._in_blob(root, blob) for blob in blobs]
            self._commits[commit] = frozenset().union(*found)
        return self._commits[commit]

    def _in_blob(self, root: Path, blob: str) -> frozenset[str]:
        if blob not in self._commits:
            text = self._git(root, "cat-file", "blob", blob)
            self._commits[blob] = _NAMES.intersection(_DIGEST.findall(text))
        return self._commits[blob]

    def _remote(self) -> tuple[set[str], set[str]]:
        """List what is in use on the remote, and what is in its trash."""
        if self._store is None:
            return _objects(self._folder)
        names = [entry["path"] for page in obstore.list(self._store) for entry in page]
        prefix = "ä b/"
        return _sorted_out([name.removeprefix(prefix) for name in names])

    def _left(self) -> list[str]:
        """List the receipts that bring all back, also of runs that were killed."""
        return sorted(set(self._written()) - set(self._receipts) - self._emptied)

    def _written(self) -> list[str]:
        """List all receipts that there are."""
        if self._store is None:
            names = [path.as_posix() for path in self._folder.glob("trash/*/receipt.json")]
        else:
            names = [entry["path"] for page in obstore.list(self._store) for entry in page]
        return [name.split("/")[-2] for name in names if name.endswith("/receipt.json")]

    def _named_in(self, receipt: str) -> set[str]:
        """Read what a receipt names."""
        name = f"trash/{receipt}/receipt.json"
        if self._store is None:
            text = (self._folder / name).read_bytes()
        else:
            text = bytes(obstore.get(self._store, f"ä b/{name}").bytes())
        return _digests(json.loads(text)["objects"])

    # how it is done

    def _done(self, *words: str, clone: Clone) -> str:
        child = self._forks.start(*words, cwd=clone.root)
        self._ended(child, allowed={0})
        return child.said[0]

    def _json(self, *words: str, clone: Clone) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._done(*words, "--json", clone=clone))
        return found

    def _ended(self, child: Child, *, allowed: set[int]) -> int:
        code = child.wait()
        out, err = child.said
        if code not in allowed or "Traceback" in err:
            raise _WrongError(f"exit {code}: {out[-1500:]}{err[-1500:]}")
        return code

    def _expect(self, holds: bool, otherwise: str) -> None:
        self._count("checks")
        if not holds:
            self.wrong.append(otherwise)

    def _count(self, name: str) -> None:
        self.counts[name] += 1

    def _git(self, root: Path, *words: str) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=root,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise _WrongError(f"git {words}: {done.stderr}")
        return done.stdout


def _named(stages: Path) -> frozenset[str]:
    texts = [path.read_text() for path in stages.rglob("*.lock")]
    return _NAMES.intersection(name for text in texts for name in _DIGEST.findall(text))


def _objects(root: Path) -> tuple[set[str], set[str]]:
    return _sorted_out([path.relative_to(root).as_posix() for path in root.rglob("*")])


def _sorted_out(names: list[str]) -> tuple[set[str], set[str]]:
    """Tell what is in use from what is in the trash."""
    live: set[str] = set()
    trash: set[str] = set()
    for name in names:
        if found := _OBJECT.search(name):
            (trash if name.startswith("trash/") else live).add(found[1] + found[2])
    return live, trash


def _digests(rows: list[dict[str, Any]]) -> set[str]:
    return {row["digest"] for row in rows}


HISTORIES = Programme("R16", "random histories with clean-up, kills and pushes", run_histories)
