"""`pivot remote`, and which remote a command uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Command
from tests.e2e.test_config import CONFIG, told, write
from tests.projects import ProjectBuilder


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Path:
    (tmp_path / "project/.pivot/stages").mkdir(parents=True)
    return tmp_path / "project"


def test_a_remote_of_google_does_not_disturb_the_others(
    project: Path, tmp_path: Path, bare_pivot: Command
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    ProjectBuilder(project).stage("make", {"out.txt": b"output"})
    write(project / CONFIG, f"remotes:\n  cloud: gs://b/p\nfolders:\n  nas: file://{folder}\n")

    listed = bare_pivot("remote", "list", cwd=project)
    pushed = bare_pivot("push", "-r", "nas", cwd=project)
    used = bare_pivot("push", "-r", "cloud", cwd=project)

    assert told(listed) == (0, f"  cloud: gs://b/p\n  nas: file://{folder}\n")
    assert told(pushed) == (0, "Pushed to 'nas': 1 transferred, 0 skipped, 0 failed\n")
    assert used.code == 2
    assert "gs://b/p" in used.err
    assert "'cloud'" in used.err, "the name of the remote is what the user knows"


@pytest.mark.parametrize("command", ["push", "fetch", "pull"])
def test_several_remotes_without_a_default_need_a_choice(
    command: str, project: Path, bare_pivot: Command
) -> None:
    write(project / CONFIG, "remotes:\n  a: s3://a\n  b: s3://b\n")

    done = bare_pivot(command, cwd=project)
    unknown = bare_pivot(command, "-r", "nosuch", cwd=project)

    assert done.code == 2
    assert done.err.splitlines()[0] == (
        "Error: No default remote set and multiple remotes configured. Use -r <name> to specify a "
        "remote or 'pivot config set default_remote <name>' to set a default."
    )
    assert told(unknown) == (
        2,
        "Error: Remote 'nosuch' not found\nTip: Run 'pivot remote list' to see available remotes\n",
    )


def test_no_remote_at_all_says_how_to_add_one(project: Path, bare_pivot: Command) -> None:
    how = "Use 'pivot config set remotes.<name> <url>' to add one."

    push = bare_pivot("push", cwd=project)
    listed = bare_pivot("remote", "list", cwd=project)

    assert push.code == 2
    assert push.err.splitlines()[0] == f"Error: No remotes configured. {how}"
    assert told(listed) == (0, f"No remotes configured.\n{how}\n")


def test_remotes_are_added_made_default_and_removed(project: Path, bare_pivot: Command) -> None:
    for name in ("origin", "backup"):
        bare_pivot("remote", "add", name, f"s3://{name}", cwd=project)
    again = bare_pivot("remote", "add", "origin", "s3://other", cwd=project)
    default = bare_pivot("remote", "default", "backup", cwd=project)
    listed = bare_pivot("remote", "list", cwd=project)
    removed = bare_pivot("remote", "remove", "backup", cwd=project)
    unknown = bare_pivot("remote", "default", "backup", cwd=project)

    assert again.code == 2
    assert again.err.splitlines()[0] == "Error: Remote 'origin' exists already"
    assert told(default) == (0, "Set default remote to 'backup'\n")
    assert told(listed) == (0, "  origin: s3://origin\n  backup: s3://backup (default)\n")
    assert told(removed) == (0, "Removed remote 'backup'\n")
    assert (project / CONFIG).read_text() == "remotes:\n  origin: s3://origin\n"
    assert unknown.code == 2


def test_a_remote_that_the_user_configured_is_used_and_cannot_be_removed_from_the_project(
    project: Path, tmp_path: Path, bare_pivot: Command
) -> None:
    bare_pivot("config", "set", "--global", "remotes.mine", f"file://{tmp_path}", cwd=project)

    used = bare_pivot("push", "-r", "mine", cwd=project)
    removed = bare_pivot("remote", "remove", "mine", cwd=project)

    assert told(used) == (0, "No files to push\n")
    assert removed.code == 2
    assert removed.err == (
        "Error: Remote 'mine' is in the user's configuration\n"
        "Tip: pivot config unset --global remotes.mine\n"
    )
