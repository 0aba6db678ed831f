"""What a large project costs to look at: 40 stages, 100,000 files, 300 commits, two remotes."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from bench.local import Local, Runs
from pivot.objects import digest_bytes

STAGES, FILES, COMMITS = 40, 2_500, 300
_STAGE = """\
  {name}:
    cmd: mkdir -p data/{name} && cd data/{name} && seq -f "{name} %g" {files} | split -l 1 -a 3
    outs: [data/{name}]
"""


class Team(Local):
    """Each row is a command that changes nothing, where all is as it should be."""

    name = "T"
    title = "T: a project with 40 stages, 100,000 files and 300 commits: status"

    def made(self, missing: Mapping[str, str]) -> Runs:
        """Prepare the project; it is the same for all rows."""
        del missing
        project = self.place.directory / "project"
        self._make(project)
        words = {
            "status": ("status",),
            "status --online": ("status", "--online"),
            "checkout": ("checkout",),
            "repro": ("repro",),
            "push": ("push",),
            "push --check": ("push", "--check"),
            "verify, of a chain of two": ("verify", "-r", "near", "-r", "origin"),
            "report --online": ("report", "--online"),
            "gc": ("gc",),
            "gc of the remote": ("gc", "-r", "origin"),
        }
        return {
            name: partial(self.run, self.ours(*given, at=project)) for name, given in words.items()
        }

    def _make(self, project: Path) -> None:
        (project / ".pivot").mkdir(parents=True)
        folders = []
        for name in ("origin", "near"):
            (self.place.directory / name).mkdir()
            folders.append(f"  {name}: {(self.place.directory / name).as_uri()}\n")
        (project / ".pivot/config.yaml").write_text(
            f"folders:\n{''.join(folders)}default_remote: origin\n"
        )
        (project / ".gitignore").write_text("/data/\n/.pivot/cache/\n")
        stages = (_STAGE.format(name=f"s{number:02}", files=FILES) for number in range(STAGES))
        (project / "pivot.yaml").write_text(f"stages:\n{''.join(stages)}")
        self.place.run("git", "init", "--quiet", "--initial-branch=main", project)
        subprocess.run(
            ["git", "fast-import", "--quiet"], cwd=project, input=_history(), check=True, text=True
        )
        self.place.run("git", "reset", "--quiet", "main", at=project)
        for words in (("repro", "--quiet"), ("push", "--quiet"), ("gc", "-r", "origin", "--claim")):
            job = self.ours(*words, at=project)
            subprocess.run(
                job.words, cwd=project, env=dict(job.environment), check=True, capture_output=True
            )
        self.place.run("git", "add", "--all", at=project)
        who = ("-c", "user.name=Ana", "-c", "user.email=a@b.c")
        self.place.run("git", *who, "commit", "--quiet", "--message", "Make", at=project)


def _history() -> str:
    """Write commits of which each records another version of a stage that is no more."""
    lines: list[str] = []
    for number in range(COMMITS):
        name = digest_bytes(f"version {number}".encode())
        text = (
            "schema_version: 2\ncode_manifest: {}\nparams: {}\ndeps: []\n"
            f"outs:\n- path: old/model\n  hash: '{name}'\n  key: null\n"
        )
        lines += ["commit refs/heads/main", "committer Ana <a@b.c> 1700000000 +0000", "data 1", "x"]
        lines += ["M 100644 inline .pivot/stages/old.lock", f"data {len(text)}", text]
    return "\n".join([*lines, "done", ""])
