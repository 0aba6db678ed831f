"""What the help of each command says beyond its summary, options and examples.

What a command reads, what it writes and what it never does stand here side by side, so that they
can be compared; and where to read on.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import click

_WIDTH = 76
_INDENT = 10


@frozen
class Manual:
    """A command's *reads*, *writes* and *never*, other commands to *see*, and a *brief* summary."""

    reads: str
    writes: str
    never: str
    see: tuple[str, ...]
    brief: str = ""


_CONFIG = "the project's configuration, and the user's"
_WORKSPACE = "changes a file of the workspace, the cache or a remote"

MANUAL: Mapping[str, Manual] = {
    "repro": Manual(
        "pivot.yaml, lock files, inputs of stages; with --pull the remote",
        "outputs, the cache, .pivot/stages/, .pivot/digests/; with -n nothing",
        "writes to a remote; replaces an output whose content is kept nowhere",
        ("dag", "status", "push", "schema"),
        brief="Run the stages that have to run, and skip the others.",
    ),
    "list": Manual(
        "pivot.yaml, lock files, inputs and outputs of stages",
        "nothing",
        "runs a stage, or asks a remote",
        ("status", "dag", "repro"),
        brief="List stages, their outputs, and what 'repro' would do.",
    ),
    "dag": Manual(
        "pivot.yaml, lock files; with --status what 'status' reads",
        "nothing",
        "runs a stage, or asks a remote without --online or --remote",
        ("status", "list", "report"),
        brief="Draw which stage depends on which, with their states.",
    ),
    "push": Manual(
        "lock and .pvt files, the cache, what the remote has",
        "objects on the remote, .pivot/digests/; -n and --check nothing",
        "overwrites or deletes an object, or changes an output",
        ("pull", "verify", "status", "remote"),
    ),
    "pull": Manual(
        "lock and .pvt files, the cache, the remote",
        "the cache, and outputs in the workspace; with --dry-run nothing",
        "overwrites a change that is kept nowhere else, without --force",
        ("fetch", "checkout", "push", "repro"),
        brief="Download outputs and place them in the workspace.",
    ),
    "fetch": Manual(
        "lock and .pvt files, the cache, the remote",
        "the cache; with --dry-run nothing",
        "changes the workspace",
        ("checkout", "pull", "push"),
        brief="Download outputs into the local cache alone.",
    ),
    "checkout": Manual(
        "lock and .pvt files, the cache",
        "outputs in the workspace; with --dry-run nothing",
        "asks a remote, or overwrites a file that differs without --force",
        ("fetch", "pull", "status"),
    ),
    "status": Manual(
        "pivot.yaml, lock files, the workspace, the cache; --online the remote",
        "nothing but what it has read: .pivot/cache/remembered.json",
        "runs a stage or moves an object",
        ("dag", "report", "verify", "repro"),
    ),
    "verify": Manual(
        "lock and .pvt files, what the remote has; with --cache the cache",
        "nothing; with --repair the cache",
        "counts what only the local cache has, without --cache",
        ("status", "push", "report"),
        brief="Ask whether the remote has all that lock files name.",
    ),
    "report": Manual(
        "what 'status' reads, and lock files of the last commits in git",
        "FILE, with --html; else nothing",
        "moves an object, or asks a remote without --online or --remote",
        ("status", "dag", "verify"),
    ),
    "doctor": Manual(
        "the configuration, credentials, the cache's disk, the remote",
        "PREFIX/doctor/... on the remote, deleted again; --read-only nothing",
        "shows a secret, or touches an object",
        ("remote", "remote policy", "verify"),
        brief="Find out whether pull and push work, and why not.",
    ),
    "gc": Manual(
        "lock files of all commits, and what the cache or remote has",
        "with --yes the cache or remote: objects go to its trash; else nothing",
        "moves what a branch, tag, stash or worktree needs, by its options",
        ("status", "remote policy", "report"),
        brief="Put aside what nothing refers to any more.",
    ),
    "track": Manual(
        "PATHS",
        "the cache, a .pvt file beside each, .gitignore",
        "changes the data itself",
        ("push", "pull", "list"),
        brief="Track data that no stage makes, such as raw data.",
    ),
    "config": Manual(
        _CONFIG, "one of them, by set and unset", _WORKSPACE, ("remote", "config list", "init")
    ),
    "config set": Manual(
        _CONFIG,
        ".pivot/config.yaml; with --global the user's",
        _WORKSPACE,
        ("config get", "remote"),
    ),
    "config unset": Manual(
        _CONFIG,
        ".pivot/config.yaml; with --global the user's",
        _WORKSPACE,
        ("config set", "config list"),
    ),
    "config get": Manual(_CONFIG, "nothing", _WORKSPACE, ("config list", "config set")),
    "config list": Manual(_CONFIG, "nothing", _WORKSPACE, ("config get", "config set")),
    "remote": Manual(
        _CONFIG, ".pivot/config.yaml", "changes what a remote holds", ("config", "push", "verify")
    ),
    "remote list": Manual(
        _CONFIG, "nothing", "asks a remote whether it is there", ("remote add", "config list")
    ),
    "remote add": Manual(
        _CONFIG,
        ".pivot/config.yaml",
        "asks whether there is such a bucket, or keeps credentials",
        ("remote default", "config set", "push"),
    ),
    "remote remove": Manual(
        _CONFIG,
        ".pivot/config.yaml",
        "deletes what the remote holds",
        ("remote list", "config unset"),
    ),
    "remote default": Manual(
        _CONFIG, ".pivot/config.yaml", "moves an object", ("remote list", "remote add")
    ),
    "remote policy": Manual(
        _CONFIG,
        "nothing",
        "asks AWS, or changes a role",
        ("doctor", "remote list", "gc"),
        brief="Print the least that AWS has to allow.",
    ),
    "init": Manual(
        "the current directory",
        ".pivot/ with its .gitignore",
        "changes a project that is there, but for .pivot/.gitignore with --force",
        ("import-dvc", "config", "track", "repro"),
    ),
    "params": Manual(
        "git, pivot.yaml, params.yaml, lock files",
        "nothing",
        _WORKSPACE,
        ("params diff", "metrics"),
    ),
    "params diff": Manual(
        "git, pivot.yaml, params.yaml, lock files",
        "nothing",
        _WORKSPACE,
        ("metrics diff", "config set"),
    ),
    "metrics": Manual(
        "git, lock files, metric files, the cache",
        "nothing",
        _WORKSPACE,
        ("metrics show", "metrics diff", "params"),
    ),
    "metrics show": Manual(
        "git, lock files, metric files, the cache", "nothing", _WORKSPACE, ("metrics diff", "list")
    ),
    "metrics diff": Manual(
        "git, lock files, metric files, the cache",
        "nothing",
        _WORKSPACE,
        ("metrics show", "params diff"),
    ),
    "schema": Manual(
        "nothing of the project",
        "nothing",
        "needs a project",
        ("repro", "status", "report"),
        brief="Print a JSON Schema: of pivot.yaml, or of a report.",
    ),
    "completion": Manual(
        "nothing of the project",
        "nothing: where the script goes is up to you",
        "needs a project",
        ("config", "schema"),
        brief="Print a script that completes words in a shell.",
    ),
    "import-dvc": Manual(
        "dvc.yaml, dvc.lock, .dvc files, DVC's configuration and cache",
        "pivot.yaml, .pivot/, .pvt files, the cache; with --dry-run nothing",
        "runs a stage, or changes what DVC has",
        ("repro", "push", "status"),
        brief="Make a DVC project a Pivot project.",
    ),
}
"""By the words that call the command."""


def documented(command: click.Command, path: str, exit_codes: str) -> click.Command:
    """Give *command*, which is called by *path*, and those below it what is said here of them.

    It stands before the table of *exit_codes*. One that is not known stays as it is.
    """
    if path in MANUAL:
        known = MANUAL[path]
        text, epilog = _text(known), command.epilog or ""
        if text not in epilog:
            command.epilog = epilog.replace(exit_codes, "") + text + exit_codes
        command.short_help = known.brief or command.short_help
    for name, below in getattr(command, "commands", {}).items():
        documented(below, f"{path} {name}", exit_codes)
    return command


def _text(known: Manual) -> str:
    lines = ["\b", *_said("Reads:", known.reads), *_said("Writes:", known.writes)]
    lines += [*_said("Never:", known.never)]
    lines += [*_said("See also:", ", ".join(f"pivot {name}" for name in known.see))]
    return "\n".join(lines) + "\n\n"


def _said(word: str, text: str) -> Iterator[str]:
    """Write a line, and those that follow it below its text."""
    wrapped = textwrap.wrap(text, _WIDTH - _INDENT, break_on_hyphens=False)
    for number, line in enumerate(wrapped):
        yield f"{'' if number else word:<{_INDENT}}{line}"
