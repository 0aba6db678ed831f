"""Completion: what is offered where, also for odd names, and in real shells."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import click
import pytest
from click.shell_completion import BashComplete, split_arg_string

from pivot.cli import pivot as command_line
from tests.conftest import Command, Done
from tests.documentation import install_commands
from tests.e2e.test_terminal import complete
from tests.projects import ProjectBuilder

ODD = "data/two words, v*1 \u00e9.bin"
Offered: TypeAlias = Callable[[str, Path], list[str]]
PIPELINE = """\
stages:
  train:
    matrix: {m: [linear, tree]}
    cmd: x
    deps: [data]
    outs: ['${m}.bin']
"""


@pytest.fixture(name="built")
def _built(tmp_path: Path) -> ProjectBuilder:
    built = ProjectBuilder(tmp_path / "project")
    built.config("remotes:\n  nas: file:///mnt/nas\n  origin: s3://bucket/prefix\n")
    built.workspace("pivot.yaml", PIPELINE.encode())
    built.stage("clean", {ODD: b"odd", "data/tree": {"a.csv": b"a"}}, place=True)
    built.tracked("data/raw.csv", b"raw")
    return built


@pytest.fixture(name="offered")
def _offered(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Path], list[str]]:
    """Ask as bash does at a tab, without a process of its own."""

    def ask(words: str, cwd: Path) -> list[str]:
        monkeypatch.chdir(cwd)
        *before, last = split_arg_string(words)[1:]
        asked = BashComplete(command_line, {}, "pivot", "_PIVOT_COMPLETE")
        return [str(item.value) for item in asked.get_completions(before, last)]

    return ask


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pivot push cl", ["clean"]),
        ("pivot push data/t", ["data/tree", ODD]),
        ("pivot push 'data/two w", [ODD]),
        ("pivot verify data/r", ["data/raw.csv"]),
        ("pivot repro tr", ["train", "train@linear", "train@tree", "tree.bin"]),
        ("pivot repro li", ["linear.bin"]),
        ("pivot dag train@t", ["train@tree"]),
        ("pivot list train@t", ["train@tree"]),
        ("pivot status t", ["train", "train@linear", "train@tree", "tree.bin"]),
        ("pivot status cl", ["clean"]),
        ("pivot pull --remote n", ["nas"]),
        ("pivot dag -r or", ["origin"]),
        ("pivot report -r or", ["origin"]),
        ("pivot remote remove n", ["nas"]),
        ("pivot config get remotes.", ["remotes.", "remotes.nas", "remotes.origin"]),
        ("pivot config set remote_options.nas.e", ["remote_options.nas.endpoint"]),
        ("pivot config set default_remote n", ["nas"]),
        ("pivot config set read_remotes n", ["nas"]),
        ("pivot config set remote_options.nas.read_only t", ["true"]),
        ("pivot config set integrity r", ["require"]),
        ("pivot config set cache.checkout_mode h", ["hardlink"]),
        ("pivot pull --checkout-mode s", ["symlink"]),
        ("pivot completion z", ["zsh"]),
        ("pivot pull ../x", []),
    ],
)
def test_a_word_is_completed(
    words: str, expected: list[str], built: ProjectBuilder, offered: Offered
) -> None:
    assert offered(words, built.root) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pivot push r", ["raw.csv"]),
        ("pivot push cl", ["clean"]),
        ("pivot repro ../li", ["../linear.bin"]),
        ("pivot -C .. push data/r", ["data/raw.csv"]),
        ("pivot push -C .. data/r", ["data/raw.csv"]),
    ],
)
def test_paths_are_those_that_the_command_would_take(
    words: str, expected: list[str], built: ProjectBuilder, offered: Offered
) -> None:
    assert offered(words, built.root / "data") == expected


def test_inside_of_an_output_and_of_directories_the_shell_goes_on(
    built: ProjectBuilder, bare_pivot: Command
) -> None:
    inside = complete(bare_pivot, "pivot push data/tree/a", built.root).out
    place = complete(bare_pivot, "pivot -C da", built.root).out

    assert (inside, place) == ("file,data/tree/a\n", "dir,da\n")


def test_a_pipeline_that_is_not_right_has_names_even_so(
    built: ProjectBuilder, offered: Offered
) -> None:
    built.workspace("pivot.yaml", PIPELINE.replace("cmd: x", "cdm: x").encode())

    assert offered("pivot repro tr", built.root) == ["train"]


def test_names_that_a_shell_cannot_take_are_left_out(
    built: ProjectBuilder, offered: Offered
) -> None:
    built.stage("odd", {"odd/a\nb": b"1", "odd/\x1b]0;x\x07": b"2", "odd/#1: c": b"3"})

    assert offered("pivot push odd/", built.root) == ["odd/#1: c"]


def test_a_lock_that_cannot_be_read_hides_no_other(built: ProjectBuilder, offered: Offered) -> None:
    built.workspace(".pivot/stages/bad.lock", b"\xff\nouts: [\n")

    assert offered("pivot push data/tr", built.root) == ["data/tree"]


def test_documents_that_cannot_be_read_are_no_reason_to_speak(
    built: ProjectBuilder, bare_pivot: Command
) -> None:
    built.workspace("pivot.yaml", b"\xff: [")
    built.workspace(".pivot/config.yaml", b"remotes: [\n")

    for words in ("pivot repro x", "pivot pull -r x", "pivot config get remotes.x"):
        assert complete(bare_pivot, words, built.root) == Done(0, "\n", "")


def parameters(
    command: click.Command, above: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Parameter]]:
    path = (*above, command.name or "")
    for parameter in command.params:
        yield " ".join((*path[1:], parameter.opts[0])), parameter
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                yield from parameters(inner, path)


FREE = {
    *("-j", "--timeout", "--max-size", "--precision", "--commits", "--endpoint", "--region"),
    *("--min-age", "--kms-key", "--sample", "--seed", "remote add name", "remote add url"),
}
"""What is free text or a number, so that nobody can complete it."""


def test_every_option_and_argument_that_can_be_completed_is() -> None:
    with click.Context(command_line) as context:
        silent = [
            place
            for place, parameter in parameters(command_line)
            if not getattr(parameter, "is_flag", False)
            and not getattr(parameter, "count", False)
            and not parameter.shell_complete(context, "")
            and getattr(parameter, "_custom_shell_complete", None) is None
        ]

    assert [p for p in silent if p not in FREE and p.rpartition(" ")[2] not in FREE] == []


PLAIN = {"TERM": "dumb", "PS1": "ready> ", "HISTFILE": "", "LC_ALL": "C.UTF-8"}
_CONTROLS = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]|[\r\a\b]")


class Terminal:
    """An interactive shell on a terminal, typed into as a user does."""

    def __init__(self, words: list[str], environment: dict[str, str], cwd: Path) -> None:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            words,
            cwd=cwd,
            env=environment
            | {"TERM": "dumb", "PS1": "ready> ", "HISTFILE": "", "LC_ALL": "C.UTF-8"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.type("", until="ready> ")

    def type(self, text: str, *, until: str) -> str:
        """Type *text*, and read what appears up to *until*."""
        os.write(self._ours, text.encode())
        shown = b""
        while not (said := _CONTROLS.sub("", shown.decode(errors="replace"))).endswith(until):
            assert select.select([self._ours], [], [], 30)[0], shown
            shown += os.read(self._ours, 65536)
        return said

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)


SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
BEFORE = {"bash": "", "zsh": "unsetopt promptsp; autoload -Uz compinit; compinit -D -u; "}
TELL = """#!/usr/bin/env python3
import json, sys
print(json.dumps(sys.argv[1:]))
"""


@pytest.mark.parametrize("name", SHELLS)
def test_a_shell_completes_odd_names_as_one_word(
    name: str,
    built: ProjectBuilder,
    bare_pivot: Command,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"there is no {name} here")
    path = install_commands(tmp_path / "bin", [sys.executable, "-m", "pivot"])
    (tmp_path / "bin/tell").write_text(TELL)
    (tmp_path / "bin/tell").chmod(0o755)
    shell = Terminal(SHELLS[name], bare_pivot.environment | {"PATH": path}, built.root)
    request.addfinalizer(shell.close)
    shell.type(f'{BEFORE[name]}eval "$(pivot completion {name})"\n', until="ready> ")
    told = []

    for typed, until in [
        ("pivot push data/two\t", ".bin "),
        ("pivot push 'data/two\t", "' "),
        ("pivot-remote dag train@l\t", "train@linear "),
    ]:
        shell.type(typed, until=until)
        shown = shell.type("\x01tell \n", until="\nready> ")
        told += [json.loads(line) for line in shown.splitlines() if line.startswith("[")]

    assert told == [
        ["pivot", "push", ODD],
        ["pivot", "push", ODD],
        ["pivot-remote", "dag", "train@linear"],
    ]


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish here")
def test_fish_completes_odd_names_with_what_they_are(
    built: ProjectBuilder, bare_pivot: Command, tmp_path: Path
) -> None:
    path = install_commands(tmp_path / "bin", [sys.executable, "-m", "pivot"])
    asked = ["pivot push data/two", "pivot-remote dag train@l", "pivot pull -r n"]
    lines = "\n".join(f"complete -C '{words}'" for words in asked)

    done = subprocess.run(
        ["fish", "--no-config", "-c", f"pivot completion fish | source\n{lines}"],
        cwd=built.root,
        env=bare_pivot.environment | {"PATH": path, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == [
        f"{ODD}\toutput",
        "train@linear\tstage",
        "nas\tfile:///mnt/nas",
    ]
