"""Completion in shells; loaded only when a shell asks for it."""

from __future__ import annotations

from click.shell_completion import BashComplete, add_completion_class


class _Bash(BashComplete):
    """Completes words with `@`, as names of stages have, at which bash would begin new words."""

    source_template = "COMP_WORDBREAKS=${COMP_WORDBREAKS//@}\n" + BashComplete.source_template


def register() -> None:
    """Let click use our script for bash."""
    add_completion_class(_Bash)
