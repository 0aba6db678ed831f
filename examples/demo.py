"""The main job from end to end: push from one machine, clone afresh, pull, compare.

Run it with `make demo`. It starts an S3 server of its own on this machine (SeaweedFS, which checks
signatures), uses a project that the real Pivot wrote, and stops and removes all that it made.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.projects import clone, tree, unpack
from tests.servers import seaweedfs


def main() -> int:
    """Tell the story; the answer is the exit code."""
    with tempfile.TemporaryDirectory(prefix="pivot-demo-") as name:
        place = Path(name)
        say("Starting an S3 server on this machine ...")
        with seaweedfs(place / "server") as server:
            server.make_bucket("team-bucket")
            environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
            environment |= server.environment() | git_settings() | {"HOME": str(place)}
            return story(place, environment)


def story(place: Path, environment: dict[str, str]) -> int:
    """Play developer and teammate."""

    def run(directory: Path, *command: str) -> None:
        print(f"\n{directory.name}$ {' '.join(command)}", flush=True)
        program = [sys.executable, "-m", *command] if command[0] == "pivot" else list(command)
        subprocess.run(program, cwd=directory, env=environment, check=True)

    say("1. A developer has a project that the real Pivot ran: locks in git, outputs in a cache.")
    fixture = unpack("0.5.11", place / "fixture")
    developer = clone(fixture, place / "developer")
    shutil.copytree(fixture.cache, developer / ".pivot" / "cache")
    run(developer, "pivot", "checkout", "--quiet")
    run(developer, "pivot", "config", "set", "remotes.origin", "s3://team-bucket/pivot-cache")
    run(developer, "pivot", "remote", "remove", "backup")
    run(developer, "pivot", "remote", "list")

    say("2. 'push' uploads what the lock files name. The lock files themselves travel in git.")
    run(developer, "pivot", "push")
    run(developer, "git", "commit", "--quiet", "--all", "-m", "Use the team's bucket")

    say("3. A teammate clones the repository. The outputs are not in git, so they are not there.")
    run(place, "git", "clone", "--quiet", "developer", "teammate")
    teammate = place / "teammate"
    print(
        f"outputs in the clone: {sum(path.is_file() for path in teammate.glob('data/demo/**/*'))}"
    )

    say("4. 'pull' downloads them, checks every byte against its hash, and puts them in place.")
    run(teammate, "pivot", "pull")

    say("5. Is all of it the same?")
    ours, theirs = contents(teammate), contents(developer)
    different = sorted(n for n in ours.keys() | theirs.keys() if ours.get(n) != theirs.get(n))
    for name in different:
        print(f"  differs: {name}")
    print(f"{len(ours)} files compared, bytes and executable bits: {len(different)} differ")

    say("6. Pulling again moves nothing.")
    run(teammate, "pivot", "pull")
    say("Done. The server is stopped, and nothing is left behind.")
    return 1 if different or not ours else 0


def contents(directory: Path) -> dict[str, tuple[object, bool]]:
    """Read all files: a hard link to the cache and a copy differ in other mode bits, rightly."""
    return {
        name: (node, isinstance(mode, int) and bool(mode & 0o100))
        for name, (node, mode) in tree(directory).items()
    }


def git_settings() -> dict[str, str]:
    """Let git commit on a machine where nobody has told it a name, and ignore what others told."""
    who = {"NAME": "Ana", "EMAIL": "ana@example.org"}
    names = {
        f"GIT_{role}_{key}": text for role in ("AUTHOR", "COMMITTER") for key, text in who.items()
    }
    return names | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def say(text: str) -> None:
    """Print a step of the story."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
