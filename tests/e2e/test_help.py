"""Every command's help is a page of a manual: what it does and touches, with examples."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from pivot.cli import pivot as command_line
from pivot.cli.manual import MANUAL
from pivot.errors import MEANINGS


def commands(
    command: click.Command = command_line, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    if path:
        yield " ".join(path), command
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                yield from commands(below, (*path, name))


COMMANDS = dict(commands())


def shown(path: str, width: int = 80) -> str:
    """Print the help of a command as on a terminal so wide."""
    settings = {"terminal_width": width - 2, **command_line.context_settings}
    context = click.Context(COMMANDS[path], info_name=f"pivot {path}", **settings)
    return COMMANDS[path].get_help(context)


def examples(path: str) -> list[str]:
    text = shown(path).partition("Examples:\n")[2].partition("\n\n")[0]
    return [re.split(r"  +", line.strip())[0] for line in text.splitlines()]


@pytest.mark.parametrize("path", COMMANDS)
def test_a_help_has_all_that_a_manual_has(path: str) -> None:
    text = shown(path)

    heads = ["Usage:", "Examples:", "Options:", "Reads:", "Writes:", "Never:", "See also:"]
    places = [text.find(head) for head in (*heads, "Exit codes:")]
    assert -1 not in places, dict(zip(heads, places, strict=False))
    assert places == sorted(places)
    table = [line.strip() for line in text.partition("Exit codes:\n")[2].splitlines()]
    assert table == [f"{int(code):<4} {meaning}" for code, meaning in MEANINGS.items()]


@pytest.mark.parametrize("path", COMMANDS)
def test_a_summary_is_one_sentence(path: str) -> None:
    first = shown(path).splitlines()[2:]
    summary = " ".join(line.strip() for line in first[: first.index("")])

    assert summary[0].isupper()
    assert summary.endswith(".")


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_says_what_it_does(path: str) -> None:
    with click.Context(COMMANDS[path]) as context:
        options = [p for p in COMMANDS[path].get_params(context) if isinstance(p, click.Option)]
    told = {option.opts[-1]: option.help or "" for option in options}

    assert [
        name for name, text in told.items() if not re.fullmatch(r"[A-Z].*\.|.*\]\.?", text)
    ] == []


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("path", COMMANDS)
def test_no_line_is_wider_than_the_terminal(path: str, width: int) -> None:
    wide = [line for line in shown(path, width).splitlines() if len(line) > width]

    assert wide == []


@pytest.mark.parametrize("path", COMMANDS)
def test_examples_are_commands_with_options_that_there_are(path: str) -> None:
    found = examples(path)
    assert found

    for example in found:
        command = re.search(r"\bpivot ([^|>)]+)", example)
        assert command, example
        words = shlex.split(command[1])
        group, words = (words[:2], words[2:]) if words[0] == "-C" else ([], words)
        assert " ".join(words).startswith(path), example
        with command_line.make_context("pivot", [*group, *words]) as context:
            context.resilient_parsing = True
            name, below, rest = command_line.resolve_command(context, words)
            while isinstance(below, click.Group):
                name, below, rest = below.resolve_command(context, rest)
            assert below is not None
            below.make_context(name, rest, parent=context)


@pytest.mark.parametrize("path", COMMANDS)
def test_related_commands_are_others_that_there_are(path: str) -> None:
    assert set(MANUAL[path].see) <= COMMANDS.keys() - {path}


def test_the_manual_knows_no_command_that_there_is_not() -> None:
    assert MANUAL.keys() == COMMANDS.keys()


@pytest.mark.parametrize(
    "path", [path for path, command in COMMANDS.items() if isinstance(command, click.Group)]
)
def test_no_summary_is_cut_off_where_commands_are_listed(path: str) -> None:
    assert "..." not in shown(path).partition("Commands:\n")[2].partition("\n\n")[0]


def test_no_summary_is_cut_off_in_the_list_of_all_commands() -> None:
    context = click.Context(command_line, terminal_width=78, **command_line.context_settings)

    listed = command_line.get_help(context).partition("Commands:\n")[2].partition("\n\n")[0]

    assert "..." not in listed
    assert len(listed.splitlines()) == len([path for path in COMMANDS if " " not in path])
