"""What commands print on a terminal and into a log: bars, lines, help, completion."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pivot import __version__
from pivot.errors import MEANINGS
from tests.conftest import ROOT, Command, Done
from tests.documentation import install_commands
from tests.e2e.small import MODEL, TRANSFERS, build, lose
from tests.projects import ProjectBuilder

COMMANDS = (
    *TRANSFERS,
    "init",
    "config",
    "config set",
    "config get",
    "config unset",
    "config list",
    "remote",
    "remote list",
    "remote add",
    "remote remove",
    "remote default",
)


@pytest.fixture(name="built")
def _built(tmp_path: Path) -> ProjectBuilder:
    return build(tmp_path)


def many(built: ProjectBuilder) -> ProjectBuilder:
    built.stage("many", {"data/many": {f"{n:03}.txt": f"{n}".encode() for n in range(500)}})
    return built


@pytest.mark.parametrize("command", ["push", "fetch", "checkout", "pull"])
def test_a_log_gets_few_lines_and_no_colours(
    command: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    many(built)
    if command in {"fetch", "pull"}:
        bare_pivot("push", "many", cwd=built.root)
        shutil.rmtree(built.root / ".pivot/cache")

    done = bare_pivot(command, "many", cwd=built.root)

    assert done.code == 0, done
    assert "500" in done.out
    assert len((done.out + done.err).splitlines()) <= 30
    assert "\x1b" not in done.out + done.err
    assert "\r" not in done.out + done.err


@pytest.mark.parametrize("command", ["push", "fetch", "checkout", "pull"])
def test_five_hundred_failures_are_few_lines_too(
    command: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    many(built)
    shutil.rmtree(built.root / ".pivot/cache")

    done = bare_pivot(command, "many", cwd=built.root)

    assert done.code == 3
    assert len((done.out + done.err).splitlines()) <= 30
    assert re.search(r"and 4\d\d more", done.out + done.err)


def on_a_terminal(pivot: Command, *arguments: str, cwd: Path) -> tuple[int, str]:
    """Run a command whose three streams are a terminal, and read all that appears there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "pivot", *arguments],
        cwd=cwd,
        env=pivot.environment | {"TERM": "xterm", "COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = bytearray()
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not chunk:
                break
            shown += chunk
    os.close(ours)
    return process.returncode, shown.decode()


def test_a_terminal_gets_a_progress_bar_that_goes_away(
    built: ProjectBuilder, bare_pivot: Command
) -> None:
    many(built)

    code, shown = on_a_terminal(bare_pivot, "push", "many", cwd=built.root)

    assert code == 0
    assert re.search(r"\d+/500 ", shown)
    assert "\x1b[" in shown
    last = shown.replace("\r", "").splitlines()[-2:]
    assert last[0].endswith("Pushed to 'nas': 500 transferred, 0 skipped, 0 failed")
    assert last[1] == "Wrote .pivot/digests/many.sha256: commit with the lock files"


def test_quiet_draws_no_bar(built: ProjectBuilder, bare_pivot: Command) -> None:
    assert on_a_terminal(bare_pivot, "push", "-q", cwd=built.root) == (0, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_ends_with_the_exit_codes(
    command: str, tmp_path: Path, bare_pivot: Command
) -> None:
    done = bare_pivot(*command.split(), "--help", cwd=tmp_path)

    assert done.code == 0
    table = [line.strip() for line in done.out.partition("Exit codes:\n")[2].splitlines()]
    assert table == [f"{int(code):<4} {meaning}" for code, meaning in MEANINGS.items()]


@pytest.mark.parametrize("command", [*TRANSFERS, "config", "remote"])
def test_help_has_examples_that_are_commands(
    command: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    shown = bare_pivot(command, "--help", cwd=built.root).out

    examples = re.findall(
        r"^ +pivot (.+?)(?:  +.*)?$", shown.partition("Examples:")[2], re.MULTILINE
    )
    assert len(examples) >= 2
    assert all(example.split()[0] == command for example in examples)
    assert max(map(len, shown.splitlines())) <= 100


def test_the_table_of_exit_codes_in_the_guide_is_that_of_the_help() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")

    rows = re.findall(r"^\| (\d+) \| (.+) \|$", guide, re.MULTILINE)

    assert rows == [(str(int(code)), meaning) for code, meaning in MEANINGS.items()]


def test_the_version_is_that_of_the_package(tmp_path: Path, bare_pivot: Command) -> None:
    done = bare_pivot("--version", cwd=tmp_path)

    assert done == Done(0, f"pivot-remote, version {__version__}\n", "")


HOSTILE = "data/\x1b]0;title\x07\r.bin"
OBEYED = re.compile(r"\x1b\]|\x07|\r(?!\n|\x1b)")
"""What of it a terminal would obey; bars and line ends have sequences of their own."""


@pytest.mark.parametrize("option", ["--quiet", "--dry-run", "--verbose"])
@pytest.mark.parametrize("command", TRANSFERS)
def test_control_characters_in_names_never_reach_the_terminal(
    command: str, option: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    built.stage("hostile", {HOSTILE: b"hostile"})
    lose(built, b"hostile")

    code, shown = on_a_terminal(bare_pivot, command, option, cwd=built.root)

    assert code == 3
    assert not OBEYED.search(shown), repr(shown)


def test_a_name_with_control_characters_is_shown_escaped(
    built: ProjectBuilder, bare_pivot: Command
) -> None:
    built.stage("hostile", {HOSTILE: b"hostile"})

    done = bare_pivot("push", "hostile", "--dry-run", cwd=built.root)

    assert done.out.startswith(r"  data/\x1b]0;title\x07\r.bin  7 B")


@pytest.mark.parametrize(
    "arguments",
    [
        ("remote", "list"),
        ("config", "list"),
        ("config", "get", "remotes.origin"),
        ("push", HOSTILE),
        ("push", "-r", HOSTILE),
        ("-C", HOSTILE, "push"),
    ],
)
def test_control_characters_in_settings_and_arguments_never_reach_the_terminal(
    arguments: tuple[str, ...], built: ProjectBuilder, bare_pivot: Command
) -> None:
    built.config('remotes:\n  origin: "s3://bucket/\\e]0;title\\a"\n')

    _, shown = on_a_terminal(bare_pivot, *arguments, cwd=built.root)

    assert "title" in shown
    assert not OBEYED.search(shown), repr(shown)


def test_the_report_has_names_as_they_are(built: ProjectBuilder, bare_pivot: Command) -> None:
    built.stage("hostile", {HOSTILE: b"hostile"})

    done = bare_pivot("push", "hostile", "--dry-run", "--json", cwd=built.root)

    assert "\x1b" not in done.out, "JSON escapes what a terminal would obey"
    plan = json.loads(done.out)["transfers"][0]["plan"]
    assert [row["path"] for row in plan["transfer"]] == [HOSTILE]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pivot pu", {"push", "pull"}),
        ("pivot push tr", {"train"}),
        ("pivot push data/m", {MODEL}),
        ("pivot push -r n", {"nas"}),
        ("pivot config set remote.j", {"remote.jobs"}),
        ("pivot push --dr", {"--dry-run"}),
        ("pivot schema rem", {"remotes"}),
    ],
)
def test_completion_offers(
    words: str, expected: set[str], built: ProjectBuilder, bare_pivot: Command
) -> None:
    done = complete(bare_pivot, words, built.root)

    assert done.err == ""
    assert {line.partition(",")[2] for line in done.out.splitlines()} == expected


@pytest.mark.parametrize("words", ["pivot push tr", "pivot push -r n"])
@pytest.mark.parametrize("config", [None, "remotes: [\n"])
def test_completion_has_nothing_to_say_where_it_knows_nothing(
    words: str, config: str | None, tmp_path: Path, bare_pivot: Command
) -> None:
    if config is not None:
        ProjectBuilder(tmp_path).config(config)

    done = complete(bare_pivot, words, tmp_path)

    assert (done.out.strip(), done.err) == ("", "")


def test_completion_of_what_is_tracked_is_left_to_the_shell(
    built: ProjectBuilder, bare_pivot: Command
) -> None:
    assert complete(bare_pivot, "pivot track da", built.root).out == "file,da\n"


def test_names_of_stages_are_completed_beyond_their_at_sign_in_bash(
    built: ProjectBuilder, bare_pivot: Command, tmp_path: Path
) -> None:
    (built.root / "pivot.yaml").write_text(
        "stages: {train: {matrix: {m: [linear, tree]}, cmd: x, outs: ['${m}.bin']}}\n"
    )
    path = install_commands(tmp_path / "bin", [sys.executable, "-m", "pivot"])
    bash = Bash(bare_pivot.environment | {"PATH": path}, built.root)

    bash.type('eval "$(_PIVOT_COMPLETE=bash_source pivot)"\n', until="ready> ")
    bash.type("pivot dag train@l\t", until="train@linear ")
    shown = bash.type("\n", until="ready> ")
    bash.close()

    assert shown.splitlines() == ["", "train@linear"]


class Bash:
    """An interactive bash on a terminal, typed into as a user does."""

    def __init__(self, environment: dict[str, str], cwd: Path) -> None:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            cwd=cwd,
            env=environment | {"TERM": "dumb", "PS1": "ready> ", "HISTFILE": ""},
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
        shown = ""
        while not shown.endswith(until):
            assert select.select([self._ours], [], [], 60)[0], shown
            shown += os.read(self._ours, 65536).decode().replace("\r", "").replace("\a", "")
        return shown.removesuffix(until)

    def close(self) -> None:
        os.write(self._ours, b"exit\n")
        self._process.wait(60)
        os.close(self._ours)


def test_ordinary_commands_load_no_completion(tmp_path: Path, bare_pivot: Command) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pivot", "schema"],
        check=True,
        cwd=tmp_path,
        env=bare_pivot.environment,
        capture_output=True,
        text=True,
    )

    assert "pivot.schema" in done.stderr
    assert "completion" not in done.stderr


def complete(pivot: Command, words: str, cwd: Path) -> Done:
    """Ask what the last of *words* may become, as bash does at a tab."""
    last = str(len(words.split()) - 1)
    return pivot(cwd=cwd, COMP_WORDS=words, COMP_CWORD=last, _PIVOT_COMPLETE="bash_complete")
