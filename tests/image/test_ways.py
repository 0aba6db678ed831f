"""The ways in which CI systems and people start the image."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pivot import __version__
from tests.conftest import Command, Done
from tests.image.conftest import FILES, Team
from tests.image.container import SOMEBODY, Image, give, owners
from tests.projects import tree
from tests.servers import S3Server


@pytest.mark.parametrize("words", [("pull",), ("pivot", "pull"), ("pivot-remote", "pull")])
def test_the_name_of_the_program_may_be_said(
    words: tuple[str, ...], pushed: Team, image: Image
) -> None:
    clone = pushed.clone("clone")

    done = image(*words, at=clone)

    assert done.code == 0, done
    assert {name: node[0] for name, node in tree(clone).items()} == FILES


def test_alone_it_prints_help(plain: Image) -> None:
    done = plain()

    assert done.code == 0
    assert done.out.startswith("Usage: pivot [OPTIONS] COMMAND")


def test_it_says_its_version(plain: Image) -> None:
    assert plain("--version").out == f"pivot-remote, version {__version__}\n"


@pytest.mark.parametrize("options", [["--entrypoint", ""], []], ids=["emptied", "kept"])
def test_gitlab_starts_a_shell_whether_the_entrypoint_is_emptied_or_kept(
    options: list[str], pushed: Team, image: Image
) -> None:
    clone = pushed.clone("clone")

    done = image("sh", "-c", "pivot pull && ls data", at=clone, options=options)

    assert done.code == 0, done
    assert done.out.splitlines()[-2:] == ["model.bin", "tree"]


def test_a_shell_may_be_asked_for(pushed: Team, image: Image) -> None:
    clone = pushed.clone("clone")

    done = image("sh", "-c", "pivot pull && python -c 'print(6 * 7)'", at=clone)

    assert done.code == 0, done
    assert done.out.endswith("\n42\n")
    assert owners(clone) == {SOMEBODY}


def test_jenkins_keeps_a_container_with_cat(plain: Image, team: Team) -> None:
    done = plain("cat", at=team.root)

    assert (done.code, done.out, done.err) == (0, "", "")


def test_a_program_may_be_named_by_its_path(plain: Image, team: Team) -> None:
    there, not_there = plain("/bin/echo", "a", at=team.root), plain("/no/such", at=team.root)

    assert (there.code, there.out) == (0, "a\n")
    assert (not_there.code, not_there.err) == (
        127,
        "warning: /no/such: No such file or directory\n",
    )


def test_a_module_in_the_project_is_not_taken_for_one_of_the_program(
    pushed: Team, image: Image
) -> None:
    clone = pushed.clone("clone")
    for name in ("click", "pivot", "json"):
        (clone / f"{name}.py").write_text("raise SystemExit('project code was run')\n")
    give(clone)

    through_entrypoint = image.given(PYTHONPATH=str(clone))("fetch", at=clone)
    through_shell = image("-c", "pivot fetch", at=clone, options=["--entrypoint", "sh"])

    assert through_entrypoint.code == 0, through_entrypoint
    assert through_shell.code == 0, through_shell


def test_repro_warns_that_stages_have_the_programs_of_the_image(plain: Image, team: Team) -> None:
    team.builder.workspace(
        "pivot.yaml", b"stages:\n  say:\n    cmd: echo a > a.txt\n    outs: [a.txt]\n"
    )
    for lock in team.root.rglob("*.lock"):
        lock.unlink()
    give(team.root)

    done = plain("repro", at=team.root)

    assert done.code == 0, done
    assert done.err.startswith("warning: stages find the programs of this image only")
    assert (team.root / "a.txt").read_text() == "a\n"
    assert owners(team.root) == {SOMEBODY}


def same(plain: Image, command: Command, words: list[str], root: Path, **variables: str) -> Done:
    """Run the same here and in the container, and see that the same is said."""
    here = command(*words, cwd=root, **variables)
    there = plain.given(**variables)(*words, at=root)
    assert (there.code, there.out, there.err) == (here.code, here.out, here.err)
    return there


class TestExitCodes:
    """They are those of the command line."""

    @pytest.fixture(name="project")
    def _project(self, team: Team) -> Path:
        with (team.root / ".pivot/config.yaml").open("a") as config:
            config.write("remote:\n  retries: 1\n  connect_timeout: 2\n")
        return team.root

    def test_done(self, plain: Image, pivot: Command, project: Path, server: S3Server) -> None:
        assert pivot("push", cwd=project).code == 0

        assert same(plain, pivot, ["push"], project, **server.environment()).code == 0

    def test_wrong_usage(self, plain: Image, bare_pivot: Command, project: Path) -> None:
        assert same(plain, bare_pivot, ["pull", "--no-such"], project).code == 2

    def test_no_project(self, plain: Image, bare_pivot: Command, tmp_path: Path) -> None:
        assert same(plain, bare_pivot, ["pull"], tmp_path).code == 2

    def test_missing(self, team: Team, plain: Image, pivot: Command, server: S3Server) -> None:
        done = same(plain, pivot, ["pull"], team.clone("clone"), **server.environment())

        assert done.code == 3

    def test_credentials(
        self, plain: Image, bare_pivot: Command, project: Path, server: S3Server
    ) -> None:
        wrong = server.with_keys("testkey", "wrong").environment()

        assert same(plain, bare_pivot, ["push"], project, **wrong).code == 4

    def test_no_credentials(self, plain: Image, bare_pivot: Command, project: Path) -> None:
        assert same(plain, bare_pivot, ["push"], project).code == 4

    def test_network(self, plain: Image, pivot: Command, project: Path, server: S3Server) -> None:
        nowhere = {**server.environment(), "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}

        assert same(plain, pivot, ["push"], project, **nowhere).code == 6

    def test_configuration(self, plain: Image, bare_pivot: Command, project: Path) -> None:
        (project / ".pivot/config.yaml").write_text("remotes: [1\n")

        assert same(plain, bare_pivot, ["push"], project).code == 8


class TestWithoutGit:
    """The image has no git. What it cannot tell is taken for the user's."""

    @pytest.fixture(name="clone")
    def _clone(self, pushed: Team, image: Image) -> Path:
        clone = pushed.clone("clone")
        assert image("pull", at=clone).code == 0
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(clone)}
        subprocess.run(["git", "init", "-q"], cwd=clone, env=environment, check=True)
        return give(clone)

    def test_a_pull_changes_what_is_outdated(self, clone: Path, pushed: Team, image: Image) -> None:
        pushed.builder.stage("train", {"data/model.bin": b"better"})
        give(pushed.root)
        assert image("push", at=pushed.root).code == 0
        lock = ".pivot/stages/train.lock"
        (clone / lock).write_bytes((pushed.root / lock).read_bytes())

        done = image("pull", at=clone)

        assert done.code == 0, done
        assert (clone / "data/model.bin").read_bytes() == b"better"

    def test_a_file_that_is_no_longer_an_output_is_kept(
        self, clone: Path, pushed: Team, image: Image
    ) -> None:
        pushed.builder.stage("split", {"data/tree": {"other.txt": b"b"}})
        give(pushed.root)
        assert image("push", at=pushed.root).code == 0
        lock = ".pivot/stages/split.lock"
        (clone / lock).write_bytes((pushed.root / lock).read_bytes())

        done = image("pull", at=clone)

        assert done.code == 0, done
        assert "Skipped 1 file(s) (already exist)" in done.out
        assert {path.name for path in (clone / "data/tree").iterdir()} == {"ä b.txt", "other.txt"}

    def test_a_comparison_says_that_it_needs_git(self, clone: Path, image: Image) -> None:
        done = image("params", "diff", at=clone)

        assert done.code == 1
        assert "git is not installed" in done.err
