"""`pivot config` and `pivot init`: what they say, and what they write."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest

from tests.conftest import Command, Done
from tests.projects import ProjectBuilder

CONFIG = ".pivot/config.yaml"
USER = ".config/pivot/config.yaml"


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Path:
    (tmp_path / "project/.pivot/stages").mkdir(parents=True)
    return tmp_path / "project"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def told(done: Done) -> tuple[int, str]:
    return done.code, done.out or done.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("set remotes.origin s3://b/p", "Set remotes.origin = s3://b/p in local config"),
        ("set remote.jobs 7 --global", "Set remote.jobs = 7 in global config"),
        (
            "set cache.checkout_mode copy,symlink",
            "Set cache.checkout_mode = copy, symlink in local config",
        ),
        ("unset remote.jobs", "Key remote.jobs not set in local config"),
        ("unset remote.jobs --global", "Key remote.jobs not set in global config"),
        ("get remote.retries", "remote.retries = 10 (default)"),
        ("get remotes.none", "remotes.none = (not set) (unknown)"),
    ],
)
def test_config_says_what_the_real_pivot_says(
    arguments: str, expected: str, project: Path, bare_pivot: Command
) -> None:
    done = bare_pivot("config", *arguments.split(), cwd=project)

    assert told(done) == (0, f"{expected}\n")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("remote.jobs", "0", "'remote.jobs' must be a positive integer"),
        ("remote.jobs", "abc", "'remote.jobs' must be a positive integer"),
        ("remote.retries", "-1", "'remote.retries' must be a non-negative integer"),
        (
            "remotes.x",
            "ftp://host/p",
            "'remotes.x' must be a valid S3 URL (s3://bucket/prefix), got: ftp://host/p",
        ),
        (
            "remotes.x",
            "s3://",
            "'remotes.x' must be a valid S3 URL (s3://bucket/prefix), got: s3://",
        ),
        (
            "cache.checkout_mode",
            "copy,magic",
            "'cache.checkout_mode' must be a list of hardlink, symlink, copy",
        ),
        (
            "remote_options.x.endpoint",
            "lab",
            "'remote_options.x.endpoint' must be a URL such as https://s3.example.org",
        ),
        ("remots.origin", "s3://b/p", "Unknown config key: 'remots.origin'"),
        ("remotes.a b", "s3://b/p", "Unknown config key: 'remotes.a b'"),
    ],
)
def test_a_bad_value_is_refused_and_nothing_is_written(
    key: str, value: str, said: str, project: Path, bare_pivot: Command
) -> None:
    done = bare_pivot("config", "set", "--", key, value, cwd=project)

    assert (done.code, done.err.splitlines()[0]) == (2, f"Error: {said}")
    assert not (project / CONFIG).exists()


@pytest.mark.parametrize("verb", ["set", "get", "unset"])
def test_an_unknown_key_is_answered_with_the_nearest_one(
    verb: str, project: Path, bare_pivot: Command
) -> None:
    value = ["40"] if verb == "set" else []

    done = bare_pivot("config", verb, "remote.job", *value, cwd=project)

    assert done.code == 2
    assert done.err == "Error: Unknown config key: 'remote.job'\nTip: did you mean 'remote.jobs'?\n"


def test_setting_a_key_keeps_comments_order_and_the_keys_of_others(
    project: Path, bare_pivot: Command
) -> None:
    before = "# ours\nremotes:\n  origin: s3://b/p  # main\nfuture:\n  key: [1, 2]\n"
    write(project / CONFIG, before)

    done = bare_pivot("config", "set", "remote.jobs", "7", cwd=project)

    assert done.code == 0, done
    assert (project / CONFIG).read_text() == f"{before}remote:\n  jobs: 7\n"


def test_unset_undoes_set_to_the_letter(project: Path, bare_pivot: Command) -> None:
    before = "remotes:\n  origin: s3://b/p\n"
    write(project / CONFIG, before)
    bare_pivot("config", "set", "remote.jobs", "7", cwd=project)

    done = bare_pivot("config", "unset", "remote.jobs", cwd=project)

    assert told(done) == (0, "Removed remote.jobs from local config\n")
    assert (project / CONFIG).read_text() == before


def test_the_file_is_replaced_whole_and_keeps_its_mode(project: Path, bare_pivot: Command) -> None:
    path = write(project / CONFIG, "remote:\n  jobs: 7\n")
    path.chmod(0o640)
    witness = project / "witness"
    os.link(path, witness)

    bare_pivot("config", "set", "remote.jobs", "8", cwd=project)

    assert path.read_text() == "remote:\n  jobs: 8\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert witness.read_text() == "remote:\n  jobs: 7\n"
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "config.yaml",
        "config.yaml.lock",
        "stages",
    ]


def test_the_projects_value_wins_over_the_users_key_by_key(
    project: Path, bare_pivot: Command
) -> None:
    write(bare_pivot.home / USER, "remote:\n  jobs: 3\n  retries: 4\ncache:\n  dir: /big\n")
    write(project / CONFIG, "remote:\n  jobs: 7\n")

    done = bare_pivot("config", "list", cwd=project)

    assert done.out.splitlines() == [
        "cache.checkout_mode = hardlink, symlink, copy (default)",
        "cache.dir = /big (global)",
        "core.max_workers = -2 (default)",
        "core.run_history_retention = 100 (default)",
        "core.state_dir = .pivot (default)",
        "core.unsafe_fingerprinting = False (default)",
        "default_remote =  (default)",
        "diff.max_rows = 10000 (default)",
        "display.precision = 5 (default)",
        "integrity = auto (default)",
        "read_remotes =  (default)",
        "remote.connect_timeout = 10 (default)",
        "remote.jobs = 7 (local)",
        "remote.read_timeout = 60 (default)",
        "remote.retries = 4 (global)",
        "watch.debounce = 300 (default)",
    ]


def test_one_level_alone_can_be_listed(project: Path, bare_pivot: Command) -> None:
    write(bare_pivot.home / USER, "remotes:\n  mine: s3://me\nremote:\n  jobs: 3\n")
    write(project / CONFIG, "remotes:\n  origin: s3://b/p\n")

    users = bare_pivot("config", "list", "--global", cwd=project)
    projects = bare_pivot("config", "list", "--local", cwd=project)
    nothing = bare_pivot("config", "list", "--local", "--global", cwd=project)

    assert users.out == "remote.jobs = 3 (global)\nremotes.mine = s3://me (global)\n"
    assert projects.out == "remotes.origin = s3://b/p (local)\n"
    assert told(nothing) == (2, "Error: Cannot use both --global and --local\n")


def test_the_list_can_be_read_by_programs(project: Path, bare_pivot: Command) -> None:
    write(
        project / CONFIG, "remotes:\n  origin: s3://b/p\ncache:\n  checkout_mode: copy, symlink\n"
    )

    found = json.loads(bare_pivot("config", "list", "--json", cwd=project).out)

    assert found["remotes"] == {"origin": "s3://b/p"}
    assert found["cache"] == {"checkout_mode": ["copy", "symlink"], "dir": ".pivot/cache"}
    assert found["remote"]["jobs"] == 64


def test_a_value_can_be_read_by_programs(project: Path, bare_pivot: Command) -> None:
    write(project / CONFIG, "remote:\n  jobs: 7\n")

    done = bare_pivot("config", "get", "remote.jobs", "--json", cwd=project)

    assert json.loads(done.out) == {"key": "remote.jobs", "value": 7, "source": "local"}


def test_the_cache_directory_of_the_environment_wins(
    project: Path, tmp_path: Path, bare_pivot: Command
) -> None:
    content = b"output"
    ProjectBuilder(project).stage("make", {"out.txt": content})
    moved = (project / ".pivot/cache").rename(tmp_path / "elsewhere")
    write(project / CONFIG, "cache:\n  dir: /nowhere\n")

    blank = bare_pivot("checkout", cwd=project, PIVOT_CACHE_DIR=" ")
    done = bare_pivot("checkout", cwd=project, PIVOT_CACHE_DIR=str(moved))

    assert blank.code == 3, "a blank variable does not count, so the configured one does"
    assert done.code == 0, done
    assert (project / "out.txt").read_bytes() == content


def test_options_of_a_remote_stand_beside_it(project: Path, bare_pivot: Command) -> None:
    done = bare_pivot(
        *("remote", "add", "lab", "s3://cache/p", "--endpoint", "https://s3.lab.example.org"),
        *("--region", "eu-1", "--default"),
        cwd=project,
    )

    assert told(done) == (0, "Added remote 'lab': s3://cache/p\n")
    assert (project / CONFIG).read_text() == (
        "remotes:\n  lab: s3://cache/p\n"
        "remote_options:\n  lab:\n    endpoint: https://s3.lab.example.org\n    region: eu-1\n"
        "default_remote: lab\n"
    )
    listed = json.loads(bare_pivot("remote", "list", "--json", cwd=project).out)
    assert listed == {
        "remotes": [
            {
                "name": "lab",
                "url": "s3://cache/p",
                "default": True,
                "endpoint": "https://s3.lab.example.org",
                "region": "eu-1",
            }
        ]
    }


def test_a_project_may_not_choose_whose_credentials_are_used(
    project: Path, bare_pivot: Command
) -> None:
    key = "remote_options.lab.profile"
    refused = bare_pivot("config", "set", key, "boss", cwd=project)
    write(project / CONFIG, "remote_options:\n  lab:\n    profile: boss\n")
    read = bare_pivot("config", "list", cwd=project)
    (project / CONFIG).unlink()
    users = bare_pivot("config", "set", "--global", key, "me", cwd=project)

    assert refused.code == 2
    assert f"'{key}' may be set for the user only, not in the project" in refused.err
    assert read.code == 8
    assert f"'{key}' may be set for the user only, not in the project" in read.err
    assert told(users) == (0, f"Set {key} = me in global config\n")


def test_a_folder_is_stored_where_the_real_pivot_does_not_look(
    project: Path, bare_pivot: Command
) -> None:
    bare_pivot("config", "set", "remotes.nas", "s3://b/p", cwd=project)

    done = bare_pivot("config", "set", "remotes.nas", "file:///mnt/nas", cwd=project)

    assert told(done) == (0, "Set remotes.nas = file:///mnt/nas in local config\n")
    assert (project / CONFIG).read_text() == "folders:\n  nas: file:///mnt/nas\n"
    assert bare_pivot("remote", "list", cwd=project).out == "  nas: file:///mnt/nas (default)\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("remote:\n  jobs: many\n", "'remote.jobs' must be a positive integer"),
        ("remote:\n  jobs: [1]\n", "'remote.jobs' must be a positive integer"),
        ("remotes:\n  origin: [s3://b]\n", "'remotes.origin' must be a text"),
        ("remotes: s3://b/p\n", "'remotes' must be a mapping"),
        ("remote: 7\n", "'remote' must be a mapping"),
        ("cache:\n  checkout_mode: magic\n", "'cache.checkout_mode' must be a list of hardlink"),
        ("remotes:\n  origin: s3://b\nfolders:\n  origin: file:///x\n", "'remotes.origin'"),
        ("- a\n- b\n", "the document must be a mapping, not a list"),
        ("remotes: [\n", "line 2:"),
        ("remotes:\n  a: s3://b\n  a: s3://c\n", "line 3: the key 'a' stands twice"),
        ("remotes:\n\t- x\n", "line 2:"),
    ],
)
def test_a_configuration_that_is_wrong_is_named_with_what_was_expected(
    text: str, said: str, project: Path, bare_pivot: Command
) -> None:
    write(project / CONFIG, text)

    done = bare_pivot("push", cwd=project)

    assert done.code == 8, done
    assert str(project / CONFIG) in done.err
    assert said in done.err
    assert "Traceback" not in done.err


def test_a_broken_configuration_is_not_written_over(project: Path, bare_pivot: Command) -> None:
    write(project / CONFIG, "remotes: [\n")

    done = bare_pivot("config", "set", "remote.jobs", "7", cwd=project)

    assert done.code == 8
    assert (project / CONFIG).read_text() == "remotes: [\n"


@pytest.mark.parametrize("command", ["push", "config list", "config set remote.jobs 7"])
def test_a_configuration_that_is_a_directory_is_an_error_of_the_disk(
    command: str, project: Path, bare_pivot: Command
) -> None:
    (project / CONFIG).mkdir()

    done = bare_pivot(*command.split(), cwd=project)

    assert told(done) == (7, f"Error: {project / CONFIG}: Is a directory\n")


@pytest.mark.parametrize("command", ["push", "pull", "checkout", "remote list"])
def test_outside_of_a_project_commands_say_how_to_begin(
    command: str, tmp_path: Path, bare_pivot: Command
) -> None:
    done = bare_pivot(*command.split(), cwd=tmp_path)

    nowhere = f"No .pivot directory found above '{tmp_path}'."
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        f"Error: {nowhere} Run 'pivot init' to initialize a Pivot project.",
        "Tip: Run 'pivot init' in your project root to initialize Pivot",
    ]


def test_outside_of_a_project_the_users_configuration_is_listed(
    tmp_path: Path, bare_pivot: Command
) -> None:
    bare_pivot("config", "set", "--global", "remote.jobs", "3", cwd=tmp_path)

    done = bare_pivot("config", "list", cwd=tmp_path)

    assert done.code == 0, done
    assert "remote.jobs = 3 (global)\n" in done.out


def test_init_makes_a_project_once(tmp_path: Path, bare_pivot: Command) -> None:
    first = bare_pivot("init", cwd=tmp_path)
    second = bare_pivot("init", cwd=tmp_path)
    forced = bare_pivot("init", "--force", cwd=tmp_path)

    assert first.code == 0
    assert first.out.startswith("Initialized Pivot project.\n\nCreated:\n  .pivot/\n")
    assert re.search(r"^/cache/$", (tmp_path / ".pivot/.gitignore").read_text(), re.MULTILINE)
    assert told(second) == (
        2,
        f"Error: Pivot already initialized in {tmp_path}\nTip: Use --force to reinitialize\n",
    )
    assert forced.code == 0


def test_another_root_can_be_named(project: Path, tmp_path: Path, bare_pivot: Command) -> None:
    inner = project / "inner"
    (inner / ".pivot").mkdir(parents=True)
    bare_pivot("config", "set", "remote.jobs", "7", cwd=inner, PIVOT_ROOT=str(inner))

    outermost = bare_pivot("config", "get", "remote.jobs", cwd=inner)
    named = bare_pivot("config", "get", "remote.jobs", cwd=tmp_path, PIVOT_ROOT=str(inner))
    wrong = bare_pivot("push", cwd=inner, PIVOT_ROOT=str(tmp_path))

    assert outermost.out == "remote.jobs = 64 (default)\n"
    assert named.out == "remote.jobs = 7 (local)\n"
    assert wrong.code == 2
    assert "PIVOT_ROOT" in wrong.err
