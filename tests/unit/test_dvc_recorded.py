"""`dvc.lock` and `*.dvc` files as values."""

from __future__ import annotations

import pytest

from pivot.dvc.recorded import Data, Hashed, read_data, read_lock
from pivot.errors import InvalidDocument

MD5 = "9bdb0be0d6de1a9706bbfbf4f1b6cf17"


def test_a_stage_has_commands_parameters_and_contents() -> None:
    text = f"""\
schema: '2.0'
stages:
  train@a:
    cmd: [one, two]
    deps:
    - path: ./src/
      hash: md5
      md5: {MD5}.dir
      size: 7
      nfiles: 2
    params:
      params.yaml: {{lr: 1e-3, name: 'no'}}
    outs:
    - path: old.txt
      md5: {MD5}
    - path: cloud.txt
      etag: abc
"""
    ran = read_lock(text.encode(), "dvc.lock")["train@a"]

    assert ran.commands == ("one", "two")
    assert ran.dependencies == {"src": Hashed(MD5, directory=True, size=7)}
    assert ran.outputs == {"old.txt": Hashed(MD5, legacy=True), "cloud.txt": None}
    assert ran.parameters == {"params.yaml": {"lr": 0.001, "name": "no"}}


def test_a_lock_without_schema_is_one_of_dvc_1() -> None:
    assert list(read_lock(b"train:\n  cmd: x\n", "dvc.lock")) == ["train"]


def test_tracked_data_lies_beside_its_file() -> None:
    text = f"wdir: sub\nouts:\n- md5: {MD5}\n  size: 2\n  hash: md5\n  path: x.csv\n"

    data, notes = read_data(text.encode(), "data/x.csv.dvc")

    assert data == (Data("data/sub/x.csv", "data/x.csv.dvc", 3, Hashed(MD5, size=2)),)
    assert notes == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("outs: [{path: /etc/x}]", "/etc/x is outside"),
        ("outs: [{path: ../x}]", "../x is outside"),
        ("outs: [{path: x, cache: false}]", "x is not cached"),
        ("cmd: run\nouts: [{path: x}]", "a stage in a .dvc file"),
        ("deps: [{path: 's3://b/x', etag: a}]\nouts: [{path: x}]", "imported from s3://b/x"),
    ],
)
def test_what_is_not_converted_is_noted(text: str, said: str) -> None:
    _, notes = read_data(text.encode(), "x.dvc")

    assert said in notes[0].what


@pytest.mark.parametrize(
    "text",
    [
        "[]", "stages: 1\nschema: '2.0'", "a: 1", "a: {cmd: x, outs: 1}", "a: {cmd: x, outs: [1]}",
        "a: {cmd: x, outs: [{path: x, md5: 1}]}", "a: {cmd: x, params: [1]}",
    ],
)  # fmt: skip
def test_a_lock_that_is_not_valid_is_refused(text: str) -> None:
    with pytest.raises(InvalidDocument, match=r"dvc\.lock"):
        read_lock(text.encode(), "dvc.lock")
