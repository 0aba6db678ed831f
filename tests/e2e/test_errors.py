"""Bad days before anything is sent: one exit code and one sentence with cause and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Command
from tests.e2e.weather import assert_sentence, make_project


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str) -> Path:
    return make_project(tmp_path / "project", bucket)


def test_outside_of_a_project(tmp_path: Path, pivot: Command) -> None:
    done = pivot("pull", cwd=tmp_path)

    assert_sentence(done, 2, "No .pivot directory", "pivot init")


def test_an_unknown_remote(project: Path, pivot: Command) -> None:
    done = pivot("push", "-r", "nowhere", cwd=project)

    assert_sentence(done, 2, "'nowhere' not found", "pivot remote list")


def test_several_remotes_and_no_default(project: Path, pivot: Command, bucket: str) -> None:
    pivot("config", "set", "remotes.other", f"s3://{bucket}/q", cwd=project)

    done = pivot("push", cwd=project)

    assert_sentence(done, 2, "No default remote", "-r <name>", "default_remote")


def test_no_remote_at_all(project: Path, pivot: Command) -> None:
    pivot("config", "unset", "remotes.origin", cwd=project)

    done = pivot("pull", cwd=project)

    assert_sentence(done, 2, "No remotes configured", "pivot config set remotes.<name> <url>")


@pytest.mark.parametrize("url", ["https://example.org/b", "gs://bucket/p", "s3://", "bucket/p"])
def test_a_url_that_is_not_s3(url: str, project: Path, pivot: Command) -> None:
    done = pivot("config", "set", "remotes.other", url, cwd=project)

    assert_sentence(done, 2, "s3://bucket/prefix", url)


@pytest.mark.parametrize(
    "file", [".pivot/config.yaml", ".pivot/stages/make/a.lock", "data/raw.pvt"]
)
def test_broken_yaml_names_file_and_line(file: str, project: Path, pivot: Command) -> None:
    (project / file).parent.mkdir(exist_ok=True)
    (project / file).write_text("outs:\n- path: [\n")

    done = pivot("pull", cwd=project)

    assert_sentence(done, 8, file, "line 3")


MEMBER = "{relpath: b, hash: ef46db3751d8e999, size: many, isexec: false}"
DIRECTORY = f"{{path: a, hash: ef46db3751d8e999, manifest: [{MEMBER}]}}"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("just text\n", "mapping"),
        ("outs: []\n", "code_manifest"),
        ("code_manifest: {}\nparams: {}\ndeps: []\nouts: {}\n", "outs"),
        ("code_manifest: {}\nparams: {}\ndeps: []\nouts: [3]\n", "outs[0]"),
        ("code_manifest: {}\nparams: {}\ndeps: []\nouts:\n- {path: a, hash: 12}\n", "outs[0].hash"),
        (
            f"code_manifest: {{}}\nparams: {{}}\ndeps: []\nouts: [{DIRECTORY}]\n",
            "outs[0].manifest[0].size",
        ),
    ],
)
def test_wrong_types_in_a_lock_file_name_file_and_place(
    text: str, place: str, project: Path, pivot: Command
) -> None:
    (project / ".pivot/stages/make/a.lock").write_text(text)

    done = pivot("push", cwd=project)

    assert_sentence(done, 8, ".pivot/stages/make/a.lock", place)


def test_an_unknown_key_in_a_pvt_file_names_file_and_key(project: Path, pivot: Command) -> None:
    text = "path: raw\nhash: ef46db3751d8e999\nsize: 0\ncolour: red\n"
    (project / "raw.pvt").write_text(text)

    done = pivot("push", cwd=project)

    assert_sentence(done, 8, "raw.pvt", "'colour'")
