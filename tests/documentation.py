"""Runs the shell examples of a Markdown page, in order, and compares what they print.

A ```console block holds commands after `$ ` and what they print, where a line `...` stands for any
lines, and times such as `0.1 s` may differ; a ```bash block is a script that must succeed. A
comment directly above a block may say `<!-- run: in=DIR exit=CODE before=NAME -->`: where it runs,
the exit code of its last command, and the event that happens first.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_BLOCK = re.compile(
    r"(?:^<!-- run: (?P<options>.*?) -->\n)?^```(?P<kind>console|bash)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_SECONDS = re.compile(r"\b\d+\.\d s\b")
_CHANGE = re.compile(r"\d{4}-\d\d-\d\d \([0-9a-f]{7}\)")
_PROGRESS = re.compile(r"(?:Transferring|Reading) \d+ object\(s\), .*")
"""What a terminal shows as a bar, which is gone at the end."""


class DocumentationError(AssertionError):
    """An example does not do what the page says."""


@dataclass(frozen=True, slots=True)
class Example:
    """One command, or one script, with what it must print; `None` where the page does not say."""

    line: int
    command: str
    output: str | None
    code: int
    directory: str
    before: str


@dataclass(frozen=True, slots=True)
class Shell:
    """Where examples run: directories below *root*, with *environment*.

    *stand_ins* replace texts of the page that name places of the outer world, and *events* are
    what happens between examples that the page only tells of.
    """

    root: Path
    environment: Mapping[str, str]
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    events: Mapping[str, Callable[[], None]] = field(default_factory=dict)

    def run(self, example: Example) -> None:
        """Run one example; raises `DocumentationError`."""
        if example.before:
            self.events[example.before]()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._real(example.command)],
            cwd=self.root / example.directory,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        printed = "".join(
            f"{line}\n"
            for line in self._told(done.stdout).splitlines()
            if not _PROGRESS.fullmatch(line)
        )
        where = f"line {example.line}: $ {example.command}"
        if done.returncode != example.code:
            wanted = f"exit code {done.returncode}, not {example.code}"
            raise DocumentationError(f"{where}\n{wanted}\n{printed}")
        if example.output is not None and not matches(example.output, printed):
            raise DocumentationError(f"{where}\nexpected:\n{example.output}\nseen:\n{printed}")

    def _real(self, text: str) -> str:
        for told, real in self.stand_ins.items():
            text = text.replace(told, real)
        return text

    def _told(self, text: str) -> str:
        for told, real in self.stand_ins.items():
            text = text.replace(real, told)
        return text


def run_page(page: str, shell: Shell) -> int:
    """Run every example of *page*; return how many there were."""
    examples = read_examples(page)
    for example in examples:
        shell.run(example)
    return len(examples)


def read_examples(page: str) -> list[Example]:
    """Find the examples of a Markdown page, in order."""
    found: list[Example] = []
    for block in _BLOCK.finditer(page):
        options = dict(option.split("=", 1) for option in (block["options"] or "").split())
        if unknown := options.keys() - {"in", "exit", "before"}:
            raise DocumentationError(f"unknown options {sorted(unknown)} above a block")
        line = page.count("\n", 0, block.start("text")) + 1
        parts = (
            [(block["text"], None, line)]
            if block["kind"] == "bash"
            else _commands(block["text"], line)
        )
        for number, (command, output, place) in enumerate(parts, 1):
            code = int(options.get("exit", 0)) if number == len(parts) else 0
            before = options.get("before", "") if number == 1 else ""
            found.append(Example(place, command, output, code, options.get("in", "."), before))
    return found


def _commands(text: str, line: int) -> list[tuple[str, str | None, int]]:
    pieces = re.split(r"^\$ ", text, flags=re.MULTILINE)
    if pieces[0].strip() or len(pieces) == 1:
        raise DocumentationError(f"line {line}: a console block begins with a command after '$ '")
    found: list[tuple[str, str | None, int]] = []
    for piece in pieces[1:]:
        command, _, output = piece.partition("\n")
        found.append((command, output, line))
        line += piece.count("\n")
    return found


def matches(expected: str, printed: str) -> bool:
    """Compare to the letter but for times and commits; a line `...` stands for any lines."""
    expected, printed = (_SECONDS.sub("0.0 s", text) for text in (expected, printed))
    expected, printed = (_CHANGE.sub("then (there)", text) for text in (expected, printed))
    parts = [re.escape(part) for part in re.split(r"^\.\.\.\n", expected, flags=re.MULTILINE)]
    return re.fullmatch(r"(?:.*\n)*".join(parts), printed) is not None


def install_commands(directory: Path, command: list[str]) -> str:
    """Make `pivot` and `pivot-remote` in *directory* start *command*; return the new PATH."""
    directory.mkdir()
    words = " ".join(f"'{word}'" for word in command)
    for name in ("pivot", "pivot-remote"):
        script = directory / name
        script.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        script.chmod(0o755)
    return f"{directory}{os.pathsep}{os.environ['PATH']}"
