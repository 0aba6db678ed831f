"""The whole job from end to end, told as a story that checks each of its claims.

Run it with `make demo`. It starts an S3 server of its own on this machine (SeaweedFS, which checks
signatures), runs the pipeline in `examples/demo`, shares it with a colleague and with CI, then does
the same with a project that the real Pivot wrote. It stops and removes all that it made. The exit
code is 1 if a claim is false.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.documentation import install_commands
from tests.projects import clone, objects, tree, unpack
from tests.servers import seaweedfs

PIPELINE = Path(__file__).parent / "demo"
STAGES = ["clean", "train", "evaluate", "plot"]
OUTPUTS = ("data/clean.csv", "model.json", "loss.csv", "loss.svg")


class Broken(Exception):
    """A command of the story failed, so that the rest makes no sense."""


@dataclass
class Story:
    """Commands in directories below *place*, and what is claimed of them."""

    place: Path
    environment: dict[str, str]
    false: list[str] = field(default_factory=list)
    steps: int = 0

    def say(self, text: str) -> None:
        """Tell the next step."""
        self.steps += 1
        text = f"{self.steps}. {text}"
        print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)

    def run(self, directory: Path, command: str, *, shown: bool = True) -> str:
        """Run a command of the shell as a user would see it; answers with what it printed."""
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if shown or done.returncode:
            print(f"\n{directory.name}$ {command}\n{done.stdout}", end="", flush=True)
        if done.returncode:
            raise Broken(f"{command} ended with exit code {done.returncode}")
        return done.stdout

    def claim(self, text: str, *, true: bool) -> None:
        """Say whether a claim is true."""
        print(f"  {'[true]' if true else '[FALSE]'} {text}", flush=True)
        if not true:
            self.false.append(text)


def main() -> int:
    """Tell the story; the answer is the exit code."""
    with tempfile.TemporaryDirectory(prefix="pivot demo ") as name:
        place = Path(name)
        print("Starting an S3 server on this machine ...", flush=True)
        with seaweedfs(place / "server") as server:
            server.make_bucket("team-bucket")
            environment = {
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("AWS_", "GIT_", "PIVOT_"))
            }
            environment |= server.environment() | git_settings() | {"HOME": str(place)}
            commands = install_commands(place / "bin", [sys.executable, "-m", "pivot"])
            first, _, rest = commands.partition(os.pathsep)
            python = str(Path(sys.executable).parent)
            environment["PATH"] = os.pathsep.join((first, python, rest))
            story = Story(place, environment)
            try:
                a_new_pipeline(story)
                a_changed_parameter(story)
                a_project_of_the_real_pivot(story)
            except Broken as error:
                story.claim(str(error), true=False)
    print("\nThe server is stopped, and nothing is left behind.")
    if story.false:
        print(f"{len(story.false)} claim(s) are false.", file=sys.stderr)
    return 1 if story.false else 0


def a_new_pipeline(story: Story) -> None:
    """Write, run, push; clone, pull, and run nothing."""
    run, place = story.run, story.place / "rentals"
    developer, colleague, ci = (place / name for name in ("developer", "colleague", "ci"))

    story.say("A developer writes a pipeline of four stages: what each runs, reads and makes.")
    shutil.copytree(PIPELINE, developer, ignore=shutil.ignore_patterns("__pycache__"))
    run(place, "git init --quiet --bare --initial-branch=main team.git", shown=False)
    run(developer, "git init --quiet --initial-branch=main", shown=False)
    run(developer, "git remote add origin ../team.git", shown=False)
    run(developer, "cat pivot.yaml")
    run(developer, "pivot init --quiet")

    story.say("'repro' runs them, each after those that it depends on.")
    ran = run(developer, "pivot repro")
    story.claim("all four stages ran, in their order", true=stages(ran) == STAGES)

    story.say("'push' uploads the outputs. Git gets the code and the lock files.")
    run(developer, "pivot config set remotes.origin s3://team-bucket/rentals")
    run(developer, "pivot push")
    run(developer, "git add --all")
    run(developer, "git commit --quiet -m 'Forecast rentals'")
    run(developer, "git push --quiet --set-upstream origin main")

    story.say("A colleague clones, pulls, and has nothing to run.")
    run(place, "git clone --quiet team.git colleague")
    story.claim("the clone has no outputs", true=not any(made(colleague)))
    run(colleague, "pivot pull")
    ran = run(colleague, "pivot repro")
    story.claim("no stage ran", true=not stages(ran))
    same(story, developer, colleague)

    story.say("CI wants to know whether somebody forgot to run or to push: without the data.")
    run(place, "git clone --quiet team.git ci")
    seen = run(ci, "pivot repro --dry-run --allow-missing")
    story.claim("nothing is to be done", true=seen.count("Unchanged") == len(STAGES))
    moved = any(made(ci)) or objects(ci / ".pivot")
    story.claim("and nothing was downloaded to find that out", true=not moved)


def a_changed_parameter(story: Story) -> None:
    """Run what depends on it, compare, push; the colleague runs nothing."""
    run, place = story.run, story.place / "rentals"
    developer, colleague, ci = (place / name for name in ("developer", "colleague", "ci"))

    story.say("The developer trains longer: 400 epochs in params.yaml instead of 50.")
    parameters = developer / "params.yaml"
    parameters.write_text(parameters.read_text().replace("epochs: 50", "epochs: 400"))
    ran = run(developer, "pivot repro")
    story.claim("only what depends on it ran: all but 'clean'", true=stages(ran) == STAGES[1:])
    seen = run(developer, "pivot params diff")
    story.claim("one parameter changed", true="train.epochs" in seen and "train.lr" not in seen)
    seen = run(developer, "pivot metrics diff")
    story.claim("and the model is better for it", true=is_less(seen, "mean_error"))

    story.say("CI sees what is not pushed yet: it could not use it. Then it is pushed.")
    run(developer, "git commit --quiet --all -m 'Train longer' && git push --quiet")
    run(ci, "git pull --quiet", shown=False)
    seen = run(ci, "pivot repro --dry-run --allow-missing")
    story.claim("three stages would have to run", true="Would run train" in seen)
    seen = run(developer, "pivot push")
    story.claim("three outputs are new", true="3 transferred, 1 skipped" in seen)
    seen = run(ci, "pivot repro --dry-run --allow-missing")
    story.claim("nothing is to be done", true=seen.count("Unchanged") == len(STAGES))

    story.say("The colleague gets all of it, and again has nothing to run.")
    run(colleague, "git pull --quiet")
    run(colleague, "pivot pull")
    ran = run(colleague, "pivot repro")
    story.claim("no stage ran", true=not stages(ran))
    same(story, developer, colleague)


def a_project_of_the_real_pivot(story: Story) -> None:
    """Push what the real Pivot made, clone, pull, compare."""
    run, place = story.run, story.place / "real"

    story.say("A project that the real Pivot ran is pushed and pulled just so.")
    fixture = unpack("0.5.11", story.place / "fixture")
    developer = clone(fixture, place / "developer")
    shutil.copytree(fixture.cache, developer / ".pivot" / "cache")
    run(developer, "pivot checkout --quiet", shown=False)
    run(developer, "pivot config set remotes.origin s3://team-bucket/real")
    run(developer, "pivot push --remote origin")
    run(developer, "git commit --quiet --all -m 'Use the bucket of the team'", shown=False)
    run(place, "git clone --quiet developer colleague")
    run(place / "colleague", "pivot pull --remote origin")
    same(story, developer, place / "colleague")
    seen = run(place / "colleague", "pivot pull --remote origin")
    story.claim("pulling again moves nothing", true="Fetched from 'origin': 0 transferred" in seen)


def same(story: Story, one: Path, other: Path) -> None:
    """Claim that two workspaces hold the same."""
    ours, theirs = contents(one), contents(other)
    different = sorted(n for n in ours.keys() | theirs.keys() if ours.get(n) != theirs.get(n))
    for name in different:
        print(f"  differs: {name}")
    text = f"all {len(ours)} files are the developer's, bytes and executable bits"
    story.claim(text, true=bool(ours) and not different)


def contents(directory: Path) -> dict[str, tuple[object, bool]]:
    """Read all files: a hard link to the cache and a copy differ in other mode bits, rightly."""
    return {
        name: (node, isinstance(mode, int) and bool(mode & 0o100))
        for name, (node, mode) in tree(directory).items()
    }


def stages(printed: str) -> list[str]:
    """List the stages that ran."""
    return re.findall(r"^Running (\S+):", printed, re.MULTILINE)


def made(project: Path) -> list[Path]:
    """List the outputs that are in place."""
    return [project / path for path in OUTPUTS if (project / path).exists()]


def is_less(table: str, metric: str) -> bool:
    """Read from a comparison whether a metric became less."""
    row = next((line.split() for line in table.splitlines() if f" {metric} " in line), [])
    return bool(row) and float(row[-1]) < 0


def git_settings() -> dict[str, str]:
    """Let git commit on a machine where nobody has told it a name, and ignore what others told."""
    who = {"NAME": "Ana", "EMAIL": "ana@example.org"}
    names = {
        f"GIT_{role}_{key}": text for role in ("AUTHOR", "COMMITTER") for key, text in who.items()
    }
    return names | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


if __name__ == "__main__":
    sys.exit(main())
