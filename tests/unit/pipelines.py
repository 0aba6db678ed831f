"""Pipeline files for tests, as text."""

from __future__ import annotations

from collections.abc import Mapping

from pivot.pipeline.file import parse_pipeline
from pivot.stage import Stage

Files = Mapping[str, str]

PARAMS = """
lr: 0.01
on: true
none:
name: é
models: [linear, tree]
deep: {a: {b: [x, y]}}
"""


def parse(
    text: str, files: Files | None = None, *, document: str = "pivot.yaml"
) -> tuple[tuple[Stage, ...], tuple[str, ...]]:
    """Read a pipeline beside which there are *files*, by their path from the root."""
    held = {name: content.encode() for name, content in (files or {}).items()}
    return parse_pipeline(text.encode(), document, held.get)


def stages(text: str, files: Files | None = None, *, document: str = "pivot.yaml") -> list[Stage]:
    found, problems = parse(text, files, document=document)
    assert problems == ()
    return list(found)


def stage(*lines: str, files: Files | None = None, document: str = "pivot.yaml") -> Stage:
    """Read one stage `t`, of whose body these are the lines; the first is the third of the file."""
    body = "".join(f"    {line}\n" for line in lines)
    command = "" if any(line.startswith("cmd") for line in lines) else "    cmd: run\n"
    (found,) = stages(f"stages:\n  t:\n{body}{command}", files, document=document)
    return found


def problems(*lines: str, files: Files | None = None, document: str = "pivot.yaml") -> list[str]:
    body = "".join(f"    {line}\n" for line in lines)
    command = "" if any(line.startswith("cmd") for line in lines) else "    cmd: run\n"
    found, told = parse(f"stages:\n  t:\n{body}{command}", files, document=document)
    assert found == ()
    return list(told)
