"""What the container's entrypoint decides; `tests/image/` runs it in containers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import entrypoint
from tests.conftest import ROOT

PROGRAM = [sys.executable, "-IBu", "-m"]
US = (os.getuid(), os.getgid())

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="root alone can become another")


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["pull"], [*PROGRAM, "pivot", "pull"]),
        (["pivot", "pull", "-q"], [*PROGRAM, "pivot", "pull", "-q"]),
        (["pivot", "pivot"], [*PROGRAM, "pivot", "pivot"]),
        (["pivot-remote", "pull"], [*PROGRAM, "pivot", "pull"]),
        (["--help"], [*PROGRAM, "pivot", "--help"]),
        ([], [*PROGRAM, "pivot"]),
        ([""], [*PROGRAM, "pivot", ""]),
        (["pivot"], [*PROGRAM, "pivot"]),
        (["action"], [*PROGRAM, "pivot.ci"]),
        (["action", "--x"], [*PROGRAM, "pivot.ci", "--x"]),
        (["pivot-ci", "--x"], [*PROGRAM, "pivot.ci", "--x"]),
        (["pull", "action"], [*PROGRAM, "pivot", "pull", "action"]),
        (["sh", "-c", "a b"], ["sh", "-c", "a b"]),
        (["bash"], ["bash"]),
        (["cat"], ["cat"]),
        (["/bin/true"], ["/bin/true"]),
        (["shell"], [*PROGRAM, "pivot", "shell"]),
    ],
)
def test_the_first_word_chooses_the_program(arguments: list[str], command: list[str]) -> None:
    assert entrypoint.find_command(arguments) == command


@pytest.mark.parametrize(
    ("arguments", "directory"),
    [
        (["pull"], "/here"),
        (["-C", "sub", "pull"], "/here/sub"),
        (["-Csub", "pull"], "/here/sub"),
        (["pull", "-C", "/src"], "/src"),
        (["-C", "/src", "pull", "-C", "sub"], "/src/sub"),
        (["pull", "--", "-C", "/src"], "/here"),
        (["pull", "-C"], "/here"),
        (["sh", "-C", "/src"], "/here"),
        (["pivot", "-C", "/src", "pull"], "/src"),
    ],
)
def test_the_option_for_a_directory_is_followed(arguments: list[str], directory: str) -> None:
    assert entrypoint.find_directory(Path("/here"), arguments) == Path(directory)


def test_the_owner_is_that_of_the_directory(tmp_path: Path) -> None:
    found = tmp_path.stat()

    assert entrypoint.find_owner(tmp_path) == (found.st_uid, found.st_gid)


def test_a_directory_that_is_not_there_has_no_owner() -> None:
    assert entrypoint.find_owner(Path("/no/such/place")) == (0, 0)
    assert entrypoint.find_owner(Path("/no/such/place"), "/nor/this") == (0, 0)


@needs_root
class TestADirectoryOfRoot:
    """It is looked at whose the project is that it is in."""

    def test_it_may_be_in_a_project_of_somebody(self, tmp_path: Path) -> None:
        inner = tmp_path / "outer/inner"
        (inner / "sub").mkdir(parents=True)
        (tmp_path / "outer/.pivot").mkdir()
        (inner / ".pivot").mkdir()
        os.chown(tmp_path / "outer", 1234, 4321)

        assert entrypoint.find_owner(inner / "sub") == (1234, 4321)

    def test_it_may_be_in_a_home_that_is_no_project(self, tmp_path: Path) -> None:
        (tmp_path / "sub").mkdir()
        os.chown(tmp_path, 1234, 1234)

        assert entrypoint.find_owner(tmp_path / "sub") == (0, 0)

    def test_it_may_be_in_a_project_of_root(self, tmp_path: Path) -> None:
        (tmp_path / "project/.pivot").mkdir(parents=True)
        os.chown(tmp_path, 1234, 1234)

        assert entrypoint.find_owner(tmp_path / "project") == (0, 0)

    def test_another_project_may_be_named(self, tmp_path: Path) -> None:
        (tmp_path / "named").mkdir()
        os.chown(tmp_path / "named", 1234, 1234)

        assert entrypoint.find_owner(tmp_path, str(tmp_path / "named")) == (1234, 1234)
        assert entrypoint.find_owner(tmp_path, "named") == (1234, 1234)


@pytest.mark.parametrize("home", ["", "/", "/no/such/place"])
def test_a_home_that_is_none_is_replaced(home: str, tmp_path: Path) -> None:
    instead = tmp_path / "a/home"

    assert entrypoint.find_home(home, str(instead)) == str(instead)
    assert instead.is_dir()


def test_a_home_that_is_there_is_kept(tmp_path: Path) -> None:
    instead = tmp_path / "instead"

    assert entrypoint.find_home(str(tmp_path), str(instead)) == str(tmp_path)
    assert not instead.exists()


def test_a_home_that_cannot_be_made_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()

    assert entrypoint.find_home("", f"{tmp_path}/file/home") == f"{tmp_path}/file/home"
    assert (
        capsys.readouterr().err
        == f"warning: {tmp_path}/file/home cannot be made: Not a directory\n"
    )


def test_files_of_aws_that_can_be_read_or_are_not_there_are_no_matter(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").touch()

    assert entrypoint.find_unreadable({"HOME": str(tmp_path)}) == []


def run(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(ROOT / "entrypoint.py"), *arguments],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": "/usr", **variables},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


WHO = ("sh", "-c", "id -u; id -g; id -G; umask; echo $HOME")


@needs_root
def test_root_becomes_the_owner_for_good(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 4321)

    done = run(*WHO, cwd=tmp_path)

    assert done.stdout.split() == ["1234", "4321", "4321", "0022", "/usr"]


@needs_root
def test_root_may_keep_its_uid(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 4321)

    done = run(*WHO, cwd=tmp_path, PIVOT_UID="keep")

    assert done.stdout.split()[:2] == ["0", "0"]


@needs_root
def test_files_of_aws_that_the_owner_may_not_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "secret").touch(mode=0o600)
    os.chown(tmp_path, 1234, 4321)

    done = run("sh", "-c", "exit 3", cwd=tmp_path, AWS_SHARED_CREDENTIALS_FILE="secret")

    assert done.returncode == 3
    assert "warning: uid 1234 may not read secret\n" in done.stderr


def test_nobody_else_becomes_anybody(tmp_path: Path) -> None:
    done = run(*WHO, cwd=tmp_path)

    assert done.stdout.split()[:2] == [str(US[0]), str(US[1])]


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = run("/no/such/program", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (127, "")
    assert done.stderr == "warning: /no/such/program: No such file or directory\n"


def test_a_file_that_is_no_program_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a\n")

    done = run(str(tmp_path / "text"), cwd=tmp_path)

    assert (done.returncode, done.stdout) == (126, "")
    assert done.stderr == f"warning: {tmp_path}/text: Permission denied\n"


def test_stages_are_said_to_find_the_programs_of_the_image_only(tmp_path: Path) -> None:
    done = run("repro", cwd=tmp_path)

    assert done.stderr.startswith("warning: stages find the programs of this image only")
