"""A project and clones of it, for tests of what `repro` believes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e.ugly import Place, stage
from tests.projects import Document, digest

Clone = Callable[[str], Place]
LONG_AGO = (1_700_000_000_000_000_005, 1_700_000_000_000_000_005)


def clone_of(place: Place, name: str) -> Place:
    """Push and commit what *place* has, and clone it."""
    remote = place.root.parent / "remote"
    if not remote.exists():
        remote.mkdir()
        done = place("remote", "add", "origin", f"file://{remote}")
        assert done.code == 0, done
    pushed = place("push")
    assert pushed.code == 0, pushed
    git(place, "add", "--all")
    git(place, "commit", "-q", "-m", name)
    git(place, "clone", "-q", ".", f"../{name}")
    return Place(place.root.parent / name, place.pivot, place.prefix)


def git(place: Place, *words: str) -> str:
    done = subprocess.run(
        ["git", *words],
        cwd=place.root,
        env=place.pivot.environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def sh(place: Place, script: str) -> None:
    environment = place.pivot.environment
    subprocess.run(["sh", "-ec", script], cwd=place.root, env=environment, check=True)


def await_file(path: Path) -> None:
    """Wait until a stage has made *path*."""
    for _ in range(3000):
        if path.exists():
            return
        time.sleep(0.01)
    raise AssertionError(f"{path} does not come")


def lose(place: Place, content: bytes) -> None:
    """Take an object out of the cache."""
    name = digest(content)
    (place.root / ".pivot/cache/files" / name[:2] / name[2:]).unlink()


def slow(place: Place, **more: Document) -> None:
    """A stage that begins, and ends when it is told to."""
    wait = "cat src > out; touch began; until [ -e go ]; do sleep 0.01; done"
    (place.root / ".gitignore").write_text("began\ngo\n")
    (place.root / "src").write_text("1\n")
    (place.root / "more").write_text("1\n")
    (place.root / "go").touch()
    place.write(slow=stage(wait, "out", deps=["src"]), **more)
    assert place("repro").code == 0
    for name in ("began", "go"):
        (place.root / name).unlink()


def during(place: Place, act: Callable[[], object], *options: str) -> str:
    """Do something while the first stage runs, and let it end; answer with what was said."""
    with place.start("repro", *options) as process:
        await_file(place.root / "began")
        act()
        (place.root / "go").touch()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, (out, err)
    return out.decode()
