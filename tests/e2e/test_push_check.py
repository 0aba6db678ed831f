"""`pivot push --check`, alone, as git's hook and as pre-commit's: did somebody forget to push?"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests import buckets
from tests.conftest import ROOT, Command, Done
from tests.documentation import install_commands
from tests.e2e.weather import OBJECTS, assert_sentence, make_project, through
from tests.projects import ProjectBuilder, digest
from tests.servers import S3Server
from tests.snippets import snippets

PRE_COMMIT = Path(sys.executable).parent / "pre-commit"


def git(*words: str | Path, cwd: Path, environment: dict[str, str]) -> Done:
    done = subprocess.run(
        ["git", *map(str, words)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str, pivot: Command) -> Path:
    """A project that is committed, has a place to push to, and has pushed no output."""
    project = make_project(tmp_path / "project", bucket)
    (project / ".pivot/.gitignore").write_text("/cache/\n")
    commit(project, pivot, "Begin")
    git("init", "--quiet", "--bare", tmp_path / "team.git", cwd=tmp_path, environment={})
    git("remote", "add", "origin", tmp_path / "team.git", cwd=project, environment={})
    return project


def commit(project: Path, pivot: Command, message: str) -> None:
    for words in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", message],
    ):
        done = git(*words, cwd=project, environment=pivot.environment)
        assert done.code == 0, done


def test_what_nobody_pushed_is_named_with_stage_and_author(project: Path, pivot: Command) -> None:
    done = pivot("push", "--check", cwd=project)
    tree = json.loads(pivot("push", "--check", "--json", cwd=project).out)

    assert_sentence(done, 3, "data/a.bin", "stage make/a", ".pivot/stages/make/a.lock last changed")
    assert "last changed by Ana" in done.err
    assert (tree["command"], tree["exit_code"], len(tree["problems"])) == ("push", 3, OBJECTS)
    assert {problem["changed"][:3] for problem in tree["problems"]} == {"Ana"}


def test_only_the_remote_is_asked_and_nothing_is_uploaded(
    project: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    assert pivot("push", cwd=project).code == 0
    shutil.rmtree(project / ".pivot/cache")
    name = digest(b"first" * 2000)
    with through(server, pivot) as (proxy, command):
        well = command("push", "--check", cwd=project)
        buckets.delete(server, bucket, f"p/files/{name[:2]}/{name[2:]}")
        badly = command("push", "--check", "make/a", cwd=project)
        methods = {method for method, _ in proxy.requests}

    assert (well.code, well.err) == (0, "")
    assert well.out == f"Verified 'origin': {OBJECTS} of {OBJECTS} object(s) are there\n"
    assert_sentence(badly, 3, "data/a.bin")
    assert methods <= {"GET", "HEAD"}


def test_the_commit_counts_and_not_the_workspace(project: Path, pivot: Command) -> None:
    assert pivot("push", cwd=project).code == 0
    ProjectBuilder(project).stage("make/a", {"data/a.bin": b"not committed"})
    before = pivot("push", "--check", cwd=project)
    commit(project, pivot, "Change")
    after = pivot("push", "--check", cwd=project)
    earlier = pivot("push", "--check", "--rev", "HEAD^", cwd=project)
    (project / ".pivot/stages/make/a.lock").unlink()
    gone = pivot("push", "--check", cwd=project)

    assert before.code == earlier.code == 0
    assert_sentence(after, 3, "data/a.bin")
    assert gone.err == after.err
    assert_sentence(pivot("push", "--check", "--rev", "nosuch", cwd=project), 2, "nosuch")


def test_without_a_commit_the_workspace_counts(tmp_path: Path, bucket: str, pivot: Command) -> None:
    project = make_project(tmp_path / "project", bucket)

    assert_sentence(pivot("push", "--check", cwd=project), 3, "data/a.bin")


@pytest.mark.parametrize(
    "words", [("--check", "--dry-run"), ("--check", "--all-cache"), ("--rev", "HEAD")], ids=str
)
def test_options_that_do_not_fit_are_refused(
    words: tuple[str, ...], project: Path, pivot: Command
) -> None:
    assert_sentence(pivot("push", *words, cwd=project), 2, "--check")


def hook_of_the_guide() -> str:
    (found,) = (s.text for s in snippets("sh", "docs/guide.md") if "push --check" in s.text)
    return found


def environment(pivot: Command, directory: Path) -> dict[str, str]:
    """Let hooks find our command."""
    path = install_commands(directory, [sys.executable, "-m", "pivot"])
    return pivot.environment | {"PATH": path}


def test_the_hook_of_the_guide_holds_back_a_push(
    project: Path, pivot: Command, tmp_path: Path
) -> None:
    hook = project / ".git/hooks/pre-push"
    hook.write_text(hook_of_the_guide())
    hook.chmod(0o755)
    ours = environment(pivot, tmp_path / "bin")

    refused = git("push", "origin", "main", cwd=project, environment=ours)
    assert pivot("push", cwd=project).code == 0
    ProjectBuilder(project).stage("make/a", {"data/a.bin": b"of another branch"})
    git("checkout", "--quiet", "-b", "other", cwd=project, environment=ours)
    commit(project, pivot, "Change")
    pushed = git("push", "origin", "main", cwd=project, environment=ours)
    other = git("push", "origin", "other", cwd=project, environment=ours)
    deleted = git("push", "origin", ":main", cwd=project, environment=ours)

    assert refused.code != 0, refused
    assert "stage make/a" in refused.err
    assert pushed.code == 0, pushed
    assert other.code != 0, other
    assert "data/a.bin" in other.err
    assert deleted.code == 0, deleted


def test_pre_commit_holds_back_a_push(project: Path, pivot: Command, tmp_path: Path) -> None:
    ours = use_pre_commit(project, pivot, tmp_path, "pivot-push-check", "pre-push")

    refused = git("push", "origin", "main", cwd=project, environment=ours)
    assert pivot("push", cwd=project).code == 0
    pushed = git("push", "origin", "main", cwd=project, environment=ours)

    assert refused.code != 0, refused
    assert "outputs are on the remote" in refused.out + refused.err, refused
    assert "stage make/a" in refused.out + refused.err, refused
    assert pushed.code == 0, pushed
    assert "Passed" in pushed.out + pushed.err, pushed


def test_pre_commit_holds_back_a_commit(project: Path, pivot: Command, tmp_path: Path) -> None:
    ours = use_pre_commit(project, pivot, tmp_path, "pivot-repro-check", "pre-commit")
    (project / "pivot.yaml").write_text(
        "stages:\n  greet: {cmd: echo hello > hello.txt, outs: [hello.txt]}\n"
    )
    git("add", "pivot.yaml", cwd=project, environment=ours)

    refused = git("commit", "-m", "Greet", cwd=project, environment=ours)
    assert pivot("repro", cwd=project).code == 0
    git("add", ".pivot", cwd=project, environment=ours)
    done = git("commit", "-m", "Greet", cwd=project, environment=ours)

    assert refused.code != 0, refused
    assert "lock files are up to date" in refused.out + refused.err, refused
    assert "Would run greet" in refused.out + refused.err, refused
    assert done.code == 0, done
    assert "Passed" in done.out + done.err, done


def use_pre_commit(
    project: Path, pivot: Command, place: Path, hook: str, kind: str
) -> dict[str, str]:
    """Let the real pre-commit install this repository as it does for users, from what is here.

    The answer is the environment in which it works.
    """
    ours = pivot.environment | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(place / "store"),
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_NO_INDEX": "1",
        "PYTHONPATH": next(path for path in sys.path if path.endswith("site-packages")),
        "VIRTUALENV_NO_DOWNLOAD": "1",
    }
    source = place / "pivot-remote"
    for name in ("pivot", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        source.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, source / name)
    commit(source, pivot, "Release")
    git("tag", "v1", cwd=source, environment=ours)
    config = {"repos": [{"repo": str(source), "rev": "v1", "hooks": [{"id": hook}]}]}
    (project / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    commit(project, pivot, "Use pre-commit")
    installed = subprocess.run(
        [PRE_COMMIT, "install", "--hook-type", kind],
        cwd=project,
        env=ours,
        capture_output=True,
        text=True,
        check=False,
    )
    assert installed.returncode == 0, installed
    return ours
