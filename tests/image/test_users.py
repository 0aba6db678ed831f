"""As whom the program runs, and whose the files are that it leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import buckets
from tests.image.conftest import FILES, Team
from tests.image.container import SOMEBODY, Image, give, mounted, owners
from tests.projects import tree
from tests.servers import S3Server

LOCKED_DOWN = [
    *("--read-only", "--tmpfs", "/tmp"),
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
]
AS_SOMEBODY = ["--user", f"{SOMEBODY}:{SOMEBODY}"]

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="root alone can give files to others")


def assert_pulled(root: Path) -> None:
    assert {name: node[0] for name, node in tree(root).items()} == FILES
    assert owners(root) == {SOMEBODY}


def test_one_container_pushes_and_another_pulls(
    team: Team, image: Image, server: S3Server, bucket: str
) -> None:
    clone = team.clone("clone")

    pushed, pulled = image("push", "-q", at=team.root), image("pull", "-q", at=clone)

    assert (pushed.code, pushed.err) == (0, "")
    assert (pulled.code, pulled.err) == (0, "")
    assert len(buckets.keys(server, bucket)) == len(FILES)
    assert_pulled(clone)
    assert owners(team.root) == {SOMEBODY}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="root"),
        pytest.param(["--init"], id="init"),
        pytest.param(["--read-only"], id="read-only"),
        pytest.param(["--read-only", "--tmpfs", "/tmp"], id="tmpfs"),
        pytest.param(["--security-opt", "no-new-privileges"], id="no-new-privileges"),
        pytest.param(AS_SOMEBODY, id="user"),
        pytest.param([*AS_SOMEBODY, *LOCKED_DOWN], id="locked-down"),
        pytest.param([*AS_SOMEBODY, "--group-add", "4242", *LOCKED_DOWN], id="group"),
    ],
)
def test_a_pull_leaves_files_of_the_owner_only(
    options: list[str], pushed: Team, image: Image
) -> None:
    clone = pushed.clone("clone")

    done = image("pull", "-q", at=clone, options=options)

    assert (done.code, done.err) == (0, "")
    assert_pulled(clone)


@pytest.mark.parametrize("mode", ["symlink", "hardlink", "copy"])
def test_links_made_in_the_container_hold_outside(mode: str, pushed: Team, image: Image) -> None:
    clone = pushed.clone("clone", mode)
    model = clone / "data/model.bin"

    done = image("pull", at=clone)

    assert done.code == 0, done
    assert model.read_bytes() == b"model"
    assert model.is_symlink() == (mode == "symlink")
    assert (model.lstat().st_nlink > 1) == (mode == "hardlink")
    assert owners(clone) == {SOMEBODY}


@needs_root
def test_what_belongs_to_root_stays_so(pushed: Team, image: Image) -> None:
    clone = give(pushed.clone("clone"), 0)

    done = image("pull", at=clone)

    assert done.code == 0, done
    assert owners(clone) == {0}


@needs_root
def test_a_directory_of_roots_in_the_project_of_somebody_makes_no_difference(
    pushed: Team, image: Image
) -> None:
    clone = pushed.clone("clone")
    (clone / "sub").mkdir()

    done = image("pull", at=clone, options=["--workdir", f"{clone}/sub"])

    assert done.code == 0, done
    os.rmdir(clone / "sub")
    assert_pulled(clone)


def test_a_project_may_be_mounted_elsewhere_and_named(pushed: Team, image: Image) -> None:
    clone = pushed.clone("clone")

    done = image("-C", "/src", "pull", "-q", options=mounted(clone, "/src"))

    assert (done.code, done.err) == (0, "")
    assert_pulled(clone)


def test_a_project_may_be_mounted_where_the_image_looks_for_it(pushed: Team, image: Image) -> None:
    clone = pushed.clone("clone")

    done = image("pull", "-q", options=mounted(clone, "/project"))

    assert (done.code, done.err) == (0, "")
    assert_pulled(clone)


def test_the_project_may_be_named_by_a_variable(pushed: Team, image: Image) -> None:
    clone = pushed.clone("clone")

    done = image.given(PIVOT_ROOT="/src")("pull", "-q", options=mounted(clone, "/src"))

    assert (done.code, done.err) == (0, "")
    assert_pulled(clone)


@needs_root
def test_root_may_keep_its_uid(pushed: Team, image: Image) -> None:
    clone = pushed.clone("clone")

    done = image.given(PIVOT_UID="keep")("pull", at=clone)

    assert done.code == 0, done
    assert owners(clone) == {SOMEBODY, 0}


@needs_root
def test_root_that_may_not_become_another_leaves_nothing(pushed: Team, image: Image) -> None:
    clone = pushed.clone("clone")
    clone.chmod(0o777)

    done = image("pull", at=clone, options=["--cap-drop", "ALL"])

    assert done.err.splitlines() == [
        f"Error: cannot become uid {SOMEBODY}, the owner of the project: Operation not permitted",
        f"Tip: give --user {SOMEBODY}:{SOMEBODY}",
    ]
    assert done.code == 7, done
    assert owners(clone) == {SOMEBODY}


def test_a_uid_that_may_not_write_gets_a_sentence(pushed: Team, image: Image) -> None:
    clone = pushed.clone("clone")

    done = image("pull", at=clone, options=["--user", "4321:4321"])

    assert done.code == 7, done
    assert "Permission denied" in done.err
    assert owners(clone) == {SOMEBODY}


@needs_root
def test_any_uid_will_do_where_it_may_write(pushed: Team, image: Image) -> None:
    clone = give(pushed.clone("clone"), 4321)

    done = image("pull", "-q", at=clone, options=["--user", "4321", *LOCKED_DOWN])

    assert (done.code, done.err) == (0, "")
    assert owners(clone) == {4321}


@pytest.mark.parametrize("home", ["", "/", "/nowhere", "/root", "/tmp/home"])
def test_there_is_a_home_whatever_the_variable_says(home: str, plain: Image, team: Team) -> None:
    done = plain.given(HOME=home)("sh", "-c", 'echo "$HOME" && touch "$HOME/a"', at=team.root)

    assert (done.code, done.out, done.err) == (0, "/tmp/home\n", "")


def test_a_home_that_can_be_read_is_kept(plain: Image, team: Team) -> None:
    done = plain.given(HOME="/usr/lib")("sh", "-c", 'echo "$HOME"', at=team.root)

    assert (done.code, done.out, done.err) == (0, "/usr/lib\n", "")


def test_an_environment_without_a_home_will_do(plain: Image, team: Team) -> None:
    start = plain.inspect(".Config.Entrypoint")

    done = plain("/usr/bin/env", "-u", "HOME", *start, "sh", "-c", 'echo "$HOME"', at=team.root)

    assert (done.code, done.out, done.err) == (0, "/tmp/home\n", "")


def credentials(directory: Path, server: S3Server) -> Path:
    directory.mkdir(mode=0o700)
    file = directory / "credentials"
    file.write_text(
        f"[ci]\n"
        f"aws_access_key_id = {server.access_key}\naws_secret_access_key = {server.secret_key}\n"
    )
    (directory / "config").write_text(
        f"[profile ci]\nendpoint_url = {server.url}\nregion = us-east-1\n"
    )
    file.chmod(0o600)
    return directory


def test_credentials_come_from_files_in_the_home(
    pushed: Team, plain: Image, server: S3Server, tmp_path: Path
) -> None:
    aws = give(credentials(tmp_path / "aws", server))
    clone = pushed.clone("clone")

    done = plain.given(AWS_PROFILE="ci")(
        "pull", "-q", at=clone, options=mounted(aws, "/tmp/home/.aws", readonly=True)
    )

    assert (done.code, done.err) == (0, "")
    assert_pulled(clone)


@needs_root
def test_credentials_that_the_owner_may_not_read_are_named(
    pushed: Team, plain: Image, server: S3Server, tmp_path: Path
) -> None:
    aws = give(credentials(tmp_path / "aws", server), 4321)
    clone = pushed.clone("clone")

    done = plain.given(AWS_PROFILE="ci")(
        "pull", "-q", at=clone, options=mounted(aws, "/tmp/home/.aws", readonly=True)
    )

    assert done.code == 4, done
    assert done.err.splitlines()[0] == f"warning: uid {SOMEBODY} may not read /tmp/home/.aws"
