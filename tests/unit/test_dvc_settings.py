"""`.dvc/config` as settings of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from pivot.dvc.settings import Settings, read_settings
from pivot.errors import InvalidDocument

ROOT = Path("/home/ana/project")


def settings(shared: str, local: str = "") -> Settings:
    return read_settings(shared.encode(), local.encode(), ROOT)


def test_an_s3_remote_is_taken_over_with_endpoint_and_region() -> None:
    seen = settings("""\
[core]
    remote = store
['remote "store"']
    url = s3://bucket/dvc   # ours
    endpointurl = "https://s3.example.org"
    region = eu-central-1
""")

    assert seen.keys == {
        "remotes.store": "s3://bucket/dvc",
        "remote_options.store.endpoint": "https://s3.example.org",
        "remote_options.store.region": "eu-central-1",
        "default_remote": "store",
    }
    assert seen.notes == ()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/srv/dvc", "file:///srv/dvc"),
        ("../../store", "file:///home/ana/store"),
        ("/srv/with blank", "file:///srv/with%20blank"),
    ],
)
def test_a_directory_becomes_a_shared_folder(url: str, expected: str) -> None:
    assert settings(f"['remote \"nas\"']\nurl = {url}\n").keys == {"remotes.nas": expected}


@pytest.mark.parametrize(
    "url", ["gs://b/x", "azure://c", "ssh://host/x", "https://example.org", ""]
)
def test_other_remotes_are_noted(url: str) -> None:
    seen = settings(f"[core]\nremote = other\n['remote \"other\"']\nurl = {url}\n")

    assert seen.keys == {}
    assert [note.line for note in seen.notes] == [4, 2]


def test_profiles_keys_and_unknown_options_are_noted() -> None:
    seen = settings("""\
['remote "store"']
    url = s3://bucket
    profile = ana
    access_key_id = AKIA
    acl = private
""")

    assert list(seen.keys) == ["remotes.store"]
    assert [note.line for note in seen.notes] == [3, 4, 5]
    assert not any("AKIA" in note.what + note.cure for note in seen.notes)
    assert "--global remote_options.store.profile ana" in seen.notes[0].cure


def test_what_only_one_user_has_set_is_not_shared() -> None:
    seen = settings("", "['remote \"store\"']\nurl = s3://mine\n[cache]\ndir = /mnt/cache\n")

    assert seen.keys == {}
    assert seen.cache == Path("/mnt/cache")
    assert seen.notes[0].document == ".dvc/config.local"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ".dvc/cache"), ("[cache]\ndir = ../store", "store"), ("[cache]\ndir = c", ".dvc/c")],
)
def test_the_cache_counts_from_the_directory_of_the_configuration(text: str, expected: str) -> None:
    assert settings(text).cache == ROOT / expected


def test_how_options_are_written_is_known() -> None:
    seen = settings("[parsing]\nbool = boolean_optional\nlist = append\n")

    assert (seen.flags, seen.lists) == ("boolean_optional", "append")


def test_a_line_that_is_neither_section_nor_key_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="line 2: is neither"):
        settings("[core]\nremote\n")
