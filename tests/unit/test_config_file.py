"""Changing a configuration file: what others wrote in it stays."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import yaml

from pivot.config import load_level
from pivot.config_file import set_key, unset_key
from pivot.errors import InvalidDocument
from pivot.keys import Level

WRITTEN = """\
# our team's settings
remotes:
  # the lab
  origin: s3://bucket/p  # ask Ana
  other: 's3://other'
remote: {jobs: 5}

core:
  max_workers: -2
unknown_to_us: [1, 0x10, yes]
"""


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    return tmp_path / ".pivot" / "config.yaml"


def written(file: Path, text: str = WRITTEN) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_setting_a_key_changes_its_line_alone(file: Path) -> None:
    set_key(written(file), "remote.jobs", 7)

    assert file.read_text() == WRITTEN.replace("jobs: 5", "jobs: 7")


def test_a_new_key_leaves_all_other_lines_as_they_are(file: Path) -> None:
    set_key(written(file), "cache.dir", "/srv/cache")

    assert file.read_text() == WRITTEN + "cache:\n  dir: /srv/cache\n"


def test_a_changed_key_keeps_its_place_and_the_comments_beside_it(file: Path) -> None:
    set_key(written(file), "remotes.origin", "s3://bucket/q")

    assert file.read_text() == WRITTEN.replace("bucket/p", "bucket/q")


def test_unsetting_a_key_removes_its_line_alone(file: Path) -> None:
    was_there = unset_key(written(file), "remotes.other")

    assert was_there
    assert file.read_text() == WRITTEN.replace("  other: 's3://other'\n", "")


def test_unsetting_the_last_key_of_a_section_removes_the_section(file: Path) -> None:
    unset_key(written(file), "remote.jobs")

    assert "remote" not in yaml.safe_load(file.read_text())


def test_unsetting_what_is_not_there_changes_nothing(file: Path) -> None:
    assert not unset_key(written(file), "remote.retries")
    assert not unset_key(file, "remotes.origin.deeper")
    assert file.read_text() == WRITTEN


def test_unsetting_everything_keeps_what_somebody_wrote_at_the_top(file: Path) -> None:
    unset_key(
        written(file, "# our team's settings\nremotes:\n  origin: s3://b\n"), "remotes.origin"
    )

    assert not yaml.safe_load(file.read_text())
    assert "# our team's settings" in file.read_text()


def test_the_first_key_makes_the_file(file: Path) -> None:
    set_key(file, "remotes.origin", "s3://b")

    assert file.read_text() == "remotes:\n  origin: s3://b\n"


def test_a_folder_stands_in_a_section_that_the_real_pivot_ignores(file: Path) -> None:
    set_key(file, "remotes.nas", "file:///mnt")

    assert yaml.safe_load(file.read_text()) == {"folders": {"nas": "file:///mnt"}}
    assert load_level(file, Level.LOCAL)["remotes.nas"] == ("file:///mnt", Level.LOCAL)


def test_a_remote_that_becomes_a_folder_moves_and_back(file: Path) -> None:
    set_key(file, "remotes.x", "s3://b")
    set_key(file, "remotes.x", "file:///mnt")
    assert yaml.safe_load(file.read_text()) == {"folders": {"x": "file:///mnt"}}

    set_key(file, "remotes.x", "s3://b")
    assert yaml.safe_load(file.read_text()) == {"remotes": {"x": "s3://b"}}


def test_a_folder_is_unset_by_the_name_of_a_remote(file: Path) -> None:
    set_key(file, "remotes.nas", "file:///mnt")

    assert unset_key(file, "remotes.nas")
    assert not load_level(file, Level.LOCAL)


@pytest.mark.parametrize(
    "name", ["no", "on", "Yes", "null", "010", "1e5", "2024_01", "0x1f", "2024-01-01", "1_000"]
)
def test_a_name_that_looks_like_something_else_is_a_name_to_the_real_pivot(
    file: Path, name: str
) -> None:
    set_key(file, f"remotes.{name}", "s3://b")
    set_key(file, "default_remote", name)

    assert yaml.safe_load(file.read_text()) == {"remotes": {name: "s3://b"}, "default_remote": name}


@pytest.mark.parametrize(
    "value", [": [", "a: b", "# x", "- x", "'", '"', "*a", "%x", "a #b", " x "]
)
def test_a_value_that_is_yaml_itself_reads_back(file: Path, value: str) -> None:
    set_key(file, "remote_options.x.region", value)

    assert yaml.safe_load(file.read_text()) == {"remote_options": {"x": {"region": value}}}


@pytest.mark.parametrize("text", ["a: [", "a: 1\na: 2\n", "- a\n"])
def test_a_file_that_cannot_be_read_is_not_overwritten(file: Path, text: str) -> None:
    with pytest.raises(InvalidDocument):
        set_key(written(file, text), "remote.jobs", 7)

    assert file.read_text() == text


def test_two_editors_lose_nothing_of_each_other(file: Path) -> None:
    names = [f"r{number}" for number in range(12)]
    editors = [
        threading.Thread(target=set_key, args=(file, f"remotes.{name}", f"s3://{name}"))
        for name in names
    ]
    for editor in editors:
        editor.start()
    for editor in editors:
        editor.join()

    assert sorted(yaml.safe_load(file.read_text())["remotes"]) == sorted(names)
