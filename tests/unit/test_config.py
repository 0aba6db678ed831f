"""The configuration: how every key is read, which level wins, which remote is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from pivot.config import Config, RemoteSettings, load_config, load_level
from pivot.errors import InvalidDocument, UsageError
from pivot.keys import KEYS, Level, Link, Setting, is_key, parse_setting
from pivot.project import Project
from tests.unit.values import write


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Project:
    (tmp_path / "project" / ".pivot").mkdir(parents=True)
    return Project(tmp_path / "project", tmp_path / "project", tmp_path / "home")


def configured(project: Project, text: str, user: str = "") -> Config:
    project.config.write_text(text)
    if user:
        write(project.home, ".config/pivot/config.yaml", user.encode())
    return load_config(project, project.user_config)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("cache.checkout_mode", "copy", ["copy"]),
        ("cache.checkout_mode", "symlink, copy", ["symlink", "copy"]),
        ("cache.dir", "/srv/cache", "/srv/cache"),
        ("core.max_workers", "-1", -1),
        ("core.run_history_retention", "3", 3),
        ("core.state_dir", "state", "state"),
        ("core.unsafe_fingerprinting", "True", True),
        ("core.unsafe_fingerprinting", "no", False),
        ("default_remote", "origin", "origin"),
        ("diff.max_rows", "1", 1),
        ("display.precision", "0", 0),
        ("remote.connect_timeout", "30", 30),
        ("remote.jobs", "1", 1),
        ("remote.read_timeout", "5", 5),
        ("remote.retries", "0", 0),
        ("watch.debounce", "0", 0),
        ("remotes.origin", "s3://b/p", "s3://b/p"),
        ("remotes.n_a-s", "file:///mnt", "file:///mnt"),
        ("remote_options.origin.endpoint", "http://localhost:8333", "http://localhost:8333"),
        ("remote_options.origin.region", "eu-central-1", "eu-central-1"),
        ("remote_options.origin.profile", "lab", "lab"),
        ("remote_options.origin.read_only", "yes", True),
        ("read_remotes", "near, origin,near", ["near", "origin"]),
    ],
)
def test_a_value_is_read_as_its_key_wants(key: str, text: str, value: Setting) -> None:
    assert is_key(key)
    assert parse_setting(key, text) == value


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("cache.checkout_mode", "reflink", "must be a list of hardlink, symlink, copy"),
        ("cache.checkout_mode", "copy,,symlink", "must be a list of"),
        ("cache.checkout_mode", "", "must be a list of"),
        ("core.run_history_retention", "0", "must be a positive integer"),
        ("core.unsafe_fingerprinting", "maybe", "must be true or false"),
        ("display.precision", "-1", "must be a non-negative integer"),
        ("remote.jobs", "0", "must be a positive integer"),
        ("remote.jobs", "1.5", "must be a positive integer"),
        ("remote.jobs", "many", "must be a positive integer"),
        ("remote.jobs", "1__0", "must be a positive integer"),
        ("remote.jobs", "_", "must be a positive integer"),
        ("remote.jobs", "9" * 19, "must be a positive integer"),
        ("remote.jobs", "٣", "must be a positive integer"),
        ("remote.retries", "-1", "must be a non-negative integer"),
        ("resources", "gpu", "must map names to positive integers"),
        ("remotes.origin", "gs://b", "'remotes.origin' must be a valid S3 URL"),
        ("remote_options.origin.endpoint", "localhost:8333", "must be a URL such as https://"),
        ("remote.job", "5", "Unknown config key"),
        ("remotes.a.b", "s3://b", "Unknown config key"),
        ("remotes.ä", "s3://b", "Unknown config key"),
        ("remote_options.origin.password", "x", "Unknown config key"),
    ],
)
def test_a_wrong_value_is_refused_with_the_reason(key: str, text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_setting(key, text)

    assert reason in caught.value.message
    assert key in caught.value.message


def test_a_misspelt_key_is_answered_with_the_right_one() -> None:
    with pytest.raises(UsageError) as caught:
        parse_setting("remote.retrys", "5")

    assert "remote.retries" in caught.value.hint


def test_without_files_every_key_has_its_default(project: Project) -> None:
    config = load_config(project, project.user_config)

    assert {key: config.get(key) for key in KEYS} == {
        key: (known.default, Level.DEFAULT) for key, known in KEYS.items()
    }
    assert config.get("remotes.origin") == (None, Level.UNKNOWN)
    assert config.links == (Link.HARDLINK, Link.SYMLINK, Link.COPY)


def test_the_project_wins_over_the_user_key_by_key(project: Project) -> None:
    config = configured(
        project,
        "remote: {jobs: 3}\nremotes: {origin: s3://project}\ncache: {checkout_mode: copy}\n",
        user="remote: {jobs: 5, retries: 2}\nremotes: {origin: s3://user, mine: s3://mine}\n",
    )

    assert config.get("remote.jobs") == (3, Level.LOCAL)
    assert config.get("remote.retries") == (2, Level.GLOBAL)
    assert {name: remote.url for name, remote in config.remotes.items()} == {
        "origin": "s3://project",
        "mine": "s3://mine",
    }
    assert config.links == (Link.COPY,)


def test_outside_a_project_there_is_the_users_configuration(project: Project) -> None:
    write(project.home, ".config/pivot/config.yaml", b"default_remote: mine\n")

    assert load_config(None, project.user_config).get("default_remote") == ("mine", Level.GLOBAL)


def test_every_problem_of_a_file_is_told_at_once(project: Project) -> None:
    project.config.write_text("remote: {jobs: 0, retries: x}\nremotes: {a: {b: c}}\n")

    with pytest.raises(InvalidDocument) as caught:
        load_level(project.config, Level.LOCAL)

    assert caught.value.problems == (
        "'remote.jobs' must be a positive integer",
        "'remote.retries' must be a non-negative integer",
        "unknown key 'remotes.a.b'",
    )


@pytest.mark.parametrize("section", ["remotes", "folders", "remote_options", "remote", "cache"])
def test_a_section_that_is_no_mapping_is_an_error(project: Project, section: str) -> None:
    with pytest.raises(InvalidDocument, match=f"'{section}' must be a mapping"):
        configured(project, f"{section}: text\n")


def test_an_empty_section_holds_nothing(project: Project) -> None:
    assert configured(project, "remotes:\ncache: {}\nremote: \n").settings == {}


def test_a_name_may_not_stand_for_a_bucket_and_a_folder(project: Project) -> None:
    with pytest.raises(InvalidDocument, match="stands in 'remotes' and in 'folders'"):
        configured(project, "remotes: {x: s3://b}\nfolders: {x: 'file:///mnt'}\n")


@pytest.mark.parametrize(
    "text", ["default_remote: [a]", "cache: {dir: {a: b}}", "remotes: {a: [b]}"]
)
def test_a_text_must_be_a_text(project: Project, text: str) -> None:
    with pytest.raises(InvalidDocument, match=r"must be a text|unknown key"):
        configured(project, text)


def test_numbers_are_numbers(project: Project) -> None:
    config = configured(project, "remote: {jobs: 3}\n")

    assert config.number("remote.jobs") == 3
    assert config.number("remote.retries") == 10


def test_mistakes_in_what_only_the_real_pivot_uses_stop_nobody(project: Project) -> None:
    config = configured(project, "core: {max_workers: lots}\nwatch: {debounce: -1}\nnew: {x: y}\n")

    assert config.get("core.max_workers") == ("lots", Level.LOCAL)
    assert config.get("new.x") == (None, Level.UNKNOWN)


def test_resources_map_names_to_numbers(project: Project) -> None:
    config = configured(project, "resources: {gpu: 2, memory: 64}\n")

    assert config.get("resources") == ({"gpu": 2, "memory": 64}, Level.LOCAL)


def test_a_google_remote_disturbs_nobody_until_it_is_used(project: Project) -> None:
    config = configured(project, "remotes: {g: gs://b, origin: s3://b}\ndefault_remote: origin\n")

    assert config.remote() == RemoteSettings("origin", "s3://b")


def test_a_project_may_not_choose_whose_credentials_are_used(project: Project) -> None:
    with pytest.raises(InvalidDocument, match="may be set for the user only"):
        configured(project, "remote_options: {origin: {profile: admin}}\n")

    allowed = configured(
        project, "remotes: {origin: s3://b}\n", user="remote_options: {origin: {profile: me}}\n"
    )
    assert allowed.remote().profile == "me"


def test_a_remote_has_its_options_and_a_folder_is_a_remote(project: Project) -> None:
    config = configured(
        project,
        "remotes: {origin: s3://b}\nfolders: {nas: 'file:///mnt'}\n"
        "remote_options: {origin: {endpoint: 'https://s3.lab', region: here}}\n",
    )

    assert config.remote("origin") == RemoteSettings("origin", "s3://b", "https://s3.lab", "here")
    assert config.remote("nas") == RemoteSettings("nas", "file:///mnt")


def test_the_remote_is_the_named_one_else_the_default_else_the_only_one(project: Project) -> None:
    one = configured(project, "remotes: {a: s3://a}\n")
    assert one.remote().name == "a"

    two = configured(project, "remotes: {a: s3://a, b: s3://b}\ndefault_remote: b\n")
    assert two.remote().name == "b"
    assert two.remote("a").name == "a"


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        ("", None, "No remotes configured"),
        ("remotes: {a: s3://a, b: s3://b}\n", None, "No default remote set and multiple"),
        ("remotes: {a: s3://a}\n", "b", "Remote 'b' not found"),
        ("remotes: {a: s3://a}\ndefault_remote: b\n", None, "Remote 'b' not found"),
    ],
)
def test_without_a_remote_to_use_it_says_why(
    project: Project, text: str, name: str | None, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        configured(project, text).remote(name)


def test_the_cache_is_where_the_environment_says_else_the_configuration(project: Project) -> None:
    config = configured(project, "cache: {dir: ../shared}\n")

    assert config.cache_dir(project, {}) == project.root / "../shared"
    assert config.cache_dir(project, {"PIVOT_CACHE_DIR": "  "}) == project.root / "../shared"
    assert config.cache_dir(project, {"PIVOT_CACHE_DIR": "/srv/c"}) == Path("/srv/c")


def test_a_password_in_an_endpoint_is_not_repeated(project: Project) -> None:
    config = configured(
        project,
        "remotes: {origin: s3://b}\n"
        "remote_options: {origin: {endpoint: 'http://ana:hunter2@s3.lab:9000'}}\n",
    )

    (told,) = config.doubts(config.remote())

    assert "http://s3.lab:9000" in told
    assert "hunter2" not in told


def test_a_project_may_take_away_and_not_give(project: Project) -> None:
    options = "remotes:\n  a: s3://b\nremote_options:\n  a:\n"

    config = configured(
        project,
        f"{options}    read_only: false\n    anonymous: true\n",
        user="remote_options:\n  a:\n    read_only: true\n    requester_pays: true\n",
    )

    remote = config.remote("a")
    assert (remote.read_only, remote.anonymous, remote.requester_pays) == (True, True, True)
    with pytest.raises(InvalidDocument, match="may be set for the user only"):
        configured(project, f"{options}    requester_pays: true\n")
