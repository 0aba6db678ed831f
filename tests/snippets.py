"""Reads the examples of Markdown pages that are no console sessions: YAML, JSON, scripts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tests.conftest import ROOT

PAGES = ("README.md", "docs/ci.md")
OURS = "OWNER/pivot-remote"

_BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Snippet:
    """The text of a fenced block of *kind*, at a *line* of a *page*."""

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def snippets(kind: str, *pages: str) -> Iterator[Snippet]:
    """Find the blocks of a kind, in order."""
    for page in pages or PAGES:
        text = read(page)
        for found in _BLOCK.finditer(text):
            if found["kind"] == kind:
                line = text.count("\n", 0, found.start("text")) + 1
                yield Snippet(page, line, kind, found["text"])


def workflows() -> list[Snippet]:
    """Find the YAML that is for GitHub, as whole workflows: what is less is completed."""
    return [
        Snippet(found.page, found.line, found.kind, text)
        for found in snippets("yaml")
        if (text := _complete(found.text))
    ]


def _complete(text: str) -> str:
    tree = yaml.load(text, yaml.BaseLoader)
    if isinstance(tree, dict) and "on" in tree:
        return text
    if isinstance(tree, dict) and "runs-on" not in tree and "permissions" in tree:
        return _job(text)
    if isinstance(tree, list):
        return _job("permissions: {}\nsteps:\n" + _indent(text, "  "))
    return ""


def _job(text: str) -> str:
    head = (
        "name: example\non: push\npermissions: {}\nconcurrency: {group: one}\njobs:\n  one:\n"
        "    name: one\n    runs-on: ubuntu-latest\n    timeout-minutes: 5\n"
    )
    return head + _indent(text, "    ")


def _indent(text: str, by: str) -> str:
    return "".join(f"{by}{line}" if line.strip() else line for line in text.splitlines(True))


def model_workflow() -> str:
    """Find the workflow of the README."""
    (found,) = (s.text for s in snippets("yaml", "README.md") if s.text.startswith("name:"))
    return found


def steps(text: str) -> Iterator[dict[str, Any]]:
    """List the steps of all jobs of a workflow."""
    for job in yaml.load(text, yaml.BaseLoader)["jobs"].values():
        yield from job.get("steps", ())


def document(name: str) -> dict[str, Any]:
    """Read the JSON that the README shows after it has named the file *name*."""
    shown = rf"`{re.escape(name)}`, .*?^```json\n(.*?)^```$"
    found = re.search(shown, read("README.md"), re.MULTILINE | re.DOTALL)
    assert found, name
    tree: dict[str, Any] = json.loads(found[1])
    return tree
